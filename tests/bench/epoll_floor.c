/* The focus of this file is the floor that the agent is measured against: a bare epoll HTTP
 * server on a Unix socket that runs one prepared point SELECT a request, its parameter taken
 * from the JSON body, and answers JSON of the agent's shape. No checks of any kind.
 *
 *     epoll_floor SOCKET DATABASE [SQL]
 *
 * One thread. Prints "ready" when it listens; ends when killed. */
#include <errno.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define CLIENTS 1024
#define REQUEST_BYTES 16384

struct client {
    size_t len;
    char in[REQUEST_BYTES];
};

static const char default_sql[] = "SELECT body FROM item WHERE id = ?";

static struct client *clients[CLIENTS];
static sqlite3_stmt *stmt;
static char body[1 << 16];

static void
die(const char *what)
{
    perror(what);
    exit(1);
}

/* The first number after "params": the point to read. */
static sqlite3_int64
parameter_of(const char *json)
{
    const char *at = strstr(json, "\"params\"");

    at = at ? strpbrk(at, "-0123456789") : NULL;
    return at ? strtoll(at, NULL, 10) : 0;
}

static size_t
put_text(char *out, const char *text)
{
    char *p = out;

    *p++ = '"';
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            *p++ = '\\';
        *p++ = *text;
    }
    *p++ = '"';
    return (size_t)(p - out);
}

/* Run the statement and write its row as the agent would. */
static size_t
answer_body(sqlite3_int64 point)
{
    char *p = body;
    int columns = sqlite3_column_count(stmt);

    sqlite3_bind_int64(stmt, 1, point);
    p += sprintf(p, "{\"columns\":[");
    for (int i = 0; i < columns; i++)
        p += sprintf(p, "%s\"%s\"", i ? "," : "", sqlite3_column_name(stmt, i));
    p += sprintf(p, "],\"rows\":[");
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        *p++ = '[';
        for (int i = 0; i < columns; i++) {
            if (i)
                *p++ = ',';
            if (sqlite3_column_type(stmt, i) == SQLITE_INTEGER)
                p += sprintf(p, "%lld", sqlite3_column_int64(stmt, i));
            else
                p += put_text(p, (const char *)sqlite3_column_text(stmt, i));
        }
        *p++ = ']';
    }
    sqlite3_reset(stmt);
    p += sprintf(p, "]}");
    return (size_t)(p - body);
}

static void
client_answer(int fd, const char *json)
{
    static char out[sizeof body + 256];
    size_t n = answer_body(parameter_of(json));
    int head = sprintf(out,
                       "HTTP/1.1 200 OK\r\nConnection: Keep-Alive\r\n"
                       "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
                       n);

    memcpy(out + head, body, n);
    if (send(fd, out, (size_t)head + n, MSG_NOSIGNAL) < 0)
        return;
}

/* Serve every whole request that is in the buffer. */
static void
client_serve(int fd, struct client *c)
{
    for (;;) {
        char *end, *length;
        size_t whole;

        c->in[c->len] = '\0';
        end = strstr(c->in, "\r\n\r\n");
        if (!end)
            return;
        length = strcasestr(c->in, "content-length:");
        whole = (size_t)(end + 4 - c->in) + (length ? strtoul(length + 15, NULL, 10) : 0);
        if (c->len < whole)
            return;
        client_answer(fd, end + 4);
        c->len -= whole;
        memmove(c->in, c->in + whole, c->len);
    }
}

static void
client_read(int fd)
{
    struct client *c = clients[fd];
    ssize_t n = recv(fd, c->in + c->len, sizeof c->in - 1 - c->len, MSG_DONTWAIT);

    if (n > 0) {
        c->len += (size_t)n;
        client_serve(fd, c);
    } else if (n == 0 || errno != EAGAIN) {
        close(fd);
        free(c);
        clients[fd] = NULL;
    }
}

static int
listen_at(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
    unlink(path);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) != 0 || listen(fd, 64) != 0)
        die(path);
    return fd;
}

static void
watch(int ep, int fd)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.fd = fd};

    if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) != 0)
        die("epoll_ctl");
}

int
main(int argc, char **argv)
{
    struct epoll_event events[64];
    sqlite3 *db;
    int ep, fd;

    if (argc != 3 && argc != 4) {
        fprintf(stderr, "usage: epoll_floor SOCKET DATABASE [SQL]\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    if (sqlite3_open_v2(argv[2], &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) ||
        sqlite3_prepare_v2(db, argc == 4 ? argv[3] : default_sql, -1, &stmt, NULL)) {
        fprintf(stderr, "epoll_floor: %s\n", sqlite3_errmsg(db));
        return 1;
    }
    fd = listen_at(argv[1]);
    ep = epoll_create1(0);
    watch(ep, fd);
    puts("ready");
    fflush(stdout);
    for (;;) {
        int n = epoll_wait(ep, events, 64, -1);

        for (int i = 0; i < n; i++) {
            int peer = events[i].data.fd;

            if (peer != fd) {
                client_read(peer);
                continue;
            }
            peer = accept(fd, NULL, NULL);
            if (peer < 0 || peer >= CLIENTS || !(clients[peer] = calloc(1, sizeof(struct client))))
                continue;
            watch(ep, peer);
        }
    }
}
