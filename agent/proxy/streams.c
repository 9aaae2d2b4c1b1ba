/* streams.c: see streams.h. A list under one lock. */
#include "proxy/streams.h"

#include "base/log.h"

void
via_streams_init(struct via_streams *l)
{
    pthread_mutex_init(&l->lock, NULL);
    l->head = NULL;
}

static void
stream_unlink(struct via_stream *s)
{
    if (!s->at)
        return;
    *s->at = s->next;
    if (s->next)
        s->next->at = s->at;
    s->at = NULL;
    s->idle = false;
}

void
via_streams_put(struct via_streams *l, struct via_stream *s, struct via_run *run)
{
    pthread_mutex_lock(&l->lock);
    s->run = run;
    s->idle = true;
    s->next = l->head;
    s->at = &l->head;
    if (s->next)
        s->next->at = &s->next;
    l->head = s;
    pthread_mutex_unlock(&l->lock);
}

bool
via_streams_take(struct via_streams *l, struct via_stream *s)
{
    bool may;

    pthread_mutex_lock(&l->lock);
    may = s->idle;
    stream_unlink(s);
    pthread_mutex_unlock(&l->lock);
    return may;
}

void
via_streams_remove(struct via_streams *l, struct via_stream *s)
{
    (void)via_streams_take(l, s);
}

int
via_streams_tick(struct via_streams *l, struct via_pool *pool, int64_t now_ms,
                 void (*tell)(void *arg, const struct via_grant *grant), void *arg)
{
    struct via_stream *next;
    int count = 0;

    pthread_mutex_lock(&l->lock);
    for (struct via_stream *s = l->head; s; s = next) {
        bool is_drained = s->run->conn && via_conn_is_drained(s->run->conn);

        next = s->next;
        if (s->run->deadline_ms > now_ms && !is_drained)
            continue;
        via_log(VIA_LOG_WARN, "a result was cut off: %s",
                is_drained ? "its add-on is being restored" : "its client reads too slowly");
        if (is_drained && tell)
            tell(arg, &s->run->pass->grant);
        via_run_end(s->run, pool);
        stream_unlink(s);
        count++;
    }
    pthread_mutex_unlock(&l->lock);
    return count;
}
