#include "cli/run/run.h"

#include "base/error.h"
#include "identity/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STOP_MS 10000
#define STOP_STEP_MS 20

struct child_start {
    pid_t launcher;
    int report; /* where errno goes */
    bool leads; /* a process group of its own */
};

/* The state root is none of the command's business. */
static bool
environment_set(const struct run_user *user, char *environment)
{
    bool good = unsetenv("VIA_STATE_DIR") == 0;

    for (char *p = environment; good && *p; p += strlen(p) + 1)
        good = putenv(p) == 0;
    if (good && user->changes)
        good = setenv("HOME", user->home, 1) == 0 && setenv("USER", user->name, 1) == 0 &&
               setenv("LOGNAME", user->name, 1) == 0;
    return good;
}

/* Be ended when the launcher is: nobody would renew the identity. A launcher that was gone before
 * this was asked for has left the child to another parent. */
static bool
parent_follow(pid_t launcher)
{
    return prctl(PR_SET_PDEATHSIG, SIGTERM) == 0 && getppid() == launcher;
}

/* In the child: become the command, or send errno through `report`. */
static void
child_exec(const struct run_child *child, char *environment, const struct child_start *start)
{
    sigset_t none;
    int err;

    (void)sigemptyset(&none);
    (void)signal(SIGPIPE, SIG_DFL);
    /* The parent does so too: whoever is first. */
    if (start->leads)
        (void)setpgid(0, 0);
    if (environment_set(child->place->user, environment) && run_user_become(child->place->user) &&
        parent_follow(start->launcher) && sigprocmask(SIG_SETMASK, &none, NULL) == 0)
        (void)execvp(child->command[0], child->command);
    err = errno ? errno : EPERM;
    if (write(start->report, &err, sizeof err) < 0)
        _exit(125);
    _exit(127);
}

/* Is there a file of that name anywhere on PATH? A folder on PATH that the user may not search
 * makes exec say "permission denied" of a command that is nowhere. */
static bool
command_exists(const char *command)
{
    const char *path = getenv("PATH");
    char candidate[VIA_PATH_SIZE];

    if (strchr(command, '/') || !path)
        return true;
    while (*path) {
        size_t n = strcspn(path, ":");

        (void)snprintf(candidate, sizeof candidate, "%.*s/%s", (int)n, path, command);
        if (n < sizeof candidate / 2 && access(candidate, F_OK) == 0)
            return true;
        path += n + (path[n] == ':');
    }
    return false;
}

static enum via_status
child_fail(const struct run_child *child, int err, int *exit_code, struct via_error *e)
{
    if (err == EACCES && !command_exists(child->command[0]))
        err = ENOENT;
    *exit_code = err == ENOENT ? 127 : 126;
    if (err == ENOENT)
        return via_error_set(e, VIA_COMMAND_NOT_FOUND, "there is no command %s", child->command[0]);
    return via_error_set_errno(e, VIA_COMMAND_NOT_FOUND, err, "%s cannot be started",
                               child->command[0]);
}

/* A terminal sends its signals to the foreground group, and lets only that read: there the command
 * stays in the launcher's. */
static bool
is_in_foreground(void)
{
    int fd = open("/dev/tty", O_RDONLY | O_CLOEXEC | O_NOCTTY);
    bool is = fd >= 0 && tcgetpgrp(fd) == getpgrp();

    if (fd >= 0)
        close(fd);
    return is;
}

/* Fork, and wait until exec has succeeded or said why not. 0 or errno. */
static int
child_fork(const struct run_child *child, char *environment, struct run_process *out)
{
    struct child_start start = {.launcher = getpid(), .leads = !is_in_foreground()};
    int report[2], err = 0;
    ssize_t n;

    if (pipe2(report, O_CLOEXEC) < 0)
        return errno;
    start.report = report[1];
    out->leads = start.leads;
    out->pid = fork();
    if (out->pid == 0)
        child_exec(child, environment, &start);
    err = errno;
    close(report[1]);
    if (out->pid < 0) {
        close(report[0]);
        out->pid = 0;
        return err;
    }
    if (start.leads)
        (void)setpgid(out->pid, out->pid);
    /* The pipe closes when exec succeeds. */
    do
        n = read(report[0], &err, sizeof err);
    while (n < 0 && errno == EINTR);
    close(report[0]);
    if (n != (ssize_t)sizeof err)
        return 0;
    (void)waitpid(out->pid, NULL, 0);
    out->pid = 0;
    return err;
}

enum via_status
run_child_start(const struct run_child *child, const struct run_instance *in,
                struct run_process *out, int *exit_code, struct via_error *e)
{
    char *environment = run_environment_new(child, in);
    enum via_status status = VIA_OK;
    int err;

    memset(out, 0, sizeof *out);
    *exit_code = 1;
    if (!environment)
        return via_error_set(e, VIA_OUT_OF_MEMORY, "out of memory");
    status = run_environment_write(child, environment, e);
    if (status == VIA_OK) {
        err = child_fork(child, environment, out);
        if (err)
            status = child_fail(child, err, exit_code, e);
    }
    via_guarded_free(environment);
    return status;
}

void
run_child_signal(const struct run_process *p, int signal)
{
    bool by_keyboard = signal == SIGINT || signal == SIGQUIT;

    if (p->pid > 0)
        (void)kill(p->leads && by_keyboard ? -p->pid : p->pid, signal);
}

static void
pause_step(void)
{
    const struct timespec step = {.tv_nsec = STOP_STEP_MS * 1000000L};

    (void)nanosleep(&step, NULL);
}

void
run_child_sweep(struct run_process *p)
{
    int waited_ms = 0;

    if (p->leads && p->pid > 0 && kill(-p->pid, SIGTERM) == 0) {
        for (; waited_ms < STOP_MS && kill(-p->pid, 0) == 0; waited_ms += STOP_STEP_MS)
            pause_step();
        if (waited_ms >= STOP_MS)
            (void)kill(-p->pid, SIGKILL);
    }
    p->pid = 0;
}

void
run_child_stop(struct run_process *p)
{
    int waited_ms = 0;

    if (p->pid <= 0)
        return;
    (void)kill(p->pid, SIGTERM);
    for (; waited_ms < STOP_MS && waitpid(p->pid, NULL, WNOHANG) == 0; waited_ms += STOP_STEP_MS)
        pause_step();
    if (waited_ms >= STOP_MS) {
        (void)kill(p->leads ? -p->pid : p->pid, SIGKILL);
        (void)waitpid(p->pid, NULL, 0);
    }
    run_child_sweep(p);
}

int
run_child_code(int wait_status)
{
    if (WIFSIGNALED(wait_status))
        return 128 + WTERMSIG(wait_status);
    return WEXITSTATUS(wait_status);
}
