/* server.h: HTTP/1.1 in, bytes out.
 *
 * Turns what arrives on a listening socket into a small struct, and a filled-in answer
 * into what leaves. Knows no SQL and nothing of Via; the only user of the HTTP
 * library. Handlers run on the connections' own threads and must not block: what
 * takes time is parked and answered later from any thread. */
#ifndef VIA_HTTP_SERVER_H
#define VIA_HTTP_SERVER_H

#include "base/buf.h"

#include <stdint.h>
#include <sys/types.h>

/* One request and its answer. Lives as long as its connection and is used for one
 * request after the other; texts are borrowed until `over`. */
struct via_http_request {
    const char *method;
    const char *path; /* without the query, percent-decoded */
    const char *host; /* NULL when absent, as the next two */
    const char *origin;
    const char *authorization;
    struct via_buf body;

    int status; /* the answer: filled in before ANSWERED or resume */
    struct via_buf reply;
    const char *allow; /* Allow: of a 405, else NULL */
    int retry_after_s; /* Retry-After: when not 0 */
    bool close;        /* end the connection after this answer */

    /* When set, the body follows from here, in pieces, after what is in `reply`. Writes at
     * most `size` bytes and says how many; VIA_HTTP_WAIT after it has called
     * via_http_park(), VIA_HTTP_END, or VIA_HTTP_CUT to break the connection off. */
    ssize_t (*pull)(struct via_http_request *r, char *out, size_t size);

    void *user; /* the handler's own, for the life of the connection; NULL at first */
};

#define VIA_HTTP_WAIT ((ssize_t)0)
#define VIA_HTTP_END ((ssize_t)-1)
#define VIA_HTTP_CUT ((ssize_t)-2)

enum via_http_turn { VIA_HTTP_ANSWERED, VIA_HTTP_PARKED };

/* What the server asks of its owner. All are called on connection threads. */
struct via_http_handler {
    void *arg;

    /* Answer `r`, or via_http_park() it and return VIA_HTTP_PARKED. */
    enum via_http_turn (*serve)(void *arg, struct via_http_request *r);

    /* Fill in the body of a refusal by the transport (r->status is set). */
    void (*refuse)(void *arg, struct via_http_request *r, const char *sentence);

    /* The longest body that is read now. */
    size_t (*body_limit)(void *arg);

    /* The request is over: its answer sent, or its client gone. */
    void (*over)(void *arg, struct via_http_request *r);

    /* The connection is closed: free r->user. */
    void (*gone)(void *arg, struct via_http_request *r);
};

struct via_http_server;

/* Serve the listening socket `fd`, which the server owns from here on. NULL on failure
 * (then `fd` is still the caller's). `handler` is borrowed. */
struct via_http_server *via_http_server_new(int fd, const struct via_http_handler *handler);

/* Accept no more connections; those open go on. */
void via_http_server_quiesce(struct via_http_server *s);

/* Requests that are being read, parked or answered. */
int via_http_server_busy(const struct via_http_server *s);

/* Close every connection and free. No request may be parked. */
void via_http_server_free(struct via_http_server *s);

/* Take `r` off its thread until via_http_resume(). Before the work is handed over, so
 * that the resume cannot come first. */
void via_http_park(struct via_http_request *r);

/* Go on with a parked request: its answer is filled in, or its pull has more. From any
 * thread; `r` may be gone when this returns. */
void via_http_resume(struct via_http_request *r);

#endif
