#include "control/snapshot.h"

#include "base/id.h"
#include "control/audit.h"
#include "control/operation.h"
#include "control/reason.h"

#include <stdio.h>
#include <string.h>

/* Is there something that can be copied? */
static void
copy_check(struct via_store *s, const struct via_addon *a)
{
    if (a->state != VIA_ADDON_IS_READY && a->state != VIA_ADDON_IS_SUSPENDED)
        via_sql_fail(&s->write, VIA_STATE_INVALID, "add-on %s is %s and cannot be copied", a->name,
                     via_addon_state_word(a->state));
}

/* What is done with a copy: its intent, its operation, and what its row is. */
struct copying {
    enum via_intent_kind intent;
    const char *kind;
    const char *what; /* NULL: it has none */
};

static const struct copying capture = {VIA_INTENT_SNAPSHOT, "addon.snapshot", "snapshot"};
static const struct copying removal = {VIA_INTENT_SNAPSHOT_REMOVE, "snapshot.delete", "snapshot"};
static const struct copying export = {VIA_INTENT_EXPORT, "addon.export", "export"};
static const struct copying repair = {VIA_INTENT_REPAIR, "addon.repair", NULL};

/* Write the operation, the intent and the record for the row `id` of an add-on. */
static void
copy_intend(struct via_store *s, const struct copying *c, const struct via_addon *a, const char *id)
{
    struct via_operation op = {.state = "pending", .phase = "copy"};
    struct via_reason why = {0};
    char op_id[VIA_ID_SIZE];
    int64_t rid;

    (void)snprintf(op.kind, sizeof op.kind, "%s", c->kind);
    (void)snprintf(op.app, sizeof op.app, "%s", a->app);
    (void)snprintf(op.addon_id, sizeof op.addon_id, "%s", a->id);
    (void)snprintf(op.payload, sizeof op.payload, "%s", id);
    rid = via_operation_put(s, &op, a->name, op_id);
    via_store_intend(s, c->intent, rid, a->id, NULL, 0);
    via_reason_put(&why, "add-on", a->name);
    if (c->what)
        via_reason_put(&why, c->what, id);
    if (via_sql_ok(&s->write))
        via_audit_control(s, c->kind, a->app, NULL, why.text, op_id);
}

void
via_snapshot_put_pending(struct via_store *s, const char *id, const struct via_addon *a,
                         const char *reason)
{
    struct via_sql *db = &s->write;
    sqlite3_stmt *q =
        via_sql_stmt(db, "INSERT INTO main.snapshots(id, addon_id, app, state, reason, created_at)"
                         " VALUES(?1, ?2, ?3, 'pending', ?4, ?5)");
    via_sql_bind_text(db, q, 1, id);
    via_sql_bind_text(db, q, 2, a->id);
    via_sql_bind_text(db, q, 3, a->app);
    via_sql_bind_text(db, q, 4, reason);
    via_sql_bind_text(db, q, 5, s->now);
    via_sql_run(db, q);
}

int64_t
via_snapshot_put(struct via_store *s, const struct via_addon *a, const char *reason)
{
    struct via_sql *db = &s->write;
    char id[VIA_ID_SIZE];
    int64_t rid;

    copy_check(s, a);
    via_id_make("snap", id);
    via_snapshot_put_pending(s, id, a, reason);
    rid = via_sql_ok(db) ? sqlite3_last_insert_rowid(db->db) : 0;
    copy_intend(s, &capture, a, id);
    return rid;
}

bool
via_snapshot_is_read(struct via_sql *db, const char *addon_id, const char *id)
{
    sqlite3_stmt *q = via_sql_stmt(db, "SELECT 1 FROM main.restores WHERE addon_id = ?1 AND"
                                       " snapshot = ?2 AND state IN ('pending', 'running')");
    bool found;

    via_sql_bind_text(db, q, 1, addon_id);
    via_sql_bind_text(db, q, 2, id);
    found = via_sql_row(db, q);
    via_sql_end(db, q);
    return found;
}

void
via_snapshot_remove(struct via_store *s, int64_t rid)
{
    struct via_sql *db = &s->write;
    char id[VIA_ID_SIZE] = "";
    char addon_id[VIA_ID_SIZE] = "";
    char state[16] = "";
    struct via_addon a;
    sqlite3_stmt *q = via_sql_stmt(db, "SELECT id, addon_id, state FROM main.snapshots"
                                       " WHERE rid = ?1");

    via_sql_bind_int(db, q, 1, rid);
    if (!via_sql_row(db, q))
        return;
    via_sql_text(q, 0, id, sizeof id);
    via_sql_text(q, 1, addon_id, sizeof addon_id);
    via_sql_text(q, 2, state, sizeof state);
    via_sql_end(db, q);
    if (strcmp(state, "deleted") == 0)
        return;
    if (strcmp(state, "pending") == 0)
        via_sql_fail(db, VIA_ADDON_BUSY, "snapshot %s is still being taken", id);
    else if (via_snapshot_is_read(db, addon_id, id))
        via_sql_fail(db, VIA_ADDON_BUSY, "snapshot %s is being restored", id);
    q = via_sql_stmt(db, "UPDATE main.snapshots SET state = 'deleted' WHERE rid = ?1");
    via_sql_bind_int(db, q, 1, rid);
    via_sql_run(db, q);
    if (!via_sql_ok(db) || !via_addon_find_id(db, addon_id, &a))
        return;
    copy_intend(s, &removal, &a, id);
}

void
via_snapshot_put_log(struct via_store *s, const char *id, const struct via_addon *a,
                     const char *operation_id)
{
    struct via_reason why = {0};

    via_snapshot_put_pending(s, id, a, "repair");
    via_snapshot_drop(s, id);
    via_reason_put(&why, "add-on", a->name);
    via_reason_put(&why, "log kept as", id);
    if (via_sql_ok(&s->write))
        via_audit_control(s, repair.kind, a->app, NULL, why.text, operation_id);
}

void
via_snapshot_ready(struct via_store *s, const char *id, int64_t size_bytes, const char *digest)
{
    struct via_sql *db = &s->write;
    sqlite3_stmt *q = via_sql_stmt(db, "UPDATE main.snapshots SET state = 'ready', size_bytes = ?2,"
                                       " digest = ?3 WHERE id = ?1 AND state = 'pending'");

    via_sql_bind_text(db, q, 1, id);
    via_sql_bind_int(db, q, 2, size_bytes);
    via_sql_bind_text(db, q, 3, digest);
    via_sql_run(db, q);
}

/* Run `change`, a statement with one parameter, on the snapshot `id`. */
static void
snapshot_change(struct via_store *s, const char *change, const char *id)
{
    sqlite3_stmt *q = via_sql_stmt(&s->write, change);

    via_sql_bind_text(&s->write, q, 1, id);
    via_sql_run(&s->write, q);
}

void
via_snapshot_drop(struct via_store *s, const char *id)
{
    snapshot_change(
        s, "UPDATE main.snapshots SET state = 'failed' WHERE id = ?1 AND state = 'pending'", id);
}

void
via_snapshot_keep(struct via_store *s, const char *id)
{
    /* Only what was once ready has a digest. */
    snapshot_change(s,
                    "UPDATE main.snapshots SET state = iif(digest IS NULL, 'failed', 'ready')"
                    " WHERE id = ?1 AND state = 'deleted'",
                    id);
}

bool
via_snapshot_is_ready(struct via_sql *db, const char *id)
{
    sqlite3_stmt *q = via_sql_stmt(db, "SELECT 1 FROM main.snapshots AS c JOIN main.addons AS a ON"
                                       " a.id = c.addon_id WHERE c.id = ?1 AND c.state = 'ready'"
                                       " AND a.state <> 'destroyed'");
    bool is_ready;

    via_sql_bind_text(db, q, 1, id);
    is_ready = via_sql_row(db, q);
    via_sql_end(db, q);
    return is_ready;
}

bool
via_snapshot_next_ready(struct via_sql *db, int64_t *rid, char id[VIA_ID_SIZE],
                        char addon_id[VIA_ID_SIZE])
{
    sqlite3_stmt *q = via_sql_stmt(db, "SELECT rid, id, addon_id FROM main.snapshots WHERE"
                                       " state = 'ready' AND rid > ?1 ORDER BY rid LIMIT 1");
    bool found;

    via_sql_bind_int(db, q, 1, *rid);
    found = via_sql_row(db, q);
    if (found) {
        *rid = sqlite3_column_int64(q, 0);
        via_sql_text(q, 1, id, VIA_ID_SIZE);
        via_sql_text(q, 2, addon_id, VIA_ID_SIZE);
    }
    via_sql_end(db, q);
    return found;
}

void
via_snapshot_forget(struct via_store *s, const char *id)
{
    snapshot_change(s, "UPDATE main.snapshots SET state = 'deleted' WHERE id = ?1", id);
}

bool
via_snapshot_newest(struct via_sql *db, const char *addon_id, char id[VIA_ID_SIZE])
{
    bool found;
    sqlite3_stmt *q = via_sql_stmt(db, "SELECT id FROM main.snapshots WHERE addon_id = ?1 AND"
                                       " state = 'ready' ORDER BY rid DESC LIMIT 1");

    via_sql_bind_text(db, q, 1, addon_id);
    found = via_sql_row(db, q);
    if (found)
        via_sql_text(q, 0, id, VIA_ID_SIZE);
    via_sql_end(db, q);
    return found;
}

int64_t
via_export_put(struct via_store *s, const struct via_addon *a, const char *path)
{
    struct via_sql *db = &s->write;
    char id[VIA_ID_SIZE];
    int64_t rid;
    sqlite3_stmt *q;

    copy_check(s, a);
    via_id_make("exp", id);
    q = via_sql_stmt(db, "INSERT INTO main.exports(id, addon_id, path, state, created_at)"
                         " VALUES(?1, ?2, ?3, 'pending', ?4)");
    via_sql_bind_text(db, q, 1, id);
    via_sql_bind_text(db, q, 2, a->id);
    via_sql_bind_text(db, q, 3, path);
    via_sql_bind_text(db, q, 4, s->now);
    via_sql_run(db, q);
    rid = via_sql_ok(db) ? sqlite3_last_insert_rowid(db->db) : 0;
    copy_intend(s, &export, a, id);
    return rid;
}

bool
via_export_path(struct via_sql *db, const char *id, char out[VIA_PATH_SIZE])
{
    bool found;
    sqlite3_stmt *q = via_sql_stmt(db, "SELECT path FROM main.exports WHERE id = ?1");

    via_sql_bind_text(db, q, 1, id);
    found = via_sql_row(db, q);
    if (found)
        via_sql_text(q, 0, out, VIA_PATH_SIZE);
    via_sql_end(db, q);
    return found;
}

void
via_export_settle(struct via_store *s, const char *id, const char *state, int64_t size_bytes)
{
    struct via_sql *db = &s->write;
    sqlite3_stmt *q = via_sql_stmt(db, "UPDATE main.exports SET state = ?2, size_bytes = ?3"
                                       " WHERE id = ?1");

    via_sql_bind_text(db, q, 1, id);
    via_sql_bind_text(db, q, 2, state);
    if (strcmp(state, "ready") == 0)
        via_sql_bind_int(db, q, 3, size_bytes);
    via_sql_run(db, q);
}

void
via_addon_repair(struct via_store *s, const struct via_addon *a, bool present, const char *obstacle)
{
    struct via_sql *db = &s->write;
    char snapshot[VIA_ID_SIZE];

    if (a->state == VIA_ADDON_IS_DESTROYED || a->state == VIA_ADDON_IS_PROVISIONING ||
        a->state == VIA_ADDON_IS_DRAINING)
        via_sql_fail(db, VIA_STATE_INVALID, "add-on %s is %s and cannot be repaired", a->name,
                     via_addon_state_word(a->state));
    else if (obstacle)
        via_sql_fail(db, VIA_STORAGE_UNREADABLE, "the database file of add-on %s %s", a->name,
                     obstacle);
    else if (!present && via_snapshot_newest(db, a->id, snapshot))
        via_sql_fail(
            db, VIA_STORAGE_MISSING,
            "the database file of add-on %s is missing; rather than start empty, restore its"
            " newest snapshot: via addon restore %s --app %s --snapshot %s --drain",
            a->name, a->name, a->app, snapshot);
    via_addon_check_idle(s, a, "addon.restore");
    copy_intend(s, &repair, a, "");
}
