/* epoch.h: the shared page that says "a right may have been taken away".
 *
 * run/epoch holds two counters. A committer raises `begun` before, and settles `done`
 * after, each COMMIT that can take a right away, holding VIA_LOCK_EPOCH meanwhile, so
 * that such commits follow one another in all processes. A grant is fresh only when it
 * was made at begun == done and `begun` has not moved since: one atomic load. A
 * committer that dies in between leaves begun != done: nobody can make a fresh grant
 * (every operation re-checks the gates) until the next one settles it. */
#ifndef VIA_BASE_EPOCH_H
#define VIA_BASE_EPOCH_H

#include "base/lock.h"

#include <stdatomic.h>

struct via_epoch_page {
    char magic[8];
    _Atomic uint64_t begun;
    _Atomic uint64_t done;
    _Atomic int64_t holder_pid; /* who holds the control database's write lock, for the sentence */
};

struct via_epoch {
    struct via_epoch_page *page; /* shared mapping; NULL when closed */
    struct via_lock lock;
    uint64_t ino; /* of the mapped file, to notice that it was replaced */
};

/* Map run/epoch, making it when missing. */
VIA_MUST_USE enum via_status via_epoch_open(struct via_epoch *ep, const struct via_root *root,
                                            struct via_error *e);
void via_epoch_close(struct via_epoch *ep);

/* Around a commit. begin may fail only when the lock cannot be had. end also follows
 * a failed commit: the counter has moved, which costs a re-check and nothing else. */
VIA_MUST_USE bool via_epoch_begin(struct via_epoch *ep);
void via_epoch_end(struct via_epoch *ep);

/* The epoch at which a grant may be made now, or 0 when begun != done: such a grant is
 * good for the operation at hand and never fresh again. */
uint64_t via_epoch_now(const struct via_epoch *ep);

/* Has nothing been taken away since `epoch` (never 0 and fresh)? One atomic load. */
static inline bool
via_epoch_is(const struct via_epoch *ep, uint64_t epoch)
{
    return epoch != 0 && atomic_load_explicit(&ep->page->begun, memory_order_acquire) == epoch;
}

/* Is the mapped page still the file run/epoch? (One stat; for a periodic check.) */
bool via_epoch_is_current(const struct via_epoch *ep, const struct via_root *root);

#endif
