/* schedule.h: which add-ons have a snapshot schedule, and what it has done. */
#ifndef VIA_CONTROL_SCHEDULE_H
#define VIA_CONTROL_SCHEDULE_H

#include "control/addon.h"
#include "rules/schedule.h"

/* The reason of the snapshots that a schedule takes. */
#define VIA_SCHEDULE_REASON "schedule"

struct via_scheduled {
    struct via_addon addon;
    struct via_schedule plan;
    struct via_schedule_past past;
    int64_t ready_ms;   /* when the newest ready snapshot, whoever took it, was begun; 0: none */
    int64_t created_ms; /* when the add-on was made */
};

/* The next add-on after row id `after` that serves and has a schedule or a limit of age; false when
 * there is none. */
bool via_scheduled_next(struct via_sql *db, int64_t after, struct via_scheduled *out);

/* Is the newest ready snapshot older than it may be? */
bool via_scheduled_is_overdue(const struct via_scheduled *a, int64_t now_ms);

/* The row ids of snapshots that the schedule took and may drop, oldest first, at most `max`.
 * Returns how many. */
int via_scheduled_drops(struct via_sql *db, const struct via_scheduled *a, int64_t now_ms,
                        int64_t *rids, int max);

#endif
