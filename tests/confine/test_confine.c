/* The focus of this file is what a process can still do once it is confined: its own work in the
 * state root, and nothing else. Each scene is a child process, for there is no way back. */
#include "check.h"
#include "confine/confine.h"
#include "scratch.h"
#include "via/ext.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <pthread.h>
#include <pwd.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#define NOBODY 65534

static struct via_root root;
static char outside[VIA_PATH_SIZE];

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
static const char *no_landlock = "an instrumented build confines no files";
#else
static const char *no_landlock;
#endif

/* Run `scene` in a child whose checks count here. */
static void
play(void (*scene)(void))
{
    int status = 0;
    pid_t child;

    fflush(stdout);
    child = fork();
    if (child == 0) {
        check_failures = 0;
        scene();
        fflush(stdout);
        _exit(check_end());
    }
    if (waitpid(child, &status, 0) != child || !WIFEXITED(status))
        CHECK(false, "the confined process ended by itself");
    else
        check_failures += WEXITSTATUS(status);
}

static void
confine(void)
{
    struct via_error e = {0};
    char socket[VIA_PATH_SIZE + 16];

    snprintf(socket, sizeof socket, "%s/socket", outside);
    via_confine_process();
    if (via_confine_user(&root, &e) != VIA_OK)
        CHECK(false, "%s", e.message);
    via_confine_files(&root, socket);
    via_confine_calls();
}

static int
open_errno(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC, 0600), err = fd < 0 ? errno : 0;

    if (fd >= 0)
        close(fd);
    return err;
}

/* -- files ---------------------------------------------------------------------- */

static void
scene_files(void)
{
    char secret[VIA_PATH_SIZE + 16], fresh[VIA_PATH_SIZE + 16], inside[VIA_PATH_SIZE],
        link[VIA_PATH_SIZE], folder[VIA_PATH_SIZE], moved[VIA_PATH_SIZE + 16],
        left[VIA_PATH_SIZE + 16];
    int fd;

    snprintf(secret, sizeof secret, "%s/secret", outside);
    snprintf(fresh, sizeof fresh, "%s/fresh", outside);
    snprintf(moved, sizeof moved, "%s/moved", outside);
    snprintf(left, sizeof left, "%s/socket", outside);
    via_root_join(&root, "addons/file", inside);
    via_root_join(&root, "addons/link", link);
    via_root_join(&root, "addons/folder", folder);
    fd = open(secret, O_RDONLY | O_CLOEXEC);
    (void)!symlink(secret, link);
    confine();
    CHECK(open_errno(inside, O_RDWR | O_CREAT) == 0 && truncate(inside, 10) == 0 &&
              mkdir(folder, 0700) == 0 && rmdir(folder) == 0,
          "it works in the state root");
    CHECK(open_errno(secret, O_RDONLY) == EACCES, "it does not read a file elsewhere");
    CHECK(open_errno("/etc/shadow", O_RDONLY) == EACCES, "nor /etc/shadow");
    CHECK(open_errno("/proc/1/environ", O_RDONLY) == EACCES, "nor another process's environment");
    CHECK(open_errno(secret, O_WRONLY) == EACCES && truncate(secret, 0) != 0,
          "it does not write to one");
    CHECK(open_errno(fresh, O_WRONLY | O_CREAT) == EACCES && mkdir(fresh, 0700) != 0,
          "it makes none");
    CHECK(open_errno(link, O_RDONLY) == EACCES, "a link in the root leads nowhere");
    CHECK(rename(inside, moved) != 0 && linkat(AT_FDCWD, inside, AT_FDCWD, moved, 0) != 0,
          "nothing is carried out of it");
    CHECK(fd >= 0 && read(fd, fresh, 1) == 1, "what was open before stays so");
    CHECK(unlink(left) == 0, "its own socket goes");
    CHECK(getpwuid(0) != NULL, "users still have names");
}

static void
scene_sqlite(void)
{
    char path[VIA_PATH_SIZE];
    sqlite3 *db = NULL;

    via_root_join(&root, "addons/data.sqlite", path);
    confine();
    CHECK(sqlite3_open(path, &db) == SQLITE_OK &&
              sqlite3_exec(db,
                           "PRAGMA journal_mode=WAL; PRAGMA temp_store=FILE; PRAGMA cache_size=10;"
                           "CREATE TABLE t(a); WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT"
                           " i + 1 FROM n WHERE i < 20000) INSERT INTO t SELECT hex(randomblob(50))"
                           " FROM n; SELECT a FROM t ORDER BY a; DELETE FROM t WHERE a < '8';"
                           "VACUUM",
                           NULL, NULL, NULL) == SQLITE_OK,
          "SQLite writes, sorts on disk and vacuums");
    sqlite3_close(db);
}

/* -- system calls --------------------------------------------------------------- */

static void *
thread_main(void *arg)
{
    *(bool *)arg = socket(AF_INET, SOCK_STREAM, 0) < 0 && errno == EPERM;
    return NULL;
}

static bool
is_denied(long result)
{
    return result == -1 && errno == EPERM;
}

static void
scene_calls(void)
{
    static char *const nothing[] = {NULL};
    struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "/none"};
    bool in_thread = false;
    int status = 0, fd;
    pthread_t thread;
    pid_t child;

    confine();
    CHECK(is_denied(execve("/bin/true", nothing, nothing)), "it starts no other program");
    CHECK(is_denied(syscall(SYS_execveat, AT_FDCWD, "/bin/true", nothing, nothing, 0)),
          "not by execveat either");
    child = fork();
    if (child == 0)
        _exit(is_denied(execve("/bin/true", nothing, nothing)) ? 0 : 1);
    CHECK(child > 0 && waitpid(child, &status, 0) == child && status == 0,
          "it may have children, and they start none");
    CHECK(pthread_create(&thread, NULL, thread_main, &in_thread) == 0 &&
              pthread_join(thread, NULL) == 0 && in_thread,
          "and threads, which are confined as well");
    CHECK(is_denied(socket(AF_INET, SOCK_STREAM, 0)) &&
              is_denied(socket(AF_INET6, SOCK_DGRAM, 0)) &&
              is_denied(socket(AF_NETLINK, SOCK_RAW, 0)) &&
              is_denied(socket(AF_PACKET, SOCK_RAW, 0)) &&
              is_denied(socket(AF_VSOCK, SOCK_STREAM, 0)) &&
              is_denied(socket(AF_ALG, SOCK_SEQPACKET, 0)),
          "it makes no socket to the network or the kernel");
    fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    CHECK(fd >= 0 && is_denied(connect(fd, (struct sockaddr *)&a, sizeof a)),
          "a Unix one it makes, and calls nobody");
    CHECK(is_denied(ptrace(PTRACE_TRACEME, 0, NULL, NULL)), "it traces nothing");
    CHECK(is_denied(syscall(SYS_process_vm_readv, getpid(), NULL, 0, NULL, 0, 0)),
          "it looks into no other memory");
    CHECK(is_denied(mount("none", "/mnt", "tmpfs", 0, NULL)) && is_denied(umount2("/mnt", 0)) &&
              is_denied(chroot("/")),
          "it mounts nothing");
    CHECK(is_denied(unshare(CLONE_NEWUSER)) && is_denied(syscall(SYS_setns, 0, 0)),
          "it makes no namespace");
    CHECK(is_denied(syscall(SYS_init_module, NULL, 0, "")) &&
              is_denied(syscall(SYS_finit_module, -1, "", 0)) &&
              is_denied(syscall(SYS_kexec_load, 0, 0, NULL, 0)),
          "it loads nothing into the kernel");
    CHECK(is_denied(syscall(SYS_bpf, 0, NULL, 0)) &&
              is_denied(syscall(SYS_perf_event_open, NULL, 0, 0, 0, 0)) &&
              is_denied(syscall(SYS_io_uring_setup, 1, NULL)) &&
              is_denied(syscall(SYS_userfaultfd, 0)) && is_denied(syscall(SYS_keyctl, 0, 0)),
          "it has no bpf, perf, io_uring, userfaultfd, keyrings");
    CHECK(is_denied(setuid(getuid())) && is_denied(setgid(getgid())), "it changes no user");
}

/* -- the process ---------------------------------------------------------------- */

static void
scene_process(void)
{
    struct rlimit core;
    mode_t mask;

    confine();
    mask = umask(0);
    CHECK(mask == 077, "new files are private");
    CHECK(getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_cur == 0 && core.rlim_max == 0,
          "it leaves no core, and cannot raise that");
    CHECK(prctl(PR_GET_DUMPABLE) == 0, "nobody of its user may trace it");
    CHECK(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1, "it gains nothing by a set-uid file");
}

static uint64_t
capabilities(void)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {{0}};

    if (syscall(SYS_capget, &head, data) != 0)
        return ~(uint64_t)0;
    return data[0].permitted | data[0].effective | (uint64_t)data[1].permitted << 32 |
           (uint64_t)data[1].effective << 32;
}

static void
scene_root_owned(void)
{
    char path[VIA_PATH_SIZE];

    via_root_join(&root, "addons/own", path);
    confine();
    CHECK(getuid() == 0 && capabilities() == 0, "root in a root of its own keeps no capability");
    CHECK(open_errno(path, O_RDWR | O_CREAT) == 0, "and works there");
}

static void
scene_other_owner(void)
{
    char path[VIA_PATH_SIZE];
    gid_t groups[8];
    struct stat st;

    via_root_join(&root, "addons/theirs", path);
    root.uid = root.gid = NOBODY;
    confine();
    CHECK(getuid() == NOBODY && geteuid() == NOBODY && getgid() == NOBODY &&
              getgroups(8, groups) == 1 && groups[0] == NOBODY && capabilities() == 0,
          "root becomes the owner of the state root, whole");
    CHECK(prctl(PR_GET_DUMPABLE) == 0, "and is as little to be traced");
    CHECK(open_errno(path, O_RDWR | O_CREAT) == 0 && stat(path, &st) == 0 && st.st_uid == NOBODY,
          "what it makes is the owner's");
}

static void
scene_out_of_reach(void)
{
    uint64_t files =
        (uint64_t)1 << CAP_DAC_OVERRIDE | (uint64_t)1 << CAP_CHOWN | (uint64_t)1 << CAP_FOWNER;
    char path[VIA_PATH_SIZE];

    via_root_join(&root, "addons/behind", path);
    root.uid = root.gid = NOBODY;
    confine();
    CHECK(getuid() == 0 && geteuid() == 0 && capabilities() == files,
          "root stays where the owner has no way, with its powers over files alone");
    CHECK(open_errno(path, O_RDWR | O_CREAT) == 0, "and works there");
}

/* -- the stage ------------------------------------------------------------------ */

static void
make_outside(void)
{
    char path[VIA_PATH_SIZE + 16];
    FILE *out;

    snprintf(outside, sizeof outside, "%s/outside", scratch_path);
    (void)!mkdir(outside, 0755);
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", outside, i ? "socket" : "secret");
        out = fopen(path, "we");
        if (out) {
            fputs("secret", out);
            fclose(out);
        }
    }
}

static bool
hand_over(const char *path)
{
    return chown(path, NOBODY, NOBODY) == 0;
}

int
main(void)
{
    char addons[VIA_PATH_SIZE], run[VIA_PATH_SIZE];

    scratch_root(&root);
    make_outside();
    via_root_join(&root, "addons", addons);
    via_root_join(&root, "run", run);
    if (!no_landlock &&
        syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) < 1)
        no_landlock = "this kernel has no Landlock";
    play(scene_process);
    play(scene_calls);
    play(scene_sqlite);
    if (no_landlock)
        printf("skip - files elsewhere are out of reach: %s\n", no_landlock);
    else
        play(scene_files);
    if (geteuid() != 0) {
        printf("skip - what root gives up: this is not root\n");
        return check_end();
    }
    play(scene_root_owned);
    if (chmod(scratch_path, 0711) != 0 || !hand_over(root.path) || !hand_over(addons) ||
        !hand_over(run))
        CHECK(false, "the root cannot be handed over");
    play(scene_other_owner);
    if (chmod(scratch_path, 0700) == 0)
        play(scene_out_of_reach);
    return check_end();
}
