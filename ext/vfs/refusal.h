/* refusal.h: remembering why. SQLite's sentence is only "disk I/O error". */
#ifndef VIA_VFS_REFUSAL_H
#define VIA_VFS_REFUSAL_H

#include "via/model.h"

/* Remember `e` as the calling thread's last refusal, log it through SQLite and return the code
 * for it: SQLITE_NOMEM when that is the reason, else `rc`. */
int via_refusal_put(int rc, const struct via_error *e);

#endif
