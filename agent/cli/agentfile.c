#include "cli/agentfile.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/lock.h"
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
#define READ_TIMEOUT_S 40 /* beyond what a statement may take */

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

/* By the lock that dies with it: its process id may be somebody else's by now. */
static bool
agent_lives(const struct via_root *root, pid_t pid)
{
    struct via_lock lock;
    bool lives;

    if (via_lock_open(&lock, root, NULL) != VIA_OK)
        return kill(pid, 0) == 0 || errno != ESRCH;
    lives = via_lock_is_held(&lock, VIA_LOCK_AGENT);
    via_lock_close(&lock);
    return lives;
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
    if (!agent_lives(&root, (pid_t)out->pid))
        return via_error_set(e, VIA_AGENT_NOT_RUNNING,
                             "the agent of the state root %s (pid %lld) is gone", root.path,
                             (long long)out->pid);
    return VIA_OK;
}

/* Connect with a time limit on each step of what follows; -1 with errno. */
static int
agent_connect(const char *path, int timeout_s)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval limit = {.tv_sec = timeout_s};
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

/* Send one request that asks to close, and keep what is answered. */
static enum via_status
agent_exchange(const struct cli_agent *agent, const struct via_buf *request, int timeout_s,
               struct via_buf *answer, struct via_error *e)
{
    int fd = agent_connect(agent->socket, timeout_s);
    char part[4096];
    ssize_t n;

    if (fd < 0 && errno == ENOENT)
        return via_error_set(e, VIA_AGENT_UNREACHABLE,
                             "the socket %s of the agent (pid %lld) is gone", agent->socket,
                             (long long)agent->pid);
    /* A pid may be another's by now; a socket without a listener tells for certain. */
    if (fd < 0 && errno == ECONNREFUSED)
        return via_error_set(e, VIA_AGENT_NOT_RUNNING, "the agent (pid %lld) is gone",
                             (long long)agent->pid);
    if (fd < 0)
        return via_error_set_errno(e, VIA_AGENT_UNREACHABLE, errno,
                                   "the agent's socket does not answer");
    if (send(fd, request->data, request->len, MSG_NOSIGNAL) == (ssize_t)request->len)
        while (answer->len < AGENT_FILE_MAX && (n = recv(fd, part, sizeof part, 0)) > 0)
            via_buf_put(answer, part, (size_t)n);
    close(fd);
    return VIA_OK;
}

/* The HTTP status of an answer; 0 when it is none. */
static int
answer_status(const struct via_buf *answer)
{
    const char *text = via_buf_text(answer);

    if (answer->len < 12 || strncmp(text, "HTTP/1.", 7) != 0 || text[8] != ' ')
        return 0;
    return (int)strtol(text + 9, NULL, 10);
}

enum via_status
cli_agent_check(const struct cli_agent *agent, struct via_error *e)
{
    struct via_buf request, answer;
    enum via_status status;

    via_buf_init(&request);
    via_buf_init(&answer);
    via_buf_puts(&request, "GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    status = agent_exchange(agent, &request, HEALTH_TIMEOUT_S, &answer, e);
    if (status == VIA_OK && answer_status(&answer) != 200)
        status =
            via_error_set(e, VIA_AGENT_UNREACHABLE, "the agent (pid %lld) does not answer /health",
                          (long long)agent->pid);
    via_buf_deinit(&request);
    via_buf_deinit(&answer);
    return status;
}

/* The refusal in an answer: {"code","message"}. */
static enum via_status
answer_refusal(const struct via_buf *answer, struct via_error *e)
{
    const char *body = strstr(via_buf_text(answer), "\r\n\r\n");
    const char *code = NULL, *message = NULL;
    via_json *doc = NULL;
    size_t n = 0;

    if (body && via_json_parse(body + 4, strlen(body + 4), 8, &doc, NULL) == VIA_OK) {
        code = via_json_string(via_json_member(doc, "code"), &n);
        message = via_json_string(via_json_member(doc, "message"), NULL);
    }
    if (code)
        via_ignore(via_error_set(e, via_status_parse(code, n), "%s", message ? message : code));
    else
        via_ignore(via_error_set(e, VIA_AGENT_UNREACHABLE, "the agent gave no answer"));
    via_json_free(doc);
    return e->status;
}

enum via_status
cli_agent_read(const struct cli_agent *agent, const char *token, const char *binding,
               struct via_error *e)
{
    struct via_buf body, request, answer;
    enum via_status status;

    via_buf_init(&body);
    via_buf_init(&request);
    via_buf_init(&answer);
    request.secret = true;
    via_buf_puts(&body, "{\"binding\":");
    via_buf_put_json(&body, binding, strlen(binding));
    via_buf_puts(&body, ",\"sql\":\"SELECT count(*) FROM sqlite_schema\"}");
    via_buf_printf(&request,
                   "POST /v1/runtime/sql/query HTTP/1.1\r\nHost: localhost\r\n"
                   "Connection: close\r\nContent-Type: application/json\r\n"
                   "Authorization: Bearer %s\r\nContent-Length: %zu\r\n\r\n%s",
                   token, body.len, via_buf_text(&body));
    status = agent_exchange(agent, &request, READ_TIMEOUT_S, &answer, e);
    if (status == VIA_OK && answer_status(&answer) != 200)
        status = answer_refusal(&answer, e);
    via_buf_deinit(&body);
    via_buf_deinit(&request);
    via_buf_deinit(&answer);
    return status;
}
