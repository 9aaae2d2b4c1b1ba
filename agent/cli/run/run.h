/* run.h: the parts of `via run`: who the command runs as, its private folder, its
 * instance in the control plane, and the process itself.
 *
 * launch.c puts them together. The control plane is reached by SQL alone; its connection is
 * closed before every fork. */
#ifndef VIA_CLI_RUN_RUN_H
#define VIA_CLI_RUN_RUN_H

#include "base/lock.h"
#include "base/root.h"
#include "cli/agentfile.h"
#include "cli/cli.h"

#include <sys/types.h>

/* -- user.c: whom the command runs as -------------------------------------------- */

struct run_user {
    bool changes; /* the launcher is root and the command is somebody else's */
    uid_t uid;
    gid_t gid;
    char name[64];
    char home[VIA_PATH_SIZE];
};

/* Decide from --user. VIA_RUN_AS_ROOT when root names nobody, VIA_USER_UNKNOWN, VIA_USAGE. */
VIA_MUST_USE enum via_status run_user_find(const char *name, struct run_user *out,
                                           struct via_error *e);

/* Touch files as that user until run_user_leave(), so that no link that the user may have
 * put in the way leads further than the user could go. False with errno. */
VIA_MUST_USE bool run_user_enter(const struct run_user *user);
void run_user_leave(const struct run_user *user);

/* Become that user for good, in the child. False with errno. */
VIA_MUST_USE bool run_user_become(const struct run_user *user);

/* -- place.c: the folder that only the command's user can read -------------------- */

struct run_place {
    char folder[VIA_PATH_SIZE]; /* 0700, the user's: token, bindings/ */
    char mint[VIA_PATH_SIZE];   /* where tokens are minted, out of the user's reach */
};

#define RUN_PLACE_UNNAMED "make" /* the id's prefix of a folder that has no instance yet */

/* Make a folder for an instance that is to be, and see that the disk has room for its files.
 * VIA_CONFIG_UNREADABLE when the user cannot get there, VIA_DISK_FULL. */
VIA_MUST_USE enum via_status run_place_make(struct run_place *place, const struct run_user *user,
                                            struct via_error *e);

/* Name the folder after `instance`, before anything is put there. */
VIA_MUST_USE enum via_status run_place_give(struct run_place *place, const char *instance,
                                            struct via_error *e);

/* Replace the file `relative` (its folder is made) by `n` bytes, 0600 and the user's. */
VIA_MUST_USE enum via_status run_place_put(const struct run_place *place,
                                           const struct run_user *user, const char *relative,
                                           const void *bytes, size_t n, struct via_error *e);

/* Move the token that was just minted to the file `relative`. */
VIA_MUST_USE enum via_status run_place_take_token(const struct run_place *place,
                                                  const struct run_user *user, const char *relative,
                                                  struct via_error *e);

/* Remove the folder and all in it. */
void run_place_remove(const struct run_place *place);

/* Remove the folders of instances that are over and whose launcher is gone, and those that a
 * launcher made and did not live to name (sweep.c). */
void run_place_sweep(struct cli *cli);

/* -- instance.c: the instance, its bindings and its tokens ------------------------ */

struct run_instance {
    char id[VIA_ID_SIZE]; /* "" when there is none */
    struct via_lock lock; /* holds the byte that says that its launcher lives */
    char deploy[VIA_ID_SIZE];
    char release[VIA_ID_SIZE];
    char target[VIA_NAME_SIZE];
    struct cli_rows bindings; /* binding, type, mode */
    struct run_place place;
    char *active;        /* the bindings' active generations when tokens were minted */
    int64_t renew_at_ms; /* via_clock_mono_ms: half the life of its tokens */
};

/* What one look at the control plane says. */
struct run_sight {
    bool stopped;                   /* the app has no deploy on the target any more */
    char deploy[VIA_ID_SIZE];       /* the newest otherwise */
    bool rotated;                   /* other generations are active than were minted */
    char restart[VIA_MESSAGE_SIZE]; /* why somebody wants a restart, "" when nobody does */
};

/* Make a folder, register an instance of the newest deploy, mint its tokens there and write its
 * bindings with `url`. Errors are in cli->error; what was made is undone then, except that a
 * registered instance has made its deploy the running one. */
bool run_instance_open(struct run_instance *in, struct cli *cli, const struct run_user *user,
                       const char *url);

/* Mint all tokens again, and renew the lease. Errors are in cli->error. */
bool run_instance_renew(struct run_instance *in, struct cli *cli, const struct run_user *user);

/* One look: is there a newer deploy, a rotation, a wish? Errors are in cli->error. */
bool run_instance_look(const struct run_instance *in, struct cli *cli, struct run_sight *out);

/* Stop the instance, remove its folder, release memory. A failure is logged. */
void run_instance_close(struct run_instance *in, struct cli *cli);

/* -- child.c: the command --------------------------------------------------------- */

struct run_child {
    char **command;
    const struct run_user *user;
    const char *url;
    const char *socket;
};

/* Start the command for `in`. VIA_COMMAND_NOT_FOUND and others; *exit_code is then 126 or 127.
 * No SQLite connection may be open. */
VIA_MUST_USE enum via_status run_child_start(const struct run_child *child,
                                             const struct run_instance *in, pid_t *pid,
                                             int *exit_code, struct via_error *e);

/* End it: SIGTERM, and SIGKILL after 10 s. Reaped on return. */
void run_child_stop(pid_t pid);

/* The exit code that a shell would give for a wait status: 128 + signal. */
int run_child_code(int wait_status);

#endif
