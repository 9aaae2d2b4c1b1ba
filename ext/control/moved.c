#include "control/moved.h"

#include "base/clock.h"
#include "control/audit.h"
#include "control/operation.h"

/* Everything at once, and not only what is in the lists of somebody who waits: runtime.db alone. */
static enum via_status
moved_stop(struct via_store *s, struct via_error *e)
{
    struct via_sql *db = &s->runtime;
    char now[VIA_TIME_SIZE];
    sqlite3_stmt *q;

    via_clock_format(via_clock_now_ms(), now);
    via_sql_exec(db, "BEGIN IMMEDIATE");
    q = via_sql_stmt(db, "UPDATE main.instances SET state = 'stopped',"
                         " stopped_at = coalesce(stopped_at, ?1),"
                         " lease_expires_at = min(lease_expires_at, ?1)");
    via_sql_bind_text(db, q, 1, now);
    via_sql_run(db, q);
    q = via_sql_stmt(db, "UPDATE main.tokens SET expires_at = min(expires_at, ?1)");
    via_sql_bind_text(db, q, 1, now);
    via_sql_run(db, q);
    via_sql_exec(db, "COMMIT");
    return via_sql_take(db, e);
}

/* It was under way when its own control plane was copied. */
static void
moved_finish(struct via_store *s, const char *id, const struct via_backup_outcome *outcome)
{
    struct via_sql *db = &s->write;
    sqlite3_stmt *q = via_sql_stmt(db, "SELECT rid FROM main.operations WHERE payload = ?1 AND"
                                       " kind = 'backup.create'");
    int64_t rid = 0;

    via_sql_bind_text(db, q, 1, id);
    if (via_sql_row(db, q))
        rid = sqlite3_column_int64(q, 0);
    via_sql_end(db, q);
    via_backup_ready(s, id, outcome);
    via_operation_settle(s, rid, "done", NULL);
}

enum via_status
via_moved_settle(struct via_store *s, const char *id, const struct via_backup_outcome *outcome,
                 struct via_error *e)
{
    if (moved_stop(s, e) != VIA_OK || via_store_begin(s, true, e) != VIA_OK)
        return e->status;
    moved_finish(s, id, outcome);
    via_audit_control(s, "backup.restore", NULL, NULL, id, NULL);
    if (via_sql_take(&s->write, e) != VIA_OK) {
        via_store_rollback(s);
        return e->status;
    }
    return via_store_commit(s, e);
}
