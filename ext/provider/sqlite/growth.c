#include "provider/sqlite/growth.h"

#include <assert.h>
#include <sys/resource.h>

#define GROWTH_NICE 19 /* not SCHED_IDLE: others wait for the locks that a thread holds */

void
via_growth_init(struct via_growth *g)
{
    *g = (struct via_growth){0};
    pthread_mutex_init(&g->lock, NULL);
    pthread_cond_init(&g->news, NULL);
}

static void
growth_put(struct via_growth *g, int64_t bytes, bool is_over)
{
    pthread_mutex_lock(&g->lock);
    atomic_store(&g->there_bytes, bytes);
    g->is_over = is_over;
    pthread_cond_broadcast(&g->news);
    pthread_mutex_unlock(&g->lock);
}

void
via_growth_tell(struct via_growth *g, int64_t bytes)
{
    assert(!g->is_over);
    growth_put(g, bytes, false);
}

void
via_growth_end(struct via_growth *g)
{
    growth_put(g, atomic_load(&g->there_bytes), true);
}

void
via_growth_give_up(struct via_growth *g)
{
    growth_put(g, -1, true);
}

int64_t
via_growth_wait(struct via_growth *g, int64_t bytes)
{
    int64_t there = atomic_load(&g->there_bytes);

    if (there >= bytes)
        return there;
    pthread_mutex_lock(&g->lock);
    while ((there = atomic_load(&g->there_bytes)) < bytes && !g->is_over)
        pthread_cond_wait(&g->news, &g->lock);
    pthread_mutex_unlock(&g->lock);
    return there;
}

void
via_growth_give_way(struct via_growth *g)
{
    atomic_store(&g->gives_way, true);
}

void
via_growth_heed(const struct via_growth *g, bool *has_given_way)
{
    if (*has_given_way || !atomic_load(&g->gives_way))
        return;
    *has_given_way = true;
    (void)setpriority(PRIO_PROCESS, 0, GROWTH_NICE); /* on Linux of the calling thread alone */
}

void
via_growth_deinit(struct via_growth *g)
{
    pthread_cond_destroy(&g->news);
    pthread_mutex_destroy(&g->lock);
}
