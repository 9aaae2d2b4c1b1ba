/* hold.c: all eight locks of the write-ahead log at once (walformat.html, "WAL locks"), asked for
 * through SQLite's own file: it knows what other connections of this process hold. */
#include "provider/sqlite/hold.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"
#include "provider/sqlite/pin.h"
#include "provider/sqlite/place.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define NAP_MIN_NS 1000000
#define NAP_MAX_NS 20000000
#define OVERTIME_MS 10000 /* after may_wait() said yes */
#define INDEX_HEADER 96   /* two copies of the header (walformat.html, section 2.1) */
#define INDEX_REGION 32768
#define LOCK_BYTE 120 /* of the index: the first of the eight locks */
#define LOCKS_MAX 256 /* bytes of a line of /proc/locks */

static sqlite3_file *
file_of(struct via_sql *sql)
{
    sqlite3_file *file = NULL;

    if (!via_sql_ok(sql) ||
        sqlite3_file_control(sql->db, "main", SQLITE_FCNTL_FILE_POINTER, (void *)&file) !=
            SQLITE_OK ||
        !file->pMethods)
        return NULL;
    return file;
}

/* -- who is in the way ------------------------------------------------------------- */

/* What process `pid` runs, by name: the agent is one for all its apps, and not to be killed. */
static void
holder_name(const char *pid, char out[32])
{
    char path[64];
    FILE *in;

    (void)snprintf(path, sizeof path, "/proc/%s/comm", pid);
    in = fopen(path, "re");
    if (!in || !fgets(out, 32, in))
        out[0] = '\0';
    out[strcspn(out, "\n")] = '\0';
    if (strcmp(out, "viad") == 0)
        (void)snprintf(out, 32, "the agent");
    if (in)
        (void)fclose(in);
}

/* The processes with a transaction open by the index `path`, as "12 is sqlite3, 34 is the agent".
 * From /proc/locks: a descriptor of our own, once closed, would drop locks of this process. The
 * inode will do: some file systems name another device there than stat does. */
static void
holders_list(const char *path, char *out, size_t size)
{
    char line[LOCKS_MAX], pid[24], last[24] = "", file[64], start[24], name[32];
    struct stat st;
    size_t n = 0;
    FILE *in;

    out[0] = '\0';
    in = stat(path, &st) == 0 ? fopen("/proc/locks", "re") : NULL;
    while (in && fgets(line, sizeof line, in)) {
        if (sscanf(line, "%*s POSIX %*s %*s %23s %63s %23s", pid, file, start) != 3 ||
            !strrchr(file, ':') || strtoull(strrchr(file, ':') + 1, NULL, 10) != st.st_ino ||
            strtoull(start, NULL, 10) - LOCK_BYTE >= SQLITE_SHM_NLOCK || strcmp(pid, last) == 0 ||
            n + sizeof pid + sizeof name >= size)
            continue;
        holder_name(pid, name);
        n += (size_t)snprintf(out + n, size - n, "%s%s%s%s", n ? ", " : "", pid,
                              name[0] ? " is " : "", name);
        (void)snprintf(last, sizeof last, "%s", pid);
    }
    if (in)
        (void)fclose(in);
}

static enum via_status
hold_fail_timeout(const struct via_root *root, const char *addon_id, struct via_error *e)
{
    char index[VIA_PATH_SIZE], pids[200] = "";

    if (via_place_put(root, addon_id, VIA_PLACE_DATA, "-shm", index))
        holders_list(index, pids, sizeof pids);
    return via_error_set(e, VIA_RESTORE_TIMEOUT,
                         "operations on the add-on did not end in time%s%s%s; nothing was changed",
                         pids[0] ? " (process " : "", pids, pids[0] ? ")" : "");
}

/* -- taking ------------------------------------------------------------------------ */

/* Is the log empty for good? A truncation that the disk has not seen would bring old pages back,
 * over the new content. */
static enum via_status
hold_settle_log(struct via_hold *h, const char *log, bool *is_empty, struct via_error *e)
{
    struct stat st;

    *is_empty = true;
    errno = 0;
    if (h->file->pMethods->xSync(h->file, SQLITE_SYNC_NORMAL) != SQLITE_OK)
        return via_error_set_errno(e, VIA_IO_ERROR, errno, "the storage cannot be synced");
    if (lstat(log, &st) < 0)
        return VIA_OK;
    *is_empty = st.st_size == 0;
    return *is_empty ? via_fs_sync(log, e) : VIA_OK;
}

/* One try. Sets is_locked when it succeeds. */
static enum via_status
hold_try(struct via_hold *h, const char *log, struct via_error *e)
{
    const sqlite3_io_methods *m = h->file->pMethods;
    enum via_status status;
    int rc = sqlite3_wal_checkpoint_v2(h->sql.db, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);

    if (rc == SQLITE_OK)
        rc = m->xShmLock(h->file, 0, SQLITE_SHM_NLOCK, SQLITE_SHM_LOCK | SQLITE_SHM_EXCLUSIVE);
    if (rc == SQLITE_BUSY || rc == SQLITE_LOCKED)
        return VIA_OK;
    if (rc != SQLITE_OK) {
        (void)via_sql_fail(&h->sql, via_sql_status(rc), "%s", sqlite3_errstr(rc));
        return via_content_outcome(&h->sql, e);
    }
    status = hold_settle_log(h, log, &h->is_locked, e);
    if (status != VIA_OK || !h->is_locked) {
        h->is_locked = false;
        (void)m->xShmLock(h->file, 0, SQLITE_SHM_NLOCK, SQLITE_SHM_UNLOCK | SQLITE_SHM_EXCLUSIVE);
    }
    return status;
}

/* Does `status` say that there is no database that anybody could be using? */
static bool
is_beyond_use(enum via_status status)
{
    return status == VIA_STORAGE_MISSING || status == VIA_STORAGE_CORRUPT;
}

static enum via_status
hold_open(struct via_hold *h, const struct via_opener *opener, const char *addon_id,
          struct via_error *e)
{
    struct via_error why = {0};
    enum via_status status = via_content_open(&h->sql, opener, addon_id, &why);

    if (status == VIA_OK) {
        /* The first read opens the log and its index. */
        (void)via_sql_int(&h->sql, "PRAGMA user_version", 0);
        status = via_content_outcome(&h->sql, &why);
    }
    if (status == VIA_OK) {
        (void)sqlite3_busy_timeout(h->sql.db, 0);
        h->file = file_of(&h->sql);
        return h->file ? VIA_OK : via_error_set(e, VIA_INTERNAL_ERROR, "the storage has no file");
    }
    via_sql_close(&h->sql);
    return is_beyond_use(status) ? VIA_OK : via_error_set(e, status, "%s", why.message);
}

enum via_status
via_hold_take(struct via_hold *h, const struct via_root *root, const struct via_opener *opener,
              const char *addon_id, int64_t timeout_ms, bool (*may_wait)(void *arg), void *arg,
              struct via_error *e)
{
    int64_t until_ms = via_clock_mono_ms() + timeout_ms;
    struct timespec nap = {.tv_nsec = NAP_MIN_NS};
    bool is_overtime = false;
    struct via_error why = {0};
    char log[VIA_PATH_SIZE];
    enum via_status status;
    struct stat st;

    memset(h, 0, sizeof *h);
    if (!via_place_put(root, addon_id, VIA_PLACE_DATA, "-wal", log))
        return via_place_fail_id(e);
    status = via_place_find_data(root, addon_id, &st, &why);
    if (status != VIA_OK && status != VIA_STORAGE_MISSING)
        return via_error_set(e, status, "%s", why.message);
    h->has_file = status == VIA_OK;
    if (h->has_file && hold_open(h, opener, addon_id, e) != VIA_OK)
        return e->status;
    if (!h->file)
        return VIA_OK;
    while (hold_try(h, log, e) == VIA_OK && !h->is_locked) {
        if (via_clock_mono_ms() >= until_ms) {
            if (is_overtime || !may_wait(arg))
                return hold_fail_timeout(root, addon_id, e);
            is_overtime = true;
            until_ms = via_clock_mono_ms() + OVERTIME_MS;
        }
        (void)nanosleep(&nap, NULL);
        nap.tv_nsec = nap.tv_nsec * 2 < NAP_MAX_NS ? nap.tv_nsec * 2 : NAP_MAX_NS;
    }
    return h->is_locked ? VIA_OK : e->status;
}

void
via_hold_forget_index(struct via_hold *h)
{
    void volatile *index = NULL;

    if (!h->is_locked ||
        h->file->pMethods->xShmMap(h->file, 0, INDEX_REGION, 0, &index) != SQLITE_OK || !index)
        return;
    memset((void *)index, 0, INDEX_HEADER);
    h->file->pMethods->xShmBarrier(h->file);
}

void
via_hold_close(struct via_hold *h)
{
    if (h->is_locked)
        (void)h->file->pMethods->xShmLock(h->file, 0, SQLITE_SHM_NLOCK,
                                          SQLITE_SHM_UNLOCK | SQLITE_SHM_EXCLUSIVE);
    h->is_locked = false;
    via_sql_close(&h->sql);
    h->file = NULL;
}

/* -- a file that nobody may open --------------------------------------------------- */

enum via_status
via_bar_take(struct via_bar *b, const char *path, struct via_error *e)
{
    int rc;

    memset(b, 0, sizeof *b);
    via_sql_open(&b->sql, path, SQLITE_OPEN_READWRITE);
    b->file = file_of(&b->sql);
    if (!b->file)
        return via_content_outcome(&b->sql, e) != VIA_OK
                   ? e->status
                   : via_error_set(e, VIA_INTERNAL_ERROR, "the copy has no file");
    rc = b->file->pMethods->xLock(b->file, SQLITE_LOCK_SHARED);
    if (rc == SQLITE_OK)
        rc = b->file->pMethods->xLock(b->file, SQLITE_LOCK_EXCLUSIVE);
    if (rc == SQLITE_OK)
        return VIA_OK;
    return (rc & 0xff) == SQLITE_BUSY
               ? via_error_set(e, VIA_ADDON_BUSY, "somebody has the restored content open already")
               : via_error_set(e, VIA_IO_ERROR, "the restored content cannot be locked");
}

void
via_bar_close(struct via_bar *b)
{
    if (b->file)
        (void)b->file->pMethods->xUnlock(b->file, SQLITE_LOCK_NONE);
    b->file = NULL;
    via_sql_close(&b->sql);
}
