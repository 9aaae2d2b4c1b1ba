/* listen.c: making listening sockets. */
#include "http/listen.h"

#include "base/error.h"
#include "base/fs.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 512
#define FIRST_INHERITED 3

/* Is somebody listening at `a`? */
static bool
unix_is_alive(const struct sockaddr_un *a)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool alive;

    if (fd < 0)
        return false;
    alive = connect(fd, (const struct sockaddr *)a, sizeof *a) == 0 || errno == EAGAIN;
    close(fd);
    return alive;
}

/* Remove what a dead agent left; anything that is no socket, or is served, stays. */
static enum via_status
unix_clear(const struct sockaddr_un *a, struct via_error *e)
{
    struct stat st;

    if (lstat(a->sun_path, &st) != 0)
        return VIA_OK;
    if (!S_ISSOCK(st.st_mode))
        return via_error_set(e, VIA_LISTEN_FAILED, "%s is there and is no socket; move it away",
                             a->sun_path);
    if (unix_is_alive(a))
        return via_error_set(e, VIA_LISTEN_FAILED,
                             "another process listens at %s; stop it or give --socket",
                             a->sun_path);
    return via_fs_remove(a->sun_path, e);
}

enum via_status
via_listen_unix(const char *path, int *out, struct via_error *e)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = -1;

    if (strlen(path) > VIA_SOCKET_PATH_MAX)
        return via_error_set(
            e, VIA_SOCKET_PATH_TOO_LONG,
            "the socket path has %zu bytes and the system takes %d; give a shorter one with "
            "--socket, or a shorter --state-dir",
            strlen(path), VIA_SOCKET_PATH_MAX);
    memcpy(a.sun_path, path, strlen(path) + 1);
    if (unix_clear(&a, e) != VIA_OK)
        return e->status;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) != 0 || chmod(path, 0666) != 0 ||
        listen(fd, BACKLOG) != 0) {
        via_error_set_errno(e, VIA_LISTEN_FAILED, errno, "cannot listen at %s", path);
        if (fd >= 0)
            close(fd);
        return e->status;
    }
    *out = fd;
    return VIA_OK;
}

/* Split `HOST:PORT` or `[HOST]:PORT`. */
static bool
address_split(const char *address, char host[VIA_LISTEN_SIZE], char port[8])
{
    const char *colon = strrchr(address, ':');
    size_t n;

    if (!colon || strlen(colon + 1) == 0 || strlen(colon + 1) > 5 ||
        strspn(colon + 1, "0123456789") != strlen(colon + 1) || strtol(colon + 1, NULL, 10) > 65535)
        return false;
    n = (size_t)(colon - address);
    if (n >= 2 && address[0] == '[' && address[n - 1] == ']') {
        address++;
        n -= 2;
    }
    if (n == 0 || n >= VIA_LISTEN_SIZE)
        return false;
    memcpy(host, address, n);
    host[n] = '\0';
    memcpy(port, colon + 1, strlen(colon + 1) + 1);
    return true;
}

static bool
address_is_loopback(const struct sockaddr_storage *a)
{
    if (a->ss_family == AF_INET)
        return (ntohl(((const struct sockaddr_in *)a)->sin_addr.s_addr) >> 24) == 127;
    return a->ss_family == AF_INET6 &&
           IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)a)->sin6_addr);
}

bool
via_listen_describe(int fd, char actual[VIA_LISTEN_SIZE], bool *loopback)
{
    struct sockaddr_storage a = {0};
    socklen_t n = sizeof a;
    char host[64], port[8];

    if (getsockname(fd, (struct sockaddr *)&a, &n) != 0 ||
        getnameinfo((struct sockaddr *)&a, n, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return false;
    snprintf(actual, VIA_LISTEN_SIZE, a.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
    *loopback = address_is_loopback(&a);
    return true;
}

enum via_status
via_listen_tcp(const char *address, int *out, char actual[VIA_LISTEN_SIZE], bool *loopback,
               struct via_error *e)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *list = NULL;
    char host[VIA_LISTEN_SIZE], port[8];
    int fd = -1, one = 1, failed;

    if (!address_split(address, host, port))
        return via_error_set(e, VIA_USAGE, "--listen takes HOST:PORT or none, not %s", address);
    failed = getaddrinfo(host, port, &hints, &list);
    if (failed)
        return via_error_set(e, VIA_LISTEN_FAILED, "cannot listen at %s: %s", address,
                             gai_strerror(failed));
    fd = socket(list->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
        bind(fd, list->ai_addr, list->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0 ||
        !via_listen_describe(fd, actual, loopback)) {
        via_error_set_errno(e, VIA_LISTEN_FAILED, errno,
                            "cannot listen at %s; give another with --listen", address);
        if (fd >= 0)
            close(fd);
        fd = -1;
    }
    freeaddrinfo(list);
    *out = fd;
    return fd < 0 ? VIA_LISTEN_FAILED : VIA_OK;
}

void
via_listen_inherited(int *unix_fd, int *tcp_fd)
{
    const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");

    *unix_fd = *tcp_fd = -1;
    if (pid && count && strtol(pid, NULL, 10) == (long)getpid()) {
        for (int i = 0; i < (int)strtol(count, NULL, 10) && i < 16; i++) {
            int fd = FIRST_INHERITED + i, listening = 0;
            struct sockaddr_storage a = {0};
            socklen_t n = sizeof a, m = sizeof listening;

            if (getsockname(fd, (struct sockaddr *)&a, &n) != 0 ||
                getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &m) != 0 || !listening)
                continue;
            if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 || fcntl(fd, F_SETFL, O_NONBLOCK) != 0)
                continue;
            if (a.ss_family == AF_UNIX && *unix_fd < 0)
                *unix_fd = fd;
            else if (a.ss_family != AF_UNIX && *tcp_fd < 0)
                *tcp_fd = fd;
        }
    }
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
}

void
via_listen_notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    size_t n = path ? strlen(path) : 0;
    int fd;

    if (n < 2 || n >= sizeof a.sun_path || (path[0] != '/' && path[0] != '@'))
        return;
    memcpy(a.sun_path, path, n);
    if (path[0] == '@')
        a.sun_path[0] = '\0';
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    (void)!sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&a,
                  (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n));
    close(fd);
}
