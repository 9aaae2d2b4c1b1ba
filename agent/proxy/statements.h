/* statements.h: prepared statements of one connection, remembered by their text.
 *
 * Prepares under the policy, so that what is found in the cache was allowed before. */
#ifndef VIA_PROXY_STATEMENTS_H
#define VIA_PROXY_STATEMENTS_H

#include "proxy/policy.h"

#include <stddef.h>

#define VIA_STATEMENTS 32

struct via_statement {
    sqlite3_stmt *stmt;
    char *sql;
    size_t sql_len;
    uint64_t used;
    bool schema;     /* DDL and its kind: no rows are counted */
    bool pragma_set; /* it changes the connection */
    bool vacuum;
    bool heavy;  /* one step of it may take long */
    bool counts; /* one step of it may count a whole table */
    char *names; /* its columns as JSON, as they were at `reprepares` */
    size_t names_len;
    int reprepares;
};

struct via_statements {
    uint64_t clock;
    uint64_t hashes[VIA_STATEMENTS];
    struct via_statement entries[VIA_STATEMENTS];
    struct via_statement spare; /* for a text too long to keep */
};

/* Skip blanks, comments and semicolons: how many of the `n` bytes at `sql`. */
size_t via_sql_skip(const char *sql, size_t n);

/* The one statement that `sql` holds, reset and without bindings; borrowed until the next
 * call. On failure NULL, with *e and *name as via_sqlite_error sets them, or
 * VIA_BAD_REQUEST (no statement) or VIA_TOO_MANY_STATEMENTS. */
struct via_statement *via_statements_get(struct via_statements *c, sqlite3 *db,
                                         struct via_policy *policy, const char *sql, size_t n,
                                         int *rc, struct via_error *e, const char **name);

/* The columns of `s`, which is on a row or at its end, as JSON. NULL: no memory. */
const char *via_statement_names(struct via_statement *s, size_t *n);

/* Finalise all. */
void via_statements_clear(struct via_statements *c);

#endif
