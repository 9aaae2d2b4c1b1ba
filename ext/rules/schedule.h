/* schedule.h: when the next snapshot of an add-on is due, and which ones may go. Pure.
 *
 * A schedule is three options of an add-on; 0 stands for one that was not given. Only
 * snapshots that the schedule took are ever dropped, and never the newest that is ready. */
#ifndef VIA_RULES_SCHEDULE_H
#define VIA_RULES_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

struct via_schedule {
    int64_t every_s;   /* snapshot_every_s */
    int64_t keep;      /* snapshot_keep */
    int64_t max_age_s; /* snapshot_max_age_s */
};

/* What the schedule has done so far. */
struct via_schedule_past {
    int64_t begun_ms; /* when its newest snapshot was begun, Unix ms; 0: it has none */
    bool pending;     /* that one is still being taken */
    int failures;     /* how many failed since one was taken */
};

/* When the next one is due (Unix ms): one interval after the last, however many were missed, and
 * after a failure soon, then ever less often. INT64_MAX: never. */
int64_t via_schedule_due_ms(const struct via_schedule *plan, const struct via_schedule_past *past,
                            int64_t now_ms);

/* How old the newest ready snapshot may be before somebody should know, in seconds. 0: nobody
 * asked. */
int64_t via_schedule_fresh_s(const struct via_schedule *plan);

/* May a ready snapshot of the schedule go that is `age_s` old, with `newer_ready` ready ones after
 * it, `newer_own` of which the schedule took? */
bool via_schedule_drops(const struct via_schedule *plan, int64_t newer_own, int64_t newer_ready,
                        int64_t age_s);

#endif
