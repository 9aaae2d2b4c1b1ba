/* listen.h: listening sockets: by path, by address, or inherited. */
#ifndef VIA_HTTP_LISTEN_H
#define VIA_HTTP_LISTEN_H

#include "via/model.h"

#include <stddef.h>

/* The address that is listened at, as `HOST:PORT`. */
#define VIA_LISTEN_SIZE 128

/* Listen at `path`, mode 0666, replacing a socket that nobody listens at any more.
 * VIA_SOCKET_PATH_TOO_LONG, VIA_LISTEN_FAILED. */
VIA_MUST_USE enum via_status via_listen_unix(const char *path, int *fd, struct via_error *e);

/* Listen at `HOST:PORT` (`[HOST]:PORT` for IPv6; port 0 picks one); `actual` receives what it
 * became. *loopback is false when other hosts can reach it. */
VIA_MUST_USE enum via_status via_listen_tcp(const char *address, int *fd,
                                            char actual[VIA_LISTEN_SIZE], bool *loopback,
                                            struct via_error *e);

/* Sockets handed over by the service manager (LISTEN_PID, LISTEN_FDS): the first Unix and the
 * first TCP listener, -1 where there is none. Clears the variables. */
void via_listen_inherited(int *unix_fd, int *tcp_fd);

/* Describe a TCP listener as via_listen_tcp does. */
VIA_MUST_USE bool via_listen_describe(int fd, char actual[VIA_LISTEN_SIZE], bool *loopback);

/* Tell the service manager (NOTIFY_SOCKET) `state`, e.g. "READY=1". Without one: nothing. */
void via_listen_notify(const char *state);

#endif
