/* sqlerror.h: the names of SQLite's result codes, and what they mean to a client. */
#ifndef VIA_PROXY_SQLERROR_H
#define VIA_PROXY_SQLERROR_H

#include "via/ext.h"
#include "via/model.h"

/* "SQLITE_CONSTRAINT_UNIQUE" for 2067; an unknown extended code gives its primary's. */
const char *via_sqlite_name(int code);

/* Translate the failure `rc` of the last call on `db` (may be NULL). Sets *e; *name is the code's
 * name for VIA_SQL_ERROR, else NULL. VIA_IO_ERROR stands for an SQLITE_IOERR_AUTH. */
enum via_status via_sqlite_error(sqlite3 *db, int rc, struct via_error *e, const char **name);

#endif
