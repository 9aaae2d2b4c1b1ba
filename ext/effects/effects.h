/* effects.h: carrying out what was committed as an intent.
 *
 * An operation is a row of the control database, written in the transaction that asked
 * for it. Its owner holds a byte lock (VIA_LOCK_OPERATION + rowid) until it is settled;
 * an operation that is unsettled and whose byte is free belonged to a dead process and
 * is resumed or undone by whoever finds it. */
#ifndef VIA_EFFECTS_EFFECTS_H
#define VIA_EFFECTS_EFFECTS_H

#include "provider/provider.h"

struct via_sql;
struct via_store;

/* How a provider reaches the content of an add-on: the operator's door of the guarded VFS. */
extern const struct via_opener via_effect_opener;

/* Carry out the intents of the transaction just committed on `store`, in order. The first that
 * fails is the answer; it and those after it are recorded failed. */
VIA_MUST_USE enum via_status via_effects_carry_out(struct via_store *store, struct via_error *e);

/* May via_effects_recover() have anything to do? One read on `db`; true when it cannot be told. */
bool via_effects_is_due(struct via_sql *db);

/* Let somebody follow the progress of what this process carries out; NULL ends it. Borrowed. */
void via_effects_observe(const struct via_progress *progress);

/* What he is told of the check of a source, which comes before its operation: the first half, and
 * of the operation then the second. `*part` is the caller's, for as long. */
struct via_progress via_effects_observe_check(struct via_progress_part *part);

/* Resume or undo every operation whose owner is dead, pay what runtime.db is owed, and remove
 * storage whose retention is over. *settled counts what was mended. For the agent's start and its
 * tick. */
VIA_MUST_USE enum via_status via_effects_recover(int *settled, struct via_error *e);

#endif
