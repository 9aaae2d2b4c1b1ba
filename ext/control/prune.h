/* prune.h: rows of runtime.db that nothing needs any more. */
#ifndef VIA_CONTROL_PRUNE_H
#define VIA_CONTROL_PRUNE_H

#include "control/store.h"

/* Remove instances that stopped, or whose lease ran out, more than instance_keep_s ago, with their
 * tokens and grants, and tokens that expired so long ago: in small transactions on runtime.db
 * alone, for at most `budget_ms`. The newest instance of a deploy stays, for readiness; one that
 * only lost its lease stays while a token of it is good, for the refusal to say why; so does
 * the newest token of its kind of an instance. 0 keeps everything. */
VIA_MUST_USE enum via_status via_runtime_prune(struct via_store *s, int64_t budget_ms,
                                               struct via_error *e);

#endif
