/* answer.c: an answer on its way out, whole, in pieces, or ahead of the body it is for. */
#include "http/link.h"

#include <stdio.h>
#include <string.h>

static ssize_t
link_read(void *arg, uint64_t position, char *out, size_t size)
{
    struct link *l = arg;
    ssize_t n;

    if (atomic_load(&l->abandoned))
        return MHD_CONTENT_READER_END_WITH_ERROR;
    if (position < l->r.reply.len) {
        size_t left = l->r.reply.len - (size_t)position;

        n = (ssize_t)(left < size ? left : size);
        memcpy(out, l->r.reply.data + position, (size_t)n);
        return n;
    }
    n = l->r.pull(&l->r, out, size);
    if (n == VIA_HTTP_END)
        return MHD_CONTENT_READER_END_OF_STREAM;
    if (n == VIA_HTTP_CUT)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    return n;
}

enum MHD_Result
via_link_queue(struct link *l)
{
    struct MHD_Response *response;
    enum MHD_Result done;
    char number[32];

    if (l->r.pull) {
        MHD_set_connection_option(l->connection, MHD_CONNECTION_OPTION_TIMEOUT,
                                  l->server->handler->stall_s);
        response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, VIA_HTTP_PIECE_BYTES,
                                                     link_read, l, NULL);
    } else
        response = MHD_create_response_from_buffer(l->r.reply.len, l->r.reply.data,
                                                   MHD_RESPMEM_PERSISTENT);
    if (!response)
        return MHD_NO;
    MHD_add_response_header(response, "Content-Type",
                            l->r.content_type ? l->r.content_type : "application/json");
    if (l->r.cache_s) {
        snprintf(number, sizeof number, "public, max-age=%d", l->r.cache_s);
        MHD_add_response_header(response, "Cache-Control", number);
    }
    if (l->r.reply.secret)
        MHD_add_response_header(response, "Cache-Control", "no-store");
    if (l->r.allow)
        MHD_add_response_header(response, "Allow", l->r.allow);
    if (l->r.retry_after_s) {
        snprintf(number, sizeof number, "%d", l->r.retry_after_s);
        MHD_add_response_header(response, "Retry-After", number);
    }
    if (l->r.close)
        MHD_add_response_header(response, "Connection", "close");
    done = MHD_queue_response(l->connection, (unsigned)l->r.status, response);
    MHD_destroy_response(response);
    return done;
}

void
via_link_refuse(struct link *l, int status, enum via_http_refusal why, const char *sentence)
{
    l->r.status = status;
    l->r.close = true;
    l->server->handler->refuse(l->server->handler->arg, &l->r, why, sentence);
}

void
via_link_refuse_overloaded(struct link *l)
{
    via_link_refuse(l, 503, VIA_HTTP_OVERLOADED,
                    "too many long requests are being read; try again");
}

/* Most clients read nothing until they have sent all, and what is left unread when the connection
 * is closed takes the answer along: so the body is read first and forgotten, unless it is very long
 * or comes only when asked for. */
enum MHD_Result
via_link_queue_late(struct link *l, const struct via_http_headers *h)
{
    if (h->has_expect || h->length > VIA_HTTP_SWALLOW_TIMES * (uint64_t)l->limit)
        return via_link_queue(l);
    l->answered = true;
    l->swallowed = 1;
    return MHD_YES;
}

enum MHD_Result
via_link_queue_farewell(struct link *l)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(l->farewell.len, l->farewell.data, MHD_RESPMEM_MUST_COPY);
    enum MHD_Result done;

    if (!response)
        return MHD_NO;
    MHD_add_response_header(response, "Content-Type", "application/json");
    MHD_add_response_header(response, "Retry-After", "1");
    MHD_add_response_header(response, "Connection", "close");
    done = MHD_queue_response(l->connection, 503, response);
    MHD_destroy_response(response);
    return done;
}
