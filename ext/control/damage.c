#include "control/damage.h"

#include "control/audit.h"
#include "control/operation.h"
#include "control/reason.h"

#include <stdio.h>
#include <string.h>

#define ACTION "addon.check"

bool
via_damage_find(struct via_sql *db, const char *addon_id, struct via_damage *out)
{
    bool is_damaged = false;
    sqlite3_stmt *q =
        via_sql_stmt(db, "SELECT state = 'failed', kind, coalesce(finished_at, started_at)"
                         " FROM main.operations WHERE addon_id = ?1 AND " VIA_DAMAGE_TOLD
                         " ORDER BY rid DESC LIMIT 1");

    memset(out, 0, sizeof *out);
    via_sql_bind_text(db, q, 1, addon_id);
    if (via_sql_row(db, q) && sqlite3_column_int(q, 0)) {
        is_damaged = true;
        via_sql_text(q, 1, out->kind, sizeof out->kind);
        via_sql_text(q, 2, out->at, sizeof out->at);
    }
    via_sql_end(db, q);
    return is_damaged;
}

static void
damage_put_sound(struct via_store *s, const struct via_addon *a)
{
    struct via_change change = {
        .kind = ACTION, .subject = a->name, .app = a->app, .addon_id = a->id};
    struct via_reason why = {0};
    char op_id[VIA_ID_SIZE];

    via_operation_put_done(s, &change, op_id);
    via_reason_put(&why, "add-on", a->name);
    if (via_sql_ok(&s->write))
        via_audit_control(s, ACTION, a->app, NULL, why.text, op_id);
}

void
via_damage_put(struct via_store *s, const struct via_addon *a, const struct via_error *why)
{
    struct via_operation op = {.kind = ACTION, .state = "running", .phase = "check"};

    if (!why) {
        damage_put_sound(s, a);
        return;
    }
    (void)snprintf(op.app, sizeof op.app, "%s", a->app);
    (void)snprintf(op.addon_id, sizeof op.addon_id, "%s", a->id);
    op.rid = via_operation_put(s, &op, a->name, op.id);
    via_operation_fail(s, &op, why);
}
