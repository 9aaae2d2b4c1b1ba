/* place.c: what the command reads: its token and its bindings, as files.
 *
 * The folder belongs to the command's user, who is not trusted: everything inside is
 * written with that user's rights. Tokens are minted beside it, in a folder of the
 * root's owner, and carried over. */
#include "cli/run/run.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/id.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROOM_BYTES 262144 /* ample for the files of a dozen bindings */

/* Write out the paths of the folder `name` in run/instances, which is made. */
static enum via_status
place_name(struct run_place *place, const struct via_root *root, const char *name,
           struct via_error *e)
{
    char instances[VIA_PATH_SIZE];
    int n;

    via_root_join(root, "run/instances", instances);
    n = snprintf(place->mint, sizeof place->mint, "%s/%s.mint", instances, name);
    if (n < 0 || (size_t)n + VIA_NAME_SIZE * 2 >= sizeof place->mint)
        return via_error_set(e, VIA_PATH_INVALID, "the state root's path is too long");
    memcpy(place->folder, place->mint, (size_t)n - strlen(".mint"));
    place->folder[(size_t)n - strlen(".mint")] = '\0';
    return via_fs_mkdir(instances, 0711, root, e);
}

/* Can the command's user come here at all? */
static enum via_status
place_check(const struct run_place *place, const struct run_user *user, struct via_error *e)
{
    int err = 0;

    if (!run_user_enter(user))
        return via_error_set_errno(e, VIA_INTERNAL_ERROR, errno, "cannot act as %s", user->name);
    if (access(place->folder, R_OK | W_OK | X_OK) < 0)
        err = errno;
    run_user_leave(user);
    if (err)
        return via_error_set(e, VIA_CONFIG_UNREADABLE,
                             "user %s cannot reach %s; every folder above it must let others pass",
                             user->name, place->folder);
    return VIA_OK;
}

/* As the user: a folder for the bindings, and room on the disk. The room stays taken until the
 * folder gets its name, so that nobody else fills it meanwhile. */
static enum via_status
place_fill(const struct run_place *place, const struct run_user *user, struct via_error *e)
{
    static unsigned char room[ROOM_BYTES];
    char bindings[VIA_PATH_SIZE + 16];
    enum via_status status;

    (void)snprintf(bindings, sizeof bindings, "%s/bindings", place->folder);
    if (!run_user_enter(user))
        return via_error_set_errno(e, VIA_INTERNAL_ERROR, errno, "cannot act as %s", user->name);
    status = via_fs_mkdir(bindings, 0700, NULL, e);
    run_user_leave(user);
    if (status != VIA_OK)
        return status;
    /* Some file systems store zeros in no room at all. */
    via_random_fill(room, sizeof room);
    return run_place_put(place, user, "room", room, sizeof room, e);
}

enum via_status
run_place_make(struct run_place *place, const struct run_user *user, struct via_error *e)
{
    struct via_root root, owner;
    char name[VIA_ID_SIZE];
    enum via_status status = via_root_open(&root, e);

    via_id_make(RUN_PLACE_UNNAMED, name);
    if (status == VIA_OK)
        status = place_name(place, &root, name, e);
    if (status != VIA_OK)
        return status;
    owner = root;
    owner.uid = user->uid;
    owner.gid = user->gid;
    status = via_fs_mkdir(place->folder, 0700, &owner, e);
    if (status == VIA_OK)
        status = place_check(place, user, e);
    if (status == VIA_OK)
        status = place_fill(place, user, e);
    return status;
}

enum via_status
run_place_give(struct run_place *place, const char *instance, struct via_error *e)
{
    char room[VIA_PATH_SIZE + 16];
    struct run_place named;
    struct via_root root;
    enum via_status status;

    (void)snprintf(room, sizeof room, "%s/room", place->folder);
    status = via_fs_remove(room, e);
    if (status == VIA_OK)
        status = via_root_open(&root, e);
    if (status == VIA_OK)
        status = place_name(&named, &root, instance, e);
    if (status == VIA_OK)
        status = via_fs_publish(place->folder, named.folder, e);
    if (status == VIA_OK)
        *place = named;
    return status;
}

/* As the user: make the folder of `path`, below `place`, and write the file. */
static enum via_status
place_write(const char *path, const void *bytes, size_t n, struct via_error *e)
{
    char folder[VIA_PATH_SIZE];
    enum via_status status;

    (void)snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(path, '/') - path), path);
    status = via_fs_mkdir(folder, 0700, NULL, e);
    if (status == VIA_OK)
        status = via_fs_write(path, bytes, n, 0600, NULL, e);
    return status;
}

enum via_status
run_place_put(const struct run_place *place, const struct run_user *user, const char *relative,
              const void *bytes, size_t n, struct via_error *e)
{
    char path[VIA_PATH_SIZE];
    enum via_status status;
    int length = snprintf(path, sizeof path, "%s/%s", place->folder, relative);

    if (length < 0 || (size_t)length >= sizeof path)
        return via_error_set(e, VIA_PATH_INVALID, "the state root's path is too long");
    if (!run_user_enter(user))
        return via_error_set_errno(e, VIA_INTERNAL_ERROR, errno, "cannot act as %s", user->name);
    status = place_write(path, bytes, n, e);
    run_user_leave(user);
    return status;
}

enum via_status
run_place_take_token(const struct run_place *place, const struct run_user *user,
                     const char *relative, struct via_error *e)
{
    enum via_status status;
    char *token = NULL;
    size_t n = 0;

    status = via_fs_read(place->mint, VIA_TOKEN_SIZE, &token, &n, e);
    if (status == VIA_OK)
        status = run_place_put(place, user, relative, token, n, e);
    if (token)
        explicit_bzero(token, n);
    free(token);
    via_ignore(via_fs_remove(place->mint, NULL));
    return status;
}

void
run_place_remove(const struct run_place *place)
{
    if (!place->folder[0])
        return;
    via_ignore(via_fs_remove(place->mint, NULL));
    via_ignore(via_fs_remove_tree(place->folder, NULL));
}
