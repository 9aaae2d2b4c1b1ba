/* vfs.c: the VFS "via": names in, the platform's own VFS below.
 *
 * A main database has a logical name; SQLite derives its journal's and log's from it and
 * never sees a path. Temporary files have no name and are the platform's. */
#include "vfs/vfs.h"

#include "base/error.h"
#include "vfs/file.h"
#include "vfs/refusal.h"

#include <pthread.h>
#include <string.h>

#define ROLLBACK_JOURNALS (SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL)

/* How often SQLite asked this thread for a full name since the last open: once for a private
 * pager, twice for one that may be shared. The flag itself never reaches a VFS. */
static _Thread_local int names_asked;

static sqlite3_vfs *
parent(sqlite3_vfs *vfs)
{
    return vfs->pAppData;
}

static int
vfs_refuse(enum via_status status, const char *sentence)
{
    struct via_error e = {0};

    via_error_set(&e, status, "%s", sentence);
    return via_refusal_put(SQLITE_CANTOPEN, &e);
}

static int
vfs_open_main(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out_flags)
{
    int asked = names_asked;

    names_asked = 0;
    if (!name || !*name)
        return vfs_refuse(VIA_NAME_INVALID, "the guarded VFS opens a binding by its name");
    if (asked > 1)
        return vfs_refuse(VIA_BAD_REQUEST, "a guarded database cannot share its cache");
    return via_file_open(parent(vfs), name, file, flags, out_flags);
}

static int
vfs_open_log(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out_flags)
{
    struct via_file *f = via_file_find(name);
    int rc;

    if (!f || f->log != name)
        return vfs_refuse(VIA_NAME_INVALID, "this is the log of no guarded database");
    rc = via_file_may_open_log(f);
    if (rc != SQLITE_OK)
        return rc;
    /* The real name, or SQLite looks for the database's mode and owner in the wrong place. */
    return parent(vfs)->xOpen(parent(vfs), sqlite3_filename_wal(f->real_name), file,
                              flags & ~SQLITE_OPEN_URI, out_flags);
}

static int
vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out_flags)
{
    file->pMethods = NULL;
    if (flags & SQLITE_OPEN_MAIN_DB)
        return vfs_open_main(vfs, name, file, flags, out_flags);
    if (flags & ROLLBACK_JOURNALS)
        return vfs_refuse(VIA_STATEMENT_FORBIDDEN, "an add-on's storage keeps its write-ahead log");
    if (flags & SQLITE_OPEN_WAL)
        return vfs_open_log(vfs, name, file, flags, out_flags);
    if (name)
        return vfs_refuse(VIA_NAME_INVALID, "the guarded VFS opens no other files");
    return parent(vfs)->xOpen(parent(vfs), NULL, file, flags, out_flags);
}

static int
vfs_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
    struct via_file *f = via_file_find(name);

    if (!f || f->log != name) /* a rollback journal is never made, so it is not there */
        return SQLITE_IOERR_DELETE_NOENT;
    return parent(vfs)->xDelete(parent(vfs), sqlite3_filename_wal(f->real_name), sync);
}

/* A hot journal beside the storage must be seen, so that SQLite wants to roll it back and is
 * refused: reading on would be reading half a transaction. */
static int
vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *out)
{
    struct via_file *f = via_file_find(name);

    *out = 0;
    if (!f)
        return SQLITE_IOERR_ACCESS;
    return parent(vfs)->xAccess(parent(vfs),
                                f->log == name ? sqlite3_filename_wal(f->real_name)
                                               : sqlite3_filename_journal(f->real_name),
                                flags, out);
}

/* A logical name is full as it is. */
static int
vfs_full_pathname(sqlite3_vfs *vfs, const char *name, int size, char *out)
{
    size_t n = strlen(name);

    (void)vfs;
    if (n + 1 > (size_t)size)
        return vfs_refuse(VIA_NAME_INVALID, "the name is too long");
    memcpy(out, name, n + 1);
    names_asked++;
    return SQLITE_OK;
}

/* -- all other methods pass through ---------------------------------------------- */

static void *
vfs_dl_open(sqlite3_vfs *vfs, const char *path)
{
    return parent(vfs)->xDlOpen(parent(vfs), path);
}

static void
vfs_dl_error(sqlite3_vfs *vfs, int size, char *out)
{
    parent(vfs)->xDlError(parent(vfs), size, out);
}

static void (*vfs_dl_sym(sqlite3_vfs *vfs, void *library, const char *symbol))(void)
{
    return parent(vfs)->xDlSym(parent(vfs), library, symbol);
}

static void
vfs_dl_close(sqlite3_vfs *vfs, void *library)
{
    parent(vfs)->xDlClose(parent(vfs), library);
}

static int
vfs_randomness(sqlite3_vfs *vfs, int size, char *out)
{
    return parent(vfs)->xRandomness(parent(vfs), size, out);
}

static int
vfs_sleep(sqlite3_vfs *vfs, int microseconds)
{
    return parent(vfs)->xSleep(parent(vfs), microseconds);
}

static int
vfs_current_time(sqlite3_vfs *vfs, double *out)
{
    return parent(vfs)->xCurrentTime(parent(vfs), out);
}

static int
vfs_get_last_error(sqlite3_vfs *vfs, int size, char *out)
{
    return parent(vfs)->xGetLastError(parent(vfs), size, out);
}

static int
vfs_current_time_64(sqlite3_vfs *vfs, sqlite3_int64 *out)
{
    return parent(vfs)->xCurrentTimeInt64(parent(vfs), out);
}

static sqlite3_vfs guarded = {
    .iVersion = 2,
    .zName = "via",
    .xOpen = vfs_open,
    .xDelete = vfs_delete,
    .xAccess = vfs_access,
    .xFullPathname = vfs_full_pathname,
    .xDlOpen = vfs_dl_open,
    .xDlError = vfs_dl_error,
    .xDlSym = vfs_dl_sym,
    .xDlClose = vfs_dl_close,
    .xRandomness = vfs_randomness,
    .xSleep = vfs_sleep,
    .xCurrentTime = vfs_current_time,
    .xGetLastError = vfs_get_last_error,
    .xCurrentTimeInt64 = vfs_current_time_64,
};

int
via_vfs_register(void)
{
    static pthread_mutex_t once = PTHREAD_MUTEX_INITIALIZER;
    sqlite3_vfs *below;
    int rc = SQLITE_OK;

    pthread_mutex_lock(&once);
    if (!sqlite3_vfs_find(guarded.zName)) {
        below = sqlite3_vfs_find(NULL);
        if (below) {
            guarded.pAppData = below;
            guarded.iVersion = below->iVersion < 2 ? 1 : 2;
            guarded.szOsFile = (int)sizeof(struct via_file) + below->szOsFile;
            guarded.mxPathname = below->mxPathname;
            rc = sqlite3_vfs_register(&guarded, 0);
        } else {
            rc = SQLITE_ERROR;
        }
    }
    pthread_mutex_unlock(&once);
    return rc;
}
