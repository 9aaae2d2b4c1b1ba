#include "sql/sql.h"

#include "base/error.h"
#include "base/io.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

enum via_status
via_sql_status(int rc)
{
    switch (rc & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return VIA_OK;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return VIA_CONTROL_BUSY;
    case SQLITE_FULL:
        return VIA_DISK_FULL;
    case SQLITE_NOMEM:
        return VIA_OUT_OF_MEMORY;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return VIA_STATE_CORRUPT;
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_AUTH:
        return VIA_STATE_UNAVAILABLE;
    case SQLITE_IOERR:
        return VIA_IO_ERROR;
    default:
        return VIA_INTERNAL_ERROR;
    }
}

bool
via_sql_ok(const struct via_sql *s)
{
    return s->error.status == VIA_OK;
}

enum via_status
via_sql_fail(struct via_sql *s, enum via_status status, const char *format, ...)
{
    va_list args;

    if (s->error.status == VIA_OK) {
        s->error.status = status;
        va_start(args, format);
        (void)vsnprintf(s->error.message, sizeof s->error.message, format, args);
        va_end(args);
    }
    return s->error.status;
}

static bool
errno_is_full(int err)
{
    return err == ENOSPC || err == EDQUOT;
}

bool
via_sql_has_no_room(sqlite3 *db)
{
    const char *path = db ? sqlite3_db_filename(db, "main") : NULL;
    struct statvfs v;

    return path && *path && statvfs(path, &v) == 0 &&
           (v.f_bavail == 0 || (v.f_files > 0 && v.f_favail == 0));
}

static bool
errno_is_scarce(int err)
{
    return err == EMFILE || err == ENFILE;
}

bool
via_sql_lacks_descriptors(sqlite3 *db)
{
    return (db && errno_is_scarce(sqlite3_system_errno(db))) || !via_io_has_spare();
}

/* Remember what SQLite said. The sentences are SQLite's own: no path is in them. Of a COMMIT that
 * fails SQLite keeps no errno: the thread's own is then still that of the call, which began with
 * none. */
static void
sql_fail_rc(struct via_sql *s, int rc)
{
    int err = errno;
    enum via_status status = via_sql_status(rc);

    if (status == VIA_IO_ERROR &&
        (errno_is_full(err) || (s->db && errno_is_full(sqlite3_system_errno(s->db)))))
        status = VIA_DISK_FULL;
    if (status == VIA_STATE_UNAVAILABLE &&
        (errno_is_scarce(err) || via_sql_lacks_descriptors(s->db)))
        status = VIA_OVERLOADED;
    else if (status == VIA_STATE_UNAVAILABLE && via_sql_has_no_room(s->db))
        status = VIA_DISK_FULL;
    if (status == VIA_CONTROL_BUSY)
        via_sql_fail(s, status, "another process is changing the control database; try again");
    else if (status == VIA_DISK_FULL)
        via_sql_fail(s, status, "the disk that holds the state root is full; nothing was changed");
    else if (status == VIA_OVERLOADED)
        via_sql_fail(s, status, "too many files are open; try again, or raise the limit");
    else
        via_sql_fail(s, status, "%s", s->db ? sqlite3_errmsg(s->db) : sqlite3_errstr(rc));
}

enum via_status
via_sql_take(struct via_sql *s, struct via_error *e)
{
    enum via_status status = s->error.status;

    if (status != VIA_OK && e && e->status == VIA_OK)
        *e = s->error;
    s->error.status = VIA_OK;
    s->error.message[0] = '\0';
    return status;
}

static _Thread_local bool opening;

bool
via_sql_is_opening(void)
{
    return opening;
}

void
via_sql_open(struct via_sql *s, const char *path, int flags)
{
    int rc;

    memset(s, 0, sizeof *s);
    opening = true;
    errno = 0;
    /* By name: a host may have made another VFS its default, one without locks even. */
    rc = sqlite3_open_v2(path, &s->db, flags, sqlite3_vfs_find("unix") ? "unix" : NULL);
    opening = false;
    if (rc != SQLITE_OK)
        sql_fail_rc(s, rc);
    else
        (void)sqlite3_extended_result_codes(s->db, 1);
}

void
via_sql_close(struct via_sql *s)
{
    for (size_t i = 0; i < s->count; i++)
        sqlite3_finalize(s->cache[i].stmt);
    free(s->cache);
    sqlite3_close_v2(s->db);
    memset(s, 0, sizeof *s);
}

sqlite3_stmt *
via_sql_prepare(struct via_sql *s, const char *text)
{
    sqlite3_stmt *q = NULL;
    int rc;

    if (!via_sql_ok(s))
        return NULL;
    errno = 0;
    rc = sqlite3_prepare_v3(s->db, text, -1, 0, &q, NULL);
    if (rc != SQLITE_OK)
        sql_fail_rc(s, rc);
    return q;
}

sqlite3_stmt *
via_sql_stmt(struct via_sql *s, const char *text)
{
    struct via_sql_entry *grown;
    sqlite3_stmt *q = NULL;
    int rc;

    if (!via_sql_ok(s))
        return NULL;
    for (size_t i = 0; i < s->count; i++)
        if (s->cache[i].text == text) {
            q = s->cache[i].stmt;
            sqlite3_reset(q);
            sqlite3_clear_bindings(q);
            return q;
        }
    if (s->count == s->cap) {
        grown = realloc(s->cache, (s->cap ? s->cap * 2 : 32) * sizeof *grown);
        if (!grown) {
            via_sql_fail(s, VIA_OUT_OF_MEMORY, "out of memory");
            return NULL;
        }
        s->cache = grown;
        s->cap = s->cap ? s->cap * 2 : 32;
    }
    errno = 0;
    rc = sqlite3_prepare_v3(s->db, text, -1, SQLITE_PREPARE_PERSISTENT, &q, NULL);
    if (rc != SQLITE_OK) {
        sql_fail_rc(s, rc);
        return NULL;
    }
    s->cache[s->count++] = (struct via_sql_entry){text, q};
    return q;
}

static void
sql_bound(struct via_sql *s, int rc)
{
    if (rc != SQLITE_OK)
        sql_fail_rc(s, rc);
}

void
via_sql_bind_text(struct via_sql *s, sqlite3_stmt *q, int i, const char *text)
{
    if (via_sql_ok(s))
        sql_bound(s, sqlite3_bind_text(q, i, text, -1, SQLITE_TRANSIENT));
}

void
via_sql_lend_text(struct via_sql *s, sqlite3_stmt *q, int i, const char *text, size_t n)
{
    /* Up to the NUL where there is one: SQLite would copy a text that it has to end itself. */
    if (via_sql_ok(s))
        sql_bound(
            s, sqlite3_bind_text(q, i, text, text && text[n] == '\0' ? -1 : (int)n, SQLITE_STATIC));
}

void
via_sql_bind_int(struct via_sql *s, sqlite3_stmt *q, int i, int64_t value)
{
    if (via_sql_ok(s))
        sql_bound(s, sqlite3_bind_int64(q, i, value));
}

void
via_sql_bind_value(struct via_sql *s, sqlite3_stmt *q, int i, sqlite3_value *value)
{
    if (via_sql_ok(s))
        sql_bound(s, sqlite3_bind_value(q, i, value));
}

bool
via_sql_row(struct via_sql *s, sqlite3_stmt *q)
{
    int rc;

    if (!via_sql_ok(s) || !q)
        return false;
    errno = 0;
    rc = sqlite3_step(q);
    if (rc == SQLITE_ROW)
        return true;
    if (rc != SQLITE_DONE)
        sql_fail_rc(s, rc);
    sqlite3_reset(q);
    return false;
}

void
via_sql_run(struct via_sql *s, sqlite3_stmt *q)
{
    while (via_sql_row(s, q))
        continue;
}

void
via_sql_end(struct via_sql *s, sqlite3_stmt *q)
{
    int rc = SQLITE_OK;

    errno = 0;
    if (q)
        rc = sqlite3_reset(q);
    if (rc != SQLITE_OK && via_sql_ok(s))
        sql_fail_rc(s, rc);
}

void
via_sql_exec(struct via_sql *s, const char *text)
{
    sqlite3_stmt *q;
    const char *tail = text;
    int rc;

    while (via_sql_ok(s) && *tail) {
        errno = 0;
        rc = sqlite3_prepare_v3(s->db, tail, -1, 0, &q, &tail);
        if (rc != SQLITE_OK)
            sql_fail_rc(s, rc);
        via_sql_run(s, q);
        sqlite3_finalize(q);
    }
}

int64_t
via_sql_int(struct via_sql *s, const char *text, int64_t otherwise)
{
    sqlite3_stmt *q = via_sql_stmt(s, text);
    int64_t value = otherwise;

    if (via_sql_row(s, q))
        value = sqlite3_column_int64(q, 0);
    via_sql_end(s, q);
    return value;
}

void
via_sql_text(sqlite3_stmt *q, int i, char *out, size_t size)
{
    const char *text = (const char *)sqlite3_column_text(q, i);

    (void)snprintf(out, size, "%s", text ? text : "");
}

int64_t
via_sql_changes(struct via_sql *s)
{
    return s->db ? sqlite3_changes64(s->db) : 0;
}
