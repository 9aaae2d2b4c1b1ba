#include "cli/run/run.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STOP_MS 10000
#define STOP_STEP_MS 20

/* [{"name":"DATABASE","type":"sqlite","mode":"rw"},…] */
static void
bindings_put(const struct run_instance *in, struct via_buf *b)
{
    static const char *const members[][2] = {
        {"name", "binding"}, {"type", "type"}, {"mode", "mode"}};

    via_buf_putc(b, '[');
    for (size_t i = 0; i < in->bindings.count; i++) {
        via_buf_puts(b, i ? ",{" : "{");
        for (size_t k = 0; k < 3; k++) {
            const char *text = cli_rows_text(&in->bindings, i, members[k][1]);

            via_buf_printf(b, "%s\"%s\":", k ? "," : "", members[k][0]);
            via_buf_put_json(b, text ? text : "", text ? strlen(text) : 0);
        }
        via_buf_putc(b, '}');
    }
    via_buf_putc(b, ']');
}

/* The environment of the command. The state root is none of its business. */
static bool
environment_set(const struct run_child *child, const struct run_instance *in)
{
    char token[VIA_PATH_SIZE + 16], bindings[VIA_PATH_SIZE + 16];
    struct via_buf list;
    bool good;

    via_buf_init(&list);
    bindings_put(in, &list);
    (void)snprintf(token, sizeof token, "%s/token", in->place.folder);
    (void)snprintf(bindings, sizeof bindings, "%s/bindings", in->place.folder);
    good = !list.failed && setenv("VARY_CONFIG_URL", child->url, 1) == 0 &&
           setenv("VARY_CONFIG_TOKEN_PATH", token, 1) == 0 &&
           setenv("VARY_ENVIRONMENT", in->target, 1) == 0 &&
           setenv("VIA_AGENT_SOCKET", child->socket, 1) == 0 &&
           setenv("VIA_BINDINGS", via_buf_text(&list), 1) == 0 &&
           setenv("SERVICE_BINDING_ROOT", bindings, 1) == 0 && unsetenv("VIA_STATE_DIR") == 0;
    if (good && child->user->changes)
        good = setenv("HOME", child->user->home, 1) == 0 &&
               setenv("USER", child->user->name, 1) == 0 &&
               setenv("LOGNAME", child->user->name, 1) == 0;
    via_buf_deinit(&list);
    return good;
}

/* In the child: become the command, or send errno through `report`. */
static void
child_exec(const struct run_child *child, const struct run_instance *in, int report)
{
    sigset_t none;
    int err;

    (void)sigemptyset(&none);
    (void)signal(SIGPIPE, SIG_DFL);
    if (environment_set(child, in) && run_user_become(child->user) &&
        sigprocmask(SIG_SETMASK, &none, NULL) == 0)
        (void)execvp(child->command[0], child->command);
    err = errno ? errno : EPERM;
    if (write(report, &err, sizeof err) < 0)
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

enum via_status
run_child_start(const struct run_child *child, const struct run_instance *in, pid_t *pid,
                int *exit_code, struct via_error *e)
{
    int report[2], err = 0;
    ssize_t n;

    *pid = 0;
    *exit_code = 1;
    if (pipe2(report, O_CLOEXEC) < 0)
        return via_error_set_errno(e, VIA_INTERNAL_ERROR, errno, "the command cannot be started");
    *pid = fork();
    if (*pid == 0)
        child_exec(child, in, report[1]);
    err = errno;
    close(report[1]);
    if (*pid < 0) {
        close(report[0]);
        *pid = 0;
        return via_error_set_errno(e, VIA_INTERNAL_ERROR, err, "the command cannot be started");
    }
    /* The pipe closes when exec succeeds. */
    do
        n = read(report[0], &err, sizeof err);
    while (n < 0 && errno == EINTR);
    close(report[0]);
    if (n != (ssize_t)sizeof err)
        return VIA_OK;
    (void)waitpid(*pid, NULL, 0);
    *pid = 0;
    return child_fail(child, err, exit_code, e);
}

void
run_child_stop(pid_t pid)
{
    const struct timespec step = {.tv_nsec = STOP_STEP_MS * 1000000L};

    (void)kill(pid, SIGTERM);
    for (int waited_ms = 0; waited_ms < STOP_MS; waited_ms += STOP_STEP_MS) {
        if (waitpid(pid, NULL, WNOHANG) != 0)
            return;
        (void)nanosleep(&step, NULL);
    }
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
}

int
run_child_code(int wait_status)
{
    if (WIFSIGNALED(wait_status))
        return 128 + WTERMSIG(wait_status);
    return WEXITSTATUS(wait_status);
}
