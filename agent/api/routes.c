/* routes.c: a table of routes, and the checks that come before all of them. */
#include "api/routes.h"

#include "api/config.h"
#include "api/jwks.h"
#include "api/reply.h"
#include "api/sqlcall.h"
#include "http/host.h"

#include <string.h>

#define STALL_S 30
#define BODIES_BYTES ((size_t)256 << 20)

struct route {
    const char *path;
    const char *method;
    enum via_http_turn (*serve)(struct via_agent *a, struct via_http_request *r);
    bool gated; /* for bearers of a token */
    bool below; /* `path` is where its paths begin */
};

static enum via_http_turn
serve_health(struct via_agent *a, struct via_http_request *r)
{
    (void)a;
    r->status = 200;
    via_buf_puts(&r->reply, "{\"status\":\"ok\",\"version\":\"" VIA_VERSION "\"}");
    return VIA_HTTP_ANSWERED;
}

static enum via_http_turn
serve_query(struct via_agent *a, struct via_http_request *r)
{
    return via_sqlcall_serve(a, r, VIA_RUN_QUERY);
}

static enum via_http_turn
serve_execute(struct via_agent *a, struct via_http_request *r)
{
    return via_sqlcall_serve(a, r, VIA_RUN_EXECUTE);
}

static enum via_http_turn
serve_setup(struct via_agent *a, struct via_http_request *r)
{
    return via_sqlcall_serve(a, r, VIA_RUN_SETUP);
}

static enum via_http_turn
serve_resolve(struct via_agent *a, struct via_http_request *r)
{
    return via_config_serve(a, r, VIA_CONFIG_RESOLVE);
}

static enum via_http_turn
serve_refresh(struct via_agent *a, struct via_http_request *r)
{
    return via_config_serve(a, r, VIA_CONFIG_REFRESH);
}

static enum via_http_turn
serve_config(struct via_agent *a, struct via_http_request *r)
{
    return via_config_serve(a, r, VIA_CONFIG_VALUE);
}

static const struct route routes[] = {
    {"/v1/runtime/sql/query", "POST", serve_query, true, false},
    {"/v1/runtime/sql/execute", "POST", serve_execute, true, false},
    {"/v1/runtime/sql/setup", "POST", serve_setup, true, false},
    {"/v1/runtime/config/resolve", "POST", serve_resolve, true, false},
    {"/v1/runtime/config/refresh", "POST", serve_refresh, true, false},
    {"/config/", "GET", serve_config, true, true},
    {"/.well-known/jwks.json", "GET", via_jwks_serve, false, false},
    {"/health", "GET", serve_health, false, false},
};

static bool
route_matches(const struct route *route, const char *path)
{
    return route->below ? strncmp(path, route->path, strlen(route->path)) == 0
                        : strcmp(path, route->path) == 0;
}

/* May this request be looked at? Answers it when not. */
static bool
request_is_welcome(struct via_agent *a, struct via_http_request *r)
{
    const struct via_bounds *bounds = via_agent_bounds(a);

    if (atomic_load_explicit(&a->draining, memory_order_relaxed)) {
        r->close = true;
        via_reply_error(r, VIA_SHUTTING_DOWN, "the agent is going down; try again", NULL);
        return false;
    }
    if (!r->host) {
        via_reply_error(r, VIA_BAD_REQUEST, "the request has no Host", NULL);
        return false;
    }
    if (!via_http_host_is_served(r->host, a->listen, bounds->allowed_hosts)) {
        via_reply_error(r, VIA_HOST_REFUSED,
                        "this Host is not served here; an operator can add it to allowed_hosts",
                        NULL);
        return false;
    }
    if (r->origin && !via_http_origin_is_allowed(r->origin, bounds->allowed_hosts)) {
        via_reply_error(r, VIA_ORIGIN_REFUSED,
                        "pages of this Origin may not call Via; an operator can add its host to "
                        "allowed_hosts",
                        NULL);
        return false;
    }
    return true;
}

static enum via_http_turn
routes_serve(void *arg, struct via_http_request *r)
{
    if (!request_is_welcome(arg, r))
        return VIA_HTTP_ANSWERED;
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        if (!route_matches(&routes[i], r->path))
            continue;
        if (strcmp(r->method, routes[i].method) == 0)
            return routes[i].serve(arg, r);
        r->allow = routes[i].method;
        via_reply_error(r, VIA_METHOD_NOT_ALLOWED, "this route takes another method", NULL);
        return VIA_HTTP_ANSWERED;
    }
    via_reply_error(r, VIA_ROUTE_NOT_FOUND, "there is no such route", NULL);
    return VIA_HTTP_ANSWERED;
}

static const struct route *
route_find(const struct via_http_request *r)
{
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++)
        if (route_matches(&routes[i], r->path) && strcmp(r->method, routes[i].method) == 0)
            return &routes[i];
    return NULL;
}

/* Whoever shows no token gets no memory for a body. */
static enum via_http_turn
routes_admit(void *arg, struct via_http_request *r)
{
    const struct route *route = route_find(r);

    if (!r->has_body || (route && route->gated && via_sqlcall_has_bearer(r)))
        return VIA_HTTP_READ;
    r->close = true;
    if (!route || !route->gated)
        return routes_serve(arg, r);
    return request_is_welcome(arg, r) ? via_sqlcall_turn_away(arg, r) : VIA_HTTP_ANSWERED;
}

static void
routes_refuse(void *arg, struct via_http_request *r, enum via_http_refusal why,
              const char *sentence)
{
    (void)arg;
    via_reply_transport(r, why, sentence);
}

static size_t
routes_body_limit(void *arg)
{
    struct via_agent *a = arg;

    return (size_t)via_agent_bounds(a)->request_bytes;
}

static void
routes_over(void *arg, struct via_http_request *r)
{
    via_sqlcall_over(arg, r);
}

static void
routes_gone(void *arg, struct via_http_request *r)
{
    via_sqlcall_gone(arg, r);
}

void
via_routes_handler(struct via_agent *a, struct via_http_handler *out)
{
    *out = (struct via_http_handler){
        .arg = a,
        .admit = routes_admit,
        .serve = routes_serve,
        .stall_s = STALL_S,
        .bodies_max = BODIES_BYTES,
        .refuse = routes_refuse,
        .body_limit = routes_body_limit,
        .over = routes_over,
        .gone = routes_gone,
    };
}
