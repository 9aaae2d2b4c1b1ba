/* source.c: looking at a foreign database file without leaving a trace.
 *
 * Only SQLite opens the file: closing a descriptor of our own would drop the POSIX locks
 * of every connection that this process has on it. Everything else is asked by stat. */
#include "provider/sqlite/source.h"

#include "base/error.h"
#include "provider/sqlite/place.h"
#include "provider/sqlite/watch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SOURCE_MAGIC "SQLite format 3"
#define SOURCE_HEADER_BYTES 100

enum via_status
via_source_fail(const struct via_source *s, int rc, struct via_error *e)
{
    if (rc == SQLITE_READONLY_ROLLBACK)
        return via_error_set(e, VIA_SOURCE_HOT_JOURNAL,
                             "%.200s was left in the middle of a transaction; open it once with "
                             "sqlite3 to recover it, then try again",
                             s->given);
    switch (rc & 0xff) {
    case SQLITE_NOTADB:
        return via_error_set(e, VIA_SOURCE_NOT_A_DATABASE,
                             "%.200s is not an SQLite database, or is encrypted", s->given);
    case SQLITE_CORRUPT:
        return via_error_set(e, VIA_SOURCE_CORRUPT,
                             "%.200s is damaged; recover it first, with .recover in sqlite3",
                             s->given);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return via_error_set(e, VIA_SOURCE_BUSY,
                             "%.200s is being written; stop its writers and try again", s->given);
    case SQLITE_READONLY:
        return via_error_set(e, VIA_SOURCE_UNREADABLE,
                             "%.200s has a write-ahead log that cannot be read in a folder "
                             "without write permission; copy both elsewhere, or close it cleanly",
                             s->given);
    case SQLITE_NOMEM:
        return via_error_set(e, VIA_OUT_OF_MEMORY, "out of memory");
    case SQLITE_INTERRUPT:
        return via_error_set(e, VIA_OPERATION_INTERRUPTED, "the import was stopped");
    default:
        if (rc == SQLITE_IOERR_SHORT_READ)
            return via_error_set(e, VIA_SOURCE_CORRUPT, "%.200s ends too early", s->given);
        return via_error_set(e, VIA_SOURCE_UNREADABLE,
                             "%.200s cannot be read; check its permissions", s->given);
    }
}

/* Pass on what the source's handle remembers. */
static enum via_status
source_outcome(struct via_source *s, struct via_error *e)
{
    int rc = s->sql.db ? sqlite3_extended_errcode(s->sql.db) : SQLITE_CANTOPEN;

    switch (via_sql_take(&s->sql, NULL)) {
    case VIA_OK:
        return VIA_OK;
    case VIA_OUT_OF_MEMORY:
        return via_source_fail(s, SQLITE_NOMEM, e);
    default:
        return via_source_fail(s, rc, e);
    }
}

static struct via_source_stamp
source_stamp(const struct via_source *s, const char *suffix)
{
    struct via_source_stamp stamp = {0};
    char path[VIA_PATH_SIZE + 16];
    struct stat st;

    (void)snprintf(path, sizeof path, "%s%s", s->path, suffix);
    if (lstat(path, &st) < 0)
        return stamp;
    stamp.present = true;
    stamp.size_bytes = st.st_size;
    stamp.changed = st.st_mtim;
    return stamp;
}

static bool
source_is_stamp(const struct via_source_stamp *a, const struct via_source_stamp *b)
{
    return a->present == b->present && a->size_bytes == b->size_bytes &&
           a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

enum via_status
via_source_settled(const struct via_source *s, struct via_error *e)
{
    struct via_source_stamp data = source_stamp(s, ""), log = source_stamp(s, "-wal");

    /* An empty log that our own reading made is no change of content. */
    if (!s->log.present && log.size_bytes == 0)
        log = s->log;
    if (source_is_stamp(&s->main, &data) && source_is_stamp(&s->log, &log))
        return VIA_OK;
    return via_source_fail(s, SQLITE_BUSY, e);
}

/* What kind of thing is at the path? Asked without opening it: a FIFO would hang. */
static enum via_status
source_look(struct via_source *s, struct via_error *e)
{
    if (s->given[0] == '\0')
        return via_error_set(e, VIA_SOURCE_NOT_FOUND, "the source has no path");
    if (lstat(s->given, &s->at_start) < 0)
        return errno == ENOENT || errno == ENOTDIR || errno == ENAMETOOLONG
                   ? via_error_set(e, VIA_SOURCE_NOT_FOUND, "there is no file %.200s", s->given)
                   : via_error_set_errno(e, VIA_SOURCE_UNREADABLE, errno, "%.200s cannot be read",
                                         s->given);
    if (S_ISLNK(s->at_start.st_mode))
        return via_error_set(e, VIA_SOURCE_SYMLINK,
                             "%.200s is a symbolic link; name the file itself", s->given);
    if (!S_ISREG(s->at_start.st_mode))
        return via_error_set(e, VIA_SOURCE_NOT_A_FILE, "%.200s is not a regular file", s->given);
    if (s->at_start.st_size == 0)
        return via_error_set(e, VIA_SOURCE_NOT_A_DATABASE,
                             "%.200s is empty, not an SQLite database", s->given);
    return VIA_OK;
}

/* Resolve the folder, so that SQLite's own refusal of symbolic links sees the file only. */
static enum via_status
source_resolve(struct via_source *s, struct via_error *e)
{
    char *whole = realpath(s->given, NULL);
    struct stat st;
    bool same;

    if (!whole)
        return via_error_set_errno(e, VIA_SOURCE_UNREADABLE, errno, "%.200s cannot be read",
                                   s->given);
    same = strlen(whole) < sizeof s->path && lstat(whole, &st) == 0 &&
           st.st_ino == s->at_start.st_ino && st.st_dev == s->at_start.st_dev;
    if (same)
        memcpy(s->path, whole, strlen(whole) + 1);
    free(whole);
    return same ? VIA_OK
                : via_error_set(e, VIA_SOURCE_UNREADABLE, "%.200s cannot be read", s->given);
}

/* A FIFO, folder or link in place of a side file would hang or mislead SQLite. */
static enum via_status
source_look_beside(struct via_source *s, struct via_error *e)
{
    static const char *const suffixes[] = {"-wal", "-shm", "-journal"};
    char path[VIA_PATH_SIZE + 16];
    struct stat st;

    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        (void)snprintf(path, sizeof path, "%s%s", s->path, suffixes[i]);
        if (lstat(path, &st) == 0 && !S_ISREG(st.st_mode))
            return via_error_set(e, VIA_SOURCE_NOT_A_FILE, "%.200s%s is not a regular file",
                                 s->given, suffixes[i]);
    }
    return VIA_OK;
}

/* Read the header through SQLite's own descriptor, without a lock. */
static enum via_status
source_read_header(struct via_source *s, struct via_error *e)
{
    unsigned char header[SOURCE_HEADER_BYTES] = {0};
    sqlite3_file *file = NULL;
    int rc = sqlite3_file_control(s->sql.db, "main", SQLITE_FCNTL_FILE_POINTER, &file);

    if (rc == SQLITE_OK && file && file->pMethods)
        rc = file->pMethods->xRead(file, header, sizeof header, 0);
    if (rc == SQLITE_IOERR_SHORT_READ)
        rc = SQLITE_NOTADB;
    if (rc == SQLITE_OK && memcmp(header, SOURCE_MAGIC, sizeof SOURCE_MAGIC) != 0)
        rc = SQLITE_NOTADB;
    s->is_wal = header[18] == 2 && header[19] == 2;
    s->tells_size = memcmp(header + 24, header + 92, 4) == 0; /* fileformat2.html section 1.3.7 */
    return rc == SQLITE_OK ? VIA_OK : via_source_fail(s, rc, e);
}

/* As a URI, so that it can be said that nobody writes the file. */
void
via_sqlite_open_frozen(struct via_sql *sql, const char *path)
{
    static const char plain[] = "/._-+@,=";
    char uri[3 * VIA_PATH_SIZE + 32];
    size_t n = (size_t)snprintf(uri, sizeof uri, "file:");

    for (const char *c = path; *c; c++)
        if ((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') ||
            strchr(plain, *c))
            uri[n++] = *c;
        else
            n += (size_t)snprintf(uri + n, 4, "%%%02X", (unsigned char)*c);
    (void)snprintf(uri + n, sizeof uri - n, "?immutable=1");
    via_sql_open(sql, uri, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_URI);
}

/* A write-ahead database without a log is open nowhere, and an ordinary reader would leave
 * a -wal and a -shm beside it. Whether somebody opens it meanwhile shows in the stamps. */
static enum via_status
source_reopen(struct via_source *s, struct via_error *e)
{
    struct via_source_stamp journal = source_stamp(s, "-journal");

    if (!s->is_wal || s->log.present || (journal.present && journal.size_bytes > 0))
        return VIA_OK;
    via_sql_close(&s->sql);
    via_sqlite_open_frozen(&s->sql, s->path);
    s->is_frozen = true;
    return source_outcome(s, e);
}

/* Does another connection hold the right to write, in either journal mode? */
static int
source_try_writers(struct via_source *s)
{
    sqlite3_file *file = NULL;
    int held = 0;
    int rc = sqlite3_file_control(s->sql.db, "main", SQLITE_FCNTL_FILE_POINTER, &file);

    if (rc != SQLITE_OK || s->is_frozen)
        return rc;
    if (!s->is_wal) {
        rc = file->pMethods->xCheckReservedLock(file, &held);
        return rc == SQLITE_OK && held ? SQLITE_BUSY : rc;
    }
    /* Lock 0 of the shared memory is the write lock. On a -shm that can only be read it
     * cannot be asked for; then the stamps alone tell. */
    rc = file->pMethods->xShmLock(file, 0, 1, SQLITE_SHM_LOCK | SQLITE_SHM_EXCLUSIVE);
    if (rc == SQLITE_OK)
        rc = file->pMethods->xShmLock(file, 0, 1, SQLITE_SHM_UNLOCK | SQLITE_SHM_EXCLUSIVE);
    return rc;
}

/* Pin one state of the content: a read transaction with a page read in it. */
static enum via_status
source_pin(struct via_source *s, struct via_error *e)
{
    int rc;

    /* trusted_schema stays on: off, a CHECK that uses json_valid() makes a schema malformed. */
    via_sql_exec(&s->sql, "PRAGMA mmap_size = 0; PRAGMA cache_size = -32768;"
                          "PRAGMA cell_size_check = ON; BEGIN");
    (void)via_sql_int(&s->sql, "SELECT count(*) FROM sqlite_schema", 0);
    if (source_outcome(s, e) != VIA_OK)
        return e->status;
    rc = source_try_writers(s);
    if (rc != SQLITE_OK)
        return via_source_fail(s, rc, e);
    s->is_whole = (!s->is_wal || s->is_frozen) && s->tells_size;
    s->size_bytes =
        via_sql_int(&s->sql, "PRAGMA page_count", 0) * via_sql_int(&s->sql, "PRAGMA page_size", 0);
    return source_outcome(s, e);
}

/* Is the source the file `relative` of the root, under whatever name? */
static bool
source_is_at(const struct via_source *s, const struct via_root *root, const char *relative)
{
    char path[VIA_PATH_SIZE];
    struct stat st;

    via_root_join(root, relative, path);
    return lstat(path, &st) == 0 && st.st_dev == s->at_start.st_dev &&
           st.st_ino == s->at_start.st_ino;
}

static enum via_status
source_check_place(const struct via_source *s, const struct via_root *root, struct via_error *e)
{
    bool ours = via_place_is_below(s->path, root, "addons") ||
                source_is_at(s, root, "control-plane.db") || source_is_at(s, root, "runtime.db");

    if (ours)
        return via_error_set(e, VIA_PATH_INVALID,
                             "the source is one of Via's own files; make an export and import it");
    /* A second name of an add-on's file would be opened without its log. */
    if (s->at_start.st_nlink > 1)
        return via_error_set(e, VIA_PATH_INVALID,
                             "%.200s has a second name (a hard link); import a copy of it",
                             s->given);
    return VIA_OK;
}

enum via_status
via_source_open(struct via_source *s, const struct via_root *root, const char *given,
                struct via_error *e)
{
    memset(s, 0, sizeof *s);
    s->given = given;
    if (source_look(s, e) != VIA_OK || source_resolve(s, e) != VIA_OK)
        return e->status;
    if (root && source_check_place(s, root, e) != VIA_OK)
        return e->status;
    if (source_look_beside(s, e) != VIA_OK)
        return e->status;
    s->main = source_stamp(s, "");
    s->log = source_stamp(s, "-wal");
    via_sql_open(&s->sql, s->path, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOFOLLOW);
    if (source_outcome(s, e) != VIA_OK || source_read_header(s, e) != VIA_OK)
        return e->status;
    if (source_reopen(s, e) != VIA_OK)
        return e->status;
    return source_pin(s, e);
}

/* "*** in database main ***\nPage 5: ...": the part that says what. */
static void
source_complaint(const char *answer, char *out, size_t size)
{
    const char *what = strncmp(answer, "***", 3) == 0 ? strchr(answer, '\n') : NULL;
    size_t n;

    what = what ? what + 1 : answer;
    n = strcspn(what, "\n");
    (void)snprintf(out, size, "%.*s", (int)n, what);
}

/* A page that could not be had says nothing of what is in it. SQLite tells of it among what it
 * found wrong, and not why: then no call of the file failed, when it was the memory. */
static bool
source_check_was_cut_short(struct via_sql *sql, const char *answer)
{
    const char *code = strstr(answer, "unable to get the page. error code=");
    int err = 0;

    if (!strstr(answer, "failed to get page") &&
        (!code || strtol(strchr(code, '=') + 1, NULL, 10) == SQLITE_CORRUPT))
        return false;
    (void)sqlite3_file_control(sql->db, "main", SQLITE_FCNTL_LAST_ERRNO, &err);
    if (err)
        via_sql_fail(sql, VIA_IO_ERROR, "a page cannot be read");
    else
        via_sql_fail(sql, VIA_OUT_OF_MEMORY, "out of memory");
    return true;
}

static int
source_check(struct via_sql *sql, bool is_quick, char *complaint, size_t size)
{
    static const char *const checks[] = {"PRAGMA integrity_check(1)", "PRAGMA quick_check(1)"};
    char answer[256] = "";
    int rc = SQLITE_OK;

    /* An index may want a collation or function that only its app has; then integrity_check
     * cannot be prepared, and the check of the pages is what there is. */
    for (size_t i = is_quick; i < sizeof checks / sizeof checks[0]; i++) {
        sqlite3_stmt *q = via_sql_stmt(sql, checks[i]);

        if (via_sql_row(sql, q))
            via_sql_text(q, 0, answer, sizeof answer);
        via_sql_end(sql, q);
        if (complaint)
            source_complaint(via_sql_ok(sql) ? answer : sqlite3_errmsg(sql->db), complaint, size);
        if (via_sql_ok(sql) && source_check_was_cut_short(sql, answer))
            return -1;
        if (via_sql_ok(sql))
            return strcmp(answer, "ok") == 0;
        rc = sqlite3_errcode(sql->db);
        if (rc != SQLITE_ERROR)
            break;
        if (i == 0)
            (void)via_sql_take(sql, NULL);
    }
    return rc == SQLITE_CORRUPT || rc == SQLITE_NOTADB ? 0 : -1;
}

int
via_sqlite_check(struct via_sql *sql, bool is_quick, const struct via_progress *progress,
                 char *complaint, size_t size)
{
    struct via_watch watch;
    int sound;

    if (!progress)
        return source_check(sql, is_quick, complaint, size);
    via_watch_begin(&watch, sql, is_quick, NULL, progress);
    sound = source_check(sql, is_quick, complaint, size);
    via_watch_end(&watch);
    return sound;
}

enum via_status
via_source_verify(struct via_source *s, const struct via_progress *progress, struct via_error *e)
{
    int sound = via_sqlite_check(&s->sql, false, progress, NULL, 0);

    if (sound > 0)
        return VIA_OK;
    return sound == 0 ? via_source_fail(s, SQLITE_CORRUPT, e) : source_outcome(s, e);
}

void
via_source_close(struct via_source *s)
{
    via_sql_close(&s->sql);
}
