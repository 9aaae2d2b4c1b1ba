/* sqlcall.c: the way of one SQL request, see sqlcall.h.
 *
 * serve ─ quick read ─────────────────────────────► answer
 *    └─ door: gates ─┬─ refused, audited ─────────► answer
 *                    ├─ reads: slow read ─ pieces ► answer
 *                    └─ writes: execute, setup ───► answer
 *
 * From park to resume a call belongs to one task at a time, never to its connection. */
#include "api/sqlcall.h"

#include "api/call.h"
#include "api/reply.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "provider/provider.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define INLINE_BODY_BYTES (64 * 1024) /* longer ones are read by a worker */
#define ROUNDS 3                      /* how often one request may be found stale */

static void task_door(struct via_task *task, int worker);
static void task_read(struct via_task *task, int worker);
static void task_write(struct via_task *task, int worker);
static void task_more(struct via_task *task, int worker);
static void call_route(struct via_call *c);

static struct via_call *
call_of(struct via_task *task)
{
    return (struct via_call *)(void *)task;
}

/* -- on the connection's thread ------------------------------------------------- */

static struct via_call *
call_begin(struct via_agent *a, struct via_http_request *r, enum via_run_kind kind)
{
    struct via_call *c = via_call_begin(a, r);

    if (!c)
        return NULL;
    c->run.kind = kind;
    c->run.out = &r->reply;
    return c;
}

/* The pass for this request, if the gates need not be asked. */
static bool
call_recall(struct via_call *c)
{
    struct via_token_key key;
    const char *token;
    size_t n;

    token = via_call_bearer(c->http->authorization, &n);
    if (n == 0)
        return false;
    via_tokens_key_again(&c->memo, token, n, c->request.binding, c->request.generation, &key);
    c->run.pass =
        via_tokens_find(c->agent->tokens, &key, atomic_load(&c->agent->epoch), via_clock_now_ms());
    return c->run.pass != NULL;
}

bool
via_sqlcall_has_bearer(const struct via_http_request *r)
{
    size_t n;

    via_call_bearer(r->authorization, &n);
    return n > 0 && n <= VIA_TOKEN_SIZE;
}

enum via_http_turn
via_sqlcall_turn_away(struct via_agent *a, struct via_http_request *r)
{
    struct via_call *c = call_begin(a, r, VIA_RUN_QUERY);

    r->close = r->has_body;
    return c ? via_call_park(c, &a->door, task_door) : VIA_HTTP_ANSWERED;
}

enum via_http_turn
via_sqlcall_serve(struct via_agent *a, struct via_http_request *r, enum via_run_kind kind)
{
    struct via_call *c = call_begin(a, r, kind);
    struct via_error e = {0};

    if (!c)
        return VIA_HTTP_ANSWERED;
    if (r->body.len > INLINE_BODY_BYTES || !via_call_parse(c, &e) || !call_recall(c) ||
        via_call_may(c, &e) != VIA_OK)
        return via_call_park(c, &a->door, task_door);
    if (!via_call_writes(c)) {
        switch (via_run_read_quick(&c->run, a->pool)) {
        case VIA_RUN_DONE:
            via_call_done(c);
            return VIA_HTTP_ANSWERED;
        case VIA_RUN_FAILED:
            via_call_fail(c);
            return VIA_HTTP_ANSWERED;
        case VIA_RUN_WRITES:
            c->writes = true;
            break;
        case VIA_RUN_STALE:
            via_call_drop_pass(c);
            return via_call_park(c, &a->door, task_door);
        default:
            break;
        }
    }
    c->shelf = via_pool_hold(a->pool, c->run.pass->grant.addon_id, false, 0, NULL);
    if (!c->shelf)
        return via_call_park(c, &a->door, task_door);
    return via_call_writes(c) ? via_call_park(c, &c->shelf->writes, task_write)
                              : via_call_park(c, &c->shelf->reads, task_read);
}

/* -- on a worker ---------------------------------------------------------------- */

static void
call_submit(struct via_call *c, struct via_lane *lane, void (*run)(struct via_task *, int))
{
    c->task.run = run;
    via_lanes_submit(c->agent->lanes, lane, &c->task);
}

static void
task_door(struct via_task *task, int worker)
{
    struct via_call *c = call_of(task);

    if (via_call_readmit(c, worker))
        call_route(c);
    else
        via_http_resume(c->http);
}

/* To the add-on's lane, on a shelf that is made when there is none. */
static void
call_route(struct via_call *c)
{
    struct via_agent *a = c->agent;
    struct via_error e = {0};

    c->shelf =
        via_pool_hold(a->pool, c->run.pass->grant.addon_id, true, c->run.bounds->open_addons, &e);
    if (!c->shelf) {
        via_reply_failure(c->http, &e);
        via_http_resume(c->http);
    } else if (via_call_writes(c))
        call_submit(c, &c->shelf->writes, task_write);
    else
        call_submit(c, &c->shelf->reads, task_read);
}

/* Why the storage would not open, as far as its provider can see. */
static void
call_explain_storage(struct via_call *c)
{
    const struct via_provider *provider = via_provider_find("sqlite");
    struct via_storage_facts facts = {0};
    struct via_error e = {0};

    provider->probe(&c->agent->root, c->run.pass->grant.addon_id, &facts);
    if (facts.obstacle)
        via_error_set(&e, VIA_STORAGE_UNREADABLE, "the storage of this add-on cannot be read");
    else if (!facts.present)
        via_error_set(&e, VIA_STORAGE_MISSING, "the storage of this add-on is missing");
    else if (via_vfs_refusal(&e) == VIA_OK)
        e = c->run.error;
    via_call_turn_away(c, &c->run.pass->grant.claims, &e);
}

/* It ran when a restore would wait no longer. */
static void
call_interrupted(struct via_call *c)
{
    const struct via_grant *grant = &c->run.pass->grant;

    via_ignore(via_witness_interrupt(c->agent->witness, &grant->claims, grant->binding,
                                     c->run.error.status));
}

/* The storage layer found the grant stale: ask the gates again, a few times at most. True: the call
 * was handed on. */
static bool
call_retry(struct via_call *c)
{
    struct via_error e = {0};

    if (++c->rounds < ROUNDS) {
        via_call_drop_pass(c);
        call_submit(c, &c->agent->door, task_door);
        return true;
    }
    if (via_vfs_refusal(&e) == VIA_OK)
        via_error_set(&e, VIA_INTERNAL_ERROR, "the storage refuses what the gates allow");
    via_call_turn_away(c, &c->run.pass->grant.claims, &e);
    return false;
}

/* -- results that stream -------------------------------------------------------- */

/* The next bytes of a streamed result: from the piece at hand, or a worker makes another. */
static ssize_t
call_pull(struct via_http_request *r, char *out, size_t size)
{
    struct via_call *c = r->user;
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
    if (!via_streams_take(&c->agent->streams, &c->stream))
        return VIA_HTTP_CUT;
    via_call_park(c, &c->run.conn->shelf->reads, task_more);
    return VIA_HTTP_WAIT;
}

static void
task_more(struct via_task *task, int worker)
{
    struct via_call *c = call_of(task);

    (void)worker;
    c->streamed = via_run_more(&c->run, c->agent->pool);
    c->piece_at = 0;
    if (c->streamed == VIA_RUN_MORE)
        via_streams_put(&c->agent->streams, &c->stream, &c->run);
    if (c->run.error.status == VIA_ADDON_DRAINING)
        call_interrupted(c);
    if (c->streamed == VIA_RUN_FAILED || c->streamed == VIA_RUN_STALE)
        via_log(VIA_LOG_WARN, "a result was cut off: %s: %s", via_status_word(c->run.error.status),
                c->run.error.message);
    via_http_resume(c->http);
}

/* The first piece is the reply; those that follow are made while it is sent. */
static void
call_stream(struct via_call *c)
{
    c->http->status = 200;
    c->http->pull = call_pull;
    c->run.written = c->run.out->len;
    c->run.out = &c->piece;
    c->streamed = VIA_RUN_MORE;
    via_buf_reset(&c->piece);
    c->piece_at = 0;
    via_streams_put(&c->agent->streams, &c->stream, &c->run);
}

/* -- the lanes ------------------------------------------------------------------ */

/* Act on how a run ended. */
static void
call_conclude(struct via_call *c, enum via_run_state state, int worker)
{
    switch (state) {
    case VIA_RUN_DONE:
        via_call_done(c);
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
        if (c->run.error.status == VIA_ADDON_DRAINING)
            call_interrupted(c);
        if ((c->run.rc & 0xff) == SQLITE_CANTOPEN)
            call_explain_storage(c);
        else
            via_call_fail(c);
        break;
    }
    via_http_resume(c->http);
}

/* Settle that the call may still run, on the shelf it holds. False: it was answered, or went
 * elsewhere. */
static bool
call_arrive(struct via_call *c, int worker)
{
    if (via_conn_is_stopping()) {
        via_reply_error(c->http, VIA_SHUTTING_DOWN, "the agent is going down; try again", NULL);
        via_pool_drop(c->agent->pool, c->shelf);
        via_http_resume(c->http);
        return false;
    }
    if (!via_call_readmit(c, worker)) {
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
    struct via_call *c = call_of(task);

    if (call_arrive(c, worker))
        call_conclude(c, via_run_read(&c->run, c->agent->pool, c->shelf), worker);
}

static void
task_write(struct via_task *task, int worker)
{
    struct via_call *c = call_of(task);

    if (call_arrive(c, worker))
        call_conclude(c, via_run_write(&c->run, c->agent->pool, c->shelf), worker);
}

/* -- letting go ----------------------------------------------------------------- */

void
via_sqlcall_over(struct via_agent *a, struct via_http_request *r)
{
    struct via_call *c = r->user;

    if (!c)
        return;
    via_streams_remove(&a->streams, &c->stream);
    via_run_end(&c->run, a->pool);
    via_call_drop_pass(c);
    via_json_free(c->request.doc);
    via_json_free(c->config.doc);
    via_buf_deinit(&c->piece);
    memset(c, 0, offsetof(struct via_call, memo));
    c->agent = a;
    c->http = r;
    via_buf_init(&c->piece);
}

void
via_sqlcall_gone(struct via_agent *a, struct via_http_request *r)
{
    struct via_call *c = r->user;

    (void)a;
    if (c)
        explicit_bzero(&c->memo, sizeof c->memo);
    free(c);
    r->user = NULL;
}
