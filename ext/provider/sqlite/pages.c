/* pages.c: SQLite's backup, step by step, and what its codes mean. */
#include "provider/sqlite/pages.h"

#include "base/error.h"

#include <errno.h>

#define PAGES_STEP 512

enum via_status
via_pages_fail(sqlite3 *db, int rc, struct via_error *e)
{
    int err = db ? sqlite3_system_errno(db) : 0;

    if ((rc & 0xff) == SQLITE_FULL || err == ENOSPC || err == EDQUOT || err == EFBIG ||
        ((rc & 0xff) == SQLITE_CANTOPEN && via_sql_has_no_room(db)))
        return via_error_set(e, VIA_STORAGE_FULL,
                             "the disk that holds the add-ons is full; make room and try again");
    switch (rc & 0xff) {
    case SQLITE_NOMEM:
        return via_error_set(e, VIA_OUT_OF_MEMORY, "out of memory");
    case SQLITE_INTERRUPT:
        return via_error_set(e, VIA_OPERATION_INTERRUPTED, "the copy was stopped");
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return via_error_set(e, VIA_STORAGE_CORRUPT, "the new storage did not read back whole");
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
        if (via_sql_lacks_descriptors(db))
            return via_error_set(e, VIA_OVERLOADED,
                                 "too many files are open; try again, or raise the limit");
        return via_error_set(e, VIA_STORAGE_READONLY, "the new storage cannot be written");
    default:
        return via_error_set(e, VIA_IO_ERROR, "the new storage cannot be written (%s)",
                             sqlite3_errstr(rc));
    }
}

static bool
pages_tell(const struct via_progress *progress, sqlite3_backup *backup)
{
    int total = sqlite3_backup_pagecount(backup), left = sqlite3_backup_remaining(backup);

    if (!progress || !progress->tell)
        return true;
    return progress->tell(progress->arg,
                          total > 0 ? (int)((int64_t)(total - left) * 100 / total) : 100);
}

bool
via_pages_blames_source(int rc)
{
    return rc == SQLITE_BUSY || rc == SQLITE_LOCKED || (rc & 0xff) == SQLITE_CORRUPT ||
           rc == SQLITE_NOTADB || rc == SQLITE_IOERR_READ || rc == SQLITE_IOERR_SHORT_READ ||
           rc == SQLITE_INTERRUPT;
}

int
via_pages_copy(sqlite3 *to, sqlite3 *from, const struct via_progress *progress)
{
    sqlite3_backup *backup = sqlite3_backup_init(to, "main", from, "main");
    int rc;

    if (!backup)
        return sqlite3_extended_errcode(to);
    do {
        rc = sqlite3_backup_step(backup, PAGES_STEP);
        if (rc == SQLITE_OK && !pages_tell(progress, backup))
            rc = SQLITE_INTERRUPT;
    } while (rc == SQLITE_OK);
    (void)sqlite3_backup_finish(backup);
    return rc;
}
