/* link.h: one connection, and how its answers leave. Inside of this room only. */
#ifndef VIA_HTTP_LINK_H
#define VIA_HTTP_LINK_H

#include "http/headers.h"
#include "http/server.h"

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

#define VIA_HTTP_PIECE_BYTES (16 * 1024) /* of a streamed answer; of a connection's own memory */
#define VIA_HTTP_SWALLOW_TIMES 4 /* as much as a body may have is read of one nobody looks at */

struct via_http_server {
    struct MHD_Daemon *daemon;
    const struct via_http_handler *handler;
    int fd; /* taken back when quiesced */
    bool quiesced;
    _Atomic int busy;
    _Atomic int serving;
    pthread_mutex_t lock; /* of the list */
    struct link *parked;
};

struct link {
    struct via_http_request r; /* first: a request is its link */
    struct via_http_server *server;
    struct MHD_Connection *connection;
    size_t limit;     /* of this request's body */
    size_t counted;   /* of its memory, in bodies_bytes */
    size_t swallowed; /* bytes of a body that nobody will look at */
    bool overloaded;  /* swallowed because of others */
    bool answered;
    struct link *next, **at; /* among the parked; `at` is NULL when it is not */

    /* Once abandoned, `r` belongs for good to whoever it was parked for. */
    _Atomic bool abandoned;
    struct via_buf farewell;
};

/* Send the answer that is filled in. */
enum MHD_Result via_link_queue(struct link *l);

/* As above, for a body that will not be looked at: once it has come, if that is to be expected. */
enum MHD_Result via_link_queue_late(struct link *l, const struct via_http_headers *h);

/* Send the farewell of one that was abandoned. */
enum MHD_Result via_link_queue_farewell(struct link *l);

/* Fill in a refusal by the transport. */
void via_link_refuse(struct link *l, int status, enum via_http_refusal why, const char *sentence);
void via_link_refuse_overloaded(struct link *l);

#endif
