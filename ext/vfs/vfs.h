/* vfs.h: the guarded VFS "via".
 *
 * file:BINDING?vfs=via&token_file=PATH   a workload with a generation token
 * file:ADDON_ID?vfs=via&operator=1       a process that may read keys/; audited
 * file:ADDON_ID?vfs=via&locked=1         no rights until VIA_FCNTL_GRANT gives some
 *
 * Everything else is SQLITE_CANTOPEN. The check runs at every transaction start. */
#ifndef VIA_VFS_VFS_H
#define VIA_VFS_VFS_H

#include "via/ext.h"
#include "via/model.h"

/* Register "via" over the default VFS; idempotent. Returns an SQLITE_ code. */
int via_vfs_register(void);

/* sqlite3_file_control(db, "main", VIA_FCNTL_GRANT, struct via_grant_slot *): set (grant != NULL)
 * or clear (NULL) the grant of a connection opened locked. Every statement must be reset and no
 * transaction open. The grant is borrowed until it is cleared or replaced. */
#define VIA_FCNTL_GRANT 0x56494101

struct via_grant_slot {
    const struct via_grant *grant;
    bool write; /* may the write lock be taken? */
};

/* VIA_FCNTL_MARK, which read mark a transaction holds, is answered as provider.h wants it. */

/* Why the VFS last refused something on the calling thread, for a better sentence than
 * "disk I/O error"; VIA_OK when nothing. Cleared by via_vfs_clear_refusal(). */
enum via_status via_vfs_refusal(struct via_error *e);
void via_vfs_clear_refusal(void);

#endif
