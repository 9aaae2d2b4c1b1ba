/* pool.c: shelves in a hash table under one lock. Nothing is opened or closed
 * while it is held. */
#include "proxy/pool.h"

#include "base/clock.h"
#include "base/error.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 1024
#define IDLE_MS 60000
#define STREAMS 8
#define SLOW_READS 3

struct via_pool {
    pthread_mutex_t lock;
    struct via_lanes *lanes;
    int count;
    struct via_shelf *buckets[BUCKETS];
};

struct via_pool *
via_pool_new(struct via_lanes *lanes)
{
    struct via_pool *p = calloc(1, sizeof *p);

    if (p) {
        pthread_mutex_init(&p->lock, NULL);
        p->lanes = lanes;
    }
    return p;
}

static void
conns_close(struct via_conn *list)
{
    while (list) {
        struct via_conn *next = list->next;

        via_conn_close(list);
        list = next;
    }
}

void
via_pool_free(struct via_pool *p)
{
    if (!p)
        return;
    for (int i = 0; i < BUCKETS; i++)
        while (p->buckets[i]) {
            struct via_shelf *shelf = p->buckets[i];

            p->buckets[i] = shelf->next;
            conns_close(shelf->idle);
            via_conn_close(shelf->writer);
            free(shelf);
        }
    pthread_mutex_destroy(&p->lock);
    free(p);
}

static struct via_shelf **
pool_bucket(struct via_pool *p, const char *addon_id)
{
    uint32_t h = 2166136261u;

    for (const char *c = addon_id; *c; c++)
        h = (h ^ (unsigned char)*c) * 16777619u;
    return &p->buckets[h % BUCKETS];
}

static struct via_shelf *
pool_find(struct via_pool *p, const char *addon_id)
{
    struct via_shelf *shelf = *pool_bucket(p, addon_id);

    while (shelf && strcmp(shelf->addon_id, addon_id) != 0)
        shelf = shelf->next;
    return shelf;
}

static bool
shelf_is_unused(struct via_pool *p, struct via_shelf *shelf)
{
    return shelf->holders == 0 && via_lane_is_idle(p->lanes, &shelf->writes) &&
           via_lane_is_idle(p->lanes, &shelf->reads);
}

/* Take an unused shelf out and free it; its connections are added to *close. */
static void
shelf_remove(struct via_pool *p, struct via_shelf *shelf, struct via_conn **close)
{
    struct via_shelf **at = pool_bucket(p, shelf->addon_id);

    while (*at != shelf)
        at = &(*at)->next;
    *at = shelf->next;
    while (shelf->idle) {
        struct via_conn *c = shelf->idle;

        shelf->idle = c->next;
        c->next = *close;
        *close = c;
    }
    if (shelf->writer) {
        shelf->writer->next = *close;
        *close = shelf->writer;
    }
    p->count--;
    free(shelf);
}

/* Make room for one more shelf: the unused one that was idle longest goes. */
static bool
pool_make_room(struct via_pool *p, int64_t open_addons, struct via_conn **close)
{
    struct via_shelf *oldest = NULL;

    if (p->count < open_addons)
        return true;
    for (int i = 0; i < BUCKETS; i++)
        for (struct via_shelf *s = p->buckets[i]; s; s = s->next)
            if ((!oldest || s->used_ms < oldest->used_ms) && shelf_is_unused(p, s))
                oldest = s;
    if (!oldest)
        return false;
    shelf_remove(p, oldest, close);
    return true;
}

static struct via_shelf *
shelf_make(struct via_pool *p, const char *addon_id, struct via_error *e)
{
    struct via_shelf *shelf = calloc(1, sizeof *shelf), **bucket = pool_bucket(p, addon_id);

    if (!shelf) {
        via_error_set(e, VIA_OUT_OF_MEMORY, "there is no memory for an open add-on");
        return NULL;
    }
    memcpy(shelf->addon_id, addon_id, strlen(addon_id) + 1);
    via_lane_init(&shelf->writes, VIA_LANE_WRITE, 1);
    via_lane_init(&shelf->reads, VIA_LANE_SLOW, SLOW_READS);
    shelf->next = *bucket;
    *bucket = shelf;
    p->count++;
    return shelf;
}

struct via_shelf *
via_pool_hold(struct via_pool *p, const char *addon_id, bool make, int64_t open_addons,
              struct via_error *e)
{
    struct via_conn *close = NULL;
    struct via_shelf *shelf;

    pthread_mutex_lock(&p->lock);
    shelf = pool_find(p, addon_id);
    if (!shelf && make) {
        if (pool_make_room(p, open_addons, &close))
            shelf = shelf_make(p, addon_id, e);
        else
            via_error_set(e, VIA_OVERLOADED, "as many add-ons are in use as open_addons allows");
    }
    if (shelf) {
        shelf->holders++;
        shelf->used_ms = via_clock_mono_ms();
    }
    pthread_mutex_unlock(&p->lock);
    conns_close(close);
    return shelf;
}

void
via_pool_drop(struct via_pool *p, struct via_shelf *shelf)
{
    if (!shelf)
        return;
    pthread_mutex_lock(&p->lock);
    shelf->holders--;
    pthread_mutex_unlock(&p->lock);
}

struct via_conn *
via_pool_take_idle(struct via_pool *p, const char *addon_id)
{
    struct via_shelf *shelf;
    struct via_conn *c = NULL;

    pthread_mutex_lock(&p->lock);
    shelf = pool_find(p, addon_id);
    if (shelf && shelf->idle) {
        c = shelf->idle;
        shelf->idle = c->next;
        shelf->holders++;
    }
    pthread_mutex_unlock(&p->lock);
    return c;
}

enum via_status
via_pool_take(struct via_pool *p, struct via_shelf *shelf, bool writer,
              const struct via_bounds *bounds, struct via_conn **out, int *rc, struct via_error *e)
{
    struct via_conn *c, **from = writer ? &shelf->writer : &shelf->idle;

    do {
        pthread_mutex_lock(&p->lock);
        c = *from;
        if (c)
            *from = c->next;
        pthread_mutex_unlock(&p->lock);
        if (c && !via_conn_is_in_place(c, writer)) {
            via_conn_close(c);
            continue;
        }
        break;
    } while (true);
    if (!c && via_conn_open(&c, shelf->addon_id, writer, bounds, rc, e) != VIA_OK)
        return e->status;
    c->shelf = shelf;
    c->drain_ms = &shelf->drain_ms;
    c->next = NULL;
    *out = c;
    return VIA_OK;
}

void
via_pool_put(struct via_pool *p, struct via_conn *c)
{
    struct via_shelf *shelf;

    if (!c)
        return;
    shelf = c->shelf;
    c->used_ms = via_clock_mono_ms();
    pthread_mutex_lock(&p->lock);
    shelf->used_ms = c->used_ms;
    shelf->holders--;
    if (!c->broken) {
        if (c->policy.writer) {
            c->next = NULL;
            shelf->writer = c;
        } else {
            c->next = shelf->idle;
            shelf->idle = c;
        }
        c = NULL;
    }
    pthread_mutex_unlock(&p->lock);
    via_conn_close(c);
}

void
via_pool_drain(struct via_pool *p, const char *addon_id, int64_t now_ms)
{
    struct via_shelf *shelf;

    pthread_mutex_lock(&p->lock);
    shelf = pool_find(p, addon_id);
    if (shelf)
        atomic_store(&shelf->drain_ms, now_ms);
    pthread_mutex_unlock(&p->lock);
}

bool
via_pool_begin_stream(struct via_pool *p, struct via_shelf *shelf)
{
    bool may;

    pthread_mutex_lock(&p->lock);
    may = shelf->streams < STREAMS;
    shelf->streams += may;
    pthread_mutex_unlock(&p->lock);
    return may;
}

void
via_pool_end_stream(struct via_pool *p, struct via_shelf *shelf)
{
    pthread_mutex_lock(&p->lock);
    shelf->streams--;
    pthread_mutex_unlock(&p->lock);
}

/* Move to *close the idle connections of `shelf` that were not used since `since_ms`. */
static void
shelf_sweep(struct via_shelf *shelf, int64_t since_ms, struct via_conn **close)
{
    struct via_conn **at = &shelf->idle, *c;

    while ((c = *at)) {
        if (c->used_ms >= since_ms && via_conn_is_in_place(c, false)) {
            at = &c->next;
            continue;
        }
        *at = c->next;
        c->next = *close;
        *close = c;
    }
}

void
via_pool_tick(struct via_pool *p)
{
    int64_t now_ms = via_clock_mono_ms();
    struct via_conn *close = NULL;

    for (int i = 0; i < BUCKETS; i++) {
        pthread_mutex_lock(&p->lock);
        for (struct via_shelf *shelf = p->buckets[i], *next; shelf; shelf = next) {
            next = shelf->next;
            shelf_sweep(shelf, now_ms - IDLE_MS, &close);
            if (shelf->used_ms < now_ms - IDLE_MS && shelf_is_unused(p, shelf))
                shelf_remove(p, shelf, &close);
        }
        pthread_mutex_unlock(&p->lock);
    }
    conns_close(close);
}
