#include "vfs/file.h"

#include "base/error.h"
#include "vfs/refusal.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define HEADER_BYTES 100

static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static struct via_file *open_files;

static struct via_file *
self(sqlite3_file *file)
{
    return (struct via_file *)(void *)file;
}

static sqlite3_file *
real(sqlite3_file *file)
{
    return (sqlite3_file *)(void *)(self(file) + 1);
}

static int
file_refuse(struct via_file *f, const char *sentence)
{
    struct via_error e = {0};

    via_error_set(&e, VIA_STATEMENT_FORBIDDEN, "%s", sentence);
    via_guard_refusal(f->guard, &e);
    return via_refusal_put(SQLITE_IOERR_AUTH, &e);
}

/* Ask the grant, as the policy wants it. SQLITE_OK or why not. */
static int
file_ask(struct via_file *f, enum via_vfs_verdict verdict, const char *sentence)
{
    struct via_error e = {0};

    switch (verdict) {
    case VIA_VFS_PASS:
        return SQLITE_OK;
    case VIA_VFS_CHECK_READ:
        if (via_guard_check_read(f->guard, &e) == VIA_OK)
            return SQLITE_OK;
        return via_refusal_put(SQLITE_IOERR_AUTH, &e);
    case VIA_VFS_CHECK_WRITE:
        if (via_guard_check_write(f->guard, &e) == VIA_OK)
            return SQLITE_OK;
        return via_refusal_put(SQLITE_READONLY, &e);
    default:
        return file_refuse(f, sentence);
    }
}

static enum via_status
file_check_header(sqlite3_file *opened, struct via_error *e)
{
    unsigned char header[HEADER_BYTES] = {0};
    int rc = opened->pMethods->xRead(opened, header, sizeof header, 0);

    if (rc == SQLITE_IOERR_SHORT_READ)
        return via_error_set(e, VIA_STORAGE_MISSING, "the storage of this add-on is empty");
    if (rc != SQLITE_OK)
        return via_error_set(e, VIA_STORAGE_UNREADABLE,
                             "the storage of this add-on cannot be read");
    if (!via_policy_is_wal(header))
        return via_error_set(e, VIA_STORAGE_CORRUPT,
                             "the storage of this add-on is not a write-ahead database");
    return VIA_OK;
}

/* -- where transactions begin ---------------------------------------------------- */

static int
file_shm_lock(sqlite3_file *file, int offset, int n, int flags)
{
    struct via_file *f = self(file);
    int rc = file_ask(f, via_policy_shm_lock(&f->locks, offset, flags), "");

    if (rc == SQLITE_OK)
        rc = real(file)->pMethods->xShmLock(real(file), offset, n, flags);
    if (rc == SQLITE_OK)
        via_policy_note_shm(&f->locks, offset, n, flags);
    return rc;
}

/* The first lock: somebody may have taken the database out of WAL mode since it was opened. */
static int
file_begin(sqlite3_file *file)
{
    struct via_error e = {0};

    if (file_check_header(real(file), &e) == VIA_OK)
        return SQLITE_OK;
    (void)real(file)->pMethods->xUnlock(real(file), SQLITE_LOCK_NONE);
    self(file)->locks.level = SQLITE_LOCK_NONE;
    via_guard_refusal(self(file)->guard, &e);
    return via_refusal_put(SQLITE_IOERR_AUTH, &e);
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
    return is_first ? file_begin(file) : SQLITE_OK;
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

    pthread_mutex_lock(&list_lock);
    for (struct via_file **at = &open_files; *at; at = &(*at)->next)
        if (*at == f) {
            *at = f->next;
            break;
        }
    pthread_mutex_unlock(&list_lock);
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

static const sqlite3_io_methods methods_2 = FILE_METHODS(2, NULL, NULL);
static const sqlite3_io_methods methods_3 = FILE_METHODS(3, file_fetch, file_unfetch);

/* -- opening --------------------------------------------------------------------- */

/* Read the URI's parameters and let the guard decide. */
static enum via_status
file_pass_door(struct via_file *f, const char *name, char path[VIA_PATH_SIZE], struct via_error *e)
{
    struct via_vfs_param params[16];
    struct via_vfs_request request;
    struct via_error ignored = {0};
    size_t n = 0;

    while (n < sizeof params / sizeof params[0] &&
           (params[n].key = sqlite3_uri_key(name, (int)n)) != NULL) {
        params[n].value = sqlite3_uri_parameter(name, params[n].key);
        n++;
    }
    if (via_policy_read_params(params, n, &request, e) != VIA_OK) {
        if (e->status == VIA_TOKEN_MISSING &&
            via_policy_check_name(VIA_VFS_WORKLOAD, name, &ignored) == VIA_OK)
            via_guard_turn_away(name, e->status);
        return e->status;
    }
    if (via_policy_check_name(request.door, name, e) != VIA_OK)
        return e->status;
    return via_guard_open(f->guard, name, &request, path, e);
}

/* Is there a regular file to open, with a name the parent can take? By stat alone: closing a
 * descriptor of our own would drop the locks of every connection to it in this process. */
static enum via_status
file_look(sqlite3_vfs *parent, const char *path, struct via_error *e)
{
    struct stat st;

    if (strlen(path) + sizeof "-journal" > (size_t)parent->mxPathname)
        return via_error_set(e, VIA_STATE_UNAVAILABLE,
                             "the state root's path is too long; choose a shorter one");
    if (lstat(path, &st) < 0)
        return errno == ENOENT || errno == ENOTDIR
                   ? via_error_set(e, VIA_STORAGE_MISSING, "the storage of this add-on is missing")
                   : via_error_set(e, VIA_STORAGE_UNREADABLE,
                                   "this process may not reach the storage of this add-on");
    if (!S_ISREG(st.st_mode))
        return via_error_set(e, VIA_STORAGE_CORRUPT,
                             "the storage of this add-on is not a regular file");
    return VIA_OK;
}

static enum via_status
file_open_real(sqlite3_vfs *parent, struct via_file *f, const char *path, int flags, int *out_flags,
               struct via_error *e)
{
    char journal[VIA_PATH_SIZE + 16], log[VIA_PATH_SIZE + 16];
    sqlite3_file *opened = real(&f->base);

    (void)snprintf(journal, sizeof journal, "%s-journal", path);
    (void)snprintf(log, sizeof log, "%s-wal", path);
    f->real_name = sqlite3_create_filename(path, journal, log, 0, NULL);
    if (!f->real_name)
        return via_error_set(e, VIA_OUT_OF_MEMORY, "out of memory");
    flags = via_policy_open_flags(flags, via_guard_is_readonly(f->guard));
    if (parent->xOpen(parent, f->real_name, opened, flags, out_flags) != SQLITE_OK)
        return via_error_set(e, VIA_STORAGE_UNREADABLE,
                             "the storage of this add-on cannot be opened");
    if (opened->pMethods->iVersion < 2 || !opened->pMethods->xShmMap)
        return via_error_set(e, VIA_STORAGE_UNREADABLE,
                             "the VFS %.40s cannot hold a write-ahead log; use unix",
                             parent->zName);
    return file_check_header(opened, e);
}

static void
file_abandon(struct via_file *f)
{
    sqlite3_file *opened = real(&f->base);

    if (opened->pMethods)
        (void)opened->pMethods->xClose(opened);
    if (f->real_name)
        sqlite3_free_filename((char *)f->real_name);
    via_guard_close(f->guard);
    free(f->guard);
}

int
via_file_open(sqlite3_vfs *parent, const char *name, sqlite3_file *file, int flags, int *out_flags)
{
    struct via_file *f = self(file);
    char path[VIA_PATH_SIZE];
    struct via_error e = {0};

    memset(f, 0, sizeof *f);
    real(file)->pMethods = NULL;
    f->guard = calloc(1, sizeof *f->guard);
    if (!f->guard)
        return SQLITE_NOMEM;
    if (file_pass_door(f, name, path, &e) != VIA_OK) {
        file_abandon(f);
        return via_refusal_put(SQLITE_CANTOPEN, &e);
    }
    if (file_look(parent, path, &e) != VIA_OK ||
        file_open_real(parent, f, path, flags, out_flags, &e) != VIA_OK) {
        via_guard_refusal(f->guard, &e);
        file_abandon(f);
        return via_refusal_put(SQLITE_CANTOPEN, &e);
    }
    f->journal = sqlite3_filename_journal(name);
    f->log = sqlite3_filename_wal(name);
    pthread_mutex_lock(&list_lock);
    f->next = open_files;
    open_files = f;
    pthread_mutex_unlock(&list_lock);
    f->base.pMethods = real(file)->pMethods->iVersion >= 3 && real(file)->pMethods->xFetch
                           ? &methods_3
                           : &methods_2;
    return SQLITE_OK;
}

struct via_file *
via_file_find(const char *name)
{
    struct via_file *f;

    pthread_mutex_lock(&list_lock);
    for (f = open_files; f; f = f->next)
        if (f->journal == name || f->log == name)
            break;
    pthread_mutex_unlock(&list_lock);
    return f;
}

int
via_file_may_open_log(struct via_file *f)
{
    return file_ask(f, via_policy_open_log(&f->locks), "an add-on's storage keeps normal locking");
}
