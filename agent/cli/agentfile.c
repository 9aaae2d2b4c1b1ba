#include "cli/agentfile.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/root.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define AGENT_FILE_MAX 65536
#define HEALTH_TIMEOUT_S 2

static void
member_copy(const via_json *doc, const char *key, char *out, size_t size)
{
    const char *text = via_json_string(via_json_member(doc, key), NULL);

    (void)snprintf(out, size, "%s", text ? text : "");
}

static enum via_status
agent_read(const char *path, struct cli_agent *out)
{
    enum via_status status;
    via_json *doc = NULL;
    char *text = NULL;
    size_t n = 0;

    status = via_fs_read(path, AGENT_FILE_MAX, &text, &n, NULL);
    if (status == VIA_OK)
        status = via_json_parse(text, n, 4, &doc, NULL);
    if (status == VIA_OK) {
        out->pid = via_json_integer(via_json_member(doc, "pid"));
        member_copy(doc, "socket", out->socket, sizeof out->socket);
        member_copy(doc, "listen", out->listen, sizeof out->listen);
        member_copy(doc, "version", out->version, sizeof out->version);
    }
    via_json_free(doc);
    free(text);
    return status;
}

enum via_status
cli_agent_find(struct cli_agent *out, struct via_error *e)
{
    struct via_root root;
    char path[VIA_PATH_SIZE];

    memset(out, 0, sizeof *out);
    if (via_root_find(&root, NULL) != VIA_OK)
        return via_error_set(e, VIA_AGENT_NOT_RUNNING, "no agent serves this state root");
    via_root_join(&root, "run/agent.json", path);
    if (agent_read(path, out) != VIA_OK || out->pid <= 0)
        return via_error_set(e, VIA_AGENT_NOT_RUNNING, "no agent serves the state root %s",
                             root.path);
    if (kill((pid_t)out->pid, 0) < 0 && errno == ESRCH)
        return via_error_set(e, VIA_AGENT_NOT_RUNNING,
                             "the agent of the state root %s (pid %lld) is gone", root.path,
                             (long long)out->pid);
    return VIA_OK;
}

/* Connect with a time limit on everything that follows; -1 with errno. */
static int
health_connect(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval limit = {.tv_sec = HEALTH_TIMEOUT_S};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    if (strlen(path) > VIA_SOCKET_PATH_MAX) {
        errno = ENAMETOOLONG;
    } else {
        memcpy(address.sun_path, path, strlen(path) + 1);
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
        if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
            return fd;
    }
    close(fd);
    return -1;
}

enum via_status
cli_agent_check(const struct cli_agent *agent, struct via_error *e)
{
    static const char request[] =
        "GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    char answer[64] = "";
    size_t got = 0;
    int fd = health_connect(agent->socket);

    /* A pid may be another's by now; a socket without a listener tells for certain. */
    if (fd < 0 && (errno == ECONNREFUSED || errno == ENOENT))
        return via_error_set(e, VIA_AGENT_NOT_RUNNING, "the agent (pid %lld) is gone",
                             (long long)agent->pid);
    if (fd < 0)
        return via_error_set_errno(e, VIA_AGENT_UNREACHABLE, errno,
                                   "the agent's socket does not answer");
    if (send(fd, request, sizeof request - 1, MSG_NOSIGNAL) == (ssize_t)(sizeof request - 1)) {
        ssize_t n;

        while (got < 12 && (n = recv(fd, answer + got, sizeof answer - 1 - got, 0)) > 0)
            got += (size_t)n;
    }
    close(fd);
    if (got >= 12 && strncmp(answer, "HTTP/1.", 7) == 0 && strncmp(answer + 8, " 200", 4) == 0)
        return VIA_OK;
    return via_error_set(e, VIA_AGENT_UNREACHABLE, "the agent (pid %lld) does not answer /health",
                         (long long)agent->pid);
}
