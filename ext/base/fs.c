/* fs.c: files as Via makes them: whole, owned, synced.
 *
 * Works on descriptors where it can, so that a path changed meanwhile by another user
 * leads nowhere else. Sentences name a file by its last part only. */
#include "base/fs.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/id.h"
#include "base/io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_BYTES 4096
#define FS_DEPTH_MAX 32 /* of a tree to remove: add-on storage has three levels */
#define FS_TREE_TRIES 8 /* another process may just be leaving something there */

static const char *
base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static enum via_status
fs_fail(struct via_error *e, int err, const char *verb, const char *path)
{
    return via_error_set_errno(e, err == EIO ? VIA_IO_ERROR : VIA_STATE_UNAVAILABLE, err,
                               "%.200s cannot be %s", base_name(path), verb);
}

/* Open the folder that holds `path`. */
static int
open_parent(const char *path)
{
    char folder[VIA_PATH_SIZE];
    size_t n = (size_t)(base_name(path) - path);

    if (n >= sizeof folder) {
        errno = ENAMETOOLONG;
        return -1;
    }
    while (n > 1 && path[n - 1] == '/')
        n--;
    memcpy(folder, n ? path : ".", n ? n : 1);
    folder[n ? n : 1] = '\0';
    return via_io_open(AT_FDCWD, folder, O_RDONLY | O_DIRECTORY, 0);
}

static int
sync_parent(const char *path)
{
    int fd = open_parent(path), rc, err;

    if (fd < 0)
        return -1;
    rc = via_io_sync(fd);
    err = errno;
    close(fd);
    errno = err;
    return rc;
}

/* Hand a new file to the owner of the root. */
static int
own_fd(int fd, const struct via_root *owner)
{
    if (!owner || geteuid() != 0)
        return 0;
    return fchown(fd, owner->uid, owner->gid);
}

/* Bring a directory to its mode, and one that root left behind half-made to its owner. */
static int
settle_folder(int fd, mode_t mode, const struct via_root *owner)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return -1;
    if (geteuid() == 0 && st.st_uid == 0 && own_fd(fd, owner) < 0)
        return -1;
    if ((st.st_mode & 07777) == mode || (geteuid() != 0 && geteuid() != st.st_uid))
        return 0;
    return fchmod(fd, mode);
}

enum via_status
via_fs_mkdir(const char *path, mode_t mode, const struct via_root *owner, struct via_error *e)
{
    bool made = mkdir(path, mode & 0700) == 0;
    int err = 0, fd;

    if (!made && errno != EEXIST)
        return fs_fail(e, errno, "made", path);
    fd = via_io_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
    if (fd < 0)
        return fs_fail(e, errno, "opened", path);
    if (settle_folder(fd, mode, owner) < 0)
        err = errno;
    close(fd);
    if (err == 0 && made && sync_parent(path) < 0)
        err = errno;
    return err ? fs_fail(e, err, "made", path) : VIA_OK;
}

enum via_status
via_fs_create(const char *path, mode_t mode, const struct via_root *owner, int *fd,
              struct via_error *e)
{
    int err;

    *fd = via_io_open(AT_FDCWD, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode & 0600);
    if (*fd < 0 && errno == EEXIST)
        return via_error_set(e, VIA_STATE_INVALID, "%.200s exists already", base_name(path));
    if (*fd < 0)
        return fs_fail(e, errno, "made", path);
    if (own_fd(*fd, owner) == 0 && fchmod(*fd, mode) == 0)
        return VIA_OK;
    err = errno;
    close(*fd);
    *fd = -1;
    return fs_fail(e, err, "made", path);
}

enum via_status
via_fs_touch(const char *path, mode_t mode, const struct via_root *owner, struct via_error *e)
{
    struct via_error why = {0};
    struct stat st;
    int fd;

    if (via_fs_create(path, mode, owner, &fd, &why) == VIA_OK) {
        close(fd);
        return VIA_OK;
    }
    if (why.status != VIA_STATE_INVALID)
        return via_error_set(e, why.status, "%s", why.message);
    if (lstat(path, &st) < 0)
        return fs_fail(e, errno, "opened", path);
    if (!S_ISREG(st.st_mode))
        return via_error_set(e, VIA_STATE_UNAVAILABLE, "%.200s is not a regular file",
                             base_name(path));
    /* Root made it and died before handing it over: finish that. */
    if (geteuid() == 0 && owner && st.st_uid == 0 && owner->uid != 0 &&
        lchown(path, owner->uid, owner->gid) < 0)
        return fs_fail(e, errno, "opened", path);
    return VIA_OK;
}

/* Name a temporary beside `path`: .<name>.<chance>.tmp. False when it does not fit. */
static bool
temporary_name(const char *path, char out[VIA_PATH_SIZE])
{
    const char *name = base_name(path);
    uint64_t chance;
    int n;

    via_random_fill(&chance, sizeof chance);
    n = snprintf(out, VIA_PATH_SIZE, "%.*s.%s.%016llx.tmp", (int)(name - path), path, name,
                 (unsigned long long)chance);
    return n > 0 && n < VIA_PATH_SIZE;
}

/* Is `name` one that temporary_name() makes? */
static bool
is_temporary_name(const char *name)
{
    size_t n = strlen(name);
    const char *chance = name + n - strlen(".0123456789abcdef.tmp");

    return name[0] == '.' && n > strlen("..0123456789abcdef.tmp") && chance[0] == '.' &&
           strspn(chance + 1, "0123456789abcdef") == 16 && strcmp(chance + 17, ".tmp") == 0;
}

void
via_fs_sweep(const char *folder)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;

    while (dir && (entry = readdir(dir)))
        if (is_temporary_name(entry->d_name))
            (void)unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir)
        (void)closedir(dir);
}

/* Write and sync a temporary beside `path`; on failure it is gone again. */
static int
write_temporary(const char *temporary, const void *bytes, size_t n, mode_t mode,
                const struct via_root *owner)
{
    int fd = via_io_open(AT_FDCWD, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
    int err = 0;

    if (fd < 0)
        return -1;
    if (own_fd(fd, owner) < 0 || fchmod(fd, mode) < 0 || via_io_put(fd, bytes, n) < 0 ||
        via_io_sync(fd) < 0)
        err = errno;
    if (close(fd) < 0 && !err && errno != EINTR)
        err = errno;
    if (err) {
        unlink(temporary);
        errno = err;
        return -1;
    }
    return 0;
}

/* Move without replacing; file systems that lack the flag can still link. */
static int
rename_new(const char *from, const char *to)
{
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -1;
    if (link(from, to) < 0)
        return -1;
    return unlink(from);
}

static enum via_status
write_file(const char *path, const void *bytes, size_t n, mode_t mode, const struct via_root *owner,
           bool replace, struct via_error *e)
{
    char temporary[VIA_PATH_SIZE];
    int err;

    if (!temporary_name(path, temporary))
        return fs_fail(e, ENAMETOOLONG, "written", path);
    if (write_temporary(temporary, bytes, n, mode, owner) < 0)
        return fs_fail(e, errno, "written", path);
    if ((replace ? rename(temporary, path) : rename_new(temporary, path)) < 0) {
        err = errno;
        unlink(temporary);
        if (err == EEXIST)
            return via_error_set(e, VIA_STATE_INVALID, "%.200s exists already", base_name(path));
        return fs_fail(e, err, "written", path);
    }
    if (sync_parent(path) < 0)
        return fs_fail(e, errno, "synced", path);
    return VIA_OK;
}

enum via_status
via_fs_write(const char *path, const void *bytes, size_t n, mode_t mode,
             const struct via_root *owner, struct via_error *e)
{
    return write_file(path, bytes, n, mode, owner, true, e);
}

enum via_status
via_fs_write_new(const char *path, const void *bytes, size_t n, mode_t mode,
                 const struct via_root *owner, struct via_error *e)
{
    return write_file(path, bytes, n, mode, owner, false, e);
}

/* Read up to `max` bytes of `fd`; *n is larger than `max` when there are more. They may be secret:
 * nothing but *out keeps a copy. */
static int
read_all(int fd, size_t max, char **out, size_t *n)
{
    struct via_buf b;
    int64_t got = 1;
    int err = 0;

    via_buf_init(&b);
    b.secret = true;
    while (!err && got != 0 && b.len <= max) {
        char *room = via_buf_reserve(&b, READ_BYTES);

        got = room ? via_io_read(fd, room, READ_BYTES) : 0;
        if (!room)
            err = ENOMEM;
        else if (got < 0)
            err = errno;
        b.len += got > 0 ? (size_t)got : 0;
    }
    if (err) {
        via_buf_deinit(&b);
        errno = err;
        return -1;
    }
    b.data[b.len] = '\0';
    *out = b.data;
    *n = b.len;
    return 0;
}

enum via_status
via_fs_read(const char *path, size_t max, char **out, size_t *n, struct via_error *e)
{
    /* O_NONBLOCK: a FIFO put in its place must not hang us before fstat says what it is. */
    int fd = via_io_open(AT_FDCWD, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0);
    enum via_status status = VIA_OK;
    struct stat st;

    *out = NULL;
    *n = 0;
    if (fd < 0)
        return via_error_set_errno(e, VIA_STATE_UNAVAILABLE, errno, "%.200s cannot be read",
                                   base_name(path));
    if (fstat(fd, &st) < 0)
        status = fs_fail(e, errno, "read", path);
    else if (!S_ISREG(st.st_mode))
        status = via_error_set(e, VIA_STATE_UNAVAILABLE, "%.200s is not a regular file",
                               base_name(path));
    else if (read_all(fd, max, out, n) < 0)
        status = via_error_set_errno(e, VIA_STATE_UNAVAILABLE, errno, "%.200s cannot be read",
                                     base_name(path));
    close(fd);
    if (status == VIA_OK && *n > max) {
        explicit_bzero(*out, *n);
        free(*out);
        *out = NULL;
        *n = 0;
        status = via_error_set(e, VIA_VALUE_INVALID, "%.200s is longer than %zu bytes",
                               base_name(path), max);
    }
    return status;
}

static enum via_status
move(const char *from, const char *to, bool replace, struct via_error *e)
{
    if ((replace ? rename(from, to) : rename_new(from, to)) < 0)
        return errno == EEXIST
                   ? via_error_set(e, VIA_STATE_INVALID, "%.200s exists already", base_name(to))
                   : fs_fail(e, errno, "renamed", from);
    if (sync_parent(to) < 0)
        return fs_fail(e, errno, "synced", to);
    return VIA_OK;
}

enum via_status
via_fs_move(const char *from, const char *to, struct via_error *e)
{
    return move(from, to, true, e);
}

enum via_status
via_fs_link(const char *from, const char *to, struct via_error *e)
{
    if (link(from, to) < 0 || sync_parent(to) < 0)
        return fs_fail(e, errno, "linked", from);
    return VIA_OK;
}

static enum via_status
publish(const char *from, const char *to, bool replace, struct via_error *e)
{
    enum via_status status = via_fs_sync(from, e);

    return status == VIA_OK ? move(from, to, replace, e) : status;
}

enum via_status
via_fs_publish(const char *from, const char *to, struct via_error *e)
{
    return publish(from, to, true, e);
}

enum via_status
via_fs_publish_new(const char *from, const char *to, struct via_error *e)
{
    return publish(from, to, false, e);
}

enum via_status
via_fs_sync(const char *path, struct via_error *e)
{
    int fd = via_io_open(AT_FDCWD, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
    int err = 0;

    if (fd < 0)
        return fs_fail(e, errno, "synced", path);
    if (via_io_sync(fd) < 0)
        err = errno;
    close(fd);
    return err ? fs_fail(e, err, "synced", path) : VIA_OK;
}

enum via_status
via_fs_remove(const char *path, struct via_error *e)
{
    if (unlink(path) < 0 && errno != ENOENT && errno != ENOTDIR)
        return fs_fail(e, errno, "removed", path);
    return VIA_OK;
}

/* Empty the directory `fd`, which is closed. Returns -1 with errno. */
static int
empty_folder(int fd, int depth)
{
    DIR *dir = fdopendir(fd);
    struct dirent *entry;
    int err = 0;

    if (!dir) {
        err = errno;
        close(fd);
        errno = err;
        return -1;
    }
    while (!err && (errno = 0, entry = readdir(dir)) != NULL) {
        const char *name = entry->d_name;
        int child;

        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
            continue;
        if (unlinkat(fd, name, 0) == 0 || errno == ENOENT)
            continue;
        if (errno != EISDIR && errno != EPERM) {
            err = errno;
            break;
        }
        child = via_io_open(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
        if (child < 0 || depth >= FS_DEPTH_MAX) {
            err = child < 0 ? errno : ELOOP;
            if (child >= 0)
                close(child);
        } else if (empty_folder(child, depth + 1) < 0 || unlinkat(fd, name, AT_REMOVEDIR) < 0) {
            err = errno;
        }
    }
    if (!entry && !err)
        err = errno;
    closedir(dir);
    errno = err;
    return err ? -1 : 0;
}

/* Once through a directory, and the directory itself. -1 with errno. */
static int
remove_folder(const char *path)
{
    int fd = via_io_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);

    return fd < 0 || empty_folder(fd, 0) < 0 ? -1 : rmdir(path);
}

enum via_status
via_fs_remove_tree(const char *path, struct via_error *e)
{
    int tries = FS_TREE_TRIES;

    while (remove_folder(path) < 0)
        if (errno == ENOENT)
            return VIA_OK;
        else if (errno != ENOTEMPTY || --tries == 0)
            return fs_fail(e, errno, "removed", path);
    return sync_parent(path) < 0 ? fs_fail(e, errno, "synced", path) : VIA_OK;
}

enum via_status
via_fs_own(const char *path, const struct via_root *owner, struct via_error *e)
{
    if (!owner || geteuid() != 0)
        return VIA_OK;
    if (lchown(path, owner->uid, owner->gid) < 0)
        return fs_fail(e, errno, "handed to its owner", path);
    return VIA_OK;
}
