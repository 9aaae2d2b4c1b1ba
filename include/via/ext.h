/* ext.h: the extension's face for programs that link it, and the one way to reach SQLite.
 *
 * Objects that go into via.so call SQLite through the table the host hands over
 * (sqlite3ext.h); the same sources built with SQLITE_CORE call it directly. */
#ifndef VIA_EXT_H
#define VIA_EXT_H

#ifdef SQLITE_CORE
#include <sqlite3.h>
#else
#include <sqlite3ext.h>
#ifndef VIA_EXT_MAIN /* via.c alone has SQLITE_EXTENSION_INIT1 */
SQLITE_EXTENSION_INIT3
#endif
#endif

#define VIA_VERSION "0.1.0"

/* Register VFS, functions and tables on `db`; also the entry point of via.so. */
int sqlite3_via_init(sqlite3 *db, char **error, const struct sqlite3_api_routines *api);

#endif
