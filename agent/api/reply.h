/* reply.h: answers in JSON, and the one shape of every error. */
#ifndef VIA_API_REPLY_H
#define VIA_API_REPLY_H

#include "http/server.h"
#include "via/model.h"

/* {"code","message","error"}, and "sqlite" unless NULL. Sets status and Retry-After. */
void via_reply_error(struct via_http_request *r, enum via_status status, const char *message,
                     const char *sqlite);

/* As above for a failure inside of Via: where it is nothing a client can mend, it is logged
 * under a number and the client gets the number alone. */
void via_reply_failure(struct via_http_request *r, const struct via_error *e);

/* The body of a refusal by the transport; r->status is set. */
void via_reply_transport(struct via_http_request *r, enum via_http_refusal why,
                         const char *message);

#endif
