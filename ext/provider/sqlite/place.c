#include "provider/sqlite/place.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/id.h"
#include "base/io.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define CLAIM_TRIES 3

bool
via_place_put(const struct via_root *root, const char *addon_id, const char *name,
              const char *suffix, char out[VIA_PATH_SIZE])
{
    int n;

    if (!via_id_is("addon", addon_id))
        return false;
    n = snprintf(out, VIA_PATH_SIZE, "%s/addons/sqlite/%s%s%s%s", root->path, addon_id,
                 *name ? "/" : "", name, suffix);
    return n > 0 && n < VIA_PATH_SIZE;
}

bool
via_place_put_snapshot(const struct via_root *root, const char *addon_id, const char *snapshot_id,
                       const char *suffix, char out[VIA_PATH_SIZE])
{
    char name[VIA_ID_SIZE + 16];

    if (!via_id_is("snap", snapshot_id))
        return false;
    (void)snprintf(name, sizeof name, "snapshots/%s", snapshot_id);
    return via_place_put(root, addon_id, name, suffix, out);
}

enum via_status
via_place_find_data(const struct via_root *root, const char *addon_id, struct stat *st,
                    struct via_error *e)
{
    char path[VIA_PATH_SIZE];

    if (!via_place_put(root, addon_id, VIA_PLACE_DATA, "", path))
        return via_place_fail_id(e);
    if (lstat(path, st) < 0)
        return via_place_is_absent(errno) ? via_place_fail_missing(root, addon_id, e)
                                          : via_place_fail_unseen(errno, e);
    return S_ISREG(st->st_mode) && st->st_size > 0 ? VIA_OK
                                                   : via_place_fail_missing(root, addon_id, e);
}

enum via_status
via_place_check_folder(const struct via_root *root, const char *addon_id, const char *name,
                       struct via_error *e)
{
    char path[VIA_PATH_SIZE];

    if (!via_place_put(root, addon_id, name, "", path))
        return via_place_fail_id(e);
    if (faccessat(AT_FDCWD, path, R_OK | X_OK, AT_EACCESS) == 0 || via_place_is_absent(errno))
        return VIA_OK;
    return via_place_fail_unseen(errno, e);
}

bool
via_place_is_absent(int err)
{
    return err == ENOENT || err == ENOTDIR;
}

bool
via_place_is_below(const char *path, const struct via_root *root, const char *relative)
{
    char at[VIA_PATH_SIZE], folder[VIA_PATH_SIZE];
    struct stat house, st;
    char *slash;

    via_root_join(root, relative, folder);
    if (stat(folder, &house) < 0)
        return false;
    (void)snprintf(at, sizeof at, "%s", path);
    while ((slash = strrchr(at, '/')) != NULL && slash != at) {
        *slash = '\0';
        if (stat(at, &st) == 0 && st.st_dev == house.st_dev && st.st_ino == house.st_ino)
            return true;
    }
    return false;
}

enum via_status
via_place_fail_id(struct via_error *e)
{
    return via_error_set(e, VIA_INTERNAL_ERROR, "this is not the id of an add-on");
}

const char *
via_place_obstacle(const struct via_root *root, const char *addon_id)
{
    char path[VIA_PATH_SIZE];
    struct stat st;

    if (!via_place_put(root, addon_id, VIA_PLACE_DATA, "", path) || lstat(path, &st) < 0 ||
        S_ISREG(st.st_mode))
        return NULL;
    if (S_ISLNK(st.st_mode))
        return "is a symbolic link, which Via does not follow";
    return S_ISDIR(st.st_mode) ? "is a folder" : "is not a regular file";
}

enum via_status
via_place_fail_missing(const struct via_root *root, const char *addon_id, struct via_error *e)
{
    const char *obstacle = via_place_obstacle(root, addon_id);

    if (obstacle)
        return via_error_set(e, VIA_STORAGE_UNREADABLE, "the database file of this add-on %s",
                             obstacle);
    return via_error_set(e, VIA_STORAGE_MISSING, "the storage of this add-on is missing");
}

enum via_status
via_place_fail_unseen(int err, struct via_error *e)
{
    return via_error_set_errno(e, VIA_STORAGE_UNREADABLE, err,
                               "this process may not reach the storage of this add-on");
}

/* May a living process work on the file at `path`? 1, 0, or -1 with errno when it cannot be told.
 */
static int
claim_is_held(const char *path)
{
    int fd = via_io_open(AT_FDCWD, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
    int is_held;

    if (fd < 0)
        return errno == EMFILE || errno == ENFILE || errno == ENOMEM ? -1 : 0;
    is_held = flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK;
    close(fd);
    return is_held;
}

/* What is there already may be somebody else's, made to be written by us: never opened for that. */
static int
claim_open(const char *path)
{
    int fd = via_io_open(AT_FDCWD, path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);

    for (int i = 0; fd < 0 && errno == EEXIST && i < CLAIM_TRIES; i++) {
        int is_held = claim_is_held(path);

        if (is_held > 0)
            errno = EWOULDBLOCK;
        if (is_held != 0)
            return -1;
        if (via_fs_remove(path, NULL) != VIA_OK) {
            errno = EACCES;
            return -1;
        }
        fd = via_io_open(AT_FDCWD, path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
    }
    return fd;
}

enum via_status
via_claim_take(struct via_claim *claim, const char *path, const struct via_root *owner,
               struct via_error *e)
{
    (void)snprintf(claim->path, sizeof claim->path, "%s", path);
    claim->fd = claim_open(path);
    if (claim->fd < 0 && errno == EWOULDBLOCK)
        return via_error_set(e, VIA_ADDON_BUSY, "another process is at the same copy");
    if (claim->fd < 0)
        return via_error_set_errno(e, VIA_STATE_UNAVAILABLE, errno, "the copy cannot be made");
    if (flock(claim->fd, LOCK_EX | LOCK_NB) < 0 || fchmod(claim->fd, 0600) < 0)
        return via_error_set_errno(e, VIA_STATE_UNAVAILABLE, errno, "the copy cannot be made");
    return via_fs_own(path, owner, e);
}

void
via_claim_drop(struct via_claim *claim, bool is_kept)
{
    struct via_error e = {0};

    if (claim->fd < 0)
        return;
    if (!is_kept && via_fs_remove(claim->path, &e) != VIA_OK)
        via_log(VIA_LOG_WARN, "%s", e.message);
    close(claim->fd);
    claim->fd = -1;
}
