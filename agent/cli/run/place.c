/* place.c: what the command reads: its token and its bindings, as files.
 *
 * The folder belongs to the command's user, who is not trusted: everything inside is
 * written with that user's rights. Tokens are minted in the launcher's home, which is the
 * root owner's, and carried over. */
#include "cli/run/run.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/id.h"
#include "identity/keys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define ROOM_BYTES 262144 /* ample for the files of a dozen bindings */
#define MARK ".via-run"   /* in a folder that the operator named: it is ours */

void
run_place_init(struct run_place *place, const struct run_user *user)
{
    memset(place, 0, sizeof *place);
    place->user = user;
    place->home_fd = place->folder_fd = -1;
}

static enum via_status
place_enter(const struct run_place *place, struct via_error *e)
{
    if (run_user_enter(place->user))
        return VIA_OK;
    return via_error_set_errno(e, VIA_INTERNAL_ERROR, errno, "cannot act as %s", place->user->name);
}

/* Write out the path of `relative` below `folder`, leaving room for a temporary's name. */
static enum via_status
place_path(const char *folder, const char *relative, char out[VIA_PATH_SIZE], struct via_error *e)
{
    int n = snprintf(out, VIA_PATH_SIZE, "%s/%s", folder, relative);

    if (n < 0 || (size_t)n + 64 >= VIA_PATH_SIZE)
        return via_error_set(e, VIA_PATH_INVALID, "the path %.200s… is too long", folder);
    return VIA_OK;
}

/* Open a folder and lock it for as long as it stays open; -1 when another holds it. */
static int
folder_lock(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

/* -- the launcher's home ----------------------------------------------------------- */

/* It gets its name once it is locked, so that nobody takes it for a dead launcher's. */
static enum via_status
home_make(struct run_place *place, struct via_error *e)
{
    char instances[VIA_PATH_SIZE], unnamed[VIA_PATH_SIZE];
    char name[VIA_ID_SIZE];
    enum via_status status;
    struct via_root root;

    status = via_root_open(&root, e);
    if (status != VIA_OK)
        return status;
    via_root_join(&root, "run/instances", instances);
    via_id_make(RUN_PLACE_UNNAMED, name);
    if (place_path(instances, name, unnamed, e) != VIA_OK ||
        via_fs_mkdir(instances, 0711, &root, e) != VIA_OK ||
        via_fs_mkdir(unnamed, 0711, &root, e) != VIA_OK)
        return e->status;
    (void)snprintf(place->home, sizeof place->home, "%s", unnamed);
    place->home_fd = folder_lock(unnamed);
    if (place->home_fd < 0)
        return via_error_set_errno(e, VIA_STATE_UNAVAILABLE, errno, "run/instances/%s", name);
    via_id_make(RUN_PLACE_NAMED, name);
    status = place_path(instances, name, unnamed, e);
    if (status == VIA_OK)
        status = via_fs_publish(place->home, unnamed, e);
    if (status == VIA_OK)
        (void)snprintf(place->home, sizeof place->home, "%s", unnamed);
    return status;
}

void
run_place_mint(const struct run_place *place, char out[VIA_PATH_SIZE])
{
    (void)snprintf(out, VIA_PATH_SIZE, "%.*s/mint", VIA_PATH_SIZE - 8, place->home);
}

/* -- the user's folder ------------------------------------------------------------- */

static enum via_status
folder_unreachable(const struct run_place *place, struct via_error *e)
{
    return via_error_set(e, VIA_CONFIG_UNREADABLE,
                         "user %s cannot reach %s; every folder above it must let others pass",
                         place->user->name, place->folder);
}

/* The usual place: a folder in the home. */
static enum via_status
folder_make(struct run_place *place, struct via_error *e)
{
    struct via_root owner = {.uid = place->user->uid, .gid = place->user->gid};
    bool reachable;

    if (place_path(place->home, "files", place->folder, e) != VIA_OK ||
        via_fs_mkdir(place->folder, 0700, &owner, e) != VIA_OK || place_enter(place, e) != VIA_OK)
        return e->status;
    reachable = access(place->folder, R_OK | W_OK | X_OK) == 0;
    run_user_leave(place->user);
    return reachable ? VIA_OK : folder_unreachable(place, e);
}

/* As the user: is the folder at `path` empty, missing, or marked as ours? */
static bool
folder_is_free(const char *path)
{
    DIR *dir = opendir(path);
    const struct dirent *entry;
    bool is_marked = false, is_empty = true;

    if (!dir)
        return errno == ENOENT;
    while ((entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, MARK) == 0)
            is_marked = true;
        else if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            is_empty = false;
    }
    (void)closedir(dir);
    return is_marked || is_empty;
}

/* As the user: take a folder that the operator named. What is there and not ours is left alone. */
static enum via_status
folder_take(struct run_place *place, struct via_error *e)
{
    char mark[VIA_PATH_SIZE];

    if (!folder_is_free(place->folder))
        return via_error_set(e, VIA_PATH_INVALID,
                             "%s holds other files; --token-dir wants a folder of its own",
                             place->folder);
    if (place_path(place->folder, MARK, mark, e) != VIA_OK ||
        via_fs_mkdir(place->folder, 0700, NULL, e) != VIA_OK)
        return e->status;
    place->folder_fd = folder_lock(place->folder);
    if (place->folder_fd < 0)
        return via_error_set(e, VIA_PATH_INVALID, "%s is in use by another via run", place->folder);
    return via_fs_touch(mark, 0600, NULL, e);
}

static enum via_status
folder_name(struct run_place *place, const char *token_dir, struct via_error *e)
{
    char here[VIA_PATH_SIZE] = "";
    char path[VIA_PATH_SIZE];

    if (token_dir[0] != '/' && !getcwd(here, sizeof here))
        return via_error_set_errno(e, VIA_PATH_INVALID, errno, "the current folder is nowhere");
    if (place_path(here, token_dir + (token_dir[0] == '/'), path, e) != VIA_OK)
        return e->status;
    for (size_t n = strlen(path); n > 1 && path[n - 1] == '/'; n--)
        path[n - 1] = '\0';
    (void)snprintf(place->folder, sizeof place->folder, "%s", path);
    return VIA_OK;
}

enum via_status
run_place_make(struct run_place *place, const char *token_dir, struct via_error *e)
{
    enum via_status status = home_make(place, e);

    if (status != VIA_OK)
        return status;
    if (!token_dir)
        return folder_make(place, e);
    if (folder_name(place, token_dir, e) != VIA_OK || place_enter(place, e) != VIA_OK)
        return e->status;
    status = folder_take(place, e);
    run_user_leave(place->user);
    return status;
}

enum via_status
run_place_visit(struct run_place *place, const char *folder, struct via_error *e)
{
    (void)snprintf(place->folder, sizeof place->folder, "%s", folder);
    return home_make(place, e);
}

/* -- its files --------------------------------------------------------------------- */

/* Remove whatever is there: a file, a link, a folder. */
static enum via_status
place_clear(const char *path, struct via_error *e)
{
    struct via_error no_file = {VIA_OK, ""};

    if (via_fs_remove(path, &no_file) == VIA_OK)
        return VIA_OK;
    return via_fs_remove_tree(path, e);
}

enum via_status
run_place_stage(const struct run_place *place, struct via_error *e)
{
    static unsigned char room[ROOM_BYTES];
    char next[VIA_PATH_SIZE];
    enum via_status status = place_path(place->folder, "next", next, e);

    if (status == VIA_OK)
        status = place_enter(place, e);
    if (status != VIA_OK)
        return status;
    status = place_clear(next, e);
    run_user_leave(place->user);
    /* Some file systems store zeros in no room at all. */
    via_random_fill(room, sizeof room);
    if (status == VIA_OK)
        status = run_place_put(place, "next/room", room, sizeof room, e);
    return status;
}

enum via_status
run_place_give_room(const struct run_place *place, struct via_error *e)
{
    char room[VIA_PATH_SIZE];
    enum via_status status = place_path(place->folder, "next/room", room, e);

    if (status == VIA_OK && (status = place_enter(place, e)) == VIA_OK) {
        status = via_fs_remove(room, e);
        run_user_leave(place->user);
    }
    return status;
}

/* As the user: move one of the staged files or folders. */
static enum via_status
place_move(const struct run_place *place, const char *name, struct via_error *e)
{
    char from[VIA_PATH_SIZE], to[VIA_PATH_SIZE];
    char staged[VIA_NAME_SIZE];

    (void)snprintf(staged, sizeof staged, "next/%s", name);
    if (place_path(place->folder, staged, from, e) != VIA_OK ||
        place_path(place->folder, name, to, e) != VIA_OK || place_clear(to, e) != VIA_OK)
        return e->status;
    return via_fs_publish(from, to, e);
}

enum via_status
run_place_publish(const struct run_place *place, struct via_error *e)
{
    char next[VIA_PATH_SIZE];

    if (place_path(place->folder, "next", next, e) != VIA_OK || place_enter(place, e) != VIA_OK)
        return e->status;
    if (place_move(place, "bindings", e) == VIA_OK && place_move(place, "token", e) == VIA_OK)
        via_ignore(place_clear(next, e));
    run_user_leave(place->user);
    return e->status;
}

/* As the user: make the folders of `path` below `place`, and write the file. */
static enum via_status
place_write(const struct run_place *place, char *path, const void *bytes, size_t n,
            struct via_error *e)
{
    enum via_status status = VIA_OK;

    for (char *slash = path + strlen(place->folder) + 1;
         status == VIA_OK && (slash = strchr(slash, '/')) != NULL; slash++) {
        *slash = '\0';
        status = via_fs_mkdir(path, 0700, NULL, e);
        *slash = '/';
    }
    if (status == VIA_OK)
        status = via_fs_write(path, bytes, n, 0600, NULL, e);
    return status;
}

enum via_status
run_place_put(const struct run_place *place, const char *relative, const void *bytes, size_t n,
              struct via_error *e)
{
    char path[VIA_PATH_SIZE];
    enum via_status status = place_path(place->folder, relative, path, e);

    if (status == VIA_OK)
        status = place_enter(place, e);
    if (status != VIA_OK)
        return status;
    status = place_write(place, path, bytes, n, e);
    run_user_leave(place->user);
    return status;
}

enum via_status
run_place_take_token(const struct run_place *place, char **out, size_t *n, struct via_error *e)
{
    char mint[VIA_PATH_SIZE];
    enum via_status status;
    char *text = NULL;

    *out = NULL;
    run_place_mint(place, mint);
    status = via_fs_read(mint, VIA_TOKEN_SIZE, &text, n, e);
    via_ignore(via_fs_remove(mint, NULL));
    if (status == VIA_OK && !(*out = via_guarded_new(*n + 1)))
        status = via_error_set(e, VIA_OUT_OF_MEMORY, "out of memory");
    if (*out)
        memcpy(*out, text, *n + 1);
    if (text)
        explicit_bzero(text, *n);
    free(text);
    return status;
}

void
run_place_remove(struct run_place *place)
{
    static const char *const names[] = {"token", "bindings", "next"};
    char path[VIA_PATH_SIZE];

    if (place->folder_fd >= 0 && run_user_enter(place->user)) {
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
            if (place_path(place->folder, names[i], path, NULL) == VIA_OK)
                via_ignore(place_clear(path, NULL));
        run_user_leave(place->user);
    }
    if (place->folder_fd >= 0)
        close(place->folder_fd);
    if (place->home[0])
        via_ignore(via_fs_remove_tree(place->home, NULL));
    if (place->home_fd >= 0)
        close(place->home_fd);
    run_place_init(place, place->user);
}
