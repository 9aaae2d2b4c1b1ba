#include "control/binding.h"

#include "base/clock.h"
#include "control/addon.h"
#include "control/app.h"
#include "control/audit.h"
#include "control/env.h"
#include "control/operation.h"
#include "rules/names.h"

#include <stdio.h>
#include <string.h>

/* The add-on `name` of `app`, saying plainly when only another app has one of that name. */
static bool
binding_addon(struct via_store *s, const char *app, const char *name, struct via_addon *out)
{
    struct via_sql *db = &s->write;
    struct via_error ignored = {0};
    struct via_addon other;

    if (via_addon_get(db, app, name, out))
        return true;
    if (db->error.status == VIA_ADDON_NOT_FOUND) {
        via_ignore(via_sql_take(db, &ignored));
        if (via_addon_get(db, NULL, name, &other))
            via_sql_fail(db, VIA_ADDON_APP_MISMATCH, "add-on %s belongs to app %s, not to %s", name,
                         other.app, app);
        else if (db->error.status == VIA_ADDON_NOT_FOUND) {
            via_ignore(via_sql_take(db, &ignored));
            via_sql_fail(db, VIA_ADDON_NOT_FOUND, "app %s has no add-on %s", app, name);
        }
    }
    return false;
}

static void
binding_check_names(struct via_store *s, const char *app, const char *binding, const char *target)
{
    struct via_sql *db = &s->write;
    sqlite3_stmt *q;
    const char *other;

    if (!via_name_is_binding(binding))
        via_sql_fail(db, VIA_NAME_INVALID,
                     "a binding's name is a capital letter, then up to 62 capital letters, digits"
                     " or underscores");
    if (!via_name_is_target(target))
        via_sql_fail(db, VIA_NAME_INVALID,
                     "a target's name is empty, or as an app's: letters, digits, dots, underscores,"
                     " dashes");
    q = via_sql_stmt(db, "SELECT DISTINCT binding FROM main.bindings WHERE app = ?1");
    via_sql_bind_text(db, q, 1, app);
    while (via_sql_row(db, q)) {
        other = (const char *)sqlite3_column_text(q, 0);
        if (via_name_collides(binding, other))
            via_sql_fail(db, VIA_NAME_TAKEN,
                         "%s collides with binding %s of app %s: X, X_URL and X_AUTH_TOKEN are one"
                         " name",
                         binding, other, app);
    }
    via_sql_end(db, q);
    via_env_check_name(db, app, binding, VIA_NAMES_OF_VALUES);
}

/* Write the next generation of a binding. Returns its row id. */
static int64_t
generation_put(struct via_store *s, const struct via_binding_spec *b, const char *addon_id,
               const char *operation_id)
{
    struct via_sql *db = &s->write;
    sqlite3_stmt *q = via_sql_stmt(
        db, "INSERT INTO main.generations(app, binding, target, addon_id, generation, status,"
            " created_at, operation_id) SELECT ?1, ?2, ?3, ?4,"
            " 1 + coalesce((SELECT max(generation) FROM main.generations WHERE app = ?1 AND"
            " binding = ?2 AND target = ?3), 0), 'active', ?5, ?6");

    via_sql_bind_text(db, q, 1, b->app);
    via_sql_bind_text(db, q, 2, b->binding);
    via_sql_bind_text(db, q, 3, b->target);
    via_sql_bind_text(db, q, 4, addon_id);
    via_sql_bind_text(db, q, 5, s->now);
    via_sql_bind_text(db, q, 6, operation_id);
    via_sql_run(db, q);
    return via_sql_ok(db) ? sqlite3_last_insert_rowid(db->db) : 0;
}

/* The row id of a binding that is there, checked against what is asked; 0 when the name is free. */
static int64_t
binding_taken(struct via_store *s, const struct via_binding_spec *b, const char *addon_id)
{
    struct via_sql *db = &s->write;
    char bound_to[VIA_ID_SIZE];
    char mode[8];
    int64_t rid = 0;
    sqlite3_stmt *q = via_sql_stmt(db, "SELECT rid, addon_id, mode FROM main.bindings"
                                       " WHERE app = ?1 AND binding = ?2 AND target = ?3");

    via_sql_bind_text(db, q, 1, b->app);
    via_sql_bind_text(db, q, 2, b->binding);
    via_sql_bind_text(db, q, 3, b->target);
    if (via_sql_row(db, q)) {
        rid = sqlite3_column_int64(q, 0);
        via_sql_text(q, 1, bound_to, sizeof bound_to);
        via_sql_text(q, 2, mode, sizeof mode);
        if (strcmp(bound_to, addon_id) != 0)
            via_sql_fail(db, VIA_BINDING_EXISTS,
                         "app %s already has a binding %s to another add-on", b->app, b->binding);
        else if (b->mode && strcmp(mode, b->mode) != 0)
            via_sql_fail(
                db, VIA_BINDING_EXISTS,
                "binding %s exists with mode %s; UPDATE via_bindings SET mode to change it",
                b->binding, mode);
    }
    via_sql_end(db, q);
    return rid;
}

int64_t
via_binding_put(struct via_store *s, const struct via_binding_spec *spec)
{
    struct via_sql *db = &s->write;
    struct via_binding_spec b = *spec;
    struct via_addon a = {0};
    int64_t rid = 0;
    sqlite3_stmt *q;

    b.target = b.target ? b.target : "";
    via_app_get(s, b.app);
    if (b.mode && strcmp(b.mode, "rw") != 0 && strcmp(b.mode, "ro") != 0)
        via_sql_fail(db, VIA_VALUE_INVALID, "a binding's mode is rw or ro");
    if (via_sql_ok(db) && binding_addon(s, b.app, b.addon, &a) &&
        (a.state == VIA_ADDON_IS_FAILED || a.state == VIA_ADDON_IS_DESTROYED))
        via_sql_fail(db, VIA_STATE_INVALID, "add-on %s is %s and cannot be bound", b.addon,
                     via_addon_state_word(a.state));
    if (!via_sql_ok(db))
        return 0;
    binding_check_names(s, b.app, b.binding, b.target);
    rid = binding_taken(s, &b, a.id);
    if (!via_sql_ok(db) || rid)
        return rid;
    q = via_sql_stmt(db, "INSERT INTO main.bindings(app, binding, target, addon_id, mode,"
                         " created_at) VALUES(?1, ?2, ?3, ?4, ?5, ?6)");
    via_sql_bind_text(db, q, 1, b.app);
    via_sql_bind_text(db, q, 2, b.binding);
    via_sql_bind_text(db, q, 3, b.target);
    via_sql_bind_text(db, q, 4, a.id);
    via_sql_bind_text(db, q, 5, b.mode ? b.mode : "rw");
    via_sql_bind_text(db, q, 6, s->now);
    via_sql_run(db, q);
    rid = via_sql_ok(db) ? sqlite3_last_insert_rowid(db->db) : 0;
    (void)generation_put(s, &b, a.id, NULL);
    if (via_sql_ok(db))
        via_audit_control(s, "binding.create", b.app, b.binding, a.name, NULL);
    return rid;
}

/* Read the names of a binding's row; false when there is none. */
static bool
binding_names(struct via_sql *db, int64_t rid, char app[VIA_NAME_SIZE], char binding[VIA_NAME_SIZE])
{
    sqlite3_stmt *q = via_sql_stmt(db, "SELECT app, binding FROM main.bindings WHERE rid = ?1");
    bool found;

    via_sql_bind_int(db, q, 1, rid);
    found = via_sql_row(db, q);
    if (found) {
        via_sql_text(q, 0, app, VIA_NAME_SIZE);
        via_sql_text(q, 1, binding, VIA_NAME_SIZE);
    }
    via_sql_end(db, q);
    return found;
}

void
via_binding_set_mode(struct via_store *s, int64_t rid, const char *mode)
{
    struct via_sql *db = &s->write;
    char app[VIA_NAME_SIZE];
    char binding[VIA_NAME_SIZE];
    sqlite3_stmt *q;

    if (!mode || (strcmp(mode, "rw") != 0 && strcmp(mode, "ro") != 0))
        via_sql_fail(db, VIA_VALUE_INVALID, "a binding's mode is rw or ro");
    if (!via_sql_ok(db) || !binding_names(db, rid, app, binding))
        return;
    q = via_sql_stmt(db, "UPDATE main.bindings SET mode = ?2 WHERE rid = ?1");
    via_sql_bind_int(db, q, 1, rid);
    via_sql_bind_text(db, q, 2, mode);
    via_sql_run(db, q);
    if (via_sql_ok(db))
        via_audit_control(s, "binding.mode", app, binding, mode, NULL);
}

void
via_binding_remove(struct via_store *s, int64_t rid)
{
    struct via_sql *db = &s->write;
    char app[VIA_NAME_SIZE];
    char binding[VIA_NAME_SIZE];
    sqlite3_stmt *q;

    if (!binding_names(db, rid, app, binding))
        return;
    q = via_sql_stmt(db, "DELETE FROM main.bindings WHERE rid = ?1");
    via_sql_bind_int(db, q, 1, rid);
    via_sql_run(db, q);
    if (via_sql_ok(db))
        via_audit_control(s, "binding.remove", app, binding, NULL, NULL);
}

/* Find the binding to rotate and its add-on. */
static bool
rotation_find(struct via_store *s, const struct via_rotation *r, char target[VIA_NAME_SIZE],
              char addon_id[VIA_ID_SIZE])
{
    struct via_sql *db = &s->write;
    bool found;
    bool several;
    sqlite3_stmt *q = via_sql_stmt(db, "SELECT target, addon_id FROM main.bindings WHERE app = ?1"
                                       " AND binding = ?2 AND (?3 IS NULL OR target = ?3) LIMIT 2");

    via_sql_bind_text(db, q, 1, r->app);
    via_sql_bind_text(db, q, 2, r->binding);
    via_sql_bind_text(db, q, 3, r->target);
    found = via_sql_row(db, q);
    if (found) {
        via_sql_text(q, 0, target, VIA_NAME_SIZE);
        via_sql_text(q, 1, addon_id, VIA_ID_SIZE);
    }
    several = found && via_sql_row(db, q);
    via_sql_end(db, q);
    if (!found)
        via_sql_fail(db, VIA_BINDING_NOT_FOUND, "app %s has no binding %s", r->app,
                     r->binding ? r->binding : "NULL");
    else if (several)
        via_sql_fail(db, VIA_TARGET_REQUIRED,
                     "binding %s of app %s is on several targets; say which", r->binding, r->app);
    return via_sql_ok(db);
}

/* Record what was done to a binding's credentials as an operation that is done. */
static void
generation_operation(struct via_store *s, const char *kind, const char *app, const char *binding,
                     char id[VIA_ID_SIZE])
{
    struct via_operation op = {.state = "done"};

    (void)snprintf(op.kind, sizeof op.kind, "%s", kind);
    (void)snprintf(op.app, sizeof op.app, "%s", app);
    (void)via_operation_put(s, &op, binding, id);
}

int64_t
via_generation_rotate(struct via_store *s, const struct via_rotation *r)
{
    struct via_sql *db = &s->write;
    char target[VIA_NAME_SIZE];
    char addon_id[VIA_ID_SIZE];
    char op_id[VIA_ID_SIZE];
    char expires[VIA_TIME_SIZE];
    int64_t rid;
    sqlite3_stmt *q;

    via_app_get(s, r->app);
    if (!via_sql_ok(db) || !rotation_find(s, r, target, addon_id))
        return 0;
    generation_operation(s, "credentials.rotate", r->app, r->binding, op_id);
    q = via_sql_stmt(db, "UPDATE main.generations SET status = 'retiring', expires_at = ?4,"
                         " operation_id = ?5 WHERE app = ?1 AND binding = ?2 AND target = ?3"
                         " AND addon_id = ?6 AND status = 'active'");
    via_sql_bind_text(db, q, 1, r->app);
    via_sql_bind_text(db, q, 2, r->binding);
    via_sql_bind_text(db, q, 3, target);
    if (r->grace_s >= 0) {
        via_clock_format(via_clock_now_ms() + r->grace_s * 1000, expires);
        via_sql_bind_text(db, q, 4, expires);
    }
    via_sql_bind_text(db, q, 5, op_id);
    via_sql_bind_text(db, q, 6, addon_id); /* a release may still run on another of this name */
    via_sql_run(db, q);
    rid = generation_put(
        s, &(struct via_binding_spec){.app = r->app, .binding = r->binding, .target = target},
        addon_id, op_id);
    if (via_sql_ok(db))
        via_audit_control(s, "credentials.rotate", r->app, r->binding, NULL, op_id);
    return rid;
}

void
via_generation_revoke(struct via_store *s, int64_t rid)
{
    struct via_sql *db = &s->write;
    char app[VIA_NAME_SIZE] = "";
    char binding[VIA_NAME_SIZE] = "";
    char reason[64] = "";
    char op_id[VIA_ID_SIZE];
    sqlite3_stmt *q = via_sql_stmt(db, "SELECT app, binding, generation FROM main.generations"
                                       " WHERE rid = ?1 AND status <> 'revoked'");
    bool found;

    via_sql_bind_int(db, q, 1, rid);
    found = via_sql_row(db, q);
    if (found) {
        via_sql_text(q, 0, app, sizeof app);
        via_sql_text(q, 1, binding, sizeof binding);
        (void)snprintf(reason, sizeof reason, "generation %lld",
                       (long long)sqlite3_column_int64(q, 2));
    }
    via_sql_end(db, q);
    if (!found)
        return;
    generation_operation(s, "credentials.revoke", app, binding, op_id);
    q = via_sql_stmt(db, "UPDATE main.generations SET status = 'revoked', revoked_at = ?2,"
                         " operation_id = ?3 WHERE rid = ?1");
    via_sql_bind_int(db, q, 1, rid);
    via_sql_bind_text(db, q, 2, s->now);
    via_sql_bind_text(db, q, 3, op_id);
    via_sql_run(db, q);
    if (via_sql_ok(db))
        via_audit_control(s, "credentials.revoke", app, binding, reason, op_id);
}
