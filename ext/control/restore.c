#include "control/restore.h"

#include "base/clock.h"
#include "base/id.h"
#include "control/audit.h"
#include "control/operation.h"
#include "control/reason.h"
#include "control/setting.h"
#include "control/snapshot.h"

#include <stdio.h>
#include <string.h>

#define TIMEOUT_MAX_S 86400

/* -- asking ------------------------------------------------------------------------ */

static void
check_snapshot(struct via_store *s, const struct via_addon *a, const char *id)
{
    struct via_sql *db = &s->write;
    sqlite3_stmt *q =
        via_sql_stmt(db, "SELECT c.addon_id, c.state, b.name FROM main.snapshots AS c"
                         " LEFT JOIN main.addons AS b ON b.id = c.addon_id WHERE c.id = ?1");
    char owner[VIA_ID_SIZE], state[16], name[VIA_ADDON_ROW_NAME_SIZE];

    if (!id || !id[0]) {
        via_sql_fail(db, VIA_VALUE_REQUIRED, "say which snapshot to restore: column snapshot");
        return;
    }
    via_sql_bind_text(db, q, 1, id);
    if (!via_sql_row(db, q)) {
        via_sql_fail(db, VIA_SNAPSHOT_NOT_FOUND, "there is no snapshot %s", id);
        return;
    }
    via_sql_text(q, 0, owner, sizeof owner);
    via_sql_text(q, 1, state, sizeof state);
    via_sql_text(q, 2, name, sizeof name);
    via_sql_end(db, q);
    if (strcmp(owner, a->id) != 0)
        via_sql_fail(db, VIA_SNAPSHOT_NOT_FOUND, "snapshot %s is of add-on %s (%s), not of %s (%s)",
                     id, name, owner, a->name, a->id);
    else if (strcmp(state, "ready") != 0)
        via_sql_fail(db, VIA_STATE_INVALID, "snapshot %s is %s and cannot be restored", id, state);
}

static void
check_addon(struct via_store *s, const struct via_addon *a)
{
    if (a->state == VIA_ADDON_IS_DRAINING)
        via_sql_fail(&s->write, VIA_ADDON_BUSY, "add-on %s is being restored already", a->name);
    else if (a->state != VIA_ADDON_IS_READY && a->state != VIA_ADDON_IS_SUSPENDED)
        via_sql_fail(&s->write, VIA_STATE_INVALID, "add-on %s is %s and cannot be restored",
                     a->name, via_addon_state_word(a->state));
    via_addon_check_idle(s, a, "addon.restore");
    via_addon_check_idle(s, a, "addon.repair");
}

/* Name the running deploys that use the add-on. */
static void
check_active(struct via_store *s, const struct via_addon *a)
{
    struct via_sql *db = &s->write;
    sqlite3_stmt *q = via_sql_stmt(
        db, "SELECT count(*), group_concat(id, ', ') FROM (SELECT DISTINCT d.id AS id"
            " FROM main.release_bindings AS r JOIN v_deploys AS d ON d.release = r.release"
            " WHERE r.addon_id = ?1 AND d.state = 'running' ORDER BY d.id)");

    via_sql_bind_text(db, q, 1, a->id);
    if (via_sql_row(db, q) && sqlite3_column_int(q, 0) > 0)
        via_sql_fail(db, VIA_ADDON_ACTIVE,
                     "add-on %s is in use by what runs of app %s (%.300s); restore it with drain",
                     a->name, a->app, (const char *)sqlite3_column_text(q, 1));
    via_sql_end(db, q);
}

static int64_t
timeout_of(struct via_store *s, const struct via_restore_spec *spec)
{
    if (spec->timeout_s > TIMEOUT_MAX_S)
        via_sql_fail(&s->write, VIA_VALUE_INVALID,
                     "timeout_s takes a whole number from 0 to %d (s)", TIMEOUT_MAX_S);
    return spec->timeout_s < 0 ? via_setting_int(&s->write, "restore_timeout_s") : spec->timeout_s;
}

static int64_t
restore_insert(struct via_store *s, const struct via_addon *a, const struct via_restore_spec *spec,
               char id[VIA_ID_SIZE])
{
    struct via_sql *db = &s->write;
    char keep_id[VIA_ID_SIZE];
    int64_t timeout_s = timeout_of(s, spec);
    sqlite3_stmt *q =
        via_sql_stmt(db, "INSERT INTO main.restores(id, addon_id, snapshot, state, phase, drain,"
                         " restart_bound_apps, force_after_timeout, timeout_s, keep_id, started_at)"
                         " VALUES(?1, ?2, ?3, 'pending', 'copy', ?4, ?5, ?6, ?7, ?8, ?9)");

    via_id_make("rst", id);
    via_id_make("snap", keep_id);
    via_sql_bind_text(db, q, 1, id);
    via_sql_bind_text(db, q, 2, a->id);
    via_sql_bind_text(db, q, 3, spec->snapshot);
    via_sql_bind_int(db, q, 4, spec->drain);
    via_sql_bind_int(db, q, 5, spec->restart_bound_apps);
    via_sql_bind_int(db, q, 6, spec->force_after_timeout);
    via_sql_bind_int(db, q, 7, timeout_s);
    via_sql_bind_text(db, q, 8, keep_id);
    via_sql_bind_text(db, q, 9, s->now);
    via_sql_run(db, q);
    return via_sql_ok(db) ? sqlite3_last_insert_rowid(db->db) : 0;
}

int64_t
via_restore_put(struct via_store *s, const struct via_addon *a, const struct via_restore_spec *spec)
{
    struct via_operation op = {.kind = "addon.restore", .state = "pending", .phase = "copy"};
    char id[VIA_ID_SIZE], op_id[VIA_ID_SIZE];
    int64_t rid;

    check_addon(s, a);
    check_snapshot(s, a, spec->snapshot);
    if (!spec->drain && !spec->force_after_timeout)
        check_active(s, a);
    rid = restore_insert(s, a, spec, id);
    (void)snprintf(op.app, sizeof op.app, "%s", a->app);
    (void)snprintf(op.addon_id, sizeof op.addon_id, "%s", a->id);
    (void)snprintf(op.payload, sizeof op.payload, "%s", id);
    via_store_intend(s, VIA_INTENT_RESTORE, via_operation_put(s, &op, a->name, op_id), a->id, NULL,
                     0);
    return rid;
}

bool
via_restore_find(struct via_sql *db, const char *id, struct via_restore *out)
{
    sqlite3_stmt *q = via_sql_stmt(
        db, "SELECT r.addon_id, r.snapshot, c.digest, r.keep_id, r.phase, r.restart_bound_apps,"
            " r.force_after_timeout, r.timeout_s FROM main.restores AS r"
            " LEFT JOIN main.snapshots AS c ON c.id = r.snapshot WHERE r.id = ?1");
    bool found;

    memset(out, 0, sizeof *out);
    via_sql_bind_text(db, q, 1, id);
    found = via_sql_row(db, q);
    if (found) {
        (void)snprintf(out->id, sizeof out->id, "%s", id);
        via_sql_text(q, 0, out->addon_id, sizeof out->addon_id);
        via_sql_text(q, 1, out->snapshot, sizeof out->snapshot);
        via_sql_text(q, 2, out->digest, sizeof out->digest);
        via_sql_text(q, 3, out->keep_id, sizeof out->keep_id);
        via_sql_text(q, 4, out->phase, sizeof out->phase);
        out->restart_bound_apps = sqlite3_column_int(q, 5) != 0;
        out->force_after_timeout = sqlite3_column_int(q, 6) != 0;
        out->timeout_s = sqlite3_column_int64(q, 7);
    }
    via_sql_end(db, q);
    return found;
}

/* -- on the way -------------------------------------------------------------------- */

void
via_restore_phase(struct via_store *s, const struct via_restore *r, const char *phase)
{
    struct via_sql *db = &s->write;
    sqlite3_stmt *q = via_sql_stmt(db, "UPDATE main.restores SET state = 'running', phase = ?2"
                                       " WHERE id = ?1");

    via_sql_bind_text(db, q, 1, r->id);
    via_sql_bind_text(db, q, 2, phase);
    via_sql_run(db, q);
}

static void
addon_change(struct via_store *s, const char *id, const char *from, const char *to)
{
    struct via_sql *db = &s->write;
    sqlite3_stmt *q = via_sql_stmt(db, "UPDATE main.addons SET state = ?3, updated_at = ?4"
                                       " WHERE id = ?1 AND state = ?2");

    via_sql_bind_text(db, q, 1, id);
    via_sql_bind_text(db, q, 2, from);
    via_sql_bind_text(db, q, 3, to);
    via_sql_bind_text(db, q, 4, s->now);
    via_sql_run(db, q);
}

void
via_restore_drain(struct via_store *s, const struct via_restore *r, const char *operation_id)
{
    struct via_reason why = {0};
    struct via_addon a;

    if (!via_addon_find_id(&s->write, r->addon_id, &a))
        return;
    if (a.state != VIA_ADDON_IS_READY && a.state != VIA_ADDON_IS_SUSPENDED)
        via_sql_fail(&s->write, VIA_STATE_INVALID, "add-on %s became %s meanwhile", a.name,
                     via_addon_state_word(a.state));
    addon_change(s, r->addon_id, "ready", "draining");
    via_reason_put(&why, "add-on", a.name);
    if (via_sql_ok(&s->write))
        via_audit_control(s, "addon.drain", a.app, NULL, why.text, operation_id);
}

void
via_restore_serve(struct via_store *s, const struct via_restore *r)
{
    addon_change(s, r->addon_id, "draining", "ready");
}

void
via_restore_keep(struct via_store *s, const struct via_restore *r)
{
    struct via_addon a;

    if (via_addon_find_id(&s->write, r->addon_id, &a))
        via_snapshot_put_pending(s, r->keep_id, &a, "safety");
}

/* -- the end ----------------------------------------------------------------------- */

static void
restore_settle(struct via_store *s, const struct via_restore *r, const char *state,
               const char *safety, const char *error)
{
    struct via_sql *db = &s->write;
    char now[VIA_TIME_SIZE];
    sqlite3_stmt *q = via_sql_stmt(db, "UPDATE main.restores SET state = ?2, safety_snapshot = ?3,"
                                       " error = ?4, finished_at = ?5, phase = ?2 WHERE id = ?1");

    via_clock_format(via_clock_now_ms(), now);
    via_sql_bind_text(db, q, 1, r->id);
    via_sql_bind_text(db, q, 2, state);
    via_sql_bind_text(db, q, 3, safety);
    via_sql_bind_text(db, q, 4, error);
    via_sql_bind_text(db, q, 5, now);
    via_sql_run(db, q);
}

void
via_restore_done(struct via_store *s, const struct via_restore *r, bool is_kept, bool is_damaged,
                 const char *operation_id)
{
    struct via_reason why = {0};
    struct via_addon a = {0};
    char said[256];

    (void)snprintf(said, sizeof said,
                   "storage_corrupt: what was there does not hold; its bytes lie beside the"
                   " snapshots as %s.damaged until that snapshot is deleted",
                   r->keep_id);
    restore_settle(s, r, "done", is_kept ? r->keep_id : NULL, is_damaged ? said : NULL);
    if (!via_addon_find_id(&s->write, r->addon_id, &a))
        return;
    via_reason_put(&why, "add-on", a.name);
    via_reason_put(&why, "from", r->snapshot);
    via_reason_put(&why, "safety snapshot", is_kept ? r->keep_id : "none");
    if (is_damaged)
        via_reason_put(&why, "damaged bytes kept as", r->keep_id);
    via_audit_control(s, "addon.restore", a.app, NULL, why.text, operation_id);
}

void
via_restore_failed(struct via_store *s, const struct via_restore *r, const struct via_error *why)
{
    char error[VIA_MESSAGE_SIZE + 64];

    (void)snprintf(error, sizeof error, "%s: %s", via_status_word(why->status), why->message);
    via_restore_serve(s, r);
    restore_settle(s, r, why->status == VIA_OPERATION_INTERRUPTED ? "undone" : "failed", NULL,
                   error);
}
