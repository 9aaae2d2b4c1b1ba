/* files.c: which files the process may touch: Landlock. */
#include "base/log.h"
#include "confine/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Of later kernels than the headers this is built with. */
#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER (1ULL << 13)
#endif
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif
#ifndef LANDLOCK_ACCESS_FS_IOCTL_DEV
#define LANDLOCK_ACCESS_FS_IOCTL_DEV (1ULL << 15)
#endif

#define OF_A_FILE                                                                                  \
    (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_TRUNCATE)
#define TO_READ LANDLOCK_ACCESS_FS_READ_FILE
#define TO_REMOVE LANDLOCK_ACCESS_FS_REMOVE_FILE
#define TO_WORK                                                                                    \
    (OF_A_FILE | TO_REMOVE | LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_REMOVE_DIR |         \
     LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |    \
     LANDLOCK_ACCESS_FS_MAKE_SYM | LANDLOCK_ACCESS_FS_REFER)
#define EVERYTHING                                                                                 \
    (TO_WORK | LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR |                         \
     LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_IOCTL_DEV)

/* What else is read: by the C library for names and times, by SQLite for chance. */
static const char *const readable[] = {"/etc/passwd",    "/etc/group",   "/etc/nsswitch.conf",
                                       "/etc/localtime", "/dev/urandom", "/dev/null"};

/* Sanitizers write their reports where they are told, and read the program to make them. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
static const bool is_instrumented = true;
#else
static const bool is_instrumented = false;
#endif

/* The rights that a Landlock of this version knows. */
static uint64_t
rights_of(long version)
{
    uint64_t rights = EVERYTHING;

    if (version < 2)
        rights &= ~(uint64_t)LANDLOCK_ACCESS_FS_REFER;
    if (version < 3)
        rights &= ~(uint64_t)LANDLOCK_ACCESS_FS_TRUNCATE;
    if (version < 5)
        rights &= ~(uint64_t)LANDLOCK_ACCESS_FS_IOCTL_DEV;
    return rights;
}

/* Allow `rights` at `path` and below it. What is not there needs no rule. */
static bool
rule_add(int rules, const char *path, uint64_t rights)
{
    struct landlock_path_beneath_attr rule = {.allowed_access = rights};
    struct stat st;
    bool added;

    rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
    if (rule.parent_fd < 0)
        return errno == ENOENT || errno == ENOTDIR || errno == EACCES;
    if (fstat(rule.parent_fd, &st) == 0 && !S_ISDIR(st.st_mode))
        rule.allowed_access &= OF_A_FILE;
    added = syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0;
    close(rule.parent_fd);
    return added;
}

/* The folder of `socket`, whose files the process may remove, itself among them at its end. */
static bool
rule_add_socket(int rules, const char *socket)
{
    char folder[VIA_PATH_SIZE];
    char *slash;
    size_t n = strlen(socket);

    if (n >= sizeof folder)
        return true;
    memcpy(folder, socket, n + 1);
    slash = strrchr(folder, '/');
    if (!slash)
        memcpy(folder, ".", 2);
    else
        slash[slash == folder] = '\0';
    return rule_add(rules, folder, TO_REMOVE);
}

static bool
rules_make(int rules, const struct via_root *root, const char *socket, uint64_t known)
{
    const char *aside = getenv("SQLITE_TMPDIR");
    bool all = rule_add(rules, root->path, TO_WORK & known) &&
               (!aside || rule_add(rules, aside, TO_WORK & known)) &&
               rule_add_socket(rules, socket);

    for (size_t i = 0; all && i < sizeof readable / sizeof readable[0]; i++)
        all = rule_add(rules, readable[i], TO_READ);
    return all;
}

void
via_confine_files(const struct via_root *root, const char *socket)
{
    char run[VIA_PATH_SIZE];
    struct landlock_ruleset_attr attr = {0};
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    int rules;

    via_root_join(root, "run", run);
    (void)setenv("SQLITE_TMPDIR", run, 0);
    if (is_instrumented || version < 1) {
        via_log(VIA_LOG_WARN, "files outside of the state root stay in reach: %s",
                is_instrumented ? "this build is instrumented" : "this kernel has no Landlock");
        return;
    }
    attr.handled_access_fs = rights_of(version);
    rules = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);
    if (rules < 0 || !rules_make(rules, root, socket, attr.handled_access_fs) ||
        syscall(SYS_landlock_restrict_self, rules, 0) != 0)
        via_log(VIA_LOG_WARN, "files outside of the state root stay in reach: %m");
    if (rules >= 0)
        close(rules);
}
