/* pages.h: a database copied page by page through SQLite. */
#ifndef VIA_PROVIDER_SQLITE_PAGES_H
#define VIA_PROVIDER_SQLITE_PAGES_H

#include "provider/provider.h"

/* Copy every page of `from`, which has a read transaction open, over `to`. SQLITE_DONE,
 * SQLITE_INTERRUPT when `progress` (or NULL) asked to stop, or why not. */
VIA_MUST_USE int via_pages_copy(sqlite3 *to, sqlite3 *from, const struct via_progress *progress);

/* Is `rc` of a copy the fault of what was read? Reading and writing share one code. */
bool via_pages_blames_source(int rc);

/* The status and sentence for the extended code `rc` of writing to `db` (or NULL). */
enum via_status via_pages_fail(sqlite3 *db, int rc, struct via_error *e);

#endif
