/* context.h: what all guarded files of one state root in this process share.
 *
 * The epoch page, the access to the control plane, the witness and the keys, made on first
 * use and kept. A process may change VIA_STATE_DIR between two opens, so there may be
 * several. Files hold one each; the functions lock. */
#ifndef VIA_VFS_CONTEXT_H
#define VIA_VFS_CONTEXT_H

#include "base/epoch.h"
#include "control/access.h"
#include "control/witness.h"
#include "identity/keys.h"

struct via_context {
    struct via_context *next;
    struct via_root root;
    struct via_epoch epoch;
    struct via_access *access;   /* NULL until needed; under the lock */
    struct via_witness *witness; /* NULL until needed; safe to use from any thread */
    struct via_keyring *keys;    /* NULL until needed; under the lock */
    int users;
    int process;               /* that made it: a child must not use its connections */
    bool has_counts;           /* the witness may still count refusals that are not on disk */
    _Atomic int64_t looked_ms; /* when the page was last seen to be the file */
    _Atomic bool is_lost;      /* the page is no longer the file run/epoch */
};

/* The context of the present state root. Give it back with via_context_drop(). */
VIA_MUST_USE enum via_status via_context_take(struct via_context **out, struct via_error *e);
void via_context_drop(struct via_context *c);

/* Use `access` or `keys` between these two; begin makes them. */
VIA_MUST_USE enum via_status via_context_begin(struct via_context *c, struct via_error *e);
void via_context_end(struct via_context *c);

/* The witness, making it; NULL with the reason in *e. */
struct via_witness *via_context_witness(struct via_context *c, struct via_error *e);

/* Record a refusal; best effort, for it stands in any case. `claims` may be NULL. */
void via_context_refusal(struct via_context *c, const struct via_claims *claims,
                         const char *binding, enum via_status code);

/* Is `grant` good at `now_ms` without asking? One atomic load, and a stat once a second. */
bool via_context_is_fresh(struct via_context *c, const struct via_grant *grant, int64_t now_ms);

/* The epoch of now, 0 when nothing that is found out now can be relied on later. */
uint64_t via_context_epoch(struct via_context *c);

/* Has nothing changed since `epoch`? One atomic load, and a stat once a second. */
bool via_context_is_epoch(struct via_context *c, uint64_t epoch, int64_t now_ms);

#endif
