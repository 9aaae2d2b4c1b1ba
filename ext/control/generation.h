/* generation.h: the generations of a binding's descriptor material: begun, rotated, revoked. */
#ifndef VIA_CONTROL_GENERATION_H
#define VIA_CONTROL_GENERATION_H

#include "control/store.h"

/* Whose sequence it is. */
struct via_generation_of {
    const char *app;
    const char *binding;
    const char *target;
    const char *addon_id;
};

/* Begin the next generation of a binding, *number, by the operation `operation_id` (NULL: by none).
 * Returns its row id. */
int64_t via_generation_put(struct via_store *s, const struct via_generation_of *of,
                           const char *operation_id, int64_t *number);

struct via_rotation {
    const char *app;
    const char *binding;
    const char *target; /* NULL: the only one there is */
    int64_t grace_s;    /* how long the retiring ones stay valid; -1: until revoked */
};

/* Start a new generation; those before it retire. Returns the new row id. */
int64_t via_generation_rotate(struct via_store *s, const struct via_rotation *r);

/* Revoke a generation; revoking it again is fine. */
void via_generation_revoke(struct via_store *s, int64_t rid);

/* A grace ends by the clock, for everybody at once; that it did is written later: by the next who
 * rotates or revokes of its binding, or by an agent. From then on no clock can turn it back. */

/* Is a grace over, and not written yet? For a look that costs nothing. */
bool via_generation_is_due(struct via_sql *db);

/* Write it for all, in transactions of its own, for about `budget_ms`. */
VIA_MUST_USE enum via_status via_generation_settle(struct via_store *s, int64_t budget_ms,
                                                   struct via_error *e);

#endif
