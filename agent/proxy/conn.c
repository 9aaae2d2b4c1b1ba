/* conn.c: opening, limiting, lending. */
#include "proxy/conn.h"

#include "base/clock.h"
#include "base/error.h"
#include "proxy/functions.h"
#include "proxy/sqlerror.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PROGRESS_STEPS 1000
#define PATTERN_BYTES 256              /* of LIKE and GLOB: their work is pattern times text */
#define SMALL_BYTES (64 * 1024 * 1024) /* a database that is read from end to end in a moment */

static _Atomic bool stopping;

void
via_conn_stop_all(void)
{
    atomic_store(&stopping, true);
}

bool
via_conn_is_stopping(void)
{
    return atomic_load_explicit(&stopping, memory_order_relaxed);
}

bool
via_conn_is_drained(const struct via_conn *c)
{
    return c->drain_ms && c->begun_ms <= atomic_load_explicit(c->drain_ms, memory_order_relaxed);
}

static int
conn_progress(void *arg)
{
    struct via_conn *c = arg;

    if (atomic_load_explicit(&stopping, memory_order_relaxed))
        c->stop = VIA_STOP_SHUTDOWN;
    else if (via_conn_is_drained(c) && c->deadline_ms != INT64_MAX)
        c->stop = VIA_STOP_DRAIN;
    else if (via_clock_mono_ms() >= c->deadline_ms)
        c->stop = VIA_STOP_DEADLINE;
    return c->stop != VIA_STOP_NONE;
}

/* Somebody outside the agent holds the database: look again soon, for a while. */
static int
conn_busy(void *arg, int times)
{
    struct via_conn *c = arg;

    if (via_clock_mono_ms() >= c->busy_until_ms || atomic_load(&stopping) || via_conn_is_drained(c))
        return 0;
    usleep(times < 10 ? 1000 : 10000);
    return 1;
}

static void
conn_limit(sqlite3 *db)
{
    const struct {
        int id;
        int value;
    } limits[] = {
        {SQLITE_LIMIT_LENGTH, VIA_VALUE_BYTES},
        {SQLITE_LIMIT_EXPR_DEPTH, 500},
        {SQLITE_LIMIT_COMPOUND_SELECT, 500},
        {SQLITE_LIMIT_VDBE_OP, 4000000},
        {SQLITE_LIMIT_FUNCTION_ARG, 100},
        {SQLITE_LIMIT_ATTACHED, 1}, /* for the inside of VACUUM; the policy refuses ATTACH */
        {SQLITE_LIMIT_LIKE_PATTERN_LENGTH, PATTERN_BYTES},
        {SQLITE_LIMIT_TRIGGER_DEPTH, 100},
        {SQLITE_LIMIT_WORKER_THREADS, 0},
    };

    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++)
        sqlite3_limit(db, limits[i].id, limits[i].value);
}

/* What an operator may change while the connection is open. */
static void
conn_bound(struct via_conn *c, const struct via_bounds *b)
{
    if (c->sql_bytes == b->sql_bytes && c->params_max == b->params_max)
        return;
    sqlite3_limit(c->db, SQLITE_LIMIT_SQL_LENGTH, (int)b->sql_bytes);
    sqlite3_limit(c->db, SQLITE_LIMIT_VARIABLE_NUMBER, (int)b->params_max);
    via_statements_clear(&c->statements); /* prepared under other bounds */
    c->sql_bytes = b->sql_bytes;
    c->params_max = b->params_max;
}

static int
conn_harden(struct via_conn *c)
{
    sqlite3_db_config(c->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    /* Off, SQLite 3.40 refuses JSON functions in a CHECK, an index or a generated column
     * ("malformed schema"), and FTS5 tables written by triggers. What being off is to prevent, the
     * policy does: it is asked about every function and table that a schema reaches, too. */
    sqlite3_db_config(c->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 1, NULL);
    sqlite3_db_config(c->db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
    sqlite3_db_config(c->db, SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, 0, NULL);
    sqlite3_progress_handler(c->db, PROGRESS_STEPS, conn_progress, c);
    sqlite3_busy_handler(c->db, conn_busy, c);
    via_policy_attach(&c->policy, c->db);
    return via_functions_attach(c->db);
}

enum via_status
via_conn_open(struct via_conn **out, const char *addon_id, bool writer,
              const struct via_bounds *bounds, int *rc, struct via_error *e)
{
    struct via_conn *c = calloc(1, sizeof *c);
    const char *name;
    char uri[VIA_ID_SIZE + 32];

    *out = NULL;
    *rc = SQLITE_NOMEM;
    if (!c)
        return via_error_set(e, VIA_OUT_OF_MEMORY, "there is no memory for a connection");
    snprintf(uri, sizeof uri, "file:%s?vfs=via&locked=1", addon_id);
    c->policy.writer = writer;
    c->foreign_keys = c->synchronous_full = -1;
    *rc = sqlite3_open_v2(uri, &c->db,
                          SQLITE_OPEN_READWRITE | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX, NULL);
    if (*rc != SQLITE_OK) {
        if (c->db)
            *rc = sqlite3_extended_errcode(c->db);
        via_sqlite_error(c->db, *rc, e, &name);
        via_conn_close(c);
        return e->status;
    }
    sqlite3_extended_result_codes(c->db, 1);
    conn_limit(c->db);
    conn_bound(c, bounds);
    *rc = conn_harden(c);
    if (*rc != SQLITE_OK) {
        via_sqlite_error(c->db, *rc, e, &name);
        via_conn_close(c);
        return e->status;
    }
    *out = c;
    return VIA_OK;
}

void
via_conn_close(struct via_conn *c)
{
    if (!c)
        return;
    via_statements_clear(&c->statements);
    sqlite3_close_v2(c->db);
    free(c);
}

int
via_conn_exec(struct via_conn *c, const char *sql)
{
    int rc;

    c->policy.trusted = true;
    rc = sqlite3_exec(c->db, sql, NULL, NULL, NULL);
    c->policy.trusted = false;
    return rc;
}

/* The room an add-on may take is counted in pages. */
static int
conn_set_size(struct via_conn *c, int64_t max_size_bytes)
{
    sqlite3_stmt *q = NULL;
    int64_t page_size = 4096;
    char sql[80];
    int rc;

    c->policy.trusted = true;
    rc = sqlite3_prepare_v2(c->db, "PRAGMA page_size", -1, &q, NULL);
    if (rc == SQLITE_OK && sqlite3_step(q) == SQLITE_ROW)
        page_size = sqlite3_column_int64(q, 0);
    sqlite3_finalize(q);
    c->policy.trusted = false;
    snprintf(sql, sizeof sql, "PRAGMA max_page_count=%lld",
             max_size_bytes ? (long long)(max_size_bytes / page_size) + 1 : 4294967294LL);
    if (rc == SQLITE_OK)
        rc = via_conn_exec(c, sql);
    if (rc == SQLITE_OK)
        c->max_size_bytes = max_size_bytes;
    return rc;
}

/* Make the connection what the add-on's options ask for; nothing when it is so already. */
static int
conn_tune(struct via_conn *c, const struct via_addon_policy *p)
{
    int rc = SQLITE_OK;

    if (!c->tuned) {
        rc = via_conn_exec(c, "PRAGMA temp_store=MEMORY; PRAGMA cache_size=-2000");
        c->tuned = rc == SQLITE_OK;
    }
    if (rc == SQLITE_OK && c->foreign_keys != p->foreign_keys) {
        rc = sqlite3_db_config(c->db, SQLITE_DBCONFIG_ENABLE_FKEY, (int)p->foreign_keys, NULL);
        c->foreign_keys = p->foreign_keys;
    }
    if (!c->policy.writer)
        return rc;
    if (rc == SQLITE_OK && c->synchronous_full != p->synchronous_full) {
        rc = via_conn_exec(c, p->synchronous_full ? "PRAGMA synchronous=FULL"
                                                  : "PRAGMA synchronous=NORMAL");
        c->synchronous_full = p->synchronous_full;
    }
    if (rc == SQLITE_OK && c->max_size_bytes != p->max_size_bytes)
        rc = conn_set_size(c, p->max_size_bytes);
    return rc;
}

int
via_conn_begin(struct via_conn *c, const struct via_grant *grant, const struct via_bounds *bounds)
{
    int rc;

    c->stop = VIA_STOP_NONE;
    c->begun_ms = via_clock_mono_ms();
    conn_bound(c, bounds);
    c->slot = (struct via_grant_slot){.grant = grant, .write = c->policy.writer};
    rc = sqlite3_file_control(c->db, "main", VIA_FCNTL_GRANT, &c->slot);
    if (rc == SQLITE_OK)
        rc = conn_tune(c, &grant->policy);
    return rc;
}

static void
conn_settle(struct via_conn *c)
{
    sqlite3_stmt *q = NULL;

    c->deadline_ms = INT64_MAX; /* rolling back must not be stopped */
    while ((q = sqlite3_next_stmt(c->db, q)))
        if (sqlite3_stmt_busy(q))
            sqlite3_reset(q);
    if (!sqlite3_get_autocommit(c->db))
        via_conn_exec(c, "ROLLBACK");
    /* FTS5 keeps its read transaction when a statement of a trigger's fails at its end. */
    else if (sqlite3_txn_state(c->db, NULL) != SQLITE_TXN_NONE)
        via_conn_exec(c, "BEGIN; ROLLBACK");
}

void
via_conn_end(struct via_conn *c)
{
    if (sqlite3_txn_state(c->db, NULL) != SQLITE_TXN_NONE || !sqlite3_get_autocommit(c->db))
        conn_settle(c);
    if (c->policy.pragma_set) {
        c->foreign_keys = -1;
        c->stop = VIA_STOP_NONE;
        c->deadline_ms = INT64_MAX;
        if (via_conn_exec(c, "PRAGMA recursive_triggers=0; PRAGMA defer_foreign_keys=0"))
            c->broken = true;
        c->policy.pragma_set = false;
    }
    /* Whoever comes next must not read on in a transaction that was begun for somebody else. */
    if (sqlite3_txn_state(c->db, NULL) != SQLITE_TXN_NONE)
        c->broken = true;
    c->slot = (struct via_grant_slot){0};
    if (sqlite3_file_control(c->db, "main", VIA_FCNTL_GRANT, &c->slot) != SQLITE_OK)
        c->broken = true;
}

bool
via_conn_is_small(struct via_conn *c)
{
    sqlite3_file *file = NULL;
    sqlite3_int64 size = 0;

    return sqlite3_file_control(c->db, "main", SQLITE_FCNTL_FILE_POINTER, &file) == SQLITE_OK &&
           file && file->pMethods && file->pMethods->xFileSize(file, &size) == SQLITE_OK &&
           size <= SMALL_BYTES;
}

bool
via_conn_is_in_place(struct via_conn *c, bool now)
{
    int64_t second = via_clock_mono_ms() / 1000;
    int moved = 0;

    if (!now && c->looked_s == second)
        return true;
    c->looked_s = second;
    return sqlite3_file_control(c->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved) != SQLITE_OK ||
           !moved;
}
