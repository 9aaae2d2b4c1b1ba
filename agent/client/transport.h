/* transport.h: one keep-alive HTTP connection to the agent. The only user of the HTTP library.
 *
 * Knows no SQL. Sends a request body at most once: a POST that may have reached the agent
 * is never repeated here. */
#ifndef VIA_CLIENT_TRANSPORT_H
#define VIA_CLIENT_TRANSPORT_H

#include "base/buf.h"
#include "config.h"

struct via_transport;

struct via_answer {
    int http;
    int retry_after_s;
    bool secret; /* asked for: wipe the body when it is let go of */
    struct via_buf body;
};

/* Make a transport to the agent that `config` names. NULL: out of memory. */
struct via_transport *via_transport_new(const struct via_config *config);
void via_transport_free(struct via_transport *t);

/* Use `token` from the next request on. False: out of memory. */
bool via_transport_set_token(struct via_transport *t, const char *token);

/* 0: no limit. */
void via_transport_set_timeout(struct via_transport *t, long timeout_ms);

/* POST `body` to `path` ("/v1/…") and fill *answer, whose buffer the caller keeps and frees. False,
 * with *why, when there is no whole answer; any HTTP status is an answer. */
bool via_transport_post(struct via_transport *t, const char *path, const struct via_buf *body,
                        struct via_answer *answer, struct via_failure *why);

#endif
