/* doctor_files.c: every file and folder of the state root: whose it is, who may read it, whether
 * it should be there. One walk, one stat an entry; no file is opened but the keys. */
#include "base/error.h"
#include "base/id.h"
#include "effects/doctor_look.h"
#include "identity/keyfile.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define STORAGE_FOLDER "addons/sqlite/"
#define WAL_BYTES_MAX ((int64_t)64 << 20)
#define DEPTH_MAX 8

/* What one add-on's folder holds. */
struct storage {
    bool present; /* there is a database, or it cannot be seen */
    bool hidden;  /* a part of the folder cannot be seen: nothing in it is missing */
    int64_t size_bytes;
};

struct walk {
    struct doctor *d;
    const struct via_root *root;
    struct storage storage; /* of the add-on that the walk is in */
};

static bool
is_temporary(const char *name)
{
    static const char shape[] = ".0123456789abcdef.tmp";
    size_t n = strlen(name);
    const char *chance;

    if (name[0] != '.' || n < sizeof shape + 1)
        return false;
    chance = name + n - (sizeof shape - 1);
    return chance[0] == '.' && strspn(chance + 1, "0123456789abcdef") == 16 &&
           strcmp(chance + 17, ".tmp") == 0;
}

/* Is `name` what a backup works with, and that backup over? */
static bool
is_left_by_backup(struct via_sql *db, const char *name)
{
    const char *begin = name + (name[0] == '.');
    char id[VIA_ID_SIZE];
    sqlite3_stmt *q;
    bool is_open;

    (void)snprintf(id, sizeof id, "%.*s", (int)strcspn(begin, "."), begin);
    if (!via_id_is("backup", id) || !strstr(begin, ".incoming"))
        return false;
    q = via_sql_stmt(db, "SELECT 1 FROM main.backups WHERE id = ?1 AND state = 'pending'");
    via_sql_bind_text(db, q, 1, id);
    is_open = via_sql_row(db, q);
    via_sql_end(db, q);
    return via_sql_ok(db) && !is_open;
}

bool
doctor_is_left(struct via_sql *db, const char *relative, mode_t type)
{
    const char *slash = strrchr(relative, '/');
    const char *name = slash ? slash + 1 : relative;

    if (S_ISDIR(type)) /* of a restored host, opened already */
        return !slash && is_temporary(name);
    return S_ISREG(type) && (is_temporary(name) || is_left_by_backup(db, name));
}

mode_t
doctor_mode(const char *relative, mode_t type)
{
    if (strcmp(relative, ".") == 0 || strcmp(relative, "run") == 0 ||
        strcmp(relative, "run/instances") == 0)
        return 0711;
    if (S_ISSOCK(type))
        return strcmp(relative, "run/admin.sock") == 0 ? 0600 : 0666;
    return S_ISDIR(type) ? 0700 : 0600;
}

/* Other people's things may lie in the same folder: they are none of ours. */
static bool
is_ours(const char *name)
{
    static const char *const files[] = {"control-plane.db", "runtime.db", "audit-head.json"};
    static const char *const folders[] = {"keys", "addons", "backups", "run"};

    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        if (strcmp(name, folders[i]) == 0)
            return true;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (strncmp(name, files[i], strlen(files[i])) == 0)
            return true;
    return is_temporary(name);
}

/* -- one entry ----------------------------------------------------------------------- */

/* SQLite's logs take mode and owner of their database, and may be gone when a line is pasted. */
static const char *
or_gone(const char *relative)
{
    static const char *const suffixes[] = {"-wal", "-shm", "-journal"};
    size_t n = strlen(relative), k;

    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        k = strlen(suffixes[i]);
        if (n > k && strcmp(relative + n - k, suffixes[i]) == 0)
            return " 2>&- || true";
    }
    return "";
}

static void
check_owner(struct walk *w, const char *relative, const struct stat *st)
{
    char path[DOCTOR_SHELL_SIZE];
    struct doctor_finding f;

    if (st->st_uid == w->root->uid)
        return;
    doctor_begin(&f, DOCTOR_OWNER_WRONG, relative);
    f.fixable = geteuid() == 0;
    doctor_say(&f, "%.600s belongs to user %lu, the state root to user %lu", relative,
               (unsigned long)st->st_uid, (unsigned long)w->root->uid);
    doctor_advise(&f, "%schown -h %lu:%lu %s%s", f.fixable ? "" : "sudo ",
                  (unsigned long)w->root->uid, (unsigned long)w->root->gid,
                  doctor_quote_path(w->root, relative, path), or_gone(relative));
    doctor_end(w->d, &f);
}

/* The root is ours to close when nothing else lives in it: VIA_STATE_DIR=/tmp is a mistake, not a
 * reason to lock everybody out of /tmp. */
static bool
root_is_shared(const struct via_root *root)
{
    DIR *dir = opendir(root->path);
    struct dirent *entry;
    bool shared = !dir;

    while (dir && !shared && (entry = readdir(dir)))
        shared = strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
                 !is_ours(entry->d_name);
    if (dir)
        (void)closedir(dir);
    return shared;
}

static void
check_mode(struct walk *w, const char *relative, const struct stat *st)
{
    bool key = strncmp(relative, "keys/", strlen("keys/")) == 0;
    mode_t want = doctor_mode(relative, st->st_mode), have = st->st_mode & 07777;
    char path[DOCTOR_SHELL_SIZE];
    struct doctor_finding f;

    if (have == want)
        return;
    doctor_begin(&f, key ? DOCTOR_KEY_PERMISSIONS_WRONG : DOCTOR_PERMISSIONS_WRONG, relative);
    f.fixable = geteuid() == 0 || geteuid() == st->st_uid;
    doctor_say(&f, "%.600s has mode %04o and should have %04o", relative, (unsigned)have,
               (unsigned)want);
    doctor_advise(&f, "%schmod %04o %s%s", f.fixable ? "" : "sudo ", (unsigned)want,
                  doctor_quote_path(w->root, relative, path), or_gone(relative));
    if (strcmp(relative, ".") == 0 && root_is_shared(w->root)) {
        f.fixable = false;
        doctor_say(&f,
                   "the state root has mode %04o and should have %04o, but other things lie in it"
                   " too; give it a folder of its own",
                   (unsigned)have, (unsigned)want);
    }
    doctor_end(w->d, &f);
}

/* A link leads where its maker wants: a file that is one is not touched, nor followed. */
static bool
check_link(struct walk *w, const char *relative, const struct stat *st)
{
    bool hard = S_ISREG(st->st_mode) && st->st_nlink > 1;
    char path[DOCTOR_SHELL_SIZE];
    struct doctor_finding f;

    if (!S_ISLNK(st->st_mode) && !hard)
        return true;
    doctor_begin(&f, DOCTOR_LINK_FOUND, relative);
    doctor_quote_path(w->root, relative, path);
    if (hard) {
        doctor_say(&f, "%.600s has %lu names; Via's files have one", relative,
                   (unsigned long)st->st_nlink);
        doctor_advise(&f, "find / -xdev -samefile %s", path);
    } else {
        doctor_say(&f, "%.600s is a symbolic link, which Via follows nowhere", relative);
        doctor_advise(&f, "readlink -f %s", path);
    }
    doctor_end(w->d, &f);
    return false;
}

/* Its writer may be about to rename it: it is looked for again a moment later. */
static void
check_temporary(struct walk *w, int folder, const char *name, const char *relative)
{
    struct timespec moment = {.tv_nsec = 100 * 1000 * 1000};
    char path[DOCTOR_SHELL_SIZE];
    struct doctor_finding f;
    struct stat st;

    nanosleep(&moment, NULL);
    if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return;
    doctor_begin(&f, DOCTOR_TEMPORARY_LEFT, relative);
    doctor_say(&f, "%.600s was left by a process that could not remove it", relative);
    doctor_advise(&f, "rm -%s %s", S_ISDIR(st.st_mode) ? "rf" : "f",
                  doctor_quote_path(w->root, relative, path));
    doctor_end(w->d, &f);
}

static void
check_wal(struct walk *w, const char *relative, const struct stat *st)
{
    char main[VIA_PATH_SIZE], path[DOCTOR_SHELL_SIZE];
    size_t n = strlen(relative);
    struct doctor_finding f;

    if (st->st_size <= WAL_BYTES_MAX || n < 4 || strcmp(relative + n - 4, "-wal") != 0)
        return;
    (void)snprintf(main, sizeof main, "%.*s", (int)(n - 4), relative);
    doctor_begin(&f, DOCTOR_WAL_LARGE, relative);
    doctor_say(&f, "%.600s is %lld MiB long: a reader that does not end keeps it from being folded",
               relative, (long long)(st->st_size >> 20));
    doctor_advise(&f, "sqlite3 %s 'PRAGMA wal_checkpoint(TRUNCATE)'",
                  doctor_quote_path(w->root, main, path));
    doctor_end(w->d, &f);
}

static void
check_key(struct walk *w, int folder, const char *name, const char *relative)
{
    struct via_error why = {0};
    char path[DOCTOR_SHELL_SIZE], kid[VIA_ID_SIZE];
    struct doctor_finding f;

    if (!via_keyfile_kid(name, kid))
        return;
    via_key_free(via_keyfile_load(w->root, folder, kid, &why));
    if (why.status == VIA_OK || why.status == VIA_OUT_OF_MEMORY)
        return;
    doctor_begin(&f, DOCTOR_KEY_UNREADABLE, relative);
    doctor_say(&f, "%s; what it signed cannot be verified", why.message);
    doctor_advise(&f, "mv -n %s .", doctor_quote_path(w->root, relative, path));
    doctor_end(w->d, &f);
}

/* -- add-on storage -------------------------------------------------------------------- */

static bool
is_below(const char *relative, const char *folder)
{
    return strncmp(relative, folder, strlen(folder)) == 0;
}

static void
seen_put(struct walk *w, const char *id)
{
    struct via_sql *db = w->d->db;
    sqlite3_stmt *q = via_sql_stmt(db, "INSERT OR IGNORE INTO temp.seen_storage(addon_id, present,"
                                       " size_bytes, hidden) VALUES(?1, ?2, ?3, ?4)");

    via_sql_bind_text(db, q, 1, id);
    via_sql_bind_int(db, q, 2, w->storage.present);
    via_sql_bind_int(db, q, 3, w->storage.size_bytes);
    via_sql_bind_int(db, q, 4, w->storage.hidden);
    via_sql_run(db, q);
}

/* `relative` cannot be looked at: nobody may say that a thing is missing there, or nobody's. */
static void
hidden_note(struct walk *w, const char *relative)
{
    if (is_below(relative, STORAGE_FOLDER) && strchr(relative + strlen(STORAGE_FOLDER), '/'))
        w->storage.hidden = w->storage.present = true;
    else if (strcmp(relative, "addons") == 0 || is_below(relative, "addons/"))
        w->d->is_storage_hidden = true;
}

/* `inside` is <addon-id>/snapshots/<name>: note <snapshot-id>.sqlite. */
static void
seen_put_snapshot(struct walk *w, const char *inside, const char *name, int64_t size_bytes)
{
    struct via_sql *db = w->d->db;
    char addon[VIA_ID_SIZE], id[VIA_ID_SIZE];
    size_t n = strlen(name);
    sqlite3_stmt *q;

    if (n <= strlen(".sqlite") || strcmp(name + n - strlen(".sqlite"), ".sqlite") != 0)
        return;
    (void)snprintf(addon, sizeof addon, "%.*s", (int)strcspn(inside, "/"), inside);
    (void)snprintf(id, sizeof id, "%.*s", (int)(n - strlen(".sqlite")), name);
    if (!via_id_is("snap", id))
        return;
    q = via_sql_stmt(db, "INSERT OR IGNORE INTO temp.seen_snapshots(id, addon_id, size_bytes)"
                         " VALUES(?1, ?2, ?3)");
    via_sql_bind_text(db, q, 1, id);
    via_sql_bind_text(db, q, 2, addon);
    via_sql_bind_int(db, q, 3, size_bytes);
    via_sql_run(db, q);
}

/* A file below addons/sqlite/: count its bytes, unless they are an index into other bytes. */
static void
storage_note(struct walk *w, const char *relative, const char *name, const struct stat *st)
{
    const char *inside = relative + strlen(STORAGE_FOLDER);
    const char *slash = strchr(inside, '/');
    size_t n = strlen(name);

    if (!slash || !S_ISREG(st->st_mode) || (n > 4 && strcmp(name + n - 4, "-shm") == 0))
        return;
    w->storage.size_bytes += st->st_size;
    if (strcmp(slash, "/data.sqlite") == 0)
        w->storage.present = st->st_size > 0;
    else if (strncmp(slash, "/snapshots/", strlen("/snapshots/")) == 0 &&
             slash + strlen("/snapshots") == strrchr(relative, '/'))
        seen_put_snapshot(w, inside, name, st->st_size);
}

/* -- the walk ---------------------------------------------------------------------------- */

static void walk_folder(struct walk *w, int fd, const char *relative, int depth);

static void
walk_into(struct walk *w, int folder, const char *name, const char *relative, int depth)
{
    bool addon =
        is_below(relative, STORAGE_FOLDER) && !strchr(relative + strlen(STORAGE_FOLDER), '/');
    int fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int err = errno;
    char path[DOCTOR_SHELL_SIZE];
    struct doctor_finding f;

    if (addon)
        w->storage = (struct storage){.present = fd < 0, .hidden = fd < 0};
    if (fd < 0 && err == ENOENT)
        return;
    if (fd < 0 && !addon)
        hidden_note(w, relative);
    if (fd >= 0) {
        walk_folder(w, fd, relative, depth);
    } else if (err != EACCES) { /* without permission: said already, as its mode or owner */
        doctor_begin(&f, DOCTOR_FOLDER_UNREADABLE, relative);
        doctor_say(&f, "%.600s cannot be read (%s)", relative, strerror(err));
        doctor_advise(&f, "ls -la %s", doctor_quote_path(w->root, relative, path));
        doctor_end(w->d, &f);
    }
    if (addon)
        seen_put(w, relative + strlen(STORAGE_FOLDER));
}

static void
walk_entry(struct walk *w, int folder, const char *name, const char *relative, int depth)
{
    struct stat st;
    bool is_via;

    if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        if (errno != ENOENT) /* it is gone meanwhile */
            hidden_note(w, relative);
        return;
    }
    /* A launched command's own folder: its user's, who is not trusted. */
    if (is_below(relative, "run/instances/") && S_ISDIR(st.st_mode))
        return;
    if (S_ISSOCK(st.st_mode) && !w->d->agent_lives)
        return;
    if (!check_link(w, relative, &st))
        return;
    if (doctor_is_left(w->d->db, relative, st.st_mode)) {
        check_temporary(w, folder, name, relative);
        return;
    }
    is_via = doctor_stray_note(w->d, relative, st.st_mode);
    if (is_via) {
        check_owner(w, relative, &st);
        check_mode(w, relative, &st);
    }
    if (S_ISDIR(st.st_mode)) {
        if (is_via && depth < DEPTH_MAX)
            walk_into(w, folder, name, relative, depth + 1);
        return;
    }
    check_wal(w, relative, &st);
    if (is_below(relative, STORAGE_FOLDER))
        storage_note(w, relative, name, &st);
    else if (is_below(relative, "keys/") && (st.st_mode & 077) == 0 && st.st_uid == w->root->uid)
        check_key(w, folder, name, relative);
}

/* Look at what is in the folder `fd`, which is closed. */
static void
walk_folder(struct walk *w, int fd, const char *relative, int depth)
{
    DIR *dir = fdopendir(fd);
    char path[VIA_PATH_SIZE];
    struct dirent *entry;
    int n;

    if (!dir) {
        via_sql_fail(w->d->db, VIA_OUT_OF_MEMORY, "out of memory");
        close(fd);
        return;
    }
    while (via_sql_ok(w->d->db) && (entry = readdir(dir))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (depth == 0 && !is_ours(entry->d_name))
            continue;
        n = snprintf(path, sizeof path, "%s%s%s", relative, *relative ? "/" : "", entry->d_name);
        if (n > 0 && (size_t)n < sizeof path)
            walk_entry(w, dirfd(dir), entry->d_name, path, depth);
    }
    (void)closedir(dir);
}

void
doctor_look_files(struct doctor *d)
{
    struct walk w = {.d = d, .root = &d->s->root};
    int fd = open(w.root->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0) {
        via_ignore(via_error_set_errno(&d->db->error, VIA_STATE_UNAVAILABLE, errno,
                                       "the state root cannot be read"));
        if (fd >= 0)
            close(fd);
        return;
    }
    check_mode(&w, ".", &st);
    walk_folder(&w, fd, "", 0);
}
