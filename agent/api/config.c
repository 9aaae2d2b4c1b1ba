/* config.c: the way of one config request.
 *
 * serve ─ fresh profile, nothing to refuse or to record ─► answer
 *    └─ door: gates ─┬─ refused, audited ────────────────► answer
 *                    └─ profile made, or found ──────────► answer */
#include "api/config.h"

#include "api/call.h"
#include "api/configreply.h"
#include "api/profiles.h"
#include "api/reply.h"
#include "base/clock.h"
#include "base/error.h"

#include <stdio.h>
#include <string.h>

#define INLINE_BODY_BYTES (16 * 1024)
#define URL_SIZE 1100

/* What one answer is made with. */
struct answer {
    struct via_call *call;
    struct via_held_profile *held;
    struct via_access
        *access; /* NULL on the connection's thread: nothing may be asked or written */
    struct via_config_source from;
    char url[URL_SIZE];
    struct via_error e;  /* the refusal */
    const char *binding; /* that it is about, "" for none */
    bool missing;        /* something was */
};

/* -- the address ------------------------------------------------------------------ */

/* The agent's address for libSQL clients, without a slash at its end; "" when it has none. */
static void
url_find(const struct via_agent *a, const struct via_bounds *bounds, char out[URL_SIZE])
{
    const char *listen = a->listen, *host = "";
    size_t n;

    if (strncmp(listen, "0.0.0.0:", 8) == 0) {
        host = "127.0.0.1:";
        listen += 8;
    } else if (strncmp(listen, "[::]:", 5) == 0) {
        host = "[::1]:";
        listen += 5;
    }
    out[0] = '\0';
    if (strncmp(bounds->advertised_url, "http", 4) == 0)
        snprintf(out, URL_SIZE, "%s", bounds->advertised_url);
    else if (strchr(listen, ':'))
        (void)stpcpy(stpcpy(stpcpy(out, "http://"), host), listen); /* each call: no printf */
    n = strlen(out);
    while (n > 0 && out[n - 1] == '/')
        out[--n] = '\0';
    if (strpbrk(out, "\"\\")) /* nothing that is an address */
        out[0] = '\0';
}

/* -- may it be told? -------------------------------------------------------------- */

/* The generation that a refresh has, when it is not the one of now: may it still be exchanged? */
static bool
check_generation(struct answer *an, const struct via_config_item *item)
{
    struct via_grant grant;

    if (item->key.generation == 0 || item->key.generation == item->binding->generation)
        return true;
    if (!an->access)
        return false;
    return via_access_check(an->access, &an->from.profile->claims, item->binding->name,
                            item->key.generation, &grant, &an->e) == VIA_OK;
}

/* The first time that a binding is granted is on record before it is. */
static bool
check_witnessed(struct answer *an, struct via_profile_binding *binding)
{
    if (atomic_load_explicit(&binding->witnessed, memory_order_acquire))
        return true;
    if (!an->access)
        return false;
    if (via_witness_grant(an->call->agent->witness, &an->from.profile->claims, binding->name) ==
        VIA_OK)
        atomic_store_explicit(&binding->witnessed, true, memory_order_release);
    return true;
}

/* False: it is refused, with the reason in an->e, or without an access has to be asked for. */
static bool
check_item(void *arg, const struct via_config_item *item)
{
    struct answer *an = arg;

    if (item->what == VIA_TOLD_NOTHING) {
        an->missing = true;
        return true;
    }
    if (item->what == VIA_TOLD_VALUE) {
        if (item->value->broken)
            via_error_set(&an->e, VIA_KEY_UNAVAILABLE,
                          "the secret %s of app %s does not open; set it again", item->value->name,
                          an->from.profile->claims.app);
        return !item->value->broken;
    }
    an->binding = item->binding->name;
    if (item->binding->refused.status != VIA_OK) {
        an->e = item->binding->refused;
        return false;
    }
    return check_generation(an, item) && check_witnessed(an, item->binding);
}

/* Is the request about what its bearer is? */
static bool
check_workload(struct answer *an)
{
    const struct via_configrequest *q = &an->call->config;
    const struct via_profile *p = an->from.profile;

    if (q->kind == VIA_CONFIG_REFRESH &&
        (strcmp(q->app, p->claims.app) != 0 || strcmp(q->release, p->claims.release) != 0 ||
         strcmp(q->deploy, p->claims.deploy) != 0))
        via_error_set(&an->e, VIA_WORKLOAD_UNBOUND,
                      "the token is of another app, release or deploy than the request");
    if (q->name && (q->environment_len != strlen(p->target) ||
                    memcmp(q->environment, p->target, q->environment_len) != 0))
        via_error_set(&an->e, VIA_WORKLOAD_UNBOUND,
                      "the token is of another environment than the request");
    return an->e.status == VIA_OK;
}

/* Fill in the answer. False: it takes a worker, or, with an->e set, it is refused. */
static bool
answer_make(struct answer *an)
{
    struct via_call *c = an->call;

    an->from = (struct via_config_source){.profile = an->held->profile, .base_url = an->url};
    an->binding = "";
    url_find(c->agent, c->run.bounds, an->url);
    if (!check_workload(an) || !via_config_each(&an->from, &c->config, check_item, an))
        return false;
    if (c->config.name && an->missing) {
        an->binding = "";
        via_error_set(&an->e, VIA_ENV_NOT_FOUND, "there is no such value for this instance");
        return false;
    }
    via_buf_reset(&c->http->reply);
    c->http->reply.secret = true;
    via_configreply_write(&c->http->reply, &an->from, &c->config);
    if (c->http->reply.failed) {
        via_error_set(&an->e, VIA_OUT_OF_MEMORY, "there is no memory for this answer");
        return false;
    }
    c->http->status = 200;
    return true;
}

/* -- the way ---------------------------------------------------------------------- */

static bool
request_read(struct via_call *c, struct via_error *e)
{
    struct via_buf *body = &c->http->body;

    if (c->config.read)
        return true;
    if (c->config.kind == VIA_CONFIG_VALUE)
        return via_configrequest_path(&c->config, c->http->path, e) == VIA_OK;
    return via_configrequest_read(&c->config, body->data, body->len, (int)c->run.bounds->json_depth,
                                  e) == VIA_OK;
}

static void
request_key(struct via_call *c, struct via_token_key *key)
{
    const char *token;
    size_t n;

    token = via_call_bearer(c->http->authorization, &n);
    via_tokens_key_again(&c->memo, token, n, "", 0, key);
}

static struct via_held_profile *
request_recall(struct via_call *c)
{
    struct via_token_key key;

    request_key(c, &key);
    return via_profiles_find(c->agent->profiles, &key, atomic_load(&c->agent->epoch),
                             via_clock_now_ms());
}

/* Who asks, by a token for this use; the body is read once that is known. */
static bool
request_identify(struct via_call *c, struct via_access *access, struct via_claims *claims,
                 struct via_error *e)
{
    const char *token;
    size_t n;

    token = via_call_bearer(c->http->authorization, &n);
    if (via_access_identify(access, token, n, claims, e) != VIA_OK)
        return false;
    if (claims->binding[0])
        via_error_set(e, VIA_TOKEN_INVALID,
                      "the token's audience is %s, and this route takes via-config",
                      claims->audience);
    return e->status == VIA_OK;
}

/* Make the profile anew, through the gates. NULL with *e. */
static struct via_held_profile *
request_profile(struct via_call *c, struct via_access *access, const struct via_claims *claims,
                struct via_error *e)
{
    struct via_agent *a = c->agent;
    const struct via_epoch *epoch = atomic_load(&a->epoch);
    struct via_held_profile *older = via_profiles_of(a->profiles, claims->instance), *held = NULL;
    struct via_profile *profile;
    struct via_token_key key;

    request_key(c, &key);
    if (via_profile_new(access, claims, older ? older->profile : NULL, &profile, e) == VIA_OK) {
        held = via_profiles_put(a->profiles, &key, epoch, profile);
        if (!held)
            via_error_set(e, VIA_OUT_OF_MEMORY, "there is no memory for this request");
    }
    via_profile_drop(older);
    return held;
}

/* Ask the gates and answer. */
static void
request_admit(struct via_call *c, int worker)
{
    struct answer an = {.call = c, .binding = ""};
    struct via_claims claims = {0};

    an.access = via_agent_access(c->agent, worker, &an.e);
    if (!an.access) {
        via_reply_failure(c->http, &an.e);
        return;
    }
    if (!request_identify(c, an.access, &claims, &an.e)) {
        via_gate_turn_away(c->agent, c->http, claims.instance[0] ? &claims : NULL, "", &an.e);
        return;
    }
    if (!request_read(c, &an.e)) {
        via_reply_error(c->http, an.e.status, an.e.message, NULL);
        return;
    }
    an.held = request_recall(c);
    if (!an.held)
        an.held = request_profile(c, an.access, &claims, &an.e);
    if (!an.held || !answer_make(&an))
        via_gate_turn_away(c->agent, c->http, &claims, an.binding, &an.e);
    via_profile_drop(an.held);
}

static void
task_admit(struct via_task *task, int worker)
{
    struct via_call *c = (struct via_call *)(void *)task;

    request_admit(c, worker);
    via_http_resume(c->http);
}

enum via_http_turn
via_config_serve(struct via_agent *a, struct via_http_request *r, enum via_config_kind kind)
{
    struct via_call *c = via_call_begin(a, r);
    struct answer an = {.call = c};
    struct via_error e = {0};
    bool answered = false;

    if (!c)
        return VIA_HTTP_ANSWERED;
    c->config.kind = kind;
    if (r->body.len <= INLINE_BODY_BYTES && request_read(c, &e) && (an.held = request_recall(c)))
        answered = answer_make(&an);
    via_profile_drop(an.held);
    return answered ? VIA_HTTP_ANSWERED : via_call_park(c, &a->door, task_admit);
}
