/* live.h: a live Via for C tests: a state root in memory where the machine has that, the tables on
 * a connection of this process, an agent of its own, and kept HTTP connections to it.
 *
 * What cannot go wrong in a test ends it: nothing here returns an error. */
#ifndef VIA_TESTS_LIVE_H
#define VIA_TESTS_LIVE_H

#include "scratch.h"
#include "vfs/vfs.h"
#include "via/ext.h"

#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

static struct via_root live_root;
static sqlite3 *live_db;
static pid_t live_agent;
static char live_socket[108];

__attribute__((noreturn, format(printf, 1, 2))) static inline void
live_die(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fputs("not ok - ", stdout);
    vprintf(format, args);
    putchar('\n');
    va_end(args);
    exit(1);
}

/* -- SQL ------------------------------------------------------------------------ */

/* A connection that has the via_* tables. */
static inline sqlite3 *
live_connect(void)
{
    sqlite3 *db = NULL;

    if (sqlite3_open(":memory:", &db) != SQLITE_OK || sqlite3_via_init(db, NULL, NULL) != SQLITE_OK)
        live_die("the extension does not load");
    return db;
}

/* Run statements of a printf format (%Q quotes) on `db`; they must succeed. Returns the first
 * column of the last row, "" when there is none, in memory that the next call reuses. */
static inline const char *
live_sql_on(sqlite3 *db, const char *format, va_list args)
{
    static __thread char value[512];
    char *sql = sqlite3_vmprintf(format, args);
    const char *rest = sql;

    value[0] = '\0';
    while (*rest) {
        sqlite3_stmt *q = NULL;
        int rc = sqlite3_prepare_v2(db, rest, -1, &q, &rest);

        while (rc == SQLITE_OK && q && (rc = sqlite3_step(q)) == SQLITE_ROW) {
            const char *text = (const char *)sqlite3_column_text(q, 0);

            snprintf(value, sizeof value, "%s", text ? text : "");
            rc = SQLITE_OK;
        }
        if ((rc != SQLITE_OK && rc != SQLITE_DONE) || sqlite3_finalize(q) != SQLITE_OK)
            live_die("%s: %s", sqlite3_errmsg(db), sql);
    }
    sqlite3_free(sql);
    return value;
}

static inline const char *
live_sql(const char *format, ...)
{
    const char *value;
    va_list args;

    va_start(args, format);
    value = live_sql_on(live_db, format, args);
    va_end(args);
    return value;
}

/* Mint a token into a file and read it: `kind` workload or generation (then with `binding`). */
static inline void
live_mint(const char *kind, const char *instance, const char *binding, int ttl_s,
          char token[VIA_TOKEN_SIZE])
{
    char path[VIA_PATH_SIZE];
    FILE *in;

    via_root_join(&live_root, "../minted", path);
    live_sql("INSERT INTO via_tokens(kind,instance,binding,path,ttl_s)"
             " VALUES(%Q,%Q,nullif(%Q,''),%Q,%d)",
             kind, instance, binding, path, ttl_s);
    in = fopen(path, "re");
    if (!in || !fgets(token, VIA_TOKEN_SIZE, in))
        live_die("no token was minted");
    fclose(in);
    token[strcspn(token, "\n")] = '\0';
}

/* -- HTTP ----------------------------------------------------------------------- */

struct live_http {
    int fd;
    int status;
    char code[64]; /* "" for a 200 */
    size_t len;
    char body[16384];
};

static inline void
live_dial(struct live_http *h)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};

    memcpy(a.sun_path, live_socket, sizeof live_socket);
    h->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (h->fd < 0 || connect(h->fd, (struct sockaddr *)&a, sizeof a) != 0)
        live_die("the agent does not take connections");
}

/* Read one answer into `h`. False: the connection was closed instead. */
static inline bool
live_receive(struct live_http *h)
{
    size_t whole = 0;

    h->len = 0;
    while (!whole || h->len < whole) {
        ssize_t n = recv(h->fd, h->body + h->len, sizeof h->body - 1 - h->len, 0);
        const char *end, *length;

        if (n <= 0)
            return false;
        h->len += (size_t)n;
        h->body[h->len] = '\0';
        end = strstr(h->body, "\r\n\r\n");
        length = end ? strcasestr(h->body, "content-length:") : NULL;
        if (length && !whole)
            whole = (size_t)(end + 4 - h->body) + strtoul(length + 15, NULL, 10);
    }
    return true;
}

/* Send `n` bytes and take the answer apart; dials again when the agent closed the last one. */
static inline bool
live_exchange(struct live_http *h, const char *request, size_t n)
{
    const char *code;
    size_t sent = 0;

    if (h->fd < 0)
        live_dial(h);
    while (sent < n) {
        ssize_t m = send(h->fd, request + sent, n - sent, MSG_NOSIGNAL);

        if (m <= 0)
            break;
        sent += (size_t)m;
    }
    h->code[0] = '\0';
    h->status = 0;
    if (!live_receive(h)) {
        close(h->fd);
        h->fd = -1;
        return false;
    }
    h->status = atoi(h->body + strlen("HTTP/1.1 "));
    code = strstr(h->body, "\"code\":\"");
    if (h->status != 200 && code)
        snprintf(h->code, sizeof h->code, "%.*s", (int)strcspn(code + 8, "\""), code + 8);
    if (strcasestr(h->body, "\r\nconnection: close")) {
        close(h->fd);
        h->fd = -1;
    }
    return true;
}

/* POST `body` to /v1/runtime/`path`. False: no answer. */
static inline bool
live_post(struct live_http *h, const char *path, const char *token, const char *body)
{
    char request[VIA_TOKEN_SIZE * 4];
    int n = snprintf(request, sizeof request,
                     "POST /v1/runtime/%s HTTP/1.1\r\nHost: localhost\r\n"
                     "Authorization: Bearer %s\r\nContent-Length: %zu\r\n\r\n%s",
                     path, token, strlen(body), body);

    if ((size_t)n >= sizeof request)
        live_die("a request is too long for the test");
    return live_exchange(h, request, (size_t)n);
}

/* One SQL operation ("query", "execute") on `binding` ("" for none). False: no answer. */
static inline bool
live_call(struct live_http *h, const char *operation, const char *token, const char *binding,
          const char *sql)
{
    char path[32], body[1024];

    snprintf(path, sizeof path, "sql/%s", operation);
    snprintf(body, sizeof body, "{%s%s%s\"sql\":\"%s\"}", binding[0] ? "\"binding\":\"" : "",
             binding, binding[0] ? "\"," : "", sql);
    return live_post(h, path, token, body);
}

/* -- the agent ------------------------------------------------------------------ */

static inline void
live_stop(void)
{
    if (live_agent > 0 && getpid() == scratch_pid) {
        kill(live_agent, SIGKILL);
        waitpid(live_agent, NULL, 0);
    }
    live_agent = 0;
}

/* Start build/viad on the root and wait for its socket. It dies with this process. */
static inline void
live_agent_start(void)
{
    const char *build = getenv("BUILD");
    char program[VIA_PATH_SIZE], log[VIA_PATH_SIZE], socket_path[VIA_PATH_SIZE];
    struct live_http h = {.fd = -1};

    snprintf(program, sizeof program, "%s/viad", build ? build : "build");
    via_root_join(&live_root, "../agent.log", log);
    via_root_join(&live_root, "run/agent.sock", socket_path);
    if (strlen(socket_path) >= sizeof live_socket)
        live_die("the socket's path is too long");
    memcpy(live_socket, socket_path, strlen(socket_path) + 1);
    live_agent = fork();
    if (live_agent == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (!freopen(log, "w", stderr) || !freopen("/dev/null", "r", stdin))
            _exit(126);
        execl(program, "viad", "--state-dir", live_root.path, "--listen", "none", (char *)NULL);
        _exit(127);
    }
    for (int i = 0; i < 1200; i++) {
        struct sockaddr_un a = {.sun_family = AF_UNIX};

        memcpy(a.sun_path, live_socket, sizeof live_socket);
        h.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(h.fd, (struct sockaddr *)&a, sizeof a) == 0) {
            close(h.fd);
            return;
        }
        close(h.fd);
        if (waitpid(live_agent, NULL, WNOHANG) != 0) {
            live_agent = 0;
            break;
        }
        usleep(50000);
    }
    live_die("the agent %s does not start", program);
}

/* A fresh root, the tables, an agent. */
static inline void
live_start(void)
{
    if (access("/dev/shm", W_OK | X_OK) == 0)
        setenv("VIA_TEST_TMP", "/dev/shm", 1);
    scratch_root(&live_root);
    live_db = live_connect();
    live_sql("SELECT count(*) FROM via_apps");
    live_agent_start();
    atexit(live_stop);
}

#endif
