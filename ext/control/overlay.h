/* overlay.h: what a transaction wants of runtime.db, and how both databases change together.
 *
 * SQLite commits two files one after the other. A transaction that changes control rows and
 * runtime rows (a deploy with its instance; a restore that is served again, with the restarts it
 * asks for) commits the latter twice: with its control rows, as what runtime.db is owed, and then
 * in runtime.db, with the name of the debt. A process that dies in between has committed all the
 * same: whoever comes next pays for it. Until then a reader sees the control rows without their
 * runtime rows, and what these were to end goes on; never the other way round. Paying raises the
 * epoch, as the commit would have. A transaction of runtime rows alone owes nothing, and waits for
 * no operator. */
#ifndef VIA_CONTROL_OVERLAY_H
#define VIA_CONTROL_OVERLAY_H

#include "control/store.h"

/* In the store's transaction: write its runtime rows into runtime.db, in a transaction that is left
 * open for the caller to end after the control database's. False when it has none: nothing is
 * open. The handles hold what went wrong. */
bool via_overlay_apply(struct via_store *s);

/* Drop the transaction's rows, which are applied. */
void via_overlay_clear(struct via_store *s);

/* Pay what runtime.db is owed; nothing when it is not. */
VIA_MUST_USE enum via_status via_overlay_pay(struct via_store *s, struct via_error *e);

/* Is it owed anything, as `db` sees both databases? A writer between its commits looks like it. */
bool via_overlay_is_owed(struct via_sql *db);

#endif
