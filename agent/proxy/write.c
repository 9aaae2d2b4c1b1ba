/* write.c: execute and setup on the one writer of an add-on. */
#include "base/error.h"
#include "proxy/runstep.h"
#include "proxy/values.h"

/* Step the statement that writes. One that gives rows has changed everything before it gives the
 * first, and resetting it half-way would commit: it runs in a transaction of its own. */
static enum via_run_state
write_step(struct via_run *run)
{
    struct via_conn *c = run->conn;
    enum via_run_state state;
    int rc;

    if (sqlite3_column_count(run->statement->stmt) == 0)
        return via_run_rows(run, SIZE_MAX);
    rc = via_conn_exec(c, "BEGIN IMMEDIATE");
    if (rc != SQLITE_OK)
        return via_run_fail(run, rc);
    state = via_run_rows(run, SIZE_MAX);
    if (state != VIA_RUN_DONE)
        return state;
    sqlite3_reset(run->statement->stmt);
    rc = via_conn_exec(c, "COMMIT");
    return rc == SQLITE_OK ? VIA_RUN_DONE : via_run_fail(run, rc);
}

/* VACUUM goes through a copy that is better on disk than in memory. */
static enum via_run_state
write_vacuum(struct via_run *run)
{
    struct via_conn *c = run->conn;
    enum via_run_state state;

    via_conn_exec(c, "PRAGMA temp_store=FILE");
    c->policy.vacuum = true;
    state = via_run_rows(run, SIZE_MAX);
    c->policy.vacuum = false;
    via_conn_exec(c, "PRAGMA temp_store=MEMORY");
    return state;
}

/* One statement: durable when its last step, or its commit, returns. */
static enum via_run_state
write_execute(struct via_run *run)
{
    struct via_conn *c = run->conn;
    struct via_statement *s = run->statement;
    bool counts = !s->schema && !s->vacuum && !sqlite3_stmt_readonly(s->stmt);
    enum via_run_state state;

    sqlite3_set_last_insert_rowid(c->db, 0);
    state = s->vacuum ? write_vacuum(run) : write_step(run);
    if (state != VIA_RUN_DONE)
        return state;
    if (run->out->len)
        via_buf_put(run->out, "],", 2);
    else
        via_buf_putc(run->out, '{');
    via_run_put_counts(run, counts ? sqlite3_changes64(c->db) : 0,
                       counts ? sqlite3_last_insert_rowid(c->db) : 0);
    return VIA_RUN_DONE;
}

/* Step one statement of a script to its end, its rows unseen. */
static enum via_run_state
setup_step(struct via_run *run, sqlite3_stmt *stmt, int64_t *changed)
{
    struct via_conn *c = run->conn;
    int rc;

    do
        rc = sqlite3_step(stmt);
    while (rc == SQLITE_ROW);
    if (rc != SQLITE_DONE)
        return via_run_fail(run, rc);

    if (!c->policy.schema && !sqlite3_stmt_readonly(stmt))
        *changed += sqlite3_changes64(c->db);
    return VIA_RUN_DONE;
}

/* Prepare and run the next statement of the script at *at, and move on. */
static enum via_run_state
setup_next(struct via_run *run, size_t *at, int64_t *changed)
{
    struct via_conn *c = run->conn;
    sqlite3_stmt *stmt = NULL;
    const char *tail = NULL;
    enum via_run_state state;
    bool touched = c->policy.pragma_set;
    int rc;

    via_policy_begin(&c->policy);
    rc = sqlite3_prepare_v3(c->db, run->sql + *at, (int)(run->sql_len - *at), 0, &stmt, &tail);
    if (via_policy_end(&c->policy, stmt, &run->error) != VIA_OK)
        state = VIA_RUN_FAILED;
    else if (rc != SQLITE_OK)
        state = via_run_fail(run, rc);
    else if (sqlite3_bind_parameter_count(stmt) > 0) {
        via_error_set(&run->error, VIA_BAD_REQUEST, "the statements of setup take no parameters");
        state = VIA_RUN_FAILED;
    } else
        state = setup_step(run, stmt, changed);
    c->policy.pragma_set |= touched;
    sqlite3_finalize(stmt);
    *at = tail ? (size_t)(tail - run->sql) : run->sql_len;
    return state;
}

/* A script, wholly or not at all. */
static enum via_run_state
write_setup(struct via_run *run)
{
    struct via_conn *c = run->conn;
    enum via_run_state state = VIA_RUN_DONE;
    int64_t changed = 0;
    int rc;

    if (run->params && via_json_type(run->params) != VIA_JSON_NULL) {
        via_error_set(&run->error, VIA_BAD_REQUEST, "setup takes no params");
        return VIA_RUN_FAILED;
    }
    via_policy_begin(&c->policy);
    rc = via_conn_exec(c, "BEGIN IMMEDIATE");
    if (rc != SQLITE_OK)
        return via_run_fail(run, rc);
    for (size_t at = 0; state == VIA_RUN_DONE;) {
        at += via_sql_skip(run->sql + at, run->sql_len - at);
        if (at >= run->sql_len)
            break;
        state = setup_next(run, &at, &changed);
    }
    if (state == VIA_RUN_DONE) {
        rc = via_conn_exec(c, "COMMIT");
        if (rc != SQLITE_OK)
            state = via_run_fail(run, rc);
    }
    if (state != VIA_RUN_DONE)
        return state; /* ending the connection rolls back */
    via_buf_puts(run->out, "{\"update_count\":");
    via_values_put_integer(run->out, changed);
    via_buf_putc(run->out, '}');
    return VIA_RUN_DONE;
}

enum via_run_state
via_run_write(struct via_run *run, struct via_pool *pool, struct via_shelf *shelf)
{
    enum via_run_state state;

    run->written = 0;
    state = via_run_open(run, pool, shelf, true);
    if (state == VIA_RUN_DONE)
        state = run->kind == VIA_RUN_SETUP ? write_setup(run) : write_execute(run);
    via_run_end(run, pool);
    if (state != VIA_RUN_DONE)
        via_buf_reset(run->out);
    return state;
}
