#include "control/operation.h"

#include "base/clock.h"
#include "base/id.h"
#include "control/audit.h"

#include <stdio.h>
#include <string.h>

int64_t
via_operation_put(struct via_store *s, const struct via_operation *op, const char *subject,
                  char id[VIA_ID_SIZE])
{
    struct via_sql *db = &s->write;
    sqlite3_stmt *q = via_sql_stmt(
        db, "INSERT INTO main.operations(id, kind, subject, actor, state, phase, started_at,"
            " finished_at, progress, app, addon_id, payload)"
            " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, iif(?5 = 'done', ?7, NULL),"
            " iif(?5 = 'done', 100, NULL), ?8, ?9, ?10)");

    via_id_make("op", id);
    via_sql_bind_text(db, q, 1, id);
    via_sql_bind_text(db, q, 2, op->kind);
    via_sql_bind_text(db, q, 3, subject);
    via_sql_bind_text(db, q, 4, s->actor);
    via_sql_bind_text(db, q, 5, op->state);
    via_sql_bind_text(db, q, 6, op->phase);
    via_sql_bind_text(db, q, 7, s->now);
    via_sql_bind_text(db, q, 8, op->app);
    via_sql_bind_text(db, q, 9, op->addon_id);
    via_sql_bind_text(db, q, 10, op->payload[0] ? op->payload : NULL);
    via_sql_run(db, q);
    return via_sql_ok(db) ? sqlite3_last_insert_rowid(db->db) : 0;
}

void
via_operation_put_done(struct via_store *s, const struct via_change *c, char id[VIA_ID_SIZE])
{
    struct via_operation op = {.state = "done"};

    (void)snprintf(op.kind, sizeof op.kind, "%s", c->kind);
    (void)snprintf(op.app, sizeof op.app, "%s", c->app ? c->app : "");
    (void)snprintf(op.addon_id, sizeof op.addon_id, "%s", c->addon_id ? c->addon_id : "");
    (void)via_operation_put(s, &op, c->subject, id);
}

bool
via_operation_find(struct via_sql *db, int64_t rid, struct via_operation *out)
{
    sqlite3_stmt *q = via_sql_stmt(db, "SELECT id, kind, state, phase, app, addon_id, payload"
                                       " FROM main.operations WHERE rid = ?1");
    bool found;

    memset(out, 0, sizeof *out);
    via_sql_bind_int(db, q, 1, rid);
    found = via_sql_row(db, q);
    if (found) {
        out->rid = rid;
        via_sql_text(q, 0, out->id, sizeof out->id);
        via_sql_text(q, 1, out->kind, sizeof out->kind);
        via_sql_text(q, 2, out->state, sizeof out->state);
        via_sql_text(q, 3, out->phase, sizeof out->phase);
        via_sql_text(q, 4, out->app, sizeof out->app);
        via_sql_text(q, 5, out->addon_id, sizeof out->addon_id);
        via_sql_text(q, 6, out->payload, sizeof out->payload);
    }
    via_sql_end(db, q);
    return found;
}

void
via_operation_progress(struct via_store *s, int64_t rid, int percent)
{
    struct via_sql *db = &s->write;
    sqlite3_stmt *q = via_sql_stmt(db, "UPDATE main.operations SET state = 'running',"
                                       " progress = max(?2, coalesce(progress, 0))"
                                       " WHERE rid = ?1");

    via_sql_bind_int(db, q, 1, rid);
    via_sql_bind_int(db, q, 2, percent);
    via_sql_run(db, q);
}

void
via_operation_phase(struct via_store *s, int64_t rid, const char *phase)
{
    struct via_sql *db = &s->write;
    sqlite3_stmt *q = via_sql_stmt(db, "UPDATE main.operations SET state = 'running', phase = ?2"
                                       " WHERE rid = ?1");

    via_sql_bind_int(db, q, 1, rid);
    via_sql_bind_text(db, q, 2, phase);
    via_sql_run(db, q);
}

void
via_operation_settle(struct via_store *s, int64_t rid, const char *state, const char *error)
{
    struct via_sql *db = &s->write;
    char now[VIA_TIME_SIZE];
    sqlite3_stmt *q = via_sql_stmt(db, "UPDATE main.operations SET state = ?2, error = ?3,"
                                       " progress = iif(?2 = 'done', 100, progress),"
                                       " finished_at = ?4 WHERE rid = ?1");

    via_clock_format(via_clock_now_ms(), now);
    via_sql_bind_int(db, q, 1, rid);
    via_sql_bind_text(db, q, 2, state);
    via_sql_bind_text(db, q, 3, error);
    via_sql_bind_text(db, q, 4, now);
    via_sql_run(db, q);
}

void
via_operation_fail(struct via_store *s, const struct via_operation *op, const struct via_error *why)
{
    bool is_undone = why->status == VIA_OPERATION_INTERRUPTED;
    char reason[VIA_MESSAGE_SIZE + 64];

    (void)snprintf(reason, sizeof reason, "%s: %s", via_status_word(why->status), why->message);
    via_operation_settle(s, op->rid, is_undone ? "undone" : "failed", reason);
    via_audit_put(&s->write, &(struct via_record){.at = s->now,
                                                  .actor = s->actor,
                                                  .action = op->kind,
                                                  .outcome = "failed",
                                                  .app = op->app[0] ? op->app : NULL,
                                                  .reason = reason,
                                                  .operation_id = op->id});
}

bool
via_operation_is_due(struct via_sql *db, const char *now)
{
    sqlite3_stmt *q =
        via_sql_stmt(db, "SELECT 1 FROM main.operations WHERE state IN ('pending', 'running')"
                         " UNION ALL SELECT 1 FROM main.addons WHERE purge_at IS NOT NULL AND"
                         " purge_at <= ?1 AND state = 'destroyed' LIMIT 1");
    bool is_due;

    via_sql_bind_text(db, q, 1, now);
    is_due = via_sql_row(db, q);
    via_sql_end(db, q);
    return is_due;
}

int64_t
via_operation_next_open(struct via_sql *db, int64_t after)
{
    sqlite3_stmt *q = via_sql_stmt(db, "SELECT min(rid) FROM main.operations"
                                       " WHERE state IN ('pending', 'running') AND rid > ?1");
    int64_t rid = 0;

    via_sql_bind_int(db, q, 1, after);
    if (via_sql_row(db, q))
        rid = sqlite3_column_int64(q, 0);
    via_sql_end(db, q);
    return rid;
}
