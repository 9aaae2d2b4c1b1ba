/* sqlcall.h: POST /v1/runtime/sql/query, execute and setup.
 *
 * A request that the gates have passed before, and whose answer is near, is served on its
 * connection's thread. All else is parked and goes through the door: a worker asks the
 * gates, then hands it to the add-on's lane. */
#ifndef VIA_API_SQLCALL_H
#define VIA_API_SQLCALL_H

#include "api/agent.h"
#include "http/server.h"
#include "proxy/run.h"

enum via_http_turn via_sqlcall_serve(struct via_agent *a, struct via_http_request *r,
                                     enum via_run_kind kind);

/* Could its bearer be one of Via's? Else turn it away, before its body is read, through the gate
 * that refuses it. */
bool via_sqlcall_has_bearer(const struct via_http_request *r);
enum via_http_turn via_sqlcall_turn_away(struct via_agent *a, struct via_http_request *r);

/* The request is over, its connection closed: let go of what they hold. Fine for any request. */
void via_sqlcall_over(struct via_agent *a, struct via_http_request *r);
void via_sqlcall_gone(struct via_agent *a, struct via_http_request *r);

#endif
