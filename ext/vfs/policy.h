/* policy.h: what the guarded VFS lets pass, decided from plain facts. Pure.
 *
 * SQLite's own doors round a check at transaction start are closed here: URI parameters,
 * rollback journals, exclusive locking. Knows nothing of tokens, grants or files. */
#ifndef VIA_VFS_POLICY_H
#define VIA_VFS_POLICY_H

#include "via/ext.h"
#include "via/model.h"

#include <stddef.h>

enum via_vfs_door { VIA_VFS_WORKLOAD, VIA_VFS_OPERATOR, VIA_VFS_LOCKED };

struct via_vfs_param {
    const char *key;
    const char *value;
};

/* What an open asks for; borrowed from the parameters. */
struct via_vfs_request {
    enum via_vfs_door door;
    const char *token_file; /* VIA_VFS_WORKLOAD */
};

/* Read the `n` parameters of a URI. VIA_TOKEN_MISSING when no door is named,
 * VIA_BAD_REQUEST for a parameter, value or combination that is not on the list. */
VIA_MUST_USE enum via_status via_policy_read_params(const struct via_vfs_param *params, size_t n,
                                                    struct via_vfs_request *out,
                                                    struct via_error *e);

/* May `name` be asked for at `door`? A binding, or the id of an add-on. VIA_NAME_INVALID. */
VIA_MUST_USE enum via_status via_policy_check_name(enum via_vfs_door door, const char *name,
                                                   struct via_error *e);

/* The flags for opening the real file, from those SQLite gave. */
int via_policy_open_flags(int flags, bool is_readonly);

/* Does a database that begins with these bytes keep a write-ahead log? */
bool via_policy_is_wal(const unsigned char header[100]);

/* The locks of one main file, as its own connection took them. */
struct via_vfs_locks {
    int level;      /* SQLITE_LOCK_ */
    bool is_mapped; /* shared memory is attached */
    bool is_writer; /* holds the write slot */
    unsigned marks; /* read marks held, by lock: from bit VIA_VFS_FIRST_MARK */
};

enum via_vfs_verdict {
    VIA_VFS_PASS,
    VIA_VFS_CHECK_READ,  /* pass if the grant allows reading now */
    VIA_VFS_CHECK_WRITE, /* pass if the grant allows writing */
    VIA_VFS_REFUSE
};

enum via_vfs_verdict via_policy_lock(const struct via_vfs_locks *l, int level);
enum via_vfs_verdict via_policy_shm_map(const struct via_vfs_locks *l);
enum via_vfs_verdict via_policy_read(const struct via_vfs_locks *l);
enum via_vfs_verdict via_policy_write(const struct via_vfs_locks *l);
enum via_vfs_verdict via_policy_open_log(const struct via_vfs_locks *l);

/* Is a transaction under way? */
bool via_policy_is_busy(const struct via_vfs_locks *l);

/* The read mark that is held, from 0; -1 for none. */
int via_policy_mark(const struct via_vfs_locks *l);

/* -- in every transaction, so in line -------------------------------------------- */

#define VIA_VFS_WRITE_SLOT 0
#define VIA_VFS_FIRST_MARK 3 /* shared-memory locks 3 to 7 are the read marks (walformat.html) */

/* A transaction starts by sharing a read mark. The holder of the write slot takes another one in
 * mid-transaction when the log starts anew; a check there would lose its transaction.
 * The write slot without a mark is recovery or a checkpoint, which must go on for readers. */
static inline enum via_vfs_verdict
via_policy_shm_lock(const struct via_vfs_locks *l, int offset, int flags)
{
    if (!(flags & SQLITE_SHM_LOCK))
        return VIA_VFS_PASS;
    if (flags & SQLITE_SHM_SHARED)
        return offset >= VIA_VFS_FIRST_MARK && !l->is_writer ? VIA_VFS_CHECK_READ : VIA_VFS_PASS;
    return offset == VIA_VFS_WRITE_SLOT && l->marks ? VIA_VFS_CHECK_WRITE : VIA_VFS_PASS;
}

/* Note a lock that was taken, or dropped (SQLITE_SHM_UNLOCK in `flags`). */
static inline void
via_policy_note_shm(struct via_vfs_locks *l, int offset, int n, int flags)
{
    unsigned bits = ((1u << n) - 1) << offset;
    bool is_lock = flags & SQLITE_SHM_LOCK;

    if (flags & SQLITE_SHM_SHARED) {
        bits &= ~0u << VIA_VFS_FIRST_MARK;
        l->marks = is_lock ? l->marks | bits : l->marks & ~bits;
    } else if (bits & (1u << VIA_VFS_WRITE_SLOT)) {
        l->is_writer = is_lock;
    }
}

#endif
