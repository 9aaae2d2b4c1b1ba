/* client.c: connections and their three operations, and values by name.
 *
 * Puts configuration, encoding and transport together, and decides the one case in which
 * a request is sent again: its token had expired and a newer one is there. */
#include "config.h"
#include "encode.h"
#include "failure.h"
#include "result.h"
#include "transport.h"

#include "base/json.h"

#include <stdio.h>
#include <stdlib.h>

struct via_connection {
    char binding[VIA_NAME_SIZE];
    struct via_config config;
    struct via_transport *transport;
    struct via_buf request; /* kept between calls, as is the answer's, for their memory */
    struct via_answer answer;
};

/* Beyond this a buffer's memory is given back after the call. */
#define BUFFER_KEPT ((size_t)1 << 20)

struct via_connection *
via_connect(const char *binding, struct via_failure *why)
{
    struct via_connection *db;

    if (!binding || !binding[0] || strlen(binding) >= VIA_NAME_SIZE) {
        via_failure_set(why, VIA_NAME_INVALID, "a binding's name has 1 to %d characters",
                        VIA_NAME_SIZE - 1);
        return NULL;
    }
    db = calloc(1, sizeof *db);
    if (!db) {
        via_failure_set(why, VIA_OUT_OF_MEMORY, "no memory for a connection");
        return NULL;
    }
    snprintf(db->binding, sizeof db->binding, "%s", binding);
    via_buf_init(&db->request);
    via_buf_init(&db->answer.body);
    if (!via_config_init(&db->config, why)) {
        via_close(db);
        return NULL;
    }
    db->transport = via_transport_new(&db->config);
    if (!db->transport) {
        via_failure_set(why, VIA_OUT_OF_MEMORY, "no memory for a connection");
        via_close(db);
        return NULL;
    }
    return db;
}

void
via_close(struct via_connection *db)
{
    if (!db)
        return;
    via_transport_free(db->transport);
    via_config_deinit(&db->config);
    via_buf_deinit(&db->request);
    via_buf_deinit(&db->answer.body);
    free(db);
}

void
via_set_timeout(struct via_connection *db, long timeout_ms)
{
    via_transport_set_timeout(db->transport, timeout_ms);
}

/* Take up a token that the launcher has replaced. */
static bool
connection_refresh(struct via_connection *db, bool *changed, struct via_failure *why)
{
    if (!via_config_refresh(&db->config, changed, why))
        return false;
    if (!*changed || via_transport_set_token(db->transport, db->config.token))
        return true;
    via_failure_set(why, VIA_OUT_OF_MEMORY, "no memory for the token");
    return false;
}

static bool
connection_post(struct via_connection *db, const char *path, struct via_failure *why)
{
    if (!via_transport_post(db->transport, path, &db->request, &db->answer, why))
        return false;
    if (db->answer.http == 200)
        return true;
    via_failure_parse(why, db->answer.http, db->answer.retry_after_s,
                      via_buf_text(&db->answer.body), db->answer.body.len);
    return false;
}

/* Send; a refusal for an expired token is sent again if the file holds a newer one by now.
 * Nothing was done the first time: identity is checked before all else. */
static bool
connection_send(struct via_connection *db, const char *path, struct via_failure *why)
{
    struct via_failure ignored;
    bool changed;

    if (!connection_refresh(db, &changed, why))
        return false;
    if (connection_post(db, path, why))
        return true;
    if (db->answer.http != 403 ||
        strcmp(why->code, via_status_word(VIA_RUNTIME_IDENTITY_EXPIRED)) != 0)
        return false;
    if (!connection_refresh(db, &changed, &ignored) || !changed)
        return false;
    return connection_post(db, path, why);
}

static void
buffer_shrink(struct via_buf *b)
{
    if (b->cap <= BUFFER_KEPT)
        return;
    via_buf_deinit(b);
    via_buf_init(b);
}

static struct via_result *
connection_run(struct via_connection *db, const char *path, const char *sql,
               const struct via_param *params, size_t count, struct via_failure *why)
{
    struct via_failure unseen;
    struct via_result *result = NULL;

    if (!why)
        why = &unseen;
    db->answer.http = 0;
    via_buf_reset(&db->request);
    if (via_encode_request(&db->request, db->binding, sql, params, count, why) &&
        connection_send(db, path, why))
        result = via_result_parse(via_buf_text(&db->answer.body), db->answer.body.len, why);
    buffer_shrink(&db->request);
    buffer_shrink(&db->answer.body);
    return result;
}

struct via_result *
via_query(struct via_connection *db, const char *sql, const struct via_param *params, size_t count,
          struct via_failure *why)
{
    return connection_run(db, "/v1/runtime/sql/query", sql, params, count, why);
}

struct via_result *
via_execute(struct via_connection *db, const char *sql, const struct via_param *params,
            size_t count, struct via_failure *why)
{
    return connection_run(db, "/v1/runtime/sql/execute", sql, params, count, why);
}

struct via_result *
via_setup(struct via_connection *db, const char *sql, struct via_failure *why)
{
    return connection_run(db, "/v1/runtime/sql/setup", sql, NULL, 0, why);
}

/* -- values ---------------------------------------------------------------------- */

/* The value of `name` in the answer of a resolve, copied. The parser's own copy is wiped. */
static char *
value_parse(const struct via_buf *body, const char *name, struct via_failure *why)
{
    via_json *doc = NULL;
    const char *text;
    char *value = NULL;
    size_t n = 0;

    if (via_json_parse(via_buf_text(body), body->len, 8, &doc, NULL) != VIA_OK) {
        via_failure_set(why, VIA_INTERNAL_ERROR, "the agent's answer is not understood");
        return NULL;
    }
    text = via_json_string(
        via_json_member(via_json_member(via_json_member(doc, "values"), name), "value"), &n);
    if (!text) {
        via_failure_set(why, VIA_ENV_NOT_FOUND, "there is no value %s for this instance", name);
    } else {
        value = malloc(n + 1);
        if (value)
            memcpy(value, text, n + 1);
        else
            via_failure_set(why, VIA_OUT_OF_MEMORY, "no memory for the value");
        explicit_bzero((char *)text, n);
    }
    via_json_free(doc);
    return value;
}

char *
via_env_get(const char *name, struct via_failure *why)
{
    struct via_failure unseen;
    struct via_connection *db;
    char *value = NULL;

    if (!why)
        why = &unseen;
    db = via_connect(name, why); /* values are named as bindings are */
    if (!db)
        return NULL;
    db->answer.secret = true;
    via_buf_puts(&db->request, "{\"keys\":[");
    via_buf_put_json(&db->request, name, strlen(name));
    via_buf_puts(&db->request, "]}");
    if (connection_send(db, "/v1/runtime/config/resolve", why))
        value = value_parse(&db->answer.body, name, why);
    via_close(db);
    return value;
}

void
via_env_free(char *value)
{
    if (value)
        explicit_bzero(value, strlen(value));
    free(value);
}
