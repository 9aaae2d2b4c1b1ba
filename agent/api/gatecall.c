/* gatecall.c: a request before the gates, and its answers. */
#include "api/call.h"
#include "api/reply.h"
#include "base/clock.h"
#include "base/error.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* -- the call -------------------------------------------------------------------- */

struct via_call *
via_call_begin(struct via_agent *a, struct via_http_request *r)
{
    struct via_call *c = r->user;

    if (!c) {
        c = calloc(1, sizeof *c);
        if (!c) {
            via_reply_error(r, VIA_OUT_OF_MEMORY, "there is no memory for this request", NULL);
            return NULL;
        }
        c->agent = a;
        c->http = r;
        via_buf_init(&c->piece);
        r->user = c;
    }
    c->run.bounds = via_agent_bounds(a);
    return c;
}

enum via_http_turn
via_call_park(struct via_call *c, struct via_lane *lane, void (*run)(struct via_task *, int))
{
    via_http_park(c->http);
    c->task.run = run;
    via_lanes_submit(c->agent->lanes, lane, &c->task);
    return VIA_HTTP_PARKED;
}

/* -- answering ------------------------------------------------------------------ */

void
via_call_done(struct via_call *c)
{
    c->http->status = 200;
}

/* What a failed run tells its client. */
void
via_call_fail(struct via_call *c)
{
    struct via_error *e = &c->run.error;

    via_reply_error(c->http, e->status, e->message, c->run.sqlite);
}

void
via_gate_turn_away(struct via_agent *a, struct via_http_request *r, const struct via_claims *claims,
                   const char *binding, const struct via_error *e)
{
    if (!via_gate_is_refusal(e->status)) {
        via_reply_failure(r, e);
        return;
    }
    if (!binding[0] && claims) /* a generation token names its own */
        binding = claims->binding;
    /* On disk before it is answered. */
    via_witness_refusal(a->witness, claims, binding, e->status, "agent");
    via_reply_error(r, e->status, e->message, NULL);
}

void
via_call_turn_away(struct via_call *c, const struct via_claims *claims, const struct via_error *e)
{
    via_gate_turn_away(c->agent, c->http, claims, c->request.binding, e);
}

/* -- the gates ------------------------------------------------------------------ */

const char *
via_call_bearer(const char *authorization, size_t *n)
{
    *n = 0;
    if (!authorization || strncasecmp(authorization, "Bearer ", 7) != 0)
        return "";
    authorization += 7;
    authorization += strspn(authorization, " ");
    *n = strlen(authorization);
    /* The library strips what stands before a value and not what follows it. */
    while (*n > 0 && (authorization[*n - 1] == ' ' || authorization[*n - 1] == '\t'))
        --*n;
    return authorization;
}

bool
via_call_parse(struct via_call *c, struct via_error *e)
{
    struct via_buf *body = &c->http->body;
    int depth = (int)c->run.bounds->json_depth;

    if (c->parsed)
        return true;
    via_json_free(c->request.doc);
    c->parsed = via_sqlrequest_read(&c->request, body->data, body->len, depth, e) == VIA_OK;
    c->run.sql = c->request.sql;
    c->run.sql_len = c->request.sql_len;
    c->run.params = c->request.params;
    return c->parsed;
}

bool
via_call_writes(const struct via_call *c)
{
    return c->writes || !via_run_may_read(&c->run);
}

enum via_status
via_call_may(const struct via_call *c, struct via_error *e)
{
    return via_grant_allows(&c->run.pass->grant, via_call_writes(c) ? VIA_OP_WRITE : VIA_OP_READ,
                            e);
}

void
via_call_drop_pass(struct via_call *c)
{
    via_pass_drop(c->run.pass);
    c->run.pass = NULL;
}

/* Ask the gates, in their order, with the body read once the bearer is known. True: c->run.pass
 * is set. False: the request is answered. */
static bool
call_admit(struct via_call *c, int worker)
{
    struct via_agent *a = c->agent;
    struct via_error e = {0};
    struct via_claims claims = {0};
    struct via_grant grant;
    struct via_token_key key;
    const struct via_epoch *epoch = atomic_load(&a->epoch);
    struct via_access *access = via_agent_access(a, worker, &e);
    const char *token;
    size_t n;

    via_call_drop_pass(c);
    token = via_call_bearer(c->http->authorization, &n);
    if (!access) {
        via_reply_failure(c->http, &e);
        return false;
    }
    if (via_access_identify(access, token, n, &claims, &e) != VIA_OK) {
        via_call_turn_away(c, claims.instance[0] ? &claims : NULL, &e);
        return false;
    }
    if (!via_call_parse(c, &e)) {
        via_reply_error(c->http, e.status, e.message, NULL);
        return false;
    }
    if (!c->request.binding[0] && !claims.binding[0]) {
        via_reply_error(c->http, VIA_BAD_REQUEST, "binding is missing", NULL);
        return false;
    }
    if (via_access_check(access, &claims, c->request.binding, c->request.generation, &grant, &e) !=
        VIA_OK) {
        via_call_turn_away(c, &claims, &e);
        return false;
    }
    via_tokens_key_again(&c->memo, token, n, c->request.binding, c->request.generation, &key);
    if (via_witness_grant(a->witness, &claims, grant.binding) != VIA_OK)
        grant.epoch = 0; /* not on record: for this operation only, and the next one tries again */
    c->run.pass = via_tokens_put(a->tokens, &key, epoch, &grant);
    if (!c->run.pass) {
        via_reply_error(c->http, VIA_OUT_OF_MEMORY, "there is no memory for this request", NULL);
        return false;
    }
    return true;
}

/* Is what the gates said still so? Else ask again. False: the request is answered. */
bool
via_call_readmit(struct via_call *c, int worker)
{
    struct via_error e = {0};
    bool fresh = c->run.pass &&
                 via_pass_is_fresh(c->run.pass, atomic_load(&c->agent->epoch), via_clock_now_ms());

    if (!fresh && !call_admit(c, worker))
        return false;
    if (via_call_may(c, &e) == VIA_OK)
        return true;
    via_call_turn_away(c, &c->run.pass->grant.claims, &e);
    return false;
}
