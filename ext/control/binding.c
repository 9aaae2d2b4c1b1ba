#include "control/binding.h"

#include "control/addon.h"
#include "control/app.h"
#include "control/audit.h"
#include "control/env.h"
#include "control/generation.h"
#include "control/reason.h"
#include "rules/names.h"

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
    struct via_reason why = {0};
    int64_t rid = 0, generation;
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
    b.mode = b.mode ? b.mode : "rw";
    q = via_sql_stmt(db, "INSERT INTO main.bindings(app, binding, target, addon_id, mode,"
                         " created_at) VALUES(?1, ?2, ?3, ?4, ?5, ?6)");
    via_sql_bind_text(db, q, 1, b.app);
    via_sql_bind_text(db, q, 2, b.binding);
    via_sql_bind_text(db, q, 3, b.target);
    via_sql_bind_text(db, q, 4, a.id);
    via_sql_bind_text(db, q, 5, b.mode);
    via_sql_bind_text(db, q, 6, s->now);
    via_sql_run(db, q);
    rid = via_sql_ok(db) ? sqlite3_last_insert_rowid(db->db) : 0;
    (void)via_generation_put(
        s,
        &(struct via_generation_of){
            .app = b.app, .binding = b.binding, .target = b.target, .addon_id = a.id},
        NULL, &generation);
    via_reason_put(&why, "add-on", a.name);
    via_reason_put(&why, "target", b.target);
    via_reason_put(&why, "mode", b.mode);
    via_reason_put_int(&why, "generation", generation);
    if (via_sql_ok(db))
        via_audit_control(s, "binding.create", b.app, b.binding, why.text, NULL);
    return rid;
}

/* A binding's row, with the name of its add-on. */
struct bound {
    char app[VIA_NAME_SIZE];
    char binding[VIA_NAME_SIZE];
    char target[VIA_NAME_SIZE];
    char addon[VIA_ADDON_ROW_NAME_SIZE];
    char mode[8];
};

static bool
bound_find(struct via_sql *db, int64_t rid, struct bound *out)
{
    sqlite3_stmt *q = via_sql_stmt(db, "SELECT b.app, b.binding, b.target, a.name, b.mode"
                                       " FROM main.bindings AS b JOIN main.addons AS a"
                                       " ON a.id = b.addon_id WHERE b.rid = ?1");
    bool found;

    via_sql_bind_int(db, q, 1, rid);
    found = via_sql_row(db, q);
    if (found) {
        via_sql_text(q, 0, out->app, sizeof out->app);
        via_sql_text(q, 1, out->binding, sizeof out->binding);
        via_sql_text(q, 2, out->target, sizeof out->target);
        via_sql_text(q, 3, out->addon, sizeof out->addon);
        via_sql_text(q, 4, out->mode, sizeof out->mode);
    }
    via_sql_end(db, q);
    return found;
}

static void
bound_tell(const struct bound *b, struct via_reason *why)
{
    via_reason_put(why, "add-on", b->addon);
    via_reason_put(why, "target", b->target);
}

void
via_binding_set_mode(struct via_store *s, int64_t rid, const char *mode)
{
    struct via_sql *db = &s->write;
    struct via_reason why = {0};
    struct bound b;
    sqlite3_stmt *q;

    if (!mode || (strcmp(mode, "rw") != 0 && strcmp(mode, "ro") != 0)) {
        via_sql_fail(db, VIA_VALUE_INVALID, "a binding's mode is rw or ro");
        return;
    }
    if (!bound_find(db, rid, &b) || strcmp(b.mode, mode) == 0)
        return;
    q = via_sql_stmt(db, "UPDATE main.bindings SET mode = ?2 WHERE rid = ?1");
    via_sql_bind_int(db, q, 1, rid);
    via_sql_bind_text(db, q, 2, mode);
    via_sql_run(db, q);
    bound_tell(&b, &why);
    via_reason_put_change(&why, "mode", mode, b.mode);
    if (via_sql_ok(db))
        via_audit_control(s, "binding.mode", b.app, b.binding, why.text, NULL);
}

/* Unbind, by an operation or, when that is NULL, by itself. */
static void
binding_remove(struct via_store *s, int64_t rid, const char *operation_id)
{
    struct via_sql *db = &s->write;
    struct via_reason why = {0};
    struct bound b;
    sqlite3_stmt *q;

    if (!bound_find(db, rid, &b))
        return;
    q = via_sql_stmt(db, "DELETE FROM main.bindings WHERE rid = ?1");
    via_sql_bind_int(db, q, 1, rid);
    via_sql_run(db, q);
    bound_tell(&b, &why);
    via_reason_put(&why, "mode", b.mode);
    if (via_sql_ok(db))
        via_audit_control(s, "binding.remove", b.app, b.binding, why.text, operation_id);
}

void
via_binding_remove(struct via_store *s, int64_t rid)
{
    binding_remove(s, rid, NULL);
}

/* The next binding of an add-on after row id `after`, or 0. */
static int64_t
binding_next(struct via_sql *db, const char *addon_id, int64_t after)
{
    int64_t rid = 0;
    sqlite3_stmt *q = via_sql_stmt(db, "SELECT rid FROM main.bindings WHERE addon_id = ?1 AND"
                                       " rid > ?2 ORDER BY rid LIMIT 1");

    via_sql_bind_text(db, q, 1, addon_id);
    via_sql_bind_int(db, q, 2, after);
    if (via_sql_row(db, q))
        rid = sqlite3_column_int64(q, 0);
    via_sql_end(db, q);
    return rid;
}

void
via_binding_remove_all(struct via_store *s, const char *addon_id, const char *operation_id)
{
    int64_t rid = 0;

    while ((rid = binding_next(&s->write, addon_id, rid)) > 0)
        binding_remove(s, rid, operation_id);
}
