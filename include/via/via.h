/* via.h: libvia, an app's way to its databases by name.
 *
 *     struct via_failure why;
 *     struct via_connection *db = via_connect("DATABASE", &why);
 *     struct via_param who[] = {via_text("ada")};
 *     struct via_result *r = via_query(db, "SELECT id FROM users WHERE name = ?", who, 1, &why);
 *
 *     if (!r)
 *         fprintf(stderr, "%s: %s\n", why.code, why.message);
 *     else if (via_result_row_count(r) > 0)
 *         printf("%lld\n", (long long)via_result_value(r, 0, 0).integer);
 *     via_result_free(r);
 *     via_close(db);
 *
 * Where the database is and whether this process may use it is Via's business: the launcher
 * leaves VARY_CONFIG_URL (http://HOST:PORT or unix:PATH), VARY_CONFIG_TOKEN_PATH and
 * VIA_AGENT_SOCKET in the environment, and the agent decides on every operation.
 *
 * One connection serves one thread at a time; different connections are independent. No
 * function keeps a pointer it was given. A `struct via_failure *` may be NULL. */
#ifndef VIA_VIA_H
#define VIA_VIA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__GNUC__)
#define VIA_API __attribute__((visibility("default")))
#else
#define VIA_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Why a call failed. Filled on failure only. */
struct via_failure {
    char code[48];      /* what a program matches: "sql_error", "generation_revoked", … */
    char message[1024]; /* one sentence for people */
    char sqlite[48];    /* "SQLITE_CONSTRAINT_UNIQUE" beside "sql_error", else "" */
    int http;           /* status of the agent's answer; 0 when there was none */
    int retry_after_s;  /* seconds that the agent asks to wait; 0 when it does not say */
    bool retryable;     /* nothing was done, and the same call may succeed later */
    bool maybe_done;    /* the answer was lost: the statement may have been carried out */
};

enum via_value_type {
    VIA_VALUE_NULL,
    VIA_VALUE_INTEGER,
    VIA_VALUE_REAL,
    VIA_VALUE_TEXT,
    VIA_VALUE_BLOB
};

/* A value of SQLite's: `integer` for integers, `real` for reals, `bytes` and `size` for text
 * (UTF-8, NUL allowed) and blobs. Text in a result has a NUL behind it that `size` leaves out. */
struct via_value {
    enum via_value_type type;
    int64_t integer;
    double real;
    const void *bytes;
    size_t size;
};

/* A parameter. `name` (":id", "@id", "$id" or "id") is NULL for positional ones; a call
 * takes either kind, never both. */
struct via_param {
    const char *name;
    struct via_value value;
};

struct via_connection;
struct via_result;

/* Prepare to use the database bound as `binding`. Reads the environment; sends nothing.
 * NULL: config_missing or config_unreadable (the environment or the token file),
 * out_of_memory. The caller closes it. */
VIA_API struct via_connection *via_connect(const char *binding, struct via_failure *why);

/* Close; NULL is fine. Results outlive their connection. */
VIA_API void via_close(struct via_connection *db);

/* Give up on an answer after `timeout_ms` (60,000 at first; 0: never). Via's own limit on a
 * statement is its setting statement_timeout_ms, 30,000 unless changed. */
VIA_API void via_set_timeout(struct via_connection *db, long timeout_ms);

/* Run one statement that only reads. `params` holds `count` values, NULL when 0.
 *
 * NULL on failure. The caller frees the result with via_result_free. Nothing is repeated,
 * except once when the agent says runtime_identity_expired and the launcher has renewed
 * the token file since. */
VIA_API struct via_result *via_query(struct via_connection *db, const char *sql,
                                     const struct via_param *params, size_t count,
                                     struct via_failure *why);

/* Run one statement; it is on disk before this returns. Ownership and failure as via_query. */
VIA_API struct via_result *via_execute(struct via_connection *db, const char *sql,
                                       const struct via_param *params, size_t count,
                                       struct via_failure *why);

/* Run several statements, all of them or none. Ownership and failure as via_query. */
VIA_API struct via_result *via_setup(struct via_connection *db, const char *sql,
                                     struct via_failure *why);

/* Results. Whatever they return is borrowed until via_result_free. Row and column count from 0;
 * beyond the end is a NULL value, and a NULL name. */
VIA_API size_t via_result_column_count(const struct via_result *result);
VIA_API const char *via_result_column(const struct via_result *result, size_t column);
VIA_API size_t via_result_row_count(const struct via_result *result);
VIA_API struct via_value via_result_value(const struct via_result *result, size_t row,
                                          size_t column);

/* Rows that INSERT, UPDATE and DELETE changed; 0 for anything else. */
VIA_API int64_t via_result_update_count(const struct via_result *result);

/* The rowid that via_execute inserted last; 0 when it inserted none. */
VIA_API int64_t via_result_last_insert_rowid(const struct via_result *result);

/* Free; NULL is fine. */
VIA_API void via_result_free(struct via_result *result);

/* What this instance is told under `name` now: an environment value, plain or secret, or the URL or
 * token of a binding X under X_URL and X_AUTH_TOKEN. NULL on failure: env_not_found, a refusal, or
 * as via_connect and via_query. The caller frees it with via_env_free, which wipes it first. */
VIA_API char *via_env_get(const char *name, struct via_failure *why);
VIA_API void via_env_free(char *value); /* NULL is fine */

/* Positional parameters, ready to stand in an array. Bytes are borrowed until the call returns. */
static inline struct via_param
via_null(void)
{
    struct via_param p = {NULL, {VIA_VALUE_NULL, 0, 0, NULL, 0}};

    return p;
}

static inline struct via_param
via_integer(int64_t integer)
{
    struct via_param p = {NULL, {VIA_VALUE_INTEGER, integer, 0, NULL, 0}};

    return p;
}

static inline struct via_param
via_real(double real)
{
    struct via_param p = {NULL, {VIA_VALUE_REAL, 0, real, NULL, 0}};

    return p;
}

static inline struct via_param
via_text_n(const char *text, size_t size)
{
    struct via_param p = {NULL, {VIA_VALUE_TEXT, 0, 0, text, size}};

    return p;
}

static inline struct via_param
via_text(const char *text)
{
    return via_text_n(text, strlen(text));
}

static inline struct via_param
via_blob(const void *bytes, size_t size)
{
    struct via_param p = {NULL, {VIA_VALUE_BLOB, 0, 0, bytes, size}};

    return p;
}

#ifdef __cplusplus
}
#endif

#endif
