/* root.c: where everything is, made with the right owner and mode.
 *
 * Owns the process-wide override of the path. Everything in the root belongs to
 * whoever owns the root; only that user and root work in it. */
#include "base/root.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROOT_ADVICE "set VIA_STATE_DIR to a folder of yours or use sudo"

static char root_override[VIA_PATH_SIZE];

static const struct root_folder {
    const char *name;
    mode_t mode;
    bool is_needed; /* by whatever is done in the root */
} root_folders[] = {
    {"run", 0711, true},      {"keys", 0700, false},
    {"addons", 0700, false},  {"addons/sqlite", 0700, false},
    {"backups", 0700, false},
};

/* How the names in the root begin that are Via's own: a database has files beside it whose names go
 * on, a folder all that is in it. */
static const char *const root_names[] = {"control-plane.db",
                                         "runtime.db",
                                         "audit-head.json",
                                         "run/agent.",
                                         "run/admin.",
                                         "run/epoch",
                                         "run/locks",
                                         "keys/",
                                         "addons/",
                                         "backups/",
                                         (VIA_ROOT_RESTORING "/")};

void
via_root_set_path(const char *path)
{
    snprintf(root_override, sizeof root_override, "%s", path ? path : "");
}

bool
via_root_path(char *out, size_t size)
{
    const char *path = root_override[0] ? root_override : getenv("VIA_STATE_DIR");
    char cwd[PATH_MAX] = "";
    size_t n;
    int k;

    if (!path)
        path = "/var/lib/via";
    if (path[0] == '\0')
        return false;
    if (path[0] != '/' && !getcwd(cwd, sizeof cwd))
        return false;
    k = snprintf(out, size, "%s%s%s", cwd, cwd[0] ? "/" : "", path);
    if (k < 0 || (size_t)k >= size)
        return false;
    for (n = (size_t)k; n > 1 && out[n - 1] == '/'; n--)
        out[n - 1] = '\0';
    return true;
}

void
via_root_join(const struct via_root *root, const char *relative, char out[VIA_PATH_SIZE])
{
    snprintf(out, VIA_PATH_SIZE, "%s/%s", root->path, relative);
}

bool
via_root_is_own(const struct via_root *root, const char *path)
{
    size_t n = strlen(root->path);
    const char *name = path + n + 1;

    if (strncmp(path, root->path, n) != 0 || path[n] != '/')
        return false;
    for (size_t i = 0; i < sizeof root_names / sizeof *root_names; i++)
        if (strncmp(name, root_names[i], strlen(root_names[i])) == 0)
            return true;
    return false;
}

static enum via_status
root_fail(const struct via_root *root, int err, struct via_error *e)
{
    if (err == ENOSPC || err == EDQUOT)
        return via_error_set_errno(e, VIA_DISK_FULL, err, "the state root %s cannot be made",
                                   root->path);
    return via_error_set(e, VIA_STATE_UNAVAILABLE,
                         "the state root %.300s cannot be opened (%s); " ROOT_ADVICE, root->path,
                         strerror(err));
}

/* As above, for a step of fs.c that said `why`. */
static enum via_status
root_refuse(const struct via_root *root, enum via_status status, const struct via_error *why,
            struct via_error *e)
{
    if (status == VIA_DISK_FULL)
        return via_error_set(e, status, "%s", why->message);
    return via_error_set(e, VIA_STATE_UNAVAILABLE,
                         "the state root %.250s cannot be made (%.120s); " ROOT_ADVICE, root->path,
                         why->message);
}

/* Fill `root` from the folder that is there. */
static enum via_status
root_look(struct via_root *root, struct via_error *e)
{
    uid_t me = geteuid();
    struct stat st;

    if (stat(root->path, &st) < 0)
        return root_fail(root, errno, e);
    if (!S_ISDIR(st.st_mode))
        return root_fail(root, ENOTDIR, e);
    root->uid = st.st_uid;
    root->gid = st.st_gid;
    if (me != 0 && me != st.st_uid)
        return via_error_set(e, VIA_STATE_UNAVAILABLE,
                             "the state root %.300s belongs to user %lu, and this process runs as "
                             "user %lu; " ROOT_ADVICE,
                             root->path, (unsigned long)st.st_uid, (unsigned long)me);
    return VIA_OK;
}

static enum via_status
root_start(struct via_root *root, struct via_error *e)
{
    *root = (struct via_root){0};
    if (via_root_path(root->path, sizeof root->path))
        return VIA_OK;
    return via_error_set(e, VIA_STATE_UNAVAILABLE,
                         "the path of the state root is empty or too long; " ROOT_ADVICE);
}

/* Make the folders above the root as mkdir -p does; somebody else's are left as they are. */
static enum via_status
root_make_parents(const struct via_root *root, struct via_error *e)
{
    char path[sizeof root->path];
    struct stat st;

    memcpy(path, root->path, sizeof path);
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        enum via_status status = VIA_OK;
        struct via_error why = {0};

        *slash = '\0';
        if (stat(path, &st) < 0) {
            if (errno != ENOENT)
                return root_fail(root, errno, e);
            status = via_fs_mkdir(path, 0755, NULL, &why);
        }
        *slash = '/';
        if (status != VIA_OK)
            return root_refuse(root, status, &why, e);
    }
    return VIA_OK;
}

/* Is there nothing in the folder `fd`? Closes it. */
static bool
folder_is_empty(int fd)
{
    DIR *dir = fdopendir(fd);
    int entries = 0;

    if (!dir) {
        close(fd);
        return false;
    }
    while (entries <= 2 && readdir(dir))
        entries++;
    closedir(dir);
    return entries <= 2;
}

/* Bring a root that is there and empty to the mode that a new one has. One that holds something
 * keeps its own: VIA_STATE_DIR=/tmp must not close /tmp. Nothing lost when it fails. */
static void
root_settle(const struct via_root *root)
{
    int fd = via_io_open(AT_FDCWD, root->path, O_RDONLY | O_DIRECTORY, 0);
    int copy = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
    struct stat st;

    if (copy >= 0 && folder_is_empty(copy) && fstat(fd, &st) == 0 && (st.st_mode & 07777) != 0711)
        (void)!fchmod(fd, 0711);
    if (fd >= 0)
        close(fd);
}

static enum via_status
root_make(struct via_root *root, struct via_error *e)
{
    enum via_status status;
    struct via_error why = {0};
    struct stat st;

    if (stat(root->path, &st) == 0) {
        root_settle(root);
        return VIA_OK;
    }
    if (errno != ENOENT)
        return root_fail(root, errno, e);
    /* A link that leads nowhere: making what it points at is not ours to decide. */
    if (lstat(root->path, &st) == 0)
        return S_ISLNK(st.st_mode) ? root_fail(root, ENOENT, e) : VIA_OK; /* made meanwhile */
    status = root_make_parents(root, e);
    if (status != VIA_OK)
        return status;
    status = via_fs_mkdir(root->path, 0711, NULL, &why);
    return status == VIA_OK ? VIA_OK : root_refuse(root, status, &why, e);
}

/* Follow symbolic links on the way to the root once, here: below it none is followed any more. */
static enum via_status
root_resolve(struct via_root *root, struct via_error *e)
{
    char path[PATH_MAX];

    if (!realpath(root->path, path))
        return root_fail(root, errno, e);
    if (strlen(path) >= sizeof root->path)
        return root_fail(root, ENAMETOOLONG, e);
    memcpy(root->path, path, strlen(path) + 1);
    return VIA_OK;
}

/* A root that is being filled is nobody's yet. */
static enum via_status
root_check_whole(const struct via_root *root, struct via_error *e)
{
    char path[VIA_PATH_SIZE];
    struct stat st;

    via_root_join(root, VIA_ROOT_RESTORING, path);
    if (lstat(path, &st) < 0)
        return VIA_OK;
    return via_error_set(e, VIA_STATE_RESTORING,
                         "a restore into %.300s is under way or was cut short; run it again",
                         root->path);
}

enum via_status
via_root_find(struct via_root *root, struct via_error *e)
{
    enum via_status status = root_start(root, e);

    if (status == VIA_OK)
        status = root_look(root, e);
    if (status == VIA_OK)
        status = root_resolve(root, e);
    return status == VIA_OK ? root_check_whole(root, e) : status;
}

enum via_status
via_root_begin(struct via_root *root, struct via_error *e)
{
    enum via_status status = root_start(root, e);

    if (status == VIA_OK)
        status = root_make(root, e);
    if (status == VIA_OK)
        status = root_look(root, e);
    return status == VIA_OK ? root_resolve(root, e) : status;
}

enum via_status
via_root_make_folder(const struct via_root *root, const char *name, struct via_error *e)
{
    enum via_status status = VIA_OK;

    for (size_t i = 0; status == VIA_OK && i < sizeof root_folders / sizeof *root_folders; i++) {
        size_t n = strlen(root_folders[i].name);
        char path[VIA_PATH_SIZE];

        if (strncmp(name, root_folders[i].name, n) != 0 || (name[n] != '/' && name[n] != '\0'))
            continue;
        via_root_join(root, root_folders[i].name, path);
        status = via_fs_mkdir(path, root_folders[i].mode, root, e);
    }
    return status;
}

enum via_status
via_root_open(struct via_root *root, struct via_error *e)
{
    enum via_status status = via_root_begin(root, e);

    if (status == VIA_OK)
        status = root_check_whole(root, e);
    for (size_t i = 0; status == VIA_OK && i < sizeof root_folders / sizeof *root_folders; i++) {
        char path[VIA_PATH_SIZE];
        struct via_error why = {0};

        via_root_join(root, root_folders[i].name, path);
        status = via_fs_mkdir(path, root_folders[i].mode, root, &why);
        if (status != VIA_OK)
            status = root_folders[i].is_needed ? root_refuse(root, status, &why, e) : VIA_OK;
    }
    return status;
}
