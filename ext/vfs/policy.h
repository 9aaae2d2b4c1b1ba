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
    unsigned marks; /* read marks held, by bit */
};

enum via_vfs_verdict {
    VIA_VFS_PASS,
    VIA_VFS_CHECK_READ,  /* pass if the grant allows reading now */
    VIA_VFS_CHECK_WRITE, /* pass if the grant allows writing */
    VIA_VFS_REFUSE
};

enum via_vfs_verdict via_policy_lock(const struct via_vfs_locks *l, int level);
enum via_vfs_verdict via_policy_shm_lock(const struct via_vfs_locks *l, int offset, int flags);
enum via_vfs_verdict via_policy_shm_map(const struct via_vfs_locks *l);
enum via_vfs_verdict via_policy_read(const struct via_vfs_locks *l);
enum via_vfs_verdict via_policy_write(const struct via_vfs_locks *l);
enum via_vfs_verdict via_policy_open_log(const struct via_vfs_locks *l);

/* Note a lock that was taken or dropped (SQLITE_SHM_UNLOCK in `flags`). */
void via_policy_note_shm(struct via_vfs_locks *l, int offset, int n, int flags);

/* Is a transaction under way? */
bool via_policy_is_busy(const struct via_vfs_locks *l);

#endif
