#include "control/moved.h"

#include "base/clock.h"
#include "base/error.h"
#include "control/audit.h"
#include "control/key.h"
#include "control/operation.h"
#include "control/reason.h"
#include "control/restore.h"
#include "control/snapshot.h"

#include <stdio.h>
#include <string.h>

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

/* Another backup goes on where it was begun: its files are not for this host to look for, or to
 * remove. */
static bool
moved_undo_backup(struct via_store *s, const struct via_operation *op, struct via_error *why)
{
    via_error_set(why, VIA_OPERATION_INTERRUPTED, "it was of the host before");
    via_backup_failed(s, op->payload);
    return true;
}

/* A restore may have come to its end, or not, before its content was copied: that is whole, but
 * nobody can tell which. Past the exchange it is the new one, and the restore goes on. */
static bool
moved_undo_restore(struct via_store *s, const struct via_operation *op, struct via_error *why)
{
    struct via_restore r;

    if (!via_restore_find(&s->write, op->payload, &r) || strcmp(r.phase, "exchange") == 0 ||
        strcmp(r.phase, "check") == 0)
        return false;
    via_error_set(why, VIA_OPERATION_INTERRUPTED,
                  "the host was backed up meanwhile; what the add-on holds is what was there"
                  " when it was copied");
    via_snapshot_drop(s, r.keep_id);
    via_restore_failed(s, &r, why);
    return true;
}

/* What was under way and is not gone on with here. */
static void
moved_give_up(struct via_store *s)
{
    struct via_sql *db = &s->write;
    struct via_operation op;
    int64_t rid = 0;

    while ((rid = via_operation_next_open(db, rid)) > 0 && via_operation_find(db, rid, &op)) {
        struct via_error why = {0};

        if ((strcmp(op.kind, "backup.create") == 0 && moved_undo_backup(s, &op, &why)) ||
            (strcmp(op.kind, "addon.restore") == 0 && moved_undo_restore(s, &op, &why)))
            via_operation_fail(s, &op, &why);
    }
}

enum via_status
via_moved_settle(struct via_store *s, const char *id, const struct via_backup_outcome *outcome,
                 struct via_error *e)
{
    struct via_reason why = {0};

    if (moved_stop(s, e) != VIA_OK || via_store_begin(s, true, e) != VIA_OK)
        return e->status;
    moved_finish(s, id, outcome);
    moved_give_up(s);
    via_key_retire_use(s, VIA_KEY_WORKLOAD);
    via_key_retire_use(s, VIA_KEY_GENERATION);
    via_reason_put(&why, "backup", id);
    via_audit_control(s, "backup.restore", NULL, NULL, why.text, NULL);
    if (via_sql_take(&s->write, e) != VIA_OK) {
        via_store_rollback(s);
        return e->status;
    }
    return via_store_commit(s, e);
}

static enum via_status
moved_fold_one(const struct via_root *root, const char *name, struct via_error *e)
{
    char path[VIA_PATH_SIZE], verdict[200] = "";
    struct via_sql s = {0};
    enum via_status status;
    sqlite3_stmt *q;

    via_root_join(root, name, path);
    via_sql_open(&s, path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW);
    via_sql_exec(&s, "PRAGMA journal_mode = WAL");
    q = via_sql_stmt(&s, "PRAGMA integrity_check(1)");
    if (via_sql_row(&s, q))
        via_sql_text(q, 0, verdict, sizeof verdict);
    via_sql_end(&s, q);
    if (via_sql_ok(&s) && strcmp(verdict, "ok") != 0)
        via_sql_fail(&s, VIA_STATE_CORRUPT, "%s does not hold: %s", name, verdict);
    if (via_sql_ok(&s) && via_sql_int(&s, "PRAGMA wal_checkpoint(TRUNCATE)", 1) != 0)
        via_sql_fail(&s, VIA_CONTROL_BUSY, "another process uses %s", name);
    status = via_sql_take(&s, e);
    via_sql_close(&s);
    return status;
}

enum via_status
via_moved_fold(const struct via_root *root, struct via_error *e)
{
    enum via_status status = moved_fold_one(root, "control-plane.db", e);

    return status == VIA_OK ? moved_fold_one(root, "runtime.db", e) : status;
}
