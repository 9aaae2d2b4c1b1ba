/* lock.h: locks that die with their holder.
 *
 * Byte locks on run/locks by open file description (fcntl F_OFD_SETLK): they conflict
 * between two opens even inside one process, are dropped by the kernel at exit, and do
 * not share the trap of POSIX locks (closing any descriptor drops them all). */
#ifndef VIA_BASE_LOCK_H
#define VIA_BASE_LOCK_H

#include "base/root.h"

/* What each byte of run/locks guards. */
enum via_lock_slot {
    VIA_LOCK_EPOCH = 0,       /* raising the epoch around a commit */
    VIA_LOCK_KEYS = 1,        /* making or rotating keys */
    VIA_LOCK_AGENT = 2,       /* one agent on a root */
    VIA_LOCK_MIGRATE = 3,     /* schema upgrade */
    VIA_LOCK_OPERATION = 1024 /* + rowid of the operation: its owner */
    /* the row id of an instance, far above: its launcher */
};

struct via_lock {
    int fd; /* -1 when closed */
};

VIA_MUST_USE enum via_status via_lock_open(struct via_lock *l, const struct via_root *root,
                                           struct via_error *e);
void via_lock_close(struct via_lock *l); /* drops every lock taken through `l` */

/* Take the byte, waiting for it. False only when the kernel refuses (logged). */
VIA_MUST_USE bool via_lock_take(struct via_lock *l, int64_t slot);

/* Take the byte at once or say false: somebody else holds it. */
VIA_MUST_USE bool via_lock_try(struct via_lock *l, int64_t slot);
void via_lock_drop(struct via_lock *l, int64_t slot);

/* Does somebody else hold the byte? Takes nothing. */
VIA_MUST_USE bool via_lock_is_held(const struct via_lock *l, int64_t slot);

#endif
