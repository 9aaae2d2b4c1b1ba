/* open.c: opening a guarded main file, and the list of those that are open. */
#include "base/error.h"
#include "base/io.h"
#include "vfs/file.h"
#include "vfs/refusal.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define HEADER_BYTES 100

static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static struct via_file *open_files;

enum via_status
via_file_check_header(sqlite3_file *opened, struct via_error *e)
{
    unsigned char header[HEADER_BYTES] = {0};
    sqlite3_int64 size_bytes = 0;
    int rc = opened->pMethods->xRead(opened, header, sizeof header, 0);

    if (rc == SQLITE_IOERR_SHORT_READ &&
        opened->pMethods->xFileSize(opened, &size_bytes) == SQLITE_OK)
        return size_bytes == 0
                   ? via_error_set(e, VIA_STORAGE_MISSING, "the storage of this add-on is empty")
                   : via_error_set(e, VIA_STORAGE_CORRUPT,
                                   "the storage of this add-on is too short to be a database");
    if (rc != SQLITE_OK)
        return via_error_set(e, VIA_STORAGE_UNREADABLE,
                             "the storage of this add-on cannot be read");
    if (!via_policy_is_wal(header))
        return via_error_set(e, VIA_STORAGE_CORRUPT,
                             "the storage of this add-on is not a write-ahead database");
    return VIA_OK;
}

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
    sqlite3_file *opened = via_file_real(f);

    (void)snprintf(journal, sizeof journal, "%s-journal", path);
    (void)snprintf(log, sizeof log, "%s-wal", path);
    f->real_name = sqlite3_create_filename(path, journal, log, 0, NULL);
    if (!f->real_name)
        return via_error_set(e, VIA_OUT_OF_MEMORY, "out of memory");
    flags = via_policy_open_flags(flags, via_guard_is_readonly(f->guard));
    if (parent->xOpen(parent, f->real_name, opened, flags, out_flags) != SQLITE_OK)
        return !via_io_has_spare()
                   ? via_error_set(e, VIA_OVERLOADED, "too many files are open; try again")
                   : via_error_set(e, VIA_STORAGE_UNREADABLE,
                                   "the storage of this add-on cannot be opened");
    if (opened->pMethods->iVersion < 2 || !opened->pMethods->xShmMap)
        return via_error_set(e, VIA_STORAGE_UNREADABLE,
                             "the VFS %.40s cannot hold a write-ahead log; use unix",
                             parent->zName);
    return via_file_check_header(opened, e);
}

static void
file_abandon(struct via_file *f)
{
    sqlite3_file *opened = via_file_real(f);

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
    struct via_file *f = (struct via_file *)(void *)file;
    const sqlite3_io_methods *below;
    char path[VIA_PATH_SIZE];
    struct via_error e = {0};

    memset(f, 0, sizeof *f);
    via_file_real(f)->pMethods = NULL;
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
    below = via_file_real(f)->pMethods;
    assert(below); /* its header was read */
    f->base.pMethods =
        below->iVersion >= 3 && below->xFetch ? &via_file_methods_3 : &via_file_methods_2;
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

void
via_file_forget(struct via_file *f)
{
    pthread_mutex_lock(&list_lock);
    for (struct via_file **at = &open_files; *at; at = &(*at)->next)
        if (*at == f) {
            *at = f->next;
            break;
        }
    pthread_mutex_unlock(&list_lock);
}
