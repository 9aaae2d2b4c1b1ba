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
    bool has_body; /* one was announced */
    struct via_buf body;

    int status; /* the answer: filled in before ANSWERED or resume */
    struct via_buf reply;
    const char *allow;        /* Allow: of a 405, else NULL */
    int retry_after_s;        /* Retry-After: when not 0 */
    const char *content_type; /* NULL: application/json */
    int cache_s;              /* may be kept so long by anybody; 0: not said */
    bool close;               /* end the connection after this answer */

    /* When set, the body follows from here, in pieces, after what is in `reply`. Writes at
     * most `size` bytes and says how many; VIA_HTTP_WAIT after it has called
     * via_http_park(), VIA_HTTP_END, or VIA_HTTP_CUT to break the connection off. */
    ssize_t (*pull)(struct via_http_request *r, char *out, size_t size);

    void *user; /* the handler's own, for the life of the connection; NULL at first */
};

#define VIA_HTTP_WAIT ((ssize_t)0)
#define VIA_HTTP_END ((ssize_t)-1)
#define VIA_HTTP_CUT ((ssize_t)-2)

enum via_http_turn { VIA_HTTP_ANSWERED, VIA_HTTP_PARKED, VIA_HTTP_READ };

/* Why the transport refuses by itself. */
enum via_http_refusal {
    VIA_HTTP_MALFORMED,
    VIA_HTTP_TOO_LARGE,
    VIA_HTTP_OVERLOADED, /* too many bodies are being read at once */
    VIA_HTTP_ENDING      /* the server is, before the answer was there */
};

/* What the server asks of its owner. All are called on connection threads; `refuse` also
 * on that of via_http_server_abandon(). */
struct via_http_handler {
    void *arg;

    /* The head of `r` is here, its body is not: VIA_HTTP_READ to read that and serve; else as
     * `serve`, without it. */
    enum via_http_turn (*admit)(void *arg, struct via_http_request *r);

    /* Answer `r`, or via_http_park() it and return VIA_HTTP_PARKED. */
    enum via_http_turn (*serve)(void *arg, struct via_http_request *r);

    /* Fill in the body of a refusal by the transport (r->status is set), and Retry-After. */
    void (*refuse)(void *arg, struct via_http_request *r, enum via_http_refusal why,
                   const char *sentence);

    /* The longest body that is read now. */
    size_t (*body_limit)(void *arg);

    unsigned stall_s;  /* a client that takes nothing of a streamed answer for so long is cut off */
    size_t bodies_max; /* bytes of bodies in memory at once, in all servers of the process */

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

/* Requests that are inside of `serve` or `admit` right now. */
int via_http_server_serving(const struct via_http_server *s);

/* Answer every parked request with a refusal, taking it from whoever has it: a resume that
 * comes later does nothing. Says how many there were; after any, the server cannot be freed. */
int via_http_server_abandon(struct via_http_server *s);

/* Close every connection and free. No request may be parked. */
void via_http_server_free(struct via_http_server *s);

/* Take `r` off its thread until via_http_resume(). Before the work is handed over, so
 * that the resume cannot come first. */
void via_http_park(struct via_http_request *r);

/* Go on with a parked request: its answer is filled in, or its pull has more. From any
 * thread; `r` may be gone when this returns. */
void via_http_resume(struct via_http_request *r);

#endif
