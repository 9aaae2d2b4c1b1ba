/* step.h: what the effects share: one transaction a step, and how a failure is kept. */
#ifndef VIA_EFFECTS_STEP_H
#define VIA_EFFECTS_STEP_H

#include "control/operation.h"
#include "control/store.h"
#include "effects/effects.h"
#include "provider/provider.h"

/* Control rows changed in one transaction of their own. `arg` is the step's. */
typedef void (*via_step_fn)(struct via_store *s, const struct via_operation *op, const void *arg);

/* One kind of operation: how it is carried out, and what happens when it is not. */
struct via_effect {
    enum via_intent_kind intent;
    const char *kind; /* of its operation */

    /* Carry it out; its rows and the operation are settled, whatever the answer. Run again after a
     * crash it finishes or finds its work done. */
    enum via_status (*run)(struct via_store *s, const struct via_operation *op,
                           struct via_error *e);

    /* The same but for the rows, when the intent has no argument and it is a matter of a moment:
     * `done` settles many in one transaction. On failure nothing is left. NULL: run it. */
    enum via_status (*work)(struct via_store *s, const struct via_operation *op,
                            struct via_error *e);
    via_step_fn done;

    /* The step that records that it was not carried out; `arg` is a struct via_error. */
    via_step_fn failed;

    /* Its owner died: finish it or undo it. NULL: run it. */
    enum via_status (*recover)(struct via_store *s, const struct via_operation *op,
                               struct via_error *e);
};

extern const struct via_effect via_effect_provision;
extern const struct via_effect via_effect_purge;
extern const struct via_effect via_effect_purge_due;
extern const struct via_effect via_effect_repair;
extern const struct via_effect via_effect_snapshot;
extern const struct via_effect via_effect_snapshot_remove;
extern const struct via_effect via_effect_export;
extern const struct via_effect via_effect_backup;
extern const struct via_effect via_effect_key_rotate;
extern const struct via_effect via_effect_key_retire;
extern const struct via_effect via_effect_restore;
extern const struct via_effect via_effect_fix; /* of doctor.c */

VIA_MUST_USE enum via_status via_effect_step(struct via_store *s, via_step_fn step,
                                             const struct via_operation *op, const void *arg,
                                             struct via_error *e);

/* Record `why` by the step `failed`, and answer it. */
enum via_status via_effect_fail(struct via_store *s, via_step_fn failed,
                                const struct via_operation *op, const struct via_error *why,
                                struct via_error *e);

/* The provider of the operation's add-on, or NULL with the error. */
const struct via_provider *via_effect_provider(struct via_store *s, const char *addon_id,
                                               struct via_error *e);

/* How long a step waits for other writers: what is half done is worth more than what has not begun.
 */
#define VIA_EFFECT_TIMEOUT_MS 60000

/* Long work begins: the operation is running, at 0. Its progress is written into its row about once
 * a second, and only when nobody is in the way. `*p` is the caller's, and must outlive what it is
 * handed to. */
struct via_effect_progress {
    struct via_store *s;
    const struct via_operation *op;
    int64_t told_ms;
};
struct via_progress via_effect_progress(struct via_effect_progress *p, struct via_store *s,
                                        const struct via_operation *op);

#endif
