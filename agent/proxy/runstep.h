/* runstep.h: the steps that reads and writes share. Inside of this room only. */
#ifndef VIA_PROXY_RUNSTEP_H
#define VIA_PROXY_RUNSTEP_H

#include "proxy/run.h"

/* Take a connection of `shelf`, lend it the grant and prepare. VIA_RUN_DONE: it stands. */
enum via_run_state via_run_open(struct via_run *run, struct via_pool *pool, struct via_shelf *shelf,
                                bool writer);

/* Step and encode until the end or until `out` holds `ceiling` bytes. */
enum via_run_state via_run_rows(struct via_run *run, size_t ceiling);

/* Append `"update_count":…,"last_insert_rowid":…}`. */
void via_run_put_counts(struct via_run *run, int64_t changed, int64_t rowid);

/* Say what `rc`, just returned by the connection, means for this run. */
enum via_run_state via_run_fail(struct via_run *run, int rc);

#endif
