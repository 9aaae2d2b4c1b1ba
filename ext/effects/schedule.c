#include "effects/schedule.h"

#include "base/clock.h"
#include "base/log.h"
#include "control/schedule.h"
#include "control/snapshot.h"
#include "effects/effects.h"

#define DROPS_AT_ONCE 16
#define RETRY_MS 5000
#define AGE_MS 60000 /* how exactly an age is kept */

static void
complain(const struct via_addon *a, const char *what, const struct via_error *e)
{
    via_log(VIA_LOG_WARN, "cannot %s of add-on %s of app %s: %s: %s", what, a->name, a->app,
            via_status_word(e->status), e->message);
}

/* Commit what the caller wrote, and carry it out. */
static enum via_status
schedule_commit(struct via_store *s, struct via_error *e)
{
    if (via_sql_take(&s->write, e) != VIA_OK) {
        via_store_rollback(s);
        return e->status;
    }
    if (via_store_commit(s, e) == VIA_OK)
        via_ignore(via_effects_carry_out(s, e));
    return e->status;
}

/* Take a snapshot, unless the add-on is another by now. */
static enum via_status
schedule_take(struct via_store *s, const struct via_addon *a, struct via_error *e)
{
    struct via_addon now;

    if (via_store_begin(s, true, e) != VIA_OK)
        return e->status;
    if (via_addon_find_id(&s->write, a->id, &now))
        (void)via_snapshot_put(s, &now, VIA_SCHEDULE_REASON);
    if (schedule_commit(s, e) != VIA_OK)
        complain(a, "take the scheduled snapshot", e);
    return e->status;
}

/* One that cannot be removed stays, and the others of its transaction with it: these go alone. */
static void
schedule_drop_alone(struct via_store *s, const struct via_addon *a, const int64_t *rids, int n)
{
    for (int i = 0; i < n; i++) {
        struct via_error e = {0};

        if (via_store_begin(s, true, &e) == VIA_OK) {
            via_snapshot_remove(s, rids[i]);
            via_ignore(schedule_commit(s, &e));
        }
        if (e.status != VIA_OK)
            complain(a, "drop an old snapshot", &e);
    }
}

/* Drop what may go. True: there may be more of it. */
static bool
schedule_drop(struct via_store *s, const struct via_scheduled *a)
{
    int64_t rids[DROPS_AT_ONCE];
    struct via_error e = {0};
    int n = via_scheduled_drops(&s->read, a, via_clock_now_ms(), rids, DROPS_AT_ONCE);

    if (n == 0)
        return false;
    if (via_store_begin(s, true, &e) == VIA_OK) {
        n = via_scheduled_drops(&s->write, a, via_clock_now_ms(), rids, DROPS_AT_ONCE);
        for (int i = 0; i < n; i++)
            via_snapshot_remove(s, rids[i]);
        via_ignore(schedule_commit(s, &e));
    }
    if (e.status != VIA_OK)
        complain(&a->addon, "drop old snapshots", &e);
    if (e.status != VIA_OK && n > 1)
        schedule_drop_alone(s, &a->addon, rids, n);
    return e.status == VIA_OK && n == DROPS_AT_ONCE;
}

static bool
is_stopped(const struct via_store *s)
{
    return s->stop && atomic_load(s->stop);
}

static int64_t
earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* When something of this add-on is due next, having done what is due now. */
static int64_t
schedule_look(struct via_store *s, struct via_scheduled *a)
{
    int64_t now_ms = via_clock_now_ms();
    int64_t due_ms = via_schedule_due_ms(&a->plan, &a->past, now_ms);
    struct via_error e = {0};

    if (due_ms <= now_ms) {
        due_ms = now_ms + RETRY_MS;
        if (schedule_take(s, &a->addon, &e) == VIA_OK)
            due_ms = now_ms + 1000 * a->plan.every_s;
    }
    while (!is_stopped(s) && schedule_drop(s, a)) {
    }
    /* Age alone drops some too, once there are newer ones. */
    if (a->plan.max_age_s > 0)
        due_ms = earlier(due_ms, now_ms + earlier(1000 * a->plan.max_age_s, AGE_MS));
    return due_ms;
}

void
via_effects_schedule(struct via_store *s, int64_t *next_ms)
{
    struct via_scheduled a = {0};
    struct via_error e = {0};
    int64_t rid = 0;

    *next_ms = INT64_MAX;
    while (!is_stopped(s) && via_scheduled_next(&s->read, rid, &a)) {
        rid = a.addon.rid;
        *next_ms = earlier(*next_ms, schedule_look(s, &a));
    }
    if (via_sql_take(&s->read, &e) == VIA_OK)
        return;
    via_log(VIA_LOG_WARN, "cannot read the snapshot schedules: %s: %s", via_status_word(e.status),
            e.message);
    *next_ms = via_clock_now_ms() + RETRY_MS;
}
