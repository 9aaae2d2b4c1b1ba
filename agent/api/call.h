/* call.h: one gated request on its way, and what the gates say of it. Inside of this room only. */
#ifndef VIA_API_CALL_H
#define VIA_API_CALL_H

#include "api/agent.h"
#include "api/configrequest.h"
#include "api/sqlrequest.h"
#include "http/server.h"
#include "proxy/run.h"

struct via_call {
    struct via_task task; /* first: a task is its call */
    struct via_agent *agent;
    struct via_http_request *http;
    struct via_sqlrequest request;
    struct via_configrequest config; /* of a config route, in place of `request` and `run` */
    struct via_run run;
    struct via_shelf *shelf; /* held for the lane it waits in */
    struct via_buf piece;    /* of a streamed result */
    size_t piece_at;
    struct via_stream stream;
    bool parsed;
    bool writes; /* found to write, or about to */
    enum via_run_state streamed;
    int rounds;
    struct via_token_memo memo; /* last: it outlives the request, with the connection */
};

/* The call of the connection that `r` came on, made with its first one. NULL: no memory, which is
 * answered. */
struct via_call *via_call_begin(struct via_agent *a, struct via_http_request *r);

/* Take it off the connection's thread: `run` goes on with it. */
enum via_http_turn via_call_park(struct via_call *c, struct via_lane *lane,
                                 void (*run)(struct via_task *, int));

/* The token of the request, "" without one. */
const char *via_call_bearer(const char *authorization, size_t *n);

/* Read the body, once. False: *e says what is wrong with it. */
bool via_call_parse(struct via_call *c, struct via_error *e);

/* Does it write, as far as is known? */
bool via_call_writes(const struct via_call *c);

/* May its grant do that? */
enum via_status via_call_may(const struct via_call *c, struct via_error *e);

/* Is what the gates said still so? Else ask again, on worker `worker`. False: it is answered. */
bool via_call_readmit(struct via_call *c, int worker);

void via_call_drop_pass(struct via_call *c);

/* Answer: the result stands in the reply; the run failed; the gates, or asking them, said *e (a
 * refusal is on disk before it is answered). */
void via_call_done(struct via_call *c);
void via_call_fail(struct via_call *c);
void via_call_turn_away(struct via_call *c, const struct via_claims *claims,
                        const struct via_error *e);

/* As the last, for a request that names its binding (or none: "") by other means. */
void via_gate_turn_away(struct via_agent *a, struct via_http_request *r,
                        const struct via_claims *claims, const char *binding,
                        const struct via_error *e);

#endif
