/* user.c: the process itself, its user and its capabilities. */
#include "base/error.h"
#include "base/log.h"
#include "confine/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CAP_BIT(cap) ((uint64_t)1 << (cap))
#define FILE_CAPABILITIES (CAP_BIT(CAP_DAC_OVERRIDE) | CAP_BIT(CAP_CHOWN) | CAP_BIT(CAP_FOWNER))

void
via_confine_process(void)
{
    struct rlimit none = {0, 0};

    umask(077);
    (void)setrlimit(RLIMIT_CORE, &none);
    (void)prctl(PR_SET_DUMPABLE, 0);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        via_log(VIA_LOG_WARN, "this kernel has no NoNewPrivileges; going on without");
}

/* May the effective user work in the root? */
static bool
root_is_reachable(const struct via_root *root)
{
    return faccessat(AT_FDCWD, root->path, R_OK | W_OK | X_OK, AT_EACCESS) == 0;
}

static bool
capabilities_set(uint64_t effective, uint64_t permitted)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {
        {.effective = (uint32_t)effective, .permitted = (uint32_t)permitted},
        {.effective = (uint32_t)(effective >> 32), .permitted = (uint32_t)(permitted >> 32)}};

    return syscall(SYS_capset, &head, data) == 0;
}

/* Root without root's powers. */
static void
capabilities_drop(const struct via_root *root)
{
    if (!capabilities_set(0, FILE_CAPABILITIES)) {
        via_log(VIA_LOG_WARN, "root's capabilities cannot be given up (%m); going on with them");
        return;
    }
    if (root->uid == 0 && root_is_reachable(root)) {
        (void)capabilities_set(0, 0);
        return;
    }
    (void)capabilities_set(FILE_CAPABILITIES, FILE_CAPABILITIES);
    via_log(VIA_LOG_WARN, "staying root, for user %lu cannot reach %s otherwise",
            (unsigned long)root->uid, root->path);
}

static void
user_name(uid_t uid, char *out, size_t size)
{
    const struct passwd *entry = getpwuid(uid); /* no other thread is there yet */

    if (entry)
        (void)snprintf(out, size, "%s", entry->pw_name);
    else
        (void)snprintf(out, size, "%lu", (unsigned long)uid);
}

/* Could the root's owner work in it? */
static bool
owner_reaches(const struct via_root *root)
{
    bool reaches;

    if (setegid(root->gid) != 0)
        return false;
    if (seteuid(root->uid) != 0) {
        (void)!setegid(getgid());
        return false;
    }
    reaches = root_is_reachable(root);
    return seteuid(0) == 0 && setegid(getgid()) == 0 && reaches;
}

enum via_status
via_confine_user(const struct via_root *root, struct via_error *e)
{
    char name[64];

    if (geteuid() != 0)
        return VIA_OK;
    if (root->uid == 0 || !owner_reaches(root)) {
        capabilities_drop(root);
        return VIA_OK;
    }
    if (setgroups(1, &root->gid) != 0 || setresgid(root->gid, root->gid, root->gid) != 0 ||
        setresuid(root->uid, root->uid, root->uid) != 0)
        return via_error_set_errno(e, VIA_INTERNAL_ERROR, errno,
                                   "cannot become the owner of the state root");
    (void)prctl(PR_SET_DUMPABLE, 0); /* a change of user resets it */
    user_name(root->uid, name, sizeof name);
    via_log(VIA_LOG_INFO, "running as %s, who owns %s", name, root->path);
    return VIA_OK;
}
