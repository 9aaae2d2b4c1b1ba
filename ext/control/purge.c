#include "control/purge.h"

#include "control/audit.h"
#include "control/reason.h"

#include <stdio.h>

#define ACTION "addon.purge"

bool
via_purge_next(struct via_sql *db, const char *now, int64_t after, struct via_addon *out)
{
    int64_t rid = 0;
    sqlite3_stmt *q =
        via_sql_stmt(db, "SELECT rid FROM main.addons AS a WHERE purge_at IS NOT NULL AND"
                         " purge_at <= ?1 AND state = 'destroyed' AND rid > ?2 AND NOT EXISTS"
                         " (SELECT 1 FROM main.operations AS o WHERE o.addon_id = a.id AND"
                         " o.state IN ('pending', 'running')) ORDER BY rid LIMIT 1");

    via_sql_bind_text(db, q, 1, now);
    via_sql_bind_int(db, q, 2, after);
    if (via_sql_row(db, q))
        rid = sqlite3_column_int64(q, 0);
    via_sql_end(db, q);
    return rid > 0 && via_addon_find_row(db, rid, out);
}

void
via_purge_begin(struct via_store *s, const struct via_addon *a)
{
    struct via_operation op = {.kind = ACTION, .state = "running", .phase = "purge"};
    char id[VIA_ID_SIZE];
    struct via_addon next;

    if (!via_purge_next(&s->write, s->now, a->rid - 1, &next) || next.rid != a->rid)
        return;
    (void)snprintf(op.app, sizeof op.app, "%s", a->app);
    (void)snprintf(op.addon_id, sizeof op.addon_id, "%s", a->id);
    op.rid = via_operation_put(s, &op, a->name, id);
    via_store_intend(s, VIA_INTENT_PURGE_DUE, op.rid, a->id, NULL, 0);
}

void
via_purge_done(struct via_store *s, const struct via_operation *op)
{
    struct via_reason why = {0};
    struct via_addon a;

    via_addon_purged(s, op->addon_id);
    via_operation_settle(s, op->rid, "done", NULL);
    if (!via_addon_find_id(&s->write, op->addon_id, &a))
        return;
    via_reason_put(&why, "add-on", a.name);
    via_audit_control(s, ACTION, a.app, NULL, why.text, op->id);
}
