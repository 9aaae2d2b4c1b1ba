/* import.c: the copy. It is made where nobody looks for it; publishing it is the caller's. */
#include "provider/sqlite/import.h"

#include "base/error.h"
#include "base/log.h"
#include "provider/sqlite/pages.h"
#include "provider/sqlite/source.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum via_status
import_outcome(struct via_sql *to, struct via_error *e)
{
    int rc = to->db ? sqlite3_extended_errcode(to->db) : SQLITE_NOMEM;

    if (via_sql_ok(to))
        return VIA_OK;
    if (via_sql_take(to, NULL) == VIA_DISK_FULL)
        rc = SQLITE_FULL;
    return via_pages_fail(to->db, rc, e);
}

static enum via_status
import_copy(struct via_sql *to, struct via_source *from, const struct via_progress *progress,
            struct via_error *e)
{
    int rc = via_pages_copy(to->db, from->sql.db, progress);

    if (rc != SQLITE_DONE)
        return via_pages_blames_source(rc) ? via_source_fail(from, rc, e)
                                           : via_pages_fail(to->db, rc, e);
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
    int sound = via_sqlite_check(to, false, NULL, NULL, 0);

    if (sound > 0)
        return VIA_OK;
    if (sound < 0)
        return import_outcome(to, e);
    /* The copy is the source's pages: what is wrong in it was wrong there. */
    return from ? via_source_fail(from, SQLITE_CORRUPT, e)
                : via_pages_fail(to->db, SQLITE_CORRUPT, e);
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

/* -- an empty one ------------------------------------------------------------------ */

/* What SQLite made the first time, for every other: opening a database to have its one page written
 * takes ten times as long as writing it. */
static struct {
    pthread_mutex_t lock;
    size_t size; /* 0: not made yet */
    char bytes[65536];
} empty = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Write the empty database; false when it is not known, or cannot be written. SQLite then tells
 * why, and writes over what is there. */
static bool
empty_write(const char *path)
{
    bool done = false;
    int fd;

    pthread_mutex_lock(&empty.lock);
    if (empty.size > 0 && (fd = open(path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC)) >= 0) {
        done = pwrite(fd, empty.bytes, empty.size, 0) == (ssize_t)empty.size;
        if (!done && ftruncate(fd, 0) < 0)
            via_log(VIA_LOG_WARN, "half a page cannot be taken back: %s", strerror(errno));
        close(fd);
    }
    pthread_mutex_unlock(&empty.lock);
    return done;
}

/* Keep what SQLite made of an empty file. */
static void
empty_keep(const char *path)
{
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;

    pthread_mutex_lock(&empty.lock);
    if (fd >= 0 && empty.size == 0 && fstat(fd, &st) == 0 && st.st_size > 0 &&
        st.st_size <= (off_t)sizeof empty.bytes &&
        pread(fd, empty.bytes, (size_t)st.st_size, 0) == st.st_size)
        empty.size = (size_t)st.st_size;
    pthread_mutex_unlock(&empty.lock);
    if (fd >= 0)
        close(fd);
}

enum via_status
via_import_fill(const char *path, struct via_source *source, const struct via_progress *progress,
                struct via_error *e)
{
    struct via_sql to = {0};
    enum via_status status;

    if (!source && empty_write(path))
        return VIA_OK;
    via_sql_open(&to, path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW);
    status = import_outcome(&to, e);
    if (status == VIA_OK)
        status = import_write(&to, source, progress, e);
    via_sql_close(&to);
    if (!source && status == VIA_OK)
        empty_keep(path);
    return status;
}
