#include "provider/sqlite/growth.h"

#include <assert.h>
#include <sched.h>
#include <time.h>

#define GROWTH_LOOK_NS (20 * 1000 * 1000) /* news that came between a look and a wait */

void
via_growth_init(struct via_growth *g)
{
    pthread_condattr_t clock;

    *g = (struct via_growth){0};
    pthread_mutex_init(&g->lock, NULL);
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&g->news, &clock);
    pthread_condattr_destroy(&clock);
}

/* Without the lock: those who wait may hold it, and have given way to everybody. */
void
via_growth_tell(struct via_growth *g, int64_t bytes)
{
    assert(!atomic_load(&g->is_over));
    atomic_store(&g->there_bytes, bytes);
    pthread_cond_broadcast(&g->news);
}

void
via_growth_end(struct via_growth *g)
{
    atomic_store(&g->is_over, true);
    pthread_cond_broadcast(&g->news);
}

void
via_growth_give_up(struct via_growth *g)
{
    atomic_store(&g->there_bytes, -1);
    via_growth_end(g);
}

static void
growth_doze(struct via_growth *g)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += GROWTH_LOOK_NS;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    (void)pthread_cond_timedwait(&g->news, &g->lock, &until);
}

int64_t
via_growth_wait(struct via_growth *g, int64_t bytes)
{
    int64_t there = atomic_load(&g->there_bytes);

    if (there >= bytes)
        return there;
    pthread_mutex_lock(&g->lock);
    while (!atomic_load(&g->is_over) && atomic_load(&g->there_bytes) < bytes)
        growth_doze(g);
    there = atomic_load(&g->there_bytes);
    pthread_mutex_unlock(&g->lock);
    return there;
}

void
via_growth_give_way(struct via_growth *g)
{
    atomic_store(&g->gives_way, true);
}

void
via_growth_heed(const struct via_growth *g, bool *may_give_way)
{
    if (!*may_give_way || !atomic_load(&g->gives_way))
        return;
    *may_give_way = false;
    (void)sched_setscheduler(0, SCHED_IDLE, &(struct sched_param){0});
}

void
via_growth_deinit(struct via_growth *g)
{
    pthread_cond_destroy(&g->news);
    pthread_mutex_destroy(&g->lock);
}
