/* policy.h: which statements an app may have prepared.
 *
 * An authorizer over an allow-list, and what it saw while one statement was prepared.
 * The app's SQL is hostile until proven otherwise. Knows no tokens and no files. */
#ifndef VIA_PROXY_POLICY_H
#define VIA_PROXY_POLICY_H

#include "via/ext.h"
#include "via/model.h"

struct via_policy {
    sqlite3 *db;
    bool trusted;           /* Via's own statement: allow all */
    bool writer;            /* a connection that may write */
    bool vacuum;            /* a VACUUM is being stepped */
    bool schema;            /* seen: CREATE, DROP, ALTER, ANALYZE, REINDEX */
    bool alter;             /* seen: ALTER */
    bool pragma_set;        /* seen: a pragma that changes the connection */
    bool pragma_read;       /* seen: a pragma that only reads */
    bool heavy;             /* seen: what one step of may take long */
    bool counts;            /* seen: count(), one step over a whole table */
    struct via_error error; /* the first refusal */
};

/* Watch `db` with `p`, which must outlive it. */
void via_policy_attach(struct via_policy *p, sqlite3 *db);

/* Forget what was seen, before a statement. */
void via_policy_begin(struct via_policy *p);

/* What the policy says of the statement just prepared (NULL: preparing failed). VIA_OK,
 * VIA_STATEMENT_FORBIDDEN or VIA_QUERY_NOT_READONLY, with the sentence in *e. */
enum via_status via_policy_end(struct via_policy *p, sqlite3_stmt *stmt, struct via_error *e);

#endif
