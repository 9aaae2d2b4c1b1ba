/* damage.h: what Via has found of an add-on's content when it last read all of it.
 *
 * Told from the operations: a copy that was made, or a restore or repair, says that the content is
 * sound; one that failed with storage_corrupt says that it is not. Nothing is read to know it. */
#ifndef VIA_CONTROL_DAMAGE_H
#define VIA_CONTROL_DAMAGE_H

#include "control/addon.h"
#include "control/store.h"

struct via_damage {
    char kind[48]; /* of the operation that found it */
    char at[VIA_TIME_SIZE];
};

/* Which operations tell, and how; their index has the same words (schema.c). */
#define VIA_DAMAGE_TOLD                                                                            \
    "kind IN ('addon.snapshot', 'addon.export', 'addon.restore', 'addon.repair', 'addon.check')"   \
    " AND (state = 'done' OR (state = 'failed' AND substr(error, 1, 16) = 'storage_corrupt:'))"

/* Is the content of an add-on damaged, as far as is known? */
bool via_damage_find(struct via_sql *db, const char *addon_id, struct via_damage *out);

/* In a transaction of effects/: the content of `a` was read by who has no operation for it, and is
 * damaged (`why`), or sound after all (NULL). */
void via_damage_put(struct via_store *s, const struct via_addon *a, const struct via_error *why);

#endif
