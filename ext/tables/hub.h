/* hub.h: one host connection's share of the control plane: its store, opened on first use, and its
 * transaction, kept in step with the host's.
 *
 * The host's savepoints are numbered levels; those seen are kept on a stack, each a savepoint
 * of the private transaction. SQLite skips levels opened before the first write, and
 * repeats one for a table that joins late. */
#ifndef VIA_TABLES_HUB_H
#define VIA_TABLES_HUB_H

#include "control/store.h"

struct via_hub;

/* A hub for `host`, with one reference. NULL without memory. */
struct via_hub *via_hub_new(sqlite3 *host);
struct via_hub *via_hub_ref(struct via_hub *h);
void via_hub_unref(struct via_hub *h); /* the last one closes the store */

/* The store, opening it the first time. */
VIA_MUST_USE enum via_status via_hub_store(struct via_hub *h, struct via_store **out,
                                           struct via_error *e);

/* A table joins the host's transaction: have a private one, with the control database's lock when
 * `control`. */
VIA_MUST_USE enum via_status via_hub_begin(struct via_hub *h, bool control, struct via_error *e);

/* A write is about to happen: as above, also when the host's transaction goes on after a COMMIT of
 * its own that failed late. */
VIA_MUST_USE enum via_status via_hub_write(struct via_hub *h, bool control, struct via_error *e);

/* The host commits: commit and carry out the intents. Repeatable. */
VIA_MUST_USE enum via_status via_hub_sync(struct via_hub *h, struct via_error *e);

/* The host's transaction is over, one way or the other. */
void via_hub_end(struct via_hub *h, bool committed);

VIA_MUST_USE enum via_status via_hub_savepoint(struct via_hub *h, int n, struct via_error *e);
VIA_MUST_USE enum via_status via_hub_release(struct via_hub *h, int n, struct via_error *e);
VIA_MUST_USE enum via_status via_hub_rollback_to(struct via_hub *h, int n, struct via_error *e);

#endif
