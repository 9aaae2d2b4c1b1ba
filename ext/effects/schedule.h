/* schedule.h: taking the snapshots that are due and dropping those that may go.
 *
 * For one caller at a time, which has a thread and a store of its own: a snapshot takes as long as
 * it takes. */
#ifndef VIA_EFFECTS_SCHEDULE_H
#define VIA_EFFECTS_SCHEDULE_H

#include "control/store.h"

/* Look at every schedule once, and do what is due, one after the other. *next_ms receives when the
 * next one will be (Unix ms; INT64_MAX: none). What failed is on record and in the log, and is due
 * again later. Ends early when *s->stop says so. */
void via_effects_schedule(struct via_store *s, int64_t *next_ms);

#endif
