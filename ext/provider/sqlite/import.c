/* import.c: the copy. It is made where nobody looks for it; publishing it is the caller's. */
#include "provider/sqlite/import.h"

#include "base/error.h"
#include "provider/sqlite/source.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define IMPORT_STEP_PAGES 512

/* The status and sentence for the extended code `rc` of writing storage. */
static enum via_status
import_fail(sqlite3 *db, int rc, struct via_error *e)
{
    int err = db ? sqlite3_system_errno(db) : 0;

    if ((rc & 0xff) == SQLITE_FULL || err == ENOSPC || err == EDQUOT)
        return via_error_set(e, VIA_STORAGE_FULL,
                             "the disk that holds the add-ons is full; make room and try again");
    switch (rc & 0xff) {
    case SQLITE_NOMEM:
        return via_error_set(e, VIA_OUT_OF_MEMORY, "out of memory");
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return via_error_set(e, VIA_STORAGE_CORRUPT, "the new storage did not read back whole");
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
        return via_error_set(e, VIA_STORAGE_READONLY, "the new storage cannot be written");
    default:
        return via_error_set(e, VIA_IO_ERROR, "the new storage cannot be written (%s)",
                             sqlite3_errstr(rc));
    }
}

static enum via_status
import_outcome(struct via_sql *to, struct via_error *e)
{
    int rc = to->db ? sqlite3_extended_errcode(to->db) : SQLITE_NOMEM;

    if (via_sql_ok(to))
        return VIA_OK;
    (void)via_sql_take(to, NULL);
    return import_fail(to->db, rc, e);
}

static bool
import_tell(const struct via_progress *progress, sqlite3_backup *backup)
{
    int total = sqlite3_backup_pagecount(backup), left = sqlite3_backup_remaining(backup);

    if (!progress || !progress->tell)
        return true;
    return progress->tell(progress->arg,
                          total > 0 ? (int)((int64_t)(total - left) * 100 / total) : 100);
}

/* Is `rc` of a backup step the source's fault? Reading and writing share one code. */
static bool
import_blames_source(int rc)
{
    return rc == SQLITE_BUSY || rc == SQLITE_LOCKED || (rc & 0xff) == SQLITE_CORRUPT ||
           rc == SQLITE_NOTADB || rc == SQLITE_IOERR_READ || rc == SQLITE_IOERR_SHORT_READ ||
           rc == SQLITE_INTERRUPT;
}

static enum via_status
import_copy(struct via_sql *to, struct via_source *from, const struct via_progress *progress,
            struct via_error *e)
{
    sqlite3_backup *backup = sqlite3_backup_init(to->db, "main", from->sql.db, "main");
    int rc;

    if (!backup)
        return import_fail(to->db, sqlite3_extended_errcode(to->db), e);
    do {
        rc = sqlite3_backup_step(backup, IMPORT_STEP_PAGES);
        if (rc == SQLITE_OK && !import_tell(progress, backup))
            rc = SQLITE_INTERRUPT;
    } while (rc == SQLITE_OK);
    (void)sqlite3_backup_finish(backup);
    if (rc != SQLITE_DONE)
        return import_blames_source(rc) ? via_source_fail(from, rc, e) : import_fail(to->db, rc, e);
    return via_source_settled(from, e);
}

/* Turn the file into a write-ahead database; on an empty one this writes its header page. */
static void
import_enter_wal(struct via_sql *to)
{
    sqlite3_stmt *q = via_sql_stmt(to, "PRAGMA journal_mode = WAL");
    char mode[16] = "";

    if (via_sql_row(to, q))
        via_sql_text(q, 0, mode, sizeof mode);
    via_sql_end(to, q);
    if (via_sql_ok(to) && strcmp(mode, "wal") != 0)
        via_sql_fail(to, VIA_IO_ERROR, "the new storage does not turn into a WAL database");
}

static enum via_status
import_verify(struct via_sql *to, struct via_source *from, struct via_error *e)
{
    int sound = via_sqlite_is_sound(to);

    if (sound > 0)
        return VIA_OK;
    if (sound < 0)
        return import_outcome(to, e);
    /* The copy is the source's pages: what is wrong in it was wrong there. */
    return from ? via_source_fail(from, SQLITE_CORRUPT, e) : import_fail(to->db, SQLITE_CORRUPT, e);
}

static enum via_status
import_write(struct via_sql *to, struct via_source *from, const struct via_progress *progress,
             struct via_error *e)
{
    /* Until it is published the file is nobody's: no journal, and one fsync at the end. */
    via_sql_exec(to, "PRAGMA synchronous = OFF; PRAGMA cache_size = -32768");
    if (from)
        via_sql_exec(to, "PRAGMA journal_mode = OFF");
    if (import_outcome(to, e) != VIA_OK)
        return e->status;
    if (from && import_copy(to, from, progress, e) != VIA_OK)
        return e->status;
    import_enter_wal(to);
    if (import_outcome(to, e) != VIA_OK || import_verify(to, from, e) != VIA_OK)
        return e->status;
    via_sql_exec(to, "PRAGMA wal_checkpoint(TRUNCATE)");
    return import_outcome(to, e);
}

enum via_status
via_import_fill(const char *path, struct via_source *source, const struct via_progress *progress,
                struct via_error *e)
{
    struct via_sql to = {0};
    enum via_status status;

    via_sql_open(&to, path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW);
    status = import_outcome(&to, e);
    if (status == VIA_OK)
        status = import_write(&to, source, progress, e);
    via_sql_close(&to);
    return status;
}
