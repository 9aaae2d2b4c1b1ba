/* statements.c: a small table searched by hash, then by text. */
#include "proxy/statements.h"

#include "base/error.h"
#include "proxy/sqlerror.h"
#include "proxy/values.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define KEEP_BYTES (64 * 1024) /* the longest text that is kept */

static uint64_t
text_hash(const char *text, size_t n)
{
    uint64_t h = 0x9e3779b97f4a7c15u ^ n, word;

    for (; n >= 8; text += 8, n -= 8) {
        memcpy(&word, text, 8);
        h = (h ^ word) * 0xff51afd7ed558ccdu;
        h ^= h >> 32;
    }
    word = 0;
    memcpy(&word, text, n);
    h = (h ^ word) * 0xc4ceb9fe1a85ec53u;
    return (h ^ h >> 29) | 1; /* 0 marks an empty entry */
}

/* The length of the comment that opens at `sql`, or 0. */
static size_t
comment_length(const char *sql, size_t n)
{
    const char *end;

    if (n < 2)
        return 0;
    if (sql[0] == '-' && sql[1] == '-') {
        end = memchr(sql, '\n', n);
        return end ? (size_t)(end + 1 - sql) : n;
    }
    if (sql[0] == '/' && sql[1] == '*') {
        end = n > 3 ? memmem(sql + 2, n - 2, "*/", 2) : NULL;
        return end ? (size_t)(end + 2 - sql) : n;
    }
    return 0;
}

size_t
via_sql_skip(const char *sql, size_t n)
{
    size_t at = 0, comment;

    while (at < n) {
        comment = comment_length(sql + at, n - at);
        if (comment)
            at += comment;
        else if (sql[at] != '\0' && strchr(" \t\n\f\r;", sql[at]))
            at++;
        else if (n - at >= 3 && memcmp(sql + at, "\xef\xbb\xbf", 3) == 0)
            at += 3;
        else
            break;
    }
    return at;
}

static void
statement_clear(struct via_statement *s)
{
    sqlite3_finalize(s->stmt);
    free(s->sql);
    free(s->names);
    memset(s, 0, sizeof *s);
}

void
via_statements_clear(struct via_statements *c)
{
    for (int i = 0; i < VIA_STATEMENTS; i++)
        statement_clear(&c->entries[i]);
    statement_clear(&c->spare);
    memset(c->hashes, 0, sizeof c->hashes);
}

static struct via_statement *
statements_find(struct via_statements *c, uint64_t hash, const char *sql, size_t n)
{
    for (int i = 0; i < VIA_STATEMENTS; i++) {
        struct via_statement *s = &c->entries[i];

        if (c->hashes[i] == hash && s->sql_len == n && memcmp(s->sql, sql, n) == 0) {
            s->used = ++c->clock;
            return s;
        }
    }
    return NULL;
}

/* Keep `made` in the place that was unused longest. */
static struct via_statement *
statements_keep(struct via_statements *c, uint64_t hash, struct via_statement *made)
{
    int oldest = 0;

    for (int i = 1; i < VIA_STATEMENTS; i++)
        if (c->entries[i].used < c->entries[oldest].used)
            oldest = i;
    statement_clear(&c->entries[oldest]);
    made->used = ++c->clock;
    c->entries[oldest] = *made;
    c->hashes[oldest] = hash;
    return &c->entries[oldest];
}

static bool
begins_with_vacuum(const char *sql, size_t n)
{
    return n >= 6 && strncasecmp(sql, "vacuum", 6) == 0;
}

/* Prepare `sql` into *s. False: *rc, *e and *name say why. */
static bool
statement_prepare(struct via_statement *s, sqlite3 *db, struct via_policy *policy, const char *sql,
                  size_t n, int *rc, struct via_error *e, const char **name)
{
    size_t skip = via_sql_skip(sql, n);
    const char *tail = NULL;

    if (skip == n) {
        *rc = SQLITE_MISUSE;
        via_error_set(e, VIA_BAD_REQUEST, "sql holds no statement");
        return false;
    }
    via_policy_begin(policy);
    *rc = sqlite3_prepare_v3(db, sql + skip, (int)(n - skip), SQLITE_PREPARE_PERSISTENT, &s->stmt,
                             &tail);
    if (via_policy_end(policy, s->stmt, e) != VIA_OK)
        *rc = SQLITE_AUTH;
    else if (*rc != SQLITE_OK)
        via_sqlite_error(db, *rc, e, name);
    else if (via_sql_skip(tail, (size_t)(sql + n - tail)) != (size_t)(sql + n - tail)) {
        *rc = SQLITE_MISUSE;
        via_error_set(e, VIA_TOO_MANY_STATEMENTS,
                      "sql holds more than one statement; setup runs several");
    }
    s->schema = policy->schema;
    s->pragma_set = policy->pragma_set;
    s->heavy = policy->heavy;
    s->counts = policy->counts;
    s->vacuum = begins_with_vacuum(sql + skip, n - skip);
    return *rc == SQLITE_OK;
}

struct via_statement *
via_statements_get(struct via_statements *c, sqlite3 *db, struct via_policy *policy,
                   const char *sql, size_t n, int *rc, struct via_error *e, const char **name)
{
    uint64_t hash = text_hash(sql, n);
    struct via_statement *s = statements_find(c, hash, sql, n), made = {0};

    if (s) {
        via_policy_begin(policy); /* stepping may prepare again */
        *rc = SQLITE_OK;
        return s;
    }
    if (!statement_prepare(&made, db, policy, sql, n, rc, e, name)) {
        sqlite3_finalize(made.stmt);
        return NULL;
    }
    if (n > KEEP_BYTES) {
        statement_clear(&c->spare);
        c->spare = made;
        return &c->spare;
    }
    made.sql = malloc(n ? n : 1);
    if (!made.sql) {
        sqlite3_finalize(made.stmt);
        *rc = SQLITE_NOMEM;
        via_sqlite_error(db, *rc, e, name);
        return NULL;
    }
    memcpy(made.sql, sql, n);
    made.sql_len = n;
    return statements_keep(c, hash, &made);
}

const char *
via_statement_names(struct via_statement *s, size_t *n)
{
    int reprepares = sqlite3_stmt_status(s->stmt, SQLITE_STMTSTATUS_REPREPARE, 0);
    struct via_buf b;

    if (!s->names || s->reprepares != reprepares) {
        via_buf_init(&b);
        via_values_put_names(&b, s->stmt);
        free(s->names);
        s->names = b.failed ? NULL : b.data;
        s->names_len = b.len;
        s->reprepares = reprepares;
        if (b.failed)
            via_buf_deinit(&b);
    }
    *n = s->names_len;
    return s->names;
}
