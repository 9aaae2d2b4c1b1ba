/* watch.h: how far a check of a database is, told by how much of the file has been read.
 *
 * SQLite says nothing while it walks the trees, and that is the longer part where rows are not
 * looked at; so reads of the file are counted on their way. */
#ifndef VIA_PROVIDER_SQLITE_WATCH_H
#define VIA_PROVIDER_SQLITE_WATCH_H

#include "provider/provider.h"
#include "provider/sqlite/growth.h"

#include <stdatomic.h>

struct via_watch {
    sqlite3_io_methods methods; /* the file's own, but for reading: by them the file leads here */
    const sqlite3_io_methods *real;
    sqlite3_file *file; /* NULL: nothing is counted */
    sqlite3 *db;
    int64_t size_bytes;
    bool is_quick;             /* rows are not looked at */
    struct via_growth *growth; /* borrowed; NULL: it is all there */
    bool may_give_way;         /* the thread that reads is its own, and has not yet */
    _Atomic int64_t read_bytes;
    int64_t told_bytes;
    const struct via_progress *progress;
};

/* Watch a check by the connection `sql`, which nobody uses meanwhile. It waits for what is not
 * there yet of a file that grows (NULL: it is all there), and fails with SQLITE_IOERR_READ when
 * that is given up. `progress` (NULL: untold) is told by the check itself, and stops it:
 * SQLITE_INTERRUPT. */
void via_watch_begin(struct via_watch *w, struct via_sql *sql, bool is_quick,
                     struct via_growth *growth, const struct via_progress *progress);

/* How far it is, 0 to 100; any thread may ask. */
int via_watch_percent(const struct via_watch *w);

/* The check is over, and the connection still open. */
void via_watch_end(struct via_watch *w);

#endif
