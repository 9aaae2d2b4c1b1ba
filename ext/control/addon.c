#include "control/addon.h"

#include "base/clock.h"
#include "base/id.h"
#include "control/app.h"
#include "control/audit.h"
#include "control/binding.h"
#include "control/operation.h"
#include "control/options.h"
#include "control/reason.h"
#include "control/setting.h"
#include "rules/names.h"

#include <stdio.h>
#include <string.h>

#define ADDON_COLUMNS "SELECT rid, id, type, name, app, state, error FROM main.addons"

static bool
addon_read(struct via_sql *db, sqlite3_stmt *q, struct via_addon *out)
{
    char state[16];
    bool found = via_sql_row(db, q);

    memset(out, 0, sizeof *out);
    if (found) {
        out->rid = sqlite3_column_int64(q, 0);
        via_sql_text(q, 1, out->id, sizeof out->id);
        via_sql_text(q, 2, out->type, sizeof out->type);
        via_sql_text(q, 3, out->name, sizeof out->name);
        via_sql_text(q, 4, out->app, sizeof out->app);
        via_sql_text(q, 5, state, sizeof state);
        via_sql_text(q, 6, out->error, sizeof out->error);
        if (!via_addon_state_parse(state, &out->state))
            via_sql_fail(db, VIA_STATE_CORRUPT, "add-on %s is in an unknown state", out->id);
    }
    return found;
}

bool
via_addon_find_row(struct via_sql *db, int64_t rid, struct via_addon *out)
{
    sqlite3_stmt *q = via_sql_stmt(db, ADDON_COLUMNS " WHERE rid = ?1");
    bool found;

    via_sql_bind_int(db, q, 1, rid);
    found = addon_read(db, q, out);
    via_sql_end(db, q);
    return found;
}

bool
via_addon_find_id(struct via_sql *db, const char *id, struct via_addon *out)
{
    sqlite3_stmt *q = via_sql_stmt(db, ADDON_COLUMNS " WHERE id = ?1");
    bool found;

    via_sql_bind_text(db, q, 1, id);
    found = addon_read(db, q, out);
    via_sql_end(db, q);
    return found;
}

bool
via_addon_find_name(struct via_sql *db, const char *app, const char *name, struct via_addon *out)
{
    sqlite3_stmt *q = via_sql_stmt(db, ADDON_COLUMNS " WHERE app = ?1 AND name = ?2");
    bool found;

    via_sql_bind_text(db, q, 1, app);
    via_sql_bind_text(db, q, 2, name);
    found = addon_read(db, q, out);
    via_sql_end(db, q);
    return found;
}

bool
via_addon_get(struct via_sql *db, const char *app, const char *name, struct via_addon *out)
{
    bool found = false;
    bool ambiguous = false;
    sqlite3_stmt *q;

    if (!name || !name[0]) {
        via_sql_fail(db, VIA_VALUE_REQUIRED, "say which add-on: its name is empty");
        return false;
    }
    if (via_id_is("addon", name)) {
        found = via_addon_find_id(db, name, out);
        if (found && app && app[0] && strcmp(app, out->app) != 0) {
            via_sql_fail(db, VIA_ADDON_APP_MISMATCH, "add-on %s belongs to app %s, not to %s", name,
                         out->app, app);
            return false;
        }
    } else if (app && app[0]) {
        found = via_addon_find_name(db, app, name, out);
    } else {
        struct via_addon second;

        q = via_sql_stmt(db, ADDON_COLUMNS " WHERE name = ?1 AND state <> 'destroyed' LIMIT 2");
        via_sql_bind_text(db, q, 1, name);
        found = addon_read(db, q, out);
        ambiguous = found && addon_read(db, q, &second);
        via_sql_end(db, q);
    }
    if (ambiguous)
        via_sql_fail(db, VIA_ADDON_AMBIGUOUS, "several apps have an add-on %s; say which app",
                     name);
    else if (!found && app && app[0])
        via_sql_fail(db, VIA_ADDON_NOT_FOUND, "app %s has no add-on %s", app, name);
    else if (!found)
        via_sql_fail(db, VIA_ADDON_NOT_FOUND, "there is no add-on %s", name);
    return found && !ambiguous && via_sql_ok(db);
}

void
via_addon_check(struct via_store *s, const struct via_addon_spec *spec)
{
    struct via_sql *db = &s->write;

    if (!via_name_is_plain(spec->name))
        via_sql_fail(db, VIA_NAME_INVALID,
                     "an add-on's name is a letter or digit, then up to 62 letters, digits, dots,"
                     " underscores or dashes");
    else if (!spec->app || !spec->app[0])
        via_sql_fail(db, VIA_VALUE_REQUIRED,
                     "say which app the add-on is for: column app is empty");
    else if (!via_name_is_plain(spec->app))
        via_sql_fail(db, VIA_NAME_INVALID,
                     "an app's name is a letter or digit, then up to 62 letters, digits, dots,"
                     " underscores or dashes");
    else if (via_id_is("addon", spec->name))
        via_sql_fail(db, VIA_NAME_INVALID, "an add-on's name must not look like an id");
}

/* Free the name of an add-on whose provisioning failed. */
static void
addon_bury(struct via_store *s, const struct via_addon *a, const char *why)
{
    struct via_sql *db = &s->write;
    char buried[VIA_ADDON_ROW_NAME_SIZE];
    sqlite3_stmt *q;

    via_name_bury(a->name, why, a->id, buried);
    q = via_sql_stmt(db, "UPDATE main.addons SET name = ?2, updated_at = ?3 WHERE rid = ?1");
    via_sql_bind_int(db, q, 1, a->rid);
    via_sql_bind_text(db, q, 2, buried);
    via_sql_bind_text(db, q, 3, s->now);
    via_sql_run(db, q);
}

int64_t
via_addon_put(struct via_store *s, const struct via_addon_spec *spec, char id[VIA_ID_SIZE])
{
    struct via_sql *db = &s->write;
    struct via_operation op = {.kind = "addon.create", .state = "pending", .phase = "storage"};
    struct via_reason why = {0};
    struct via_buf options;
    struct via_addon old;
    char op_id[VIA_ID_SIZE];
    int64_t rid;
    int64_t op_rid;
    sqlite3_stmt *q;

    if (via_addon_find_name(db, spec->app, spec->name, &old)) {
        if (old.state == VIA_ADDON_IS_FAILED)
            addon_bury(s, &old, "failed");
        else
            via_sql_fail(db, VIA_ADDON_EXISTS, "add-on %s already exists for app %s", spec->name,
                         spec->app);
    }
    via_app_ensure(s, spec->app);
    via_buf_init(&options);
    via_options_merge(db, "{}", spec->options, &options);
    via_id_make("addon", id);
    q = via_sql_stmt(db, "INSERT INTO main.addons(id, type, name, app, state, options, created_at,"
                         " updated_at) VALUES(?1, ?2, ?3, ?4, 'provisioning', ?5, ?6, ?6)");
    via_sql_bind_text(db, q, 1, id);
    via_sql_bind_text(db, q, 2, spec->type);
    via_sql_bind_text(db, q, 3, spec->name);
    via_sql_bind_text(db, q, 4, spec->app);
    via_sql_bind_text(db, q, 5, via_buf_text(&options));
    via_sql_bind_text(db, q, 6, s->now);
    via_sql_run(db, q);
    rid = via_sql_ok(db) ? sqlite3_last_insert_rowid(db->db) : 0;
    via_buf_deinit(&options);

    (void)snprintf(op.app, sizeof op.app, "%s", spec->app);
    (void)snprintf(op.addon_id, sizeof op.addon_id, "%s", id);
    (void)snprintf(op.payload, sizeof op.payload, "%s", spec->source ? spec->source : "");
    op_rid = via_operation_put(s, &op, spec->name, op_id);
    via_store_intend(s, VIA_INTENT_PROVISION, op_rid, id, spec->source, 0);
    via_reason_put(&why, "add-on", spec->name);
    if (spec->source)
        via_reason_put(&why, "imported", NULL);
    if (via_sql_ok(db))
        via_audit_control(s, "addon.create", spec->app, NULL, why.text, op_id);
    return rid;
}

void
via_addon_check_idle(struct via_store *s, const struct via_addon *a, const char *kind)
{
    struct via_sql *db = &s->write;
    sqlite3_stmt *q = via_sql_stmt(db, "SELECT kind FROM main.operations WHERE addon_id = ?1 AND"
                                       " state IN ('pending', 'running') AND"
                                       " kind = coalesce(?2, kind) LIMIT 1");

    via_sql_bind_text(db, q, 1, a->id);
    via_sql_bind_text(db, q, 2, kind);
    if (via_sql_row(db, q))
        via_sql_fail(db, VIA_ADDON_BUSY, "add-on %s has an operation under way, %s; wait for it",
                     a->name, sqlite3_column_text(q, 0));
    via_sql_end(db, q);
}

/* Fail when something stands against destroying `a`. */
static void
addon_check_remove(struct via_store *s, const struct via_addon *a, bool force)
{
    struct via_sql *db = &s->write;
    sqlite3_stmt *q;

    if (a->state == VIA_ADDON_IS_PROVISIONING || a->state == VIA_ADDON_IS_DRAINING)
        via_sql_fail(db, VIA_ADDON_BUSY, "add-on %s is %s; wait until that is done", a->name,
                     via_addon_state_word(a->state));
    if (a->state == VIA_ADDON_IS_DESTROYED)
        via_sql_fail(db, VIA_STATE_INVALID, "add-on %s is destroyed already", a->name);
    via_addon_check_idle(s, a, NULL);
    q = via_sql_stmt(db, "SELECT json_extract(options, '$.delete_protection') FROM main.addons"
                         " WHERE rid = ?1");
    via_sql_bind_int(db, q, 1, a->rid);
    if (via_sql_row(db, q) && sqlite3_column_int(q, 0))
        via_sql_fail(db, VIA_ADDON_PROTECTED,
                     "add-on %s has delete_protection; take the option back first", a->name);
    via_sql_end(db, q);
    if (force)
        return;
    q = via_sql_stmt(db, "SELECT binding FROM main.bindings WHERE addon_id = ?1"
                         " ORDER BY binding, target LIMIT 1");
    via_sql_bind_text(db, q, 1, a->id);
    if (via_sql_row(db, q))
        via_sql_fail(db, VIA_ADDON_BOUND, "add-on %s is bound as %s; unbind it first, or use force",
                     a->name, sqlite3_column_text(q, 0));
    via_sql_end(db, q);
    q = via_sql_stmt(db, "SELECT d.release FROM main.release_bindings AS r JOIN v_deploys AS d"
                         " ON d.release = r.release WHERE r.addon_id = ?1"
                         " AND d.state IN ('pending', 'running') LIMIT 1");
    via_sql_bind_text(db, q, 1, a->id);
    if (via_sql_row(db, q))
        via_sql_fail(db, VIA_ADDON_IN_USE,
                     "release %s, which is deployed, claims add-on %s; stop it first, or use force",
                     sqlite3_column_text(q, 0), a->name);
    via_sql_end(db, q);
}

/* End the generations that were begun for an add-on that never was. One that is destroyed keeps its
 * own: the add-on gate refuses, and says what happened. */
static void
addon_revoke(struct via_store *s, const char *addon_id)
{
    struct via_sql *db = &s->write;
    sqlite3_stmt *q =
        via_sql_stmt(db, "UPDATE main.generations SET status = 'revoked', revoked_at = ?2"
                         " WHERE addon_id = ?1 AND status <> 'revoked'");

    via_sql_bind_text(db, q, 1, addon_id);
    via_sql_bind_text(db, q, 2, s->now);
    via_sql_run(db, q);
}

/* Write the operation: done, or with the intent to remove the bytes when they are not kept. */
static void
destroy_put(struct via_store *s, const struct via_addon *a, bool is_kept, char op_id[VIA_ID_SIZE])
{
    struct via_operation op = {.kind = "addon.destroy"};

    (void)snprintf(op.state, sizeof op.state, "%s", is_kept ? "done" : "pending");
    (void)snprintf(op.phase, sizeof op.phase, "%s", is_kept ? "retained" : "purge");
    (void)snprintf(op.app, sizeof op.app, "%s", a->app);
    (void)snprintf(op.addon_id, sizeof op.addon_id, "%s", a->id);
    op.rid = via_operation_put(s, &op, a->name, op_id);
    if (!is_kept)
        via_store_intend(s, VIA_INTENT_PURGE, op.rid, a->id, NULL, 0);
}

void
via_addon_remove(struct via_store *s, int64_t rid, bool force)
{
    struct via_sql *db = &s->write;
    int64_t retention_s = via_setting_int(db, "destroy_retention_s");
    struct via_reason why = {0};
    char purge_at[VIA_TIME_SIZE];
    char op_id[VIA_ID_SIZE];
    struct via_addon a;
    sqlite3_stmt *q;

    if (!via_addon_find_row(db, rid, &a))
        return;
    addon_check_remove(s, &a, force);
    if (!via_sql_ok(db))
        return;
    destroy_put(s, &a, retention_s > 0, op_id);
    via_binding_remove_all(s, a.id, op_id);
    addon_bury(s, &a, "destroyed");
    via_clock_format(via_clock_now_ms() + retention_s * 1000, purge_at);
    q = via_sql_stmt(db, "UPDATE main.addons SET state = 'destroyed', destroyed_at = ?2,"
                         " updated_at = ?2, purge_at = ?3 WHERE rid = ?1");
    via_sql_bind_int(db, q, 1, rid);
    via_sql_bind_text(db, q, 2, s->now);
    via_sql_bind_text(db, q, 3, purge_at);
    via_sql_run(db, q);
    via_reason_put(&why, "add-on", a.name);
    if (retention_s > 0)
        via_reason_put(&why, "bytes kept until", purge_at);
    else
        via_reason_put(&why, "bytes not kept", NULL);
    if (force)
        via_reason_put(&why, "forced", NULL);
    if (via_sql_ok(db))
        via_audit_control(s, "addon.destroy", a.app, NULL, why.text, op_id);
}

void
via_addon_provisioned(struct via_store *s, const char *id)
{
    struct via_sql *db = &s->write;
    sqlite3_stmt *q = via_sql_stmt(db, "UPDATE main.addons SET state = 'ready', error = NULL,"
                                       " updated_at = ?2 WHERE id = ?1 AND state IN"
                                       " ('provisioning', 'failed')");

    via_sql_bind_text(db, q, 1, id);
    via_sql_bind_text(db, q, 2, s->now);
    via_sql_run(db, q);
}

void
via_addon_failed(struct via_store *s, const char *id, const char *operation_id,
                 const struct via_error *why)
{
    struct via_sql *db = &s->write;
    char reason[VIA_MESSAGE_SIZE + 64];
    struct via_addon a;
    sqlite3_stmt *q;

    if (!via_addon_find_id(db, id, &a))
        return;
    (void)snprintf(reason, sizeof reason, "%s: %s", via_status_word(why->status), why->message);
    via_binding_remove_all(s, id, operation_id);
    addon_revoke(s, id);
    q = via_sql_stmt(db, "UPDATE main.addons SET state = 'failed', error = ?2, updated_at = ?3"
                         " WHERE id = ?1 AND state = 'provisioning'");
    via_sql_bind_text(db, q, 1, id);
    via_sql_bind_text(db, q, 2, reason);
    via_sql_bind_text(db, q, 3, s->now);
    via_sql_run(db, q);
}

bool
via_addon_next_kept(struct via_sql *db, const char *after, struct via_addon *out)
{
    sqlite3_stmt *q = via_sql_stmt(db, ADDON_COLUMNS " WHERE id > ?1 AND state NOT IN"
                                                     " ('destroyed', 'provisioning')"
                                                     " ORDER BY id LIMIT 1");
    bool found;

    via_sql_bind_text(db, q, 1, after);
    found = addon_read(db, q, out);
    via_sql_end(db, q);
    return found;
}

void
via_addon_purged(struct via_store *s, const char *id)
{
    struct via_sql *db = &s->write;
    sqlite3_stmt *q = via_sql_stmt(db, "UPDATE main.addons SET purge_at = NULL, updated_at = ?2"
                                       " WHERE id = ?1");

    via_sql_bind_text(db, q, 1, id);
    via_sql_bind_text(db, q, 2, s->now);
    via_sql_run(db, q);
    q = via_sql_stmt(db, "UPDATE main.snapshots SET state = 'deleted' WHERE addon_id = ?1");
    via_sql_bind_text(db, q, 1, id);
    via_sql_run(db, q);
}
