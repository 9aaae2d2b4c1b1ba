#include "vfs/file.h"

#include "base/error.h"
#include "provider/provider.h"
#include "vfs/refusal.h"

#include <stdlib.h>

static struct via_file *
self(sqlite3_file *file)
{
    return (struct via_file *)(void *)file;
}

static sqlite3_file *
real(sqlite3_file *file)
{
    return via_file_real(self(file));
}

static int
file_refuse(struct via_file *f, const char *sentence)
{
    struct via_error e = {0};

    via_error_set(&e, VIA_STATEMENT_FORBIDDEN, "%s", sentence);
    via_guard_refusal(f->guard, &e);
    return via_refusal_put(SQLITE_IOERR_AUTH, &e);
}

static int
file_ask_slowly(struct via_file *f, enum via_vfs_verdict verdict, const char *sentence)
{
    struct via_error e = {0};

    if (verdict == VIA_VFS_CHECK_READ)
        return via_guard_check_read(f->guard, &e) == VIA_OK
                   ? SQLITE_OK
                   : via_refusal_put(SQLITE_IOERR_AUTH, &e);
    if (verdict == VIA_VFS_CHECK_WRITE)
        return via_guard_check_write(f->guard, &e) == VIA_OK ? SQLITE_OK
                                                             : via_refusal_put(SQLITE_READONLY, &e);
    return file_refuse(f, sentence);
}

/* Ask the grant, as the policy wants it: SQLITE_OK or why not. Almost always a few loads:
 * this runs in every transaction. */
static inline int
file_ask(struct via_file *f, enum via_vfs_verdict verdict, const char *sentence)
{
    if (verdict == VIA_VFS_PASS || (verdict == VIA_VFS_CHECK_READ && via_guard_is_open(f->guard)))
        return SQLITE_OK;
    return file_ask_slowly(f, verdict, sentence);
}

/* -- is this still the storage? -------------------------------------------------- */

static int
file_look_again(struct via_file *f)
{
    sqlite3_file *file = via_file_real(f);
    uint64_t epoch = via_context_epoch(f->guard->context);
    struct via_error e = {0};
    int moved = 0;

    if (file->pMethods->xFileControl(file, SQLITE_FCNTL_HAS_MOVED, &moved) != SQLITE_OK || !moved) {
        via_guard_place(f->guard, epoch);
        return SQLITE_OK;
    }
    via_error_set(&e, VIA_ADDON_UNAVAILABLE,
                  "the storage of this add-on has been exchanged or is gone; open it again");
    return via_refusal_put(SQLITE_IOERR_AUTH, &e);
}

/* A restore puts another file in this one's place, with every lock of the log in hand and the epoch
 * moved before it lets go. So whoever has just got a lock looks whether the epoch moved: here no
 * page is read, and no log folded in, that belongs to another file. */
static inline int
file_check_place(struct via_file *f)
{
    return via_guard_is_placed(f->guard) ? SQLITE_OK : file_look_again(f);
}

/* -- where transactions begin ---------------------------------------------------- */

static int
file_shm_lock(sqlite3_file *file, int offset, int n, int flags)
{
    struct via_file *f = self(file);
    int rc = file_ask(f, via_policy_shm_lock(&f->locks, offset, flags), "");

    if (rc == SQLITE_OK)
        rc = real(file)->pMethods->xShmLock(real(file), offset, n, flags);
    /* Who holds the write slot keeps a restore away, and must be able to finish. */
    if (rc == SQLITE_OK && flags & SQLITE_SHM_LOCK && !f->locks.is_writer) {
        rc = file_check_place(f);
        if (rc != SQLITE_OK)
            (void)real(file)->pMethods->xShmLock(real(file), offset, n,
                                                 flags ^ (SQLITE_SHM_LOCK | SQLITE_SHM_UNLOCK));
    }
    if (rc == SQLITE_OK)
        via_policy_note_shm(&f->locks, offset, n, flags);
    return rc;
}

/* The first lock: somebody may have taken the database out of WAL mode since it was opened. */
static int
file_begin(struct via_file *f)
{
    struct via_error e = {0};

    if (via_file_check_header(via_file_real(f), &e) == VIA_OK)
        return SQLITE_OK;
    via_guard_refusal(f->guard, &e);
    return via_refusal_put(SQLITE_IOERR_AUTH, &e);
}

/* Before the log is opened by its name, and before it is folded in and its name removed: that name
 * may be another file's by now. */
static int
file_settle_lock(struct via_file *f, int level, bool is_first)
{
    sqlite3_file *file = via_file_real(f);
    int rc = is_first || level == SQLITE_LOCK_EXCLUSIVE ? file_check_place(f) : SQLITE_OK;

    if (rc == SQLITE_OK && is_first)
        rc = file_begin(f);
    if (rc != SQLITE_OK) {
        f->locks.level = is_first ? SQLITE_LOCK_NONE : SQLITE_LOCK_SHARED;
        (void)file->pMethods->xUnlock(file, f->locks.level);
    }
    return rc;
}

static int
file_lock(sqlite3_file *file, int level)
{
    struct via_file *f = self(file);
    bool is_first = f->locks.level == SQLITE_LOCK_NONE;
    int rc = file_ask(f, via_policy_lock(&f->locks, level),
                      "an add-on's storage keeps its write-ahead log and normal locking");

    if (rc == SQLITE_OK)
        rc = real(file)->pMethods->xLock(real(file), level);
    if (rc != SQLITE_OK)
        return rc;
    if (f->locks.level < level)
        f->locks.level = level;
    return file_settle_lock(f, level, is_first);
}

static int
file_unlock(sqlite3_file *file, int level)
{
    struct via_file *f = self(file);

    if (f->locks.level > level)
        f->locks.level = level;
    return real(file)->pMethods->xUnlock(real(file), level);
}

static int
file_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **out)
{
    struct via_file *f = self(file);
    int rc = file_ask(f, via_policy_shm_map(&f->locks), "the write-ahead log has been closed");

    if (rc == SQLITE_OK && !f->locks.is_mapped)
        rc = file_check_place(f); /* the index, too, is opened by its name */
    if (rc != SQLITE_OK)
        return rc;
    rc = real(file)->pMethods->xShmMap(real(file), page, size, extend, out);
    if (rc == SQLITE_OK || (rc & 0xff) == SQLITE_READONLY)
        f->locks.is_mapped = true;
    return rc;
}

static int
file_shm_unmap(sqlite3_file *file, int remove)
{
    struct via_vfs_locks *l = &self(file)->locks;

    *l = (struct via_vfs_locks){.level = l->level};
    return real(file)->pMethods->xShmUnmap(real(file), remove);
}

/* -- what only WAL mode may do --------------------------------------------------- */

static int
file_read(sqlite3_file *file, void *bytes, int n, sqlite3_int64 at)
{
    int rc = file_ask(self(file), via_policy_read(&self(file)->locks),
                      "an add-on's storage keeps normal locking");

    return rc == SQLITE_OK ? real(file)->pMethods->xRead(real(file), bytes, n, at) : rc;
}

static int
file_fetch(sqlite3_file *file, sqlite3_int64 at, int n, void **out)
{
    *out = NULL; /* nothing fetched: SQLite reads instead, and file_read() says no */
    if (via_policy_read(&self(file)->locks) != VIA_VFS_PASS)
        return SQLITE_OK;
    return real(file)->pMethods->xFetch(real(file), at, n, out);
}

static int
file_write(sqlite3_file *file, const void *bytes, int n, sqlite3_int64 at)
{
    int rc = file_ask(self(file), via_policy_write(&self(file)->locks),
                      "an add-on's storage keeps its write-ahead log");

    return rc == SQLITE_OK ? real(file)->pMethods->xWrite(real(file), bytes, n, at) : rc;
}

static int
file_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    int rc = file_ask(self(file), via_policy_write(&self(file)->locks),
                      "an add-on's storage keeps its write-ahead log");

    return rc == SQLITE_OK ? real(file)->pMethods->xTruncate(real(file), size) : rc;
}

/* -- the agent's door ------------------------------------------------------------ */

static int
file_grant(struct via_file *f, const struct via_grant_slot *slot)
{
    bool is_busy = via_policy_is_busy(&f->locks);
    struct via_error e = {0};

    if (f->guard->door != VIA_VFS_LOCKED)
        return SQLITE_NOTFOUND;
    /* A transaction that is open belongs to the grant that began it: nothing new for it. The old
     * one goes in any case, for its memory is the caller's. */
    if (via_guard_set(f->guard, is_busy ? NULL : slot, &e) != VIA_OK)
        return via_refusal_put(SQLITE_AUTH, &e);
    return is_busy ? SQLITE_MISUSE : SQLITE_OK;
}

static int
file_control(sqlite3_file *file, int op, void *arg)
{
    int rc;

    if (op == VIA_FCNTL_GRANT)
        return file_grant(self(file), arg);
    if (op == VIA_FCNTL_MARK) {
        *(int *)arg = via_policy_mark(&self(file)->locks);
        return SQLITE_OK;
    }
    rc = real(file)->pMethods->xFileControl(real(file), op, arg);
    if (op == SQLITE_FCNTL_VFSNAME && rc == SQLITE_OK)
        *(char **)arg = sqlite3_mprintf("via/%z", *(char **)arg);
    return rc;
}

static int
file_close(sqlite3_file *file)
{
    struct via_file *f = self(file);
    int rc = real(file)->pMethods->xClose(real(file));

    via_file_forget(f);
    sqlite3_free_filename((char *)f->real_name);
    via_guard_close(f->guard);
    free(f->guard);
    f->base.pMethods = NULL;
    return rc;
}

/* -- all other methods pass through ---------------------------------------------- */

static int
file_sync(sqlite3_file *file, int flags)
{
    return real(file)->pMethods->xSync(real(file), flags);
}

static int
file_size(sqlite3_file *file, sqlite3_int64 *out)
{
    return real(file)->pMethods->xFileSize(real(file), out);
}

static int
file_check_reserved_lock(sqlite3_file *file, int *out)
{
    return real(file)->pMethods->xCheckReservedLock(real(file), out);
}

static int
file_sector_size(sqlite3_file *file)
{
    return real(file)->pMethods->xSectorSize(real(file));
}

static int
file_device_characteristics(sqlite3_file *file)
{
    return real(file)->pMethods->xDeviceCharacteristics(real(file));
}

static void
file_shm_barrier(sqlite3_file *file)
{
    real(file)->pMethods->xShmBarrier(real(file));
}

static int
file_unfetch(sqlite3_file *file, sqlite3_int64 at, void *page)
{
    return real(file)->pMethods->xUnfetch(real(file), at, page);
}

#define FILE_METHODS(version, fetch, unfetch)                                                      \
    {                                                                                              \
        .iVersion = (version), .xClose = file_close, .xRead = file_read, .xWrite = file_write,     \
        .xTruncate = file_truncate, .xSync = file_sync, .xFileSize = file_size,                    \
        .xLock = file_lock, .xUnlock = file_unlock,                                                \
        .xCheckReservedLock = file_check_reserved_lock, .xFileControl = file_control,              \
        .xSectorSize = file_sector_size, .xDeviceCharacteristics = file_device_characteristics,    \
        .xShmMap = file_shm_map, .xShmLock = file_shm_lock, .xShmBarrier = file_shm_barrier,       \
        .xShmUnmap = file_shm_unmap, .xFetch = (fetch), .xUnfetch = (unfetch)                      \
    }

const sqlite3_io_methods via_file_methods_2 = FILE_METHODS(2, NULL, NULL);
const sqlite3_io_methods via_file_methods_3 = FILE_METHODS(3, file_fetch, file_unfetch);

int
via_file_may_open_log(struct via_file *f)
{
    return file_ask(f, via_policy_open_log(&f->locks), "an add-on's storage keeps normal locking");
}
