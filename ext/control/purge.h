/* purge.h: destroyed add-ons whose retention is over: their bytes go, as an operation. */
#ifndef VIA_CONTROL_PURGE_H
#define VIA_CONTROL_PURGE_H

#include "control/addon.h"
#include "control/operation.h"

/* The next add-on after row id `after` whose bytes are due to go by `now` and that nobody is at;
 * false when there is none. */
bool via_purge_next(struct via_sql *db, const char *now, int64_t after, struct via_addon *out);

/* In the store's transaction: begin, with an operation that is running and the intent to remove the
 * bytes. Nothing when `a` is not due any more, or somebody has begun. */
void via_purge_begin(struct via_store *s, const struct via_addon *a);

/* In the store's transaction: the bytes are gone. */
void via_purge_done(struct via_store *s, const struct via_operation *op);

#endif
