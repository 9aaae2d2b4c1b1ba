#include "api/keeper.h"

#include "base/clock.h"
#include "base/log.h"
#include "control/store.h"
#include "effects/schedule.h"

#include <stdio.h>
#include <time.h>

#define LOOK_MS 1000
#define REST_SHARE 20 /* of the time, at most one in so many is spent looking … */
#define REST_MS 5000  /* … and no rest is longer */

/* What it knows between two looks. */
struct watch {
    struct via_store *store;
    int64_t version; /* of the control database, when it looked last */
    int64_t next_ms; /* when something is due, Unix ms */
    int64_t rest_ms; /* until when it rests, monotonic */
    bool complained;
};

/* Sleep for a look's time, or until it is asked to stop. */
static void
keeper_sleep(struct via_keeper *k)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += LOOK_MS / 1000;
    pthread_mutex_lock(&k->lock);
    if (!atomic_load(&k->stop))
        (void)pthread_cond_timedwait(&k->wake, &k->lock, &until);
    pthread_mutex_unlock(&k->lock);
}

static bool
watch_open(struct watch *w, const _Atomic bool *stop)
{
    struct via_error e = {0};

    if (w->store)
        return true;
    if (via_store_new(&w->store, &e) == VIA_OK) {
        w->store->stop = stop;
        (void)snprintf(w->store->actor, sizeof w->store->actor, "agent");
        w->next_ms = 0;
        w->complained = false;
        return true;
    }
    if (!w->complained)
        via_log(VIA_LOG_WARN, "no snapshots are taken: %s: %s", via_status_word(e.status),
                e.message);
    w->complained = true;
    return false;
}

/* Look when something is due, or when something changed: it may be a schedule. */
static void
watch_look(struct watch *w)
{
    int64_t version = via_sql_int(&w->store->read, "PRAGMA data_version", 0);
    int64_t begun_ms = via_clock_mono_ms();
    int64_t rest_ms;

    if (begun_ms < w->rest_ms || (version == w->version && via_clock_now_ms() < w->next_ms))
        return;
    w->version = version;
    via_effects_schedule(w->store, &w->next_ms);
    rest_ms = REST_SHARE * (via_clock_mono_ms() - begun_ms);
    w->rest_ms = via_clock_mono_ms() + (rest_ms < REST_MS ? rest_ms : REST_MS);
}

static void *
keeper_main(void *arg)
{
    struct via_keeper *k = arg;
    struct watch w = {0};

    while (!atomic_load(&k->stop)) {
        if (watch_open(&w, &k->stop))
            watch_look(&w);
        keeper_sleep(k);
    }
    via_store_free(w.store);
    return NULL;
}

bool
via_keeper_start(struct via_keeper *k)
{
    pthread_condattr_t monotonic;

    atomic_store(&k->stop, false);
    pthread_mutex_init(&k->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&k->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    k->runs = pthread_create(&k->thread, NULL, keeper_main, k) == 0;
    return k->runs;
}

void
via_keeper_stop(struct via_keeper *k)
{
    if (!k->runs)
        return;
    pthread_mutex_lock(&k->lock);
    atomic_store(&k->stop, true);
    pthread_cond_signal(&k->wake);
    pthread_mutex_unlock(&k->lock);
    pthread_join(k->thread, NULL);
    pthread_cond_destroy(&k->wake);
    pthread_mutex_destroy(&k->lock);
    k->runs = false;
}
