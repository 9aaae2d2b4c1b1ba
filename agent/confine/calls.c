/* calls.c: which system calls the process may make: seccomp. The only user of libseccomp.
 *
 * A list of what is denied, not of what is allowed: what the C library calls changes with each of
 * its versions, and an agent that dies of that is worse than the calls left over. */
#include "base/log.h"
#include "confine/confine.h"

#include <errno.h>
#include <seccomp.h>
#include <string.h>
#include <sys/socket.h>

static const char *const denied[] = {
    /* other programs */
    "execve", "execveat",
    /* other processes */
    "ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "pidfd_getfd", "kcmp",
    /* the file tree */
    "mount", "umount", "umount2", "move_mount", "open_tree", "fsopen", "fsmount", "fsconfig",
    "fspick", "mount_setattr", "pivot_root", "chroot", "mknod", "mknodat", "open_by_handle_at",
    "name_to_handle_at", "fanotify_init", "quotactl", "quotactl_fd", "swapon", "swapoff",
    /* namespaces, users, capabilities */
    "unshare", "setns", "setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid",
    "setfsuid", "setfsgid", "setgroups", "capset", "personality",
    /* the kernel */
    "init_module", "finit_module", "delete_module", "create_module", "kexec_load",
    "kexec_file_load", "bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "io_uring_enter",
    "io_uring_register", "iopl", "ioperm", "modify_ldt", "vhangup", "reboot", "acct", "syslog",
    "lookup_dcookie", "nfsservctl", "add_key", "request_key", "keyctl",
    /* the clock and the host's name */
    "settimeofday", "clock_settime", "clock_adjtime", "adjtimex", "stime", "sethostname",
    "setdomainname",
    /* the listeners are there; nobody is called from here */
    "connect"};

/* 0, or what libseccomp says, a negative errno. */
static int
filter_fill(scmp_filter_ctx filter)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < sizeof denied / sizeof denied[0]; i++) {
        int call = seccomp_syscall_resolve_name(denied[i]);

        if (call != __NR_SCMP_ERROR) /* negative: another machine's, which is fine */
            rc = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), call, 0);
    }
    if (rc == 0) /* a Unix one tells the service manager how it goes */
        rc = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socket), 1,
                              SCMP_A0(SCMP_CMP_NE, AF_UNIX, 0));
    return rc;
}

void
via_confine_calls(void)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    int rc = filter ? filter_fill(filter) : -ENOMEM;

    if (rc == 0) {
        (void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
        rc = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    }
    if (rc == 0)
        rc = seccomp_load(filter);
    if (rc != 0)
        via_log(VIA_LOG_WARN, "system calls are not filtered: %s", strerror(-rc));
    seccomp_release(filter);
}
