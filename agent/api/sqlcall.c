/* sqlcall.c: the way of one SQL request, see sqlcall.h.
 *
 * serve ─ quick read ─────────────────────────────► answer
 *    └─ door: gates ─┬─ refused, audited ─────────► answer
 *                    ├─ reads: slow read ─ pieces ► answer
 *                    └─ writes: execute, setup ───► answer
 *
 * From park to resume a call belongs to one task at a time, never to its connection. */
#include "api/sqlcall.h"

#include "api/reply.h"
#include "api/sqlrequest.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "provider/provider.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define INLINE_BODY_BYTES (64 * 1024) /* longer ones are read by a worker */
#define ROUNDS 3                      /* how often one request may be found stale */

struct call {
    struct via_task task; /* first: a task is its call */
    struct via_agent *agent;
    struct via_http_request *http;
    struct via_sqlrequest request;
    struct via_run run;
    struct via_shelf *shelf; /* held for the lane it waits in */
    struct via_buf piece;    /* of a streamed result */
    size_t piece_at;
    bool parsed;
    bool writes; /* found to write, or about to */
    enum via_run_state streamed;
    int rounds;
};

static void task_door(struct via_task *task, int worker);
static void task_read(struct via_task *task, int worker);
static void task_write(struct via_task *task, int worker);
static void task_more(struct via_task *task, int worker);
static void call_route(struct call *c);

static struct call *
call_of(struct via_task *task)
{
    return (struct call *)(void *)task;
}

/* -- answering ------------------------------------------------------------------ */

static void
call_done(struct call *c)
{
    c->http->status = 200;
}

/* What a failed run tells its client. */
static void
call_fail(struct call *c)
{
    struct via_error *e = &c->run.error;

    via_reply_error(c->http, e->status, e->message, c->run.sqlite);
}

/* A refusal by a gate: on disk before it is answered. */
static void
call_refuse(struct call *c, const struct via_claims *claims, const struct via_error *e)
{
    via_witness_refusal(c->agent->witness, claims, c->request.binding, e->status, "agent");
    via_reply_error(c->http, e->status, e->message, NULL);
}

/* Is `status` a gate's word, rather than a failure to ask one? */
static bool
is_refusal(enum via_status status)
{
    return (status >= VIA_TOKEN_MISSING && status <= VIA_ADDON_DRAINING) ||
           status == VIA_STORAGE_MISSING;
}

static void
call_turn_away(struct call *c, const struct via_claims *claims, const struct via_error *e)
{
    if (is_refusal(e->status))
        call_refuse(c, claims, e);
    else
        via_reply_failure(c->http, e);
}

/* -- the gates ------------------------------------------------------------------ */

static const char *
bearer(const char *authorization, size_t *n)
{
    *n = 0;
    if (!authorization || strncasecmp(authorization, "Bearer ", 7) != 0)
        return "";
    authorization += 7;
    *n = strlen(authorization);
    return authorization;
}

static bool
call_parse(struct call *c, struct via_error *e)
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

static bool
call_writes(const struct call *c)
{
    return c->writes || !via_run_may_read(&c->run);
}

static enum via_status
call_may(const struct call *c, struct via_error *e)
{
    return via_grant_allows(&c->run.pass->grant, call_writes(c) ? VIA_OP_WRITE : VIA_OP_READ, e);
}

static void
call_drop_pass(struct call *c)
{
    via_pass_drop(c->run.pass);
    c->run.pass = NULL;
}

/* Ask the gates, in their order, with the body read once the bearer is known. True: c->run.pass is
 * set. False: the request is answered. */
static bool
call_admit(struct call *c, int worker)
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

    call_drop_pass(c);
    token = bearer(c->http->authorization, &n);
    if (!access) {
        via_reply_failure(c->http, &e);
        return false;
    }
    if (via_access_identify(access, token, n, &claims, &e) != VIA_OK) {
        call_turn_away(c, claims.instance[0] ? &claims : NULL, &e);
        return false;
    }
    if (!call_parse(c, &e)) {
        via_reply_error(c->http, e.status, e.message, NULL);
        return false;
    }
    if (!c->request.binding[0] && !claims.binding[0]) {
        via_reply_error(c->http, VIA_BAD_REQUEST, "binding is missing", NULL);
        return false;
    }
    if (via_access_check(access, &claims, c->request.binding, c->request.generation, &grant, &e) !=
        VIA_OK) {
        call_turn_away(c, &claims, &e);
        return false;
    }
    via_tokens_key(token, n, c->request.binding, c->request.generation, &key);
    via_witness_grant(a->witness, &claims, grant.binding);
    c->run.pass = via_tokens_put(a->tokens, &key, epoch, &grant);
    if (!c->run.pass) {
        via_reply_error(c->http, VIA_OUT_OF_MEMORY, "there is no memory for this request", NULL);
        return false;
    }
    return true;
}

/* Is what the gates said still so? Else ask again. False: the request is answered. */
static bool
call_readmit(struct call *c, int worker)
{
    struct via_error e = {0};
    bool fresh = c->run.pass &&
                 via_pass_is_fresh(c->run.pass, atomic_load(&c->agent->epoch), via_clock_now_ms());

    if (!fresh && !call_admit(c, worker))
        return false;
    if (call_may(c, &e) == VIA_OK)
        return true;
    call_turn_away(c, &c->run.pass->grant.claims, &e);
    return false;
}

/* -- on the connection's thread ------------------------------------------------- */

static struct call *
call_begin(struct via_agent *a, struct via_http_request *r, enum via_run_kind kind)
{
    struct call *c = r->user;

    if (!c) {
        c = calloc(1, sizeof *c);
        if (!c)
            return NULL;
        c->agent = a;
        c->http = r;
        via_buf_init(&c->piece);
        r->user = c;
    }
    c->run.kind = kind;
    c->run.out = &r->reply;
    c->run.bounds = atomic_load(&a->bounds);
    return c;
}

static enum via_http_turn
call_park(struct call *c, struct via_lane *lane, void (*run)(struct via_task *, int))
{
    via_http_park(c->http);
    c->task.run = run;
    via_lanes_submit(c->agent->lanes, lane, &c->task);
    return VIA_HTTP_PARKED;
}

/* The pass for this request, if the gates need not be asked. */
static bool
call_recall(struct call *c)
{
    struct via_token_key key;
    const char *token;
    size_t n;

    token = bearer(c->http->authorization, &n);
    if (n == 0)
        return false;
    via_tokens_key(token, n, c->request.binding, c->request.generation, &key);
    c->run.pass =
        via_tokens_find(c->agent->tokens, &key, atomic_load(&c->agent->epoch), via_clock_now_ms());
    return c->run.pass != NULL;
}

enum via_http_turn
via_sqlcall_serve(struct via_agent *a, struct via_http_request *r, enum via_run_kind kind)
{
    struct call *c = call_begin(a, r, kind);
    struct via_error e = {0};

    if (!c) {
        via_reply_error(r, VIA_OUT_OF_MEMORY, "there is no memory for this request", NULL);
        return VIA_HTTP_ANSWERED;
    }
    if (r->body.len > INLINE_BODY_BYTES || !call_parse(c, &e) || !call_recall(c) ||
        call_may(c, &e) != VIA_OK)
        return call_park(c, &a->door, task_door);
    if (!call_writes(c)) {
        switch (via_run_read_quick(&c->run, a->pool)) {
        case VIA_RUN_DONE:
            call_done(c);
            return VIA_HTTP_ANSWERED;
        case VIA_RUN_FAILED:
            call_fail(c);
            return VIA_HTTP_ANSWERED;
        case VIA_RUN_WRITES:
            c->writes = true;
            break;
        case VIA_RUN_STALE:
            call_drop_pass(c);
            return call_park(c, &a->door, task_door);
        default:
            break;
        }
    }
    c->shelf = via_pool_hold(a->pool, c->run.pass->grant.addon_id, false, 0, NULL);
    if (!c->shelf)
        return call_park(c, &a->door, task_door);
    return call_writes(c) ? call_park(c, &c->shelf->writes, task_write)
                          : call_park(c, &c->shelf->reads, task_read);
}

/* -- on a worker ---------------------------------------------------------------- */

static void
call_submit(struct call *c, struct via_lane *lane, void (*run)(struct via_task *, int))
{
    c->task.run = run;
    via_lanes_submit(c->agent->lanes, lane, &c->task);
}

static void
task_door(struct via_task *task, int worker)
{
    struct call *c = call_of(task);

    if (call_readmit(c, worker))
        call_route(c);
    else
        via_http_resume(c->http);
}

/* To the add-on's lane, on a shelf that is made when there is none. */
static void
call_route(struct call *c)
{
    struct via_agent *a = c->agent;
    struct via_error e = {0};

    c->shelf =
        via_pool_hold(a->pool, c->run.pass->grant.addon_id, true, c->run.bounds->open_addons, &e);
    if (!c->shelf) {
        via_reply_failure(c->http, &e);
        via_http_resume(c->http);
    } else if (call_writes(c))
        call_submit(c, &c->shelf->writes, task_write);
    else
        call_submit(c, &c->shelf->reads, task_read);
}

/* Why the storage would not open, as far as its provider can see. */
static void
call_explain_storage(struct call *c)
{
    const struct via_provider *provider = via_provider_find("sqlite");
    struct via_storage_facts facts = {0};
    struct via_error e = {0};

    provider->probe(&c->agent->root, c->run.pass->grant.addon_id, &facts);
    if (!facts.present)
        via_error_set(&e, VIA_STORAGE_MISSING, "the storage of this add-on is missing");
    else if (via_vfs_refusal(&e) == VIA_OK)
        e = c->run.error;
    call_turn_away(c, &c->run.pass->grant.claims, &e);
}

/* The storage layer found the grant stale: ask the gates again, a few times at most. True: the call
 * was handed on. */
static bool
call_retry(struct call *c)
{
    struct via_error e = {0};

    if (++c->rounds < ROUNDS) {
        call_drop_pass(c);
        call_submit(c, &c->agent->door, task_door);
        return true;
    }
    if (via_vfs_refusal(&e) == VIA_OK)
        via_error_set(&e, VIA_INTERNAL_ERROR, "the storage refuses what the gates allow");
    call_turn_away(c, &c->run.pass->grant.claims, &e);
    return false;
}

/* -- results that stream -------------------------------------------------------- */

/* The next bytes of a streamed result: from the piece at hand, or a worker makes another. */
static ssize_t
call_pull(struct via_http_request *r, char *out, size_t size)
{
    struct call *c = r->user;
    size_t left = c->piece.len - c->piece_at;

    if (left > 0) {
        if (left > size)
            left = size;
        memcpy(out, c->piece.data + c->piece_at, left);
        c->piece_at += left;
        return (ssize_t)left;
    }
    if (c->streamed == VIA_RUN_DONE)
        return VIA_HTTP_END;
    if (c->streamed != VIA_RUN_MORE)
        return VIA_HTTP_CUT;
    call_park(c, &c->run.conn->shelf->reads, task_more);
    return VIA_HTTP_WAIT;
}

static void
task_more(struct via_task *task, int worker)
{
    struct call *c = call_of(task);

    (void)worker;
    c->streamed = via_run_more(&c->run, c->agent->pool);
    c->piece_at = 0;
    if (c->streamed == VIA_RUN_FAILED || c->streamed == VIA_RUN_STALE)
        via_log(VIA_LOG_WARN, "a result was cut off: %s: %s", via_status_word(c->run.error.status),
                c->run.error.message);
    via_http_resume(c->http);
}

/* The first piece is the reply; those that follow are made while it is sent. */
static void
call_stream(struct call *c)
{
    c->http->status = 200;
    c->http->pull = call_pull;
    c->run.written = c->run.out->len;
    c->run.out = &c->piece;
    c->streamed = VIA_RUN_MORE;
    via_buf_reset(&c->piece);
    c->piece_at = 0;
}

/* -- the lanes ------------------------------------------------------------------ */

/* Act on how a run ended. */
static void
call_conclude(struct call *c, enum via_run_state state, int worker)
{
    switch (state) {
    case VIA_RUN_DONE:
        call_done(c);
        break;
    case VIA_RUN_MORE:
        call_stream(c);
        break;
    case VIA_RUN_WRITES:
        c->writes = true;
        task_door(&c->task, worker);
        return;
    case VIA_RUN_STALE:
        if (call_retry(c))
            return;
        break;
    default:
        if ((c->run.rc & 0xff) == SQLITE_CANTOPEN)
            call_explain_storage(c);
        else
            call_fail(c);
        break;
    }
    via_http_resume(c->http);
}

/* Settle that the call may still run, on the shelf it holds. False: it was answered, or went
 * elsewhere. */
static bool
call_arrive(struct call *c, int worker)
{
    if (!call_readmit(c, worker)) {
        via_pool_drop(c->agent->pool, c->shelf);
        via_http_resume(c->http);
        return false;
    }
    if (strcmp(c->shelf->addon_id, c->run.pass->grant.addon_id) != 0) {
        via_pool_drop(c->agent->pool, c->shelf);
        call_route(c);
        return false;
    }
    via_vfs_clear_refusal();
    return true;
}

static void
task_read(struct via_task *task, int worker)
{
    struct call *c = call_of(task);

    if (call_arrive(c, worker))
        call_conclude(c, via_run_read(&c->run, c->agent->pool, c->shelf), worker);
}

static void
task_write(struct via_task *task, int worker)
{
    struct call *c = call_of(task);

    if (call_arrive(c, worker))
        call_conclude(c, via_run_write(&c->run, c->agent->pool, c->shelf), worker);
}

/* -- letting go ----------------------------------------------------------------- */

void
via_sqlcall_over(struct via_agent *a, struct via_http_request *r)
{
    struct call *c = r->user;

    if (!c)
        return;
    via_run_end(&c->run, a->pool);
    call_drop_pass(c);
    via_json_free(c->request.doc);
    via_buf_deinit(&c->piece);
    c->request.doc = NULL;
    c->shelf = NULL;
    c->parsed = c->writes = false;
    c->rounds = 0;
    c->run.sqlite = NULL;
    c->run.rc = 0;
    c->run.written = 0;
    via_error_clear(&c->run.error);
}

void
via_sqlcall_gone(struct via_agent *a, struct via_http_request *r)
{
    (void)a;
    free(r->user);
    r->user = NULL;
}
