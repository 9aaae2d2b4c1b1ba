#include "base/stage.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/io.h"
#include "base/log.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define STAGE_MARK VIA_ROOT_RESTORING "/publishing"
#define STAGE_ROOT VIA_ROOT_RESTORING "/root"

/* What is put in its place, in this order; the control plane is last. */
static const char *const parts[] = {"keys", "addons", "backups", "runtime.db", "control-plane.db"};
#define PART_COUNT (sizeof parts / sizeof parts[0])

struct content {
    bool readable;
    bool restoring; /* a restore is or was under way */
    bool parts;     /* something of ours is there */
    bool others;    /* something else */
};

static bool
is_part(const char *name)
{
    for (size_t i = 0; i < PART_COUNT; i++)
        if (strcmp(name, parts[i]) == 0)
            return true;
    return false;
}

/* A file system of its own has lost+found in its root. */
static struct content
stage_look(const struct via_stage *s)
{
    struct content c = {0};
    struct dirent *entry;
    DIR *dir = opendir(s->root.path);

    c.readable = dir != NULL;
    while (dir && (entry = readdir(dir)) != NULL) {
        const char *name = entry->d_name;

        if (strcmp(name, VIA_ROOT_RESTORING) == 0)
            c.restoring = true;
        else if (is_part(name))
            c.parts = true;
        else if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
                 strcmp(name, "lost+found") != 0)
            c.others = true;
    }
    if (dir)
        (void)closedir(dir);
    return c;
}

static bool
stage_is_marked(const struct via_stage *s)
{
    char path[VIA_PATH_SIZE];
    struct stat st;

    via_root_join(&s->root, STAGE_MARK, path);
    return lstat(path, &st) == 0;
}

/* Is it empty, but for what an earlier restore is known to have put there? */
static enum via_status
stage_check(const struct via_stage *s, struct via_error *e)
{
    struct content c = stage_look(s);

    if (!c.readable)
        return via_error_set(e, VIA_STATE_UNAVAILABLE, "the state root %.300s cannot be read",
                             s->root.path);
    if (c.others || (c.parts && !(c.restoring && stage_is_marked(s))))
        return via_error_set(e, VIA_STATE_NOT_EMPTY,
                             "the state root %.300s is not empty; name a new one by --state-dir",
                             s->root.path);
    return VIA_OK;
}

/* Lock restoring/ for this process. */
static enum via_status
stage_lock(struct via_stage *s, struct via_error *e)
{
    char path[VIA_PATH_SIZE];
    struct stat here, there;

    via_root_join(&s->root, VIA_ROOT_RESTORING, path);
    if (via_fs_mkdir(path, 0700, &s->root, e) != VIA_OK)
        return e->status;
    s->fd = via_io_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
    if (s->fd < 0 || flock(s->fd, LOCK_EX | LOCK_NB) < 0 || fstat(s->fd, &here) < 0 ||
        lstat(path, &there) < 0 || here.st_ino != there.st_ino || here.st_dev != there.st_dev) {
        if (s->fd >= 0)
            close(s->fd);
        s->fd = -1; /* it is not ours to remove */
        return via_error_set(e, VIA_STATE_RESTORING,
                             "another process is restoring into %.300s; wait for it", s->root.path);
    }
    return VIA_OK;
}

/* Remove what an earlier restore left, the mark last: until then it must be known as ours. */
static enum via_status
stage_clear(const struct via_stage *s, struct via_error *e)
{
    char path[VIA_PATH_SIZE];

    if (stage_is_marked(s))
        for (size_t i = 0; i < PART_COUNT; i++) {
            bool is_file = strchr(parts[i], '.') != NULL;

            via_root_join(&s->root, parts[i], path);
            if ((is_file ? via_fs_remove(path, e) : via_fs_remove_tree(path, e)) != VIA_OK)
                return e->status;
        }
    via_root_join(&s->root, STAGE_ROOT, path);
    if (via_fs_remove_tree(path, e) != VIA_OK)
        return e->status;
    via_root_join(&s->root, STAGE_MARK, path);
    return via_fs_remove(path, e);
}

enum via_status
via_stage_begin(struct via_stage *s, struct via_error *e)
{
    char path[VIA_PATH_SIZE];

    *s = (struct via_stage){.fd = -1};
    if (via_root_begin(&s->root, e) != VIA_OK || stage_check(s, e) != VIA_OK ||
        stage_lock(s, e) != VIA_OK)
        return e->status;
    /* Again, now that nobody else opens it any more. */
    if (stage_check(s, e) != VIA_OK || stage_clear(s, e) != VIA_OK)
        return e->status;
    via_root_join(&s->root, STAGE_ROOT, path);
    if (strlen(path) >= sizeof s->staged.path)
        return via_error_set(e, VIA_STATE_UNAVAILABLE, "the path of the state root is too long");
    s->staged = s->root;
    memcpy(s->staged.path, path, strlen(path) + 1);
    return via_fs_mkdir(path, 0700, &s->root, e);
}

static enum via_status
stage_publish(const struct via_stage *s, struct via_error *e)
{
    char from[VIA_PATH_SIZE], to[VIA_PATH_SIZE];
    struct stat st;

    for (size_t i = 0; i < PART_COUNT; i++) {
        via_root_join(&s->staged, parts[i], from);
        via_root_join(&s->root, parts[i], to);
        if (lstat(from, &st) == 0 && via_fs_publish_new(from, to, e) != VIA_OK)
            return e->status;
    }
    return VIA_OK;
}

/* Open the root by one rename, then remove what it leaves. */
static enum via_status
stage_open(struct via_stage *s, struct via_error *e)
{
    char from[VIA_PATH_SIZE], to[VIA_PATH_SIZE];
    struct via_error ignored = {0};

    via_root_join(&s->root, VIA_ROOT_RESTORING, from);
    via_root_join(&s->root, ".restoring.0000000000000000.tmp", to);
    if (via_fs_publish(from, to, e) != VIA_OK)
        return e->status;
    if (via_fs_remove_tree(to, &ignored) != VIA_OK)
        via_log(VIA_LOG_WARN, "%s", ignored.message);
    close(s->fd);
    s->fd = -1;
    return VIA_OK;
}

enum via_status
via_stage_commit(struct via_stage *s, struct via_error *e)
{
    char path[VIA_PATH_SIZE];

    /* Locks and the epoch page belong to the processes that used them. */
    via_root_join(&s->staged, "run", path);
    if (via_fs_remove_tree(path, e) != VIA_OK)
        return e->status;
    via_root_join(&s->root, STAGE_MARK, path);
    if (via_fs_write(path, "", 0, 0600, &s->root, e) != VIA_OK || stage_publish(s, e) != VIA_OK)
        return e->status;
    return stage_open(s, e);
}

void
via_stage_end(struct via_stage *s)
{
    struct via_error ignored = {0};
    char path[VIA_PATH_SIZE];

    if (s->fd < 0)
        return;
    via_root_join(&s->root, VIA_ROOT_RESTORING, path);
    if (stage_clear(s, &ignored) != VIA_OK || via_fs_remove_tree(path, &ignored) != VIA_OK)
        via_log(VIA_LOG_WARN, "%s", ignored.message);
    close(s->fd);
    s->fd = -1;
}
