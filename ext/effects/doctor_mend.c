/* doctor_mend.c: mending what a finding was about. Each mend looks again first: the finding may be
 * old, and its words are no order to change whatever they name. Paths are walked name by name and
 * no link is followed; databases are never opened (a descriptor of ours would drop SQLite's locks
 * when it is closed), O_PATH holds them without that. */
#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/id.h"
#include "control/operation.h"
#include "control/snapshot.h"
#include "effects/doctor.h"
#include "effects/doctor_look.h"
#include "effects/effects.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TEMPORARY_AGE_MS 2000 /* a living writer renames its temporary sooner */

static const char *
base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* -- a place in the root ------------------------------------------------------------------- */

/* A descriptor that stands for `relative` and nothing else. -1 with errno. */
static int
place_open(const struct via_root *root, const char *relative)
{
    int fd = open(root->path, O_PATH | O_DIRECTORY | O_CLOEXEC), next;
    char part[NAME_MAX + 1];
    size_t n;

    if (strcmp(relative, ".") == 0)
        return fd;
    for (const char *at = relative; fd >= 0 && *at; at += n + (at[n] == '/')) {
        n = strcspn(at, "/");
        if (n == 0 || n > NAME_MAX || (n <= 2 && strncmp(at, "..", n) == 0)) {
            close(fd);
            errno = EINVAL;
            return -1;
        }
        memcpy(part, at, n);
        part[n] = '\0';
        next = openat(fd, part, O_PATH | O_NOFOLLOW | O_CLOEXEC | (at[n] ? O_DIRECTORY : 0));
        if (next < 0) {
            int err = errno;

            close(fd);
            errno = err;
            return -1;
        }
        close(fd);
        fd = next;
    }
    return fd;
}

/* Open what a mend is about. False, with or without an error, when there is nothing to do. */
static bool
place_get(const struct via_root *root, const char *relative, int *fd, struct stat *st,
          struct via_error *e)
{
    *fd = place_open(root, relative);
    if (*fd < 0 && errno == ENOENT)
        return false;
    if (*fd < 0 || fstat(*fd, st) < 0) {
        via_ignore(via_error_set_errno(e, VIA_STATE_UNAVAILABLE, errno, "%.300s cannot be opened",
                                       relative));
    } else if (S_ISLNK(st->st_mode) || (S_ISREG(st->st_mode) && st->st_nlink > 1)) {
        via_ignore(
            via_error_set(e, VIA_STATE_INVALID, "%.300s is a link; look at it by hand", relative));
    } else {
        return true;
    }
    if (*fd >= 0)
        close(*fd);
    return false;
}

enum via_status
doctor_mend_mode(struct via_store *s, const char *subject, struct via_error *e)
{
    char self[64];
    struct stat st;
    mode_t want;
    int fd;

    if (!place_get(&s->root, subject, &fd, &st, e))
        return e->status;
    want = doctor_mode(subject, st.st_mode);
    (void)snprintf(self, sizeof self, "/proc/self/fd/%d", fd); /* fchmod refuses O_PATH */
    if ((st.st_mode & 07777) != want && chmod(self, want) < 0)
        via_ignore(via_error_set_errno(e, VIA_STATE_UNAVAILABLE, errno,
                                       "the mode of %.300s cannot be changed", subject));
    close(fd);
    return e->status;
}

enum via_status
doctor_mend_owner(struct via_store *s, const char *subject, struct via_error *e)
{
    struct stat st;
    int fd;

    if (!place_get(&s->root, subject, &fd, &st, e))
        return e->status;
    if (st.st_uid != s->root.uid && fchownat(fd, "", s->root.uid, s->root.gid, AT_EMPTY_PATH) < 0)
        via_ignore(via_error_set_errno(e, VIA_STATE_UNAVAILABLE, errno,
                                       "the owner of %.300s cannot be changed", subject));
    close(fd);
    return e->status;
}

/* Give the owner's own bits to `relative`, which this process owns. True when they were missing. */
static bool
owner_admit(const struct via_root *root, const char *relative)
{
    struct via_error ignored = {0};
    bool is_changed = false;
    char self[64];
    struct stat st;
    mode_t want;
    int fd;

    if (!place_get(root, relative, &fd, &st, &ignored))
        return false;
    want = S_ISDIR(st.st_mode) ? 0700 : 0600;
    (void)snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
    if ((S_ISDIR(st.st_mode) || S_ISREG(st.st_mode)) && st.st_uid == geteuid() &&
        (st.st_mode & want) != want)
        is_changed = chmod(self, (st.st_mode & 07777) | want) == 0;
    close(fd);
    return is_changed;
}

int
via_doctor_admit(void)
{
    /* What a store opens, what holds it before that. */
    static const char *const places[] = {".",
                                         "run",
                                         "run/epoch",
                                         "run/locks",
                                         "keys",
                                         "control-plane.db",
                                         "control-plane.db-wal",
                                         "control-plane.db-shm",
                                         "runtime.db",
                                         "runtime.db-wal",
                                         "runtime.db-shm"};
    struct via_error ignored = {0};
    struct via_root root;
    int changed = 0;

    if (geteuid() == 0 || via_root_find(&root, &ignored) != VIA_OK)
        return 0;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        changed += owner_admit(&root, places[i]);
    return changed;
}

/* -- what is left over ----------------------------------------------------------------------- */

enum via_status
doctor_mend_temporary(struct via_store *s, const char *subject, struct via_error *e)
{
    char path[VIA_PATH_SIZE];
    struct timespec rest;
    struct stat st, again;
    int64_t age_ms;
    int fd;

    if (!place_get(&s->root, subject, &fd, &st, e))
        return e->status;
    close(fd);
    if (doctor_is_work(subject))
        return doctor_remove_work(s, subject, e);
    if (!doctor_is_left(&s->write, subject, st.st_mode))
        return via_error_set(e, VIA_STATE_INVALID, "%.300s is no temporary", subject);
    /* Its writer may be alive, and about to rename it. */
    age_ms = via_clock_now_ms() - (st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000);
    if (age_ms >= 0 && age_ms < TEMPORARY_AGE_MS) {
        rest = (struct timespec){.tv_sec = (TEMPORARY_AGE_MS - age_ms) / 1000,
                                 .tv_nsec = (TEMPORARY_AGE_MS - age_ms) % 1000 * 1000000};
        nanosleep(&rest, NULL);
    }
    via_root_join(&s->root, subject, path);
    if (lstat(path, &again) < 0 || again.st_ino != st.st_ino)
        return VIA_OK;
    return S_ISDIR(st.st_mode) ? via_fs_remove_tree(path, e) : via_fs_remove(path, e);
}

/* Is there a byte of anybody's data in the folder `fd`? Closes it. In doubt, there is. */
static bool
folder_has_bytes(int fd, int depth)
{
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *entry;
    bool found = !dir || depth > 8;
    struct stat st;
    size_t n;

    if (!dir && fd >= 0)
        close(fd);
    while (!found && (entry = readdir(dir))) {
        n = strlen(entry->d_name);
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
            (n > 4 && strcmp(entry->d_name + n - 4, "-shm") == 0))
            continue;
        if (fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            found = errno != ENOENT;
        else if (S_ISDIR(st.st_mode))
            found = folder_has_bytes(
                openat(dirfd(dir), entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC),
                depth + 1);
        else
            found = !S_ISREG(st.st_mode) || st.st_size > 0;
    }
    if (dir)
        (void)closedir(dir);
    return found;
}

static bool
addon_is_claimed(struct via_store *s, const char *id)
{
    sqlite3_stmt *q = via_sql_stmt(&s->write, "SELECT 1 FROM main.addons WHERE id = ?1 AND"
                                              " (state <> 'destroyed' OR purge_at IS NOT NULL)");
    bool claimed;

    via_sql_bind_text(&s->write, q, 1, id);
    claimed = via_sql_row(&s->write, q);
    via_sql_end(&s->write, q);
    return via_sql_take(&s->write, NULL) != VIA_OK || claimed;
}

enum via_status
doctor_mend_orphan(struct via_store *s, const char *subject, struct via_error *e)
{
    static const char below[] = "addons/sqlite/";
    const char *id = subject + strlen(below);
    char path[VIA_PATH_SIZE];
    struct stat st;
    int fd;

    if (strncmp(subject, below, strlen(below)) != 0 || strchr(id, '/'))
        return via_error_set(e, VIA_STATE_INVALID, "%.300s is no add-on's folder", subject);
    if (!place_get(&s->root, subject, &fd, &st, e))
        return e->status;
    close(fd);
    via_root_join(&s->root, subject, path);
    if (addon_is_claimed(s, id))
        return VIA_OK;
    if (folder_has_bytes(open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), 0))
        return via_error_set(e, VIA_STATE_INVALID, "%.300s holds data by now; it is kept", subject);
    return via_fs_remove_tree(path, e);
}

/* addons/sqlite/<addon>/snapshots/<snapshot>.sqlite of a snapshot whose row says that it is gone,
 * or of none, and then without a byte. */
enum via_status
doctor_mend_snapshot(struct via_store *s, const char *subject, struct via_error *e)
{
    struct via_sql *db = &s->write;
    char id[VIA_ID_SIZE], path[VIA_PATH_SIZE];
    const char *name = base_name(subject);
    struct stat st;
    sqlite3_stmt *q;
    bool over;
    int fd;

    (void)snprintf(id, sizeof id, "%.*s", (int)strcspn(name, "."), name);
    if (!via_id_is("snap", id))
        return via_error_set(e, VIA_STATE_INVALID, "%.300s is no snapshot", subject);
    if (!place_get(&s->root, subject, &fd, &st, e))
        return e->status;
    close(fd);
    over = st.st_size == 0;
    q = via_sql_stmt(db, "SELECT state IN ('deleted', 'failed') FROM main.snapshots WHERE id = ?1");
    via_sql_bind_text(db, q, 1, id);
    if (via_sql_row(db, q))
        over = sqlite3_column_int(q, 0) != 0;
    via_sql_end(db, q);
    if (via_sql_take(db, e) != VIA_OK || !over)
        return e->status;
    via_root_join(&s->root, subject, path);
    return via_fs_remove(path, e);
}

/* -- processes that died ----------------------------------------------------------------------- */

/* Carry out what is due, by anybody. Then `question` has no row for `subject`, or this is why it
 * has. */
static enum via_status
mend_due(struct via_store *s, const char *question, const char *subject, struct via_error *e)
{
    struct via_sql *db = &s->write;
    struct via_error why = {0};
    sqlite3_stmt *q;
    int settled;
    bool open;

    via_ignore(via_effects_recover(&settled, &why));
    q = via_sql_stmt(db, question);
    via_sql_bind_text(db, q, 1, subject);
    open = via_sql_row(db, q);
    via_sql_end(db, q);
    if (via_sql_take(db, e) != VIA_OK || !open)
        return e->status;
    if (why.status != VIA_OK)
        return via_error_set(e, why.status, "%s", why.message);
    return VIA_OK; /* somebody else is at it by now */
}

/* A settled operation is what is wanted, whether its work was finished or undone. */
enum via_status
doctor_mend_operation(struct via_store *s, const char *subject, struct via_error *e)
{
    return mend_due(
        s, "SELECT 1 FROM main.operations WHERE id = ?1 AND state IN ('pending', 'running')",
        subject, e);
}

enum via_status
doctor_mend_purge(struct via_store *s, const char *subject, struct via_error *e)
{
    return mend_due(s, "SELECT 1 FROM main.addons WHERE id = ?1 AND purge_at IS NOT NULL", subject,
                    e);
}

enum via_status
doctor_mend_agent(struct via_store *s, const char *subject, struct via_error *e)
{
    struct via_lock lock = {.fd = -1};
    char path[VIA_PATH_SIZE];
    struct stat st;
    int fd;

    if (strcmp(subject, "run/agent.sock") != 0 && strcmp(subject, "run/admin.sock") != 0 &&
        strcmp(subject, "run/agent.json") != 0)
        return via_error_set(e, VIA_STATE_INVALID, "%.300s is not the agent's", subject);
    if (!place_get(&s->root, subject, &fd, &st, e))
        return e->status;
    close(fd);
    if (via_lock_open(&lock, &s->root, e) != VIA_OK)
        return e->status;
    via_root_join(&s->root, subject, path);
    /* With its lock in our hand no agent starts and makes them anew. */
    if (via_lock_try(&lock, VIA_LOCK_AGENT) && !(S_ISSOCK(st.st_mode) && doctor_is_listened(path)))
        via_ignore(via_fs_remove(path, e));
    via_lock_close(&lock);
    return e->status;
}
