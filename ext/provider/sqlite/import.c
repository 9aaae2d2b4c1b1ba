/* import.c: the copy. It is made where nobody looks for it; publishing it is the caller's. */
#include "provider/sqlite/import.h"

#include "base/error.h"
#include "base/io.h"
#include "base/log.h"
#include "provider/sqlite/copy.h"
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

/* Have SQLite make the first page of an empty database. */
static enum via_status
import_write_empty(const char *path, struct via_error *e)
{
    struct via_sql to = {0};
    enum via_status status;

    via_sql_open(&to, path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW);
    /* Until it is published the file is nobody's: one fsync at the end. */
    via_sql_exec(&to, "PRAGMA synchronous = OFF");
    import_enter_wal(&to);
    if (via_sql_ok(&to) && via_sqlite_check(&to, false, NULL, NULL, 0) == 0) {
        status = via_pages_fail(to.db, SQLITE_CORRUPT, e);
    } else {
        via_sql_exec(&to, "PRAGMA wal_checkpoint(TRUNCATE)");
        status = import_outcome(&to, e);
    }
    via_sql_close(&to);
    return status;
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
    if (empty.size > 0 && (fd = via_io_open(AT_FDCWD, path, O_WRONLY | O_NOFOLLOW, 0)) >= 0) {
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
    int fd = via_io_open(AT_FDCWD, path, O_RDONLY | O_NOFOLLOW, 0);
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

static enum via_status
import_empty(const char *path, struct via_error *e)
{
    if (empty_write(path))
        return VIA_OK;
    if (import_write_empty(path, e) != VIA_OK)
        return e->status;
    empty_keep(path);
    return VIA_OK;
}

/* -- a copy ------------------------------------------------------------------------ */

/* What copying says of content, said of a source. */
static enum via_status
import_fail(const struct via_source *from, const struct via_error *why, struct via_error *e)
{
    switch (why->status) {
    case VIA_STORAGE_CORRUPT: /* the copy is the source's pages */
        return via_source_fail(from, SQLITE_CORRUPT, e);
    case VIA_STORAGE_UNREADABLE:
    case VIA_STORAGE_MISSING:
        return via_source_fail(from, SQLITE_IOERR, e);
    case VIA_OPERATION_INTERRUPTED:
        return via_source_fail(from, SQLITE_INTERRUPT, e);
    default:
        return via_error_set(e, why->status, "%s", why->message);
    }
}

static enum via_status
import_copied(void *arg, struct via_error *e)
{
    return via_source_settled(arg, e);
}

/* A source at rest in one file is copied as it lies, else page by page out of its log. */
static enum via_status
import_copy(const char *path, int fd, struct via_source *from, const struct via_progress *progress,
            struct via_error *e)
{
    struct via_copy copy = {.data = from->path,
                            .path = path,
                            .fd = fd,
                            .header = VIA_HEADER_WAL,
                            .is_foreign = true,
                            .copied = import_copied,
                            .arg = from,
                            .progress = progress};
    struct via_pin pin = {
        .sql = from->sql, .is_whole = from->is_whole, .size_bytes = from->size_bytes};
    struct via_snapshot_facts facts;
    struct via_error why = {0};

    from->sql = (struct via_sql){0}; /* it is the pin's, and ends with it */
    if (via_copy_make(&copy, &pin, &facts, &why) == VIA_OK)
        return VIA_OK;
    return import_fail(from, &why, e);
}

enum via_status
via_import_fill(const char *path, struct via_source *source, const struct via_progress *progress,
                struct via_error *e)
{
    enum via_status status;
    int fd;

    if (!source)
        return import_empty(path, e);
    fd = via_io_open(AT_FDCWD, path, O_RDWR | O_NOFOLLOW, 0);
    if (fd < 0)
        return via_error_set_errno(e, VIA_IO_ERROR, errno, "the new storage cannot be written");
    status = import_copy(path, fd, source, progress, e);
    close(fd);
    return status;
}
