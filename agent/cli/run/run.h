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

/* The folder stays the same for the life of a launcher, so that a command finds its token where it
 * was through every change of instance. What the next instance brings is staged in next/. */
struct run_place {
    const struct run_user *user;
    char home[VIA_PATH_SIZE];   /* this launcher's, in run/instances, out of the user's reach */
    char folder[VIA_PATH_SIZE]; /* 0700, the user's: token, bindings/, next/ */
    int home_fd;                /* locked while the launcher lives; -1 */
    int folder_fd;              /* the same of a folder that the operator named; -1 */
};

#define RUN_PLACE_UNNAMED                                                                          \
    "make" /* the id's prefix of a home whose launcher has not locked it yet */
#define RUN_PLACE_NAMED "run"

void run_place_init(struct run_place *place, const struct run_user *user);

/* Make home and folder; `token_dir` (NULL: in the home) is an empty folder, or one that served so
 * before. VIA_CONFIG_UNREADABLE when the user cannot get there, VIA_PATH_INVALID, VIA_DISK_FULL. */
VIA_MUST_USE enum via_status run_place_make(struct run_place *place, const char *token_dir,
                                            struct via_error *e);

/* Write into the folder of another launcher, by a home of one's own for the minting. */
VIA_MUST_USE enum via_status run_place_visit(struct run_place *place, const char *folder,
                                             struct via_error *e);

/* Make next/ anew, and take room for its files, which run_place_give_room() gives back. */
VIA_MUST_USE enum via_status run_place_stage(const struct run_place *place, struct via_error *e);
VIA_MUST_USE enum via_status run_place_give_room(const struct run_place *place,
                                                 struct via_error *e);

/* Put what is in next/ where the command looks. Not while one runs that should not see it. */
VIA_MUST_USE enum via_status run_place_publish(const struct run_place *place, struct via_error *e);

/* Replace the file `relative` (its folder is made) by `n` bytes, 0600 and the user's. */
VIA_MUST_USE enum via_status run_place_put(const struct run_place *place, const char *relative,
                                           const void *bytes, size_t n, struct via_error *e);

/* Where a token is minted before it is taken to its place. */
void run_place_mint(const struct run_place *place, char out[VIA_PATH_SIZE]);

/* Take the token that was just minted, into guarded memory; the caller frees *out by
 * via_guarded_free(), NULL after a failure. */
VIA_MUST_USE enum via_status run_place_take_token(const struct run_place *place, char **out,
                                                  size_t *n, struct via_error *e);

/* Remove what was made; a folder that the operator named stays, empty. */
void run_place_remove(struct run_place *place);

/* Remove the homes of launchers that are gone and whose instance is over (sweep.c). */
void run_place_sweep(struct cli *cli);

/* -- instance.c: the instance and its bindings; token.c: their tokens ------------- */

struct run_instance {
    char id[VIA_ID_SIZE]; /* "" when there is none */
    char deploy[VIA_ID_SIZE];
    char release[VIA_ID_SIZE];
    char target[VIA_NAME_SIZE];
    struct via_lock lock;     /* holds the byte that says that its launcher lives */
    struct cli_rows bindings; /* binding, type, mode: of the signed manifest */
    char **client; /* a token for each binding's environment, guarded; NULL without --client-env */
    bool staged;   /* its files are in next/ */
    bool equipped; /* its tokens and bindings are written */
    char *active;  /* the bindings' active generations when tokens were minted */
    char *keys; /* and the keys that signed: an older one's is worth nothing once it is retired */
    char *held; /* those of `client`: a JSON array of their rows */
    int64_t renew_at_ms; /* via_clock_mono_ms: half the life of its tokens */
    int64_t clocks_ms;   /* the wall clock's lead over that one, as the tokens were minted */
};

/* What one look at the control plane says. */
struct run_sight {
    bool stopped;                   /* the app has no deploy on the target any more */
    bool instance_stopped;          /* somebody stopped the instance */
    char deploy[VIA_ID_SIZE];       /* the newest otherwise */
    bool rotated;                   /* others are active than what tokens were minted of */
    bool outdated;                  /* one of `client` is revoked, and there is a newer one */
    char restart[VIA_MESSAGE_SIZE]; /* why somebody wants a restart, "" when nobody does */
};

void run_instance_init(struct run_instance *in);

/* Register an instance of the newest deploy, its files to be staged in `place`. It makes that
 * deploy the running one, so whatever else can fail has been tried before. Errors are in
 * cli->error; then nothing was registered. */
bool run_instance_register(struct run_instance *in, struct cli *cli, const struct run_place *place);

/* Mint its tokens and write its bindings with `url`. Repeatable. Errors are in cli->error. */
bool run_instance_equip(struct run_instance *in, struct cli *cli, const struct run_place *place,
                        const char *url);

/* Put its staged files in place. */
VIA_MUST_USE enum via_status
run_instance_publish(struct run_instance *in, const struct run_place *place, struct via_error *e);

/* One look: is there a newer deploy, a rotation, a wish? Errors are in cli->error. */
bool run_instance_look(const struct run_instance *in, struct cli *cli, struct run_sight *out);

/* Stop the instance, release memory. A failure is logged. */
void run_instance_close(struct run_instance *in, struct cli *cli);

/* Mint all tokens again, and renew the lease. Errors are in cli->error. */
bool run_token_renew(struct run_instance *in, struct cli *cli, const struct run_place *place);

/* Are they due: half their life is over, or the wall clock was set? */
bool run_token_is_due(const struct run_instance *in);

/* The active generations of the instance's bindings, and the keys that sign, as text to compare.
 * The caller frees it. */
char *run_token_active(const struct run_instance *in, struct cli *cli);
char *run_token_keys(struct cli *cli);

/* Is a token of the environment good no more, and could a new one be had? */
bool run_token_is_outdated(const struct run_instance *in, struct cli *cli);

/* Wipe the tokens of the environment. */
void run_token_forget(struct run_instance *in);

/* -- environment.c: what the command is told -------------------------------------- */

struct run_child {
    char **command;
    const struct run_place *place;
    const char *url;      /* http://…, or unix:PATH */
    const char *socket;   /* of the agent */
    const char *env_file; /* NULL: none */
};

/* Make "NAME=value" texts in guarded memory, each ended by NUL, the list by an empty one. The
 * caller frees it by via_guarded_free(). NULL without memory. */
char *run_environment_new(const struct run_child *child, const struct run_instance *in);

/* Write them to the file `path`, as the user, 0600, a line each, replacing only a file that was
 * written so. VIA_PATH_INVALID, VIA_PATH_UNWRITABLE. */
VIA_MUST_USE enum via_status run_environment_write(const struct run_child *child,
                                                   const char *environment, struct via_error *e);

/* Remove that file. */
void run_environment_remove(const struct run_child *child);

/* -- child.c: the command --------------------------------------------------------- */

struct run_process {
    pid_t pid;  /* 0: not running */
    bool leads; /* a process group of its own: the launcher is not in a terminal's foreground */
};

/* Start the command for `in`. VIA_COMMAND_NOT_FOUND and others; *exit_code is then 126 or 127.
 * No SQLite connection may be open. */
VIA_MUST_USE enum via_status run_child_start(const struct run_child *child,
                                             const struct run_instance *in, struct run_process *out,
                                             int *exit_code, struct via_error *e);

/* Pass a signal on to the command; a keyboard's to its whole group, as a terminal would. */
void run_child_signal(const struct run_process *p, int signal);

/* End it: SIGTERM, and SIGKILL after 10 s; then what it leaves in its group. Reaped on return. */
void run_child_stop(struct run_process *p);

/* It has ended and is reaped. End what it left in its group, with the same patience, so that of
 * `sh -c "server; …"` no server stays behind without an identity. */
void run_child_sweep(struct run_process *p);

/* The exit code that a shell would give for a wait status: 128 + signal. */
int run_child_code(int wait_status);

#endif
