/* sqlrequest.c: reading the members, strictly. */
#include "api/sqlrequest.h"

#include "api/body.h"
#include "base/error.h"

#include <string.h>

struct read_walk {
    struct via_sqlrequest *q;
    struct via_error *e;
    bool transaction;
};

static bool
take_binding(struct read_walk *w, const via_json *v)
{
    size_t n = 0;
    const char *text = via_json_string(v, &n);

    if (!text || n == 0 || n >= VIA_NAME_SIZE || memchr(text, '\0', n)) {
        via_error_set(w->e, VIA_BAD_REQUEST, "binding is the name of a binding");
        return false;
    }
    memcpy(w->q->binding, text, n + 1);
    return true;
}

static bool
take_sql(struct read_walk *w, const via_json *v)
{
    w->q->sql = via_json_string(v, &w->q->sql_len);
    if (!w->q->sql) {
        via_error_set(w->e, VIA_BAD_REQUEST, "sql is a string");
        return false;
    }
    if (memchr(w->q->sql, '\0', w->q->sql_len)) {
        via_error_set(w->e, VIA_BAD_REQUEST, "sql holds a NUL");
        return false;
    }
    return true;
}

static bool
take_generation(struct read_walk *w, const via_json *v)
{
    w->q->generation = via_json_integer(v);
    if (via_json_type(v) == VIA_JSON_INTEGER && w->q->generation > 0)
        return true;
    via_error_set(w->e, VIA_BAD_REQUEST, "generation is a positive integer");
    return false;
}

static bool
take_member(void *arg, const char *key, const via_json *v)
{
    struct read_walk *w = arg;

    if (strcmp(key, "sql") == 0)
        return take_sql(w, v);
    if (strcmp(key, "params") == 0) {
        w->q->params = v;
        return true;
    }
    if (strcmp(key, "binding") == 0)
        return via_json_type(v) == VIA_JSON_NULL || take_binding(w, v);
    if (strcmp(key, "generation") == 0)
        return via_json_type(v) == VIA_JSON_NULL || take_generation(w, v);
    if (strcmp(key, "transaction") == 0) {
        w->transaction = via_json_type(v) != VIA_JSON_NULL;
        return true;
    }
    via_error_set(w->e, VIA_BAD_REQUEST, "there is no member %.64s in this request", key);
    return false;
}

enum via_status
via_sqlrequest_read(struct via_sqlrequest *q, const char *body, size_t n, int max_depth,
                    struct via_error *e)
{
    struct read_walk w = {.q = q, .e = e};

    *q = (struct via_sqlrequest){0};
    if (via_body_read(&(struct via_body){body, n, max_depth}, &q->doc, take_member, &w, e) !=
        VIA_OK)
        return e->status;
    if (!q->sql)
        return via_error_set(e, VIA_BAD_REQUEST, "sql is missing");
    if (w.transaction)
        return via_error_set(e, VIA_TRANSACTION_UNKNOWN, "there is no such transaction");
    return VIA_OK;
}
