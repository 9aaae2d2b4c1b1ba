/* run.c: stepping statements and encoding what they give; reads. Writes are in write.c. */
#include "proxy/run.h"

#include "base/clock.h"
#include "base/error.h"
#include "proxy/runstep.h"
#include "proxy/sqlerror.h"
#include "proxy/values.h"

#include <string.h>
#include <strings.h>

#define QUICK_MS 3                           /* by a clock of milliseconds: between 2 and 3 */
#define QUICK_BYTES (64 * 1024)              /* of result */
#define LONGEST_MS ((int64_t)1 << 40)        /* of a statement: ever, without an overflow */
#define READ_HEAP_BYTES ((int64_t)256 << 20) /* the operations of one add-on together */
#define WRITE_HEAP_BYTES ((int64_t)512 << 20)
#define QUICK_SQL_BYTES (16 * 1024)
#define QUICK_VALUE_BYTES QUICK_BYTES /* of one value: what bounds a single step */

/* -- failures ------------------------------------------------------------------- */

/* Say what `rc`, just returned by the connection, means for this run. */
enum via_run_state
via_run_fail(struct via_run *run, int rc)
{
    struct via_conn *c = run->conn;

    run->rc = rc;
    if (rc == SQLITE_IOERR_AUTH) {
        /* Not only rights end: it may be another file that is served now. */
        c->broken |= !via_conn_is_in_place(c, true);
        return VIA_RUN_STALE;
    }
    if (via_error_is_set(&c->policy.error))
        via_error_set(&run->error, c->policy.error.status, "%s", c->policy.error.message);
    if ((rc & 0xff) == SQLITE_INTERRUPT && c->stop == VIA_STOP_SHUTDOWN)
        via_error_set(&run->error, VIA_SHUTTING_DOWN, "the agent is going down; try again");
    if ((rc & 0xff) == SQLITE_INTERRUPT && c->stop == VIA_STOP_DRAIN)
        via_error_set(&run->error, VIA_ADDON_DRAINING,
                      "it was interrupted: the add-on is being restored; try again soon");
    via_sqlite_error(c->db, rc, &run->error, &run->sqlite);
    switch (rc & 0xff) {
    case SQLITE_IOERR:
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_CANTOPEN:
    case SQLITE_NOMEM:
        c->broken = true;
        break;
    default:
        break;
    }
    return VIA_RUN_FAILED;
}

static enum via_run_state
run_too_large(struct via_run *run)
{
    via_error_set(&run->error, VIA_RESULT_TOO_LARGE,
                  "the result is longer than the %lld bytes that result_bytes allows",
                  (long long)run->bounds->result_bytes);
    return VIA_RUN_FAILED;
}

/* -- memory --------------------------------------------------------------------- */

/* Count what SQLite allocates for `run` on this thread, until run_leave() or its end. */
static void
run_enter(struct via_run *run)
{
    struct via_conn *c = run->conn;

    c->budget.shared = &c->shelf->held_bytes;
    c->budget.limit_bytes = c->policy.writer ? WRITE_HEAP_BYTES : READ_HEAP_BYTES;
    via_budget_enter(&c->budget);
}

/* -- the statement and its rows ------------------------------------------------- */

/* Begin on the connection that `run` holds: rights, statement, parameters. */
static enum via_run_state
run_prepare(struct via_run *run)
{
    struct via_conn *c = run->conn;
    int rc = SQLITE_OK;

    if (run->sql_len > (size_t)run->bounds->sql_bytes) {
        via_error_set(&run->error, VIA_REQUEST_TOO_LARGE,
                      "sql is longer than the %lld bytes that sql_bytes allows",
                      (long long)run->bounds->sql_bytes);
        return VIA_RUN_FAILED;
    }
    rc = via_conn_begin(c, &run->pass->grant, run->bounds);
    if (rc != SQLITE_OK)
        return via_run_fail(run, rc);
    if (run->kind == VIA_RUN_SETUP)
        return VIA_RUN_DONE;
    run->statement = via_statements_get(&c->statements, c->db, &c->policy, run->sql, run->sql_len,
                                        &rc, &run->error, &run->sqlite);
    if (!run->statement)
        return rc == SQLITE_AUTH || rc == SQLITE_MISUSE ? VIA_RUN_FAILED : via_run_fail(run, rc);
    return via_values_bind(run->statement->stmt, run->params, &run->error) == VIA_OK
               ? VIA_RUN_DONE
               : VIA_RUN_FAILED;
}

/* {"columns":[…],"rows":[ */
static void
run_put_head(struct via_run *run)
{
    size_t n = 0;
    const char *names = via_statement_names(run->statement, &n);

    if (!names) {
        run->out->failed = true;
        return;
    }
    via_buf_put(run->out, "{\"columns\":", 11);
    via_buf_put(run->out, names, n);
    via_buf_put(run->out, ",\"rows\":[", 9);
}

void
via_run_put_counts(struct via_run *run, int64_t changed, int64_t rowid)
{
    via_buf_puts(run->out, "\"update_count\":");
    via_values_put_integer(run->out, changed);
    via_buf_puts(run->out, ",\"last_insert_rowid\":");
    via_values_put_integer(run->out, rowid);
    via_buf_putc(run->out, '}');
}

/* One row. False: the result has become longer than allowed. */
static bool
run_put_row(struct via_run *run)
{
    sqlite3_stmt *stmt = run->statement->stmt;
    struct via_buf *b = run->out;
    int count = sqlite3_column_count(stmt);

    via_buf_putc(b, '[');
    for (int i = 0; i < count; i++) {
        if (i)
            via_buf_putc(b, ',');
        via_values_put(b, stmt, i);
        if (run->written + b->len > (size_t)run->bounds->result_bytes)
            return false;
    }
    via_buf_putc(b, ']');
    return true;
}

/* Step and encode until the end or until `out` holds `ceiling` bytes. Every row but the
 * first of the result has a comma before it. */
enum via_run_state
via_run_rows(struct via_run *run, size_t ceiling)
{
    sqlite3_stmt *stmt = run->statement->stmt;
    struct via_buf *b = run->out;
    int rc;

    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        if (b->len == 0 && run->written == 0)
            run_put_head(run);
        else if (run->written > 0 || b->data[b->len - 1] != '[')
            via_buf_putc(b, ',');
        if (!run_put_row(run))
            return run_too_large(run);
        if (b->failed)
            return via_run_fail(run, SQLITE_NOMEM);
        if (b->len >= ceiling)
            return VIA_RUN_MORE;
    }
    if (rc != SQLITE_DONE)
        return via_run_fail(run, rc);
    if (b->len == 0 && run->written == 0 && sqlite3_column_count(stmt) > 0)
        run_put_head(run);
    return b->failed ? via_run_fail(run, SQLITE_NOMEM) : VIA_RUN_DONE;
}

/* Close the JSON of a finished read. */
static void
run_put_tail(struct via_run *run)
{
    if (run->kind == VIA_RUN_QUERY) {
        via_buf_put(run->out, "]}", 2);
        return;
    }
    via_buf_put(run->out, "],", 2);
    via_run_put_counts(run, 0, 0);
}

/* -- ending --------------------------------------------------------------------- */

/* Give the connection back as it was found. */
void
via_run_end(struct via_run *run, struct via_pool *pool)
{
    if (!run->conn)
        return;
    via_budget_leave();
    if (run->statement) {
        sqlite3_reset(run->statement->stmt);
        sqlite3_clear_bindings(run->statement->stmt);
        run->conn->policy.pragma_set |= run->statement->pragma_set;
    }
    if (run->streaming)
        via_pool_end_stream(pool, run->conn->shelf);
    run->streaming = false;
    run->statement = NULL;
    via_conn_end(run->conn);
    via_budget_end(&run->conn->budget);
    via_pool_put(pool, run->conn);
    run->conn = NULL;
}

/* -- reads ---------------------------------------------------------------------- */

bool
via_run_may_read(const struct via_run *run)
{
    static const char *const words[] = {"select", "values", "with", "explain", "pragma"};
    size_t at;

    if (run->kind != VIA_RUN_EXECUTE)
        return run->kind == VIA_RUN_QUERY;
    at = via_sql_skip(run->sql, run->sql_len);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (run->sql_len - at >= strlen(words[i]) &&
            strncasecmp(run->sql + at, words[i], strlen(words[i])) == 0)
            return true;
    return false;
}

/* An execute that cannot run on a reader goes to the writer. */
static enum via_run_state
read_or_write(struct via_run *run, enum via_run_state state)
{
    if (state != VIA_RUN_FAILED || run->kind != VIA_RUN_EXECUTE ||
        run->error.status != VIA_QUERY_NOT_READONLY)
        return state;
    via_error_clear(&run->error);
    return VIA_RUN_WRITES;
}

/* A quick failure that is not the statement's own is looked at by a worker. */
static bool
is_own_mistake(const struct via_run *run)
{
    enum via_status status = run->error.status;

    if ((run->rc & 0xff) == SQLITE_TOOBIG) /* for here, not for a worker */
        return false;
    return status == VIA_SQL_ERROR || status == VIA_BAD_REQUEST ||
           status == VIA_STATEMENT_FORBIDDEN || status == VIA_QUERY_NOT_READONLY ||
           status == VIA_TOO_MANY_STATEMENTS;
}

/* The deadline is looked at between two steps: is none of them long by itself? */
static bool
is_quick(const struct via_run *run)
{
    const struct via_statement *s = run->statement;

    return !s->heavy && (!s->counts || via_conn_is_small(run->conn));
}

enum via_run_state
via_run_read_quick(struct via_run *run, struct via_pool *pool)
{
    enum via_run_state state;

    if (run->sql_len > QUICK_SQL_BYTES)
        return VIA_RUN_SLOW;
    run->conn = via_pool_take_idle(pool, run->pass->grant.addon_id);
    if (!run->conn)
        return VIA_RUN_SLOW;
    if (!via_conn_is_in_place(run->conn, false)) {
        run->conn->broken = true;
        via_run_end(run, pool);
        return VIA_RUN_SLOW;
    }
    run->conn->deadline_ms = via_clock_mono_ms() + QUICK_MS;
    run->conn->busy_until_ms = 0;
    run_enter(run);
    sqlite3_limit(run->conn->db, SQLITE_LIMIT_LENGTH, QUICK_VALUE_BYTES);
    state = run_prepare(run);
    if (state == VIA_RUN_DONE && !is_quick(run))
        state = VIA_RUN_SLOW;
    if (state == VIA_RUN_DONE) {
        state = via_run_rows(run, QUICK_BYTES);
        if (state == VIA_RUN_DONE)
            run_put_tail(run);
    }
    state = read_or_write(run, state);
    sqlite3_limit(run->conn->db, SQLITE_LIMIT_LENGTH, VIA_VALUE_BYTES);
    via_run_end(run, pool);
    if (state == VIA_RUN_MORE || (state == VIA_RUN_FAILED && !is_own_mistake(run))) {
        via_error_clear(&run->error);
        run->sqlite = NULL;
        state = VIA_RUN_SLOW;
    }
    if (state != VIA_RUN_DONE)
        via_buf_reset(run->out);
    return state;
}

static int64_t
clamp_ms(int64_t ms)
{
    return ms < LONGEST_MS ? ms : LONGEST_MS;
}

static int64_t
run_timeout_ms(const struct via_run *run)
{
    int64_t own = run->pass->grant.policy.statement_timeout_ms;

    return clamp_ms(own ? own : run->bounds->statement_timeout_ms);
}

/* Take a connection of `shelf` and prepare. */
enum via_run_state
via_run_open(struct via_run *run, struct via_pool *pool, struct via_shelf *shelf, bool writer)
{
    int64_t now_ms = via_clock_mono_ms();

    if (via_pool_take(pool, shelf, writer, run->bounds, &run->conn, &run->rc, &run->error) !=
        VIA_OK) {
        via_pool_drop(pool, shelf);
        return run->rc == SQLITE_IOERR_AUTH ? VIA_RUN_STALE : VIA_RUN_FAILED;
    }
    run_enter(run);
    run->deadline_ms = now_ms + run_timeout_ms(run);
    run->conn->deadline_ms = run->deadline_ms;
    run->conn->busy_until_ms = now_ms + clamp_ms(run->bounds->busy_timeout_ms);
    return run_prepare(run);
}

enum via_run_state
via_run_read(struct via_run *run, struct via_pool *pool, struct via_shelf *shelf)
{
    enum via_run_state state;

    run->written = 0;
    state = via_run_open(run, pool, shelf, false);
    if (state == VIA_RUN_DONE) {
        state = via_run_rows(run, VIA_PIECE_FIRST);
        if (state == VIA_RUN_DONE)
            run_put_tail(run);
    }
    state = read_or_write(run, state);
    if (state == VIA_RUN_MORE) {
        run->streaming = via_pool_begin_stream(pool, shelf);
        if (run->streaming) {
            via_budget_leave();
            return state;
        }
        via_error_set(&run->error, VIA_OVERLOADED,
                      "too many long results of this add-on are on their way; try again");
        state = VIA_RUN_FAILED;
    }
    via_run_end(run, pool);
    if (state != VIA_RUN_DONE)
        via_buf_reset(run->out);
    return state;
}

enum via_run_state
via_run_more(struct via_run *run, struct via_pool *pool)
{
    enum via_run_state state;

    run->written += run->out->len;
    via_buf_reset(run->out);
    if (via_conn_is_drained(run->conn)) {
        via_error_set(&run->error, VIA_ADDON_DRAINING,
                      "it was interrupted: the add-on is being restored");
        via_run_end(run, pool);
        return VIA_RUN_FAILED;
    }
    if (via_clock_mono_ms() >= run->deadline_ms) {
        via_error_set(&run->error, VIA_STATEMENT_TIMEOUT, "the statement took longer than allowed");
        via_run_end(run, pool);
        return VIA_RUN_FAILED;
    }
    run_enter(run);
    state = via_run_rows(run, VIA_PIECE_NEXT);
    if (state == VIA_RUN_DONE)
        run_put_tail(run);
    via_budget_leave();
    if (state != VIA_RUN_MORE)
        via_run_end(run, pool);
    return state;
}
