/* addon_set.c: changes of an add-on that are complete with their rows: its options, and whether it
 * serves. */
#include "control/addon.h"
#include "control/audit.h"
#include "control/operation.h"
#include "control/options.h"
#include "control/reason.h"

#include <string.h>

/* Record a change of `a` that is complete, as an operation and in the audit. */
static void
addon_changed(struct via_store *s, const struct via_addon *a, const char *action,
              const struct via_reason *why)
{
    char op_id[VIA_ID_SIZE];

    via_operation_put_done(
        s,
        &(struct via_change){.kind = action, .subject = a->name, .app = a->app, .addon_id = a->id},
        op_id);
    if (via_sql_ok(&s->write))
        via_audit_control(s, action, a->app, NULL, why->text, op_id);
}

static void
options_write(struct via_store *s, const struct via_addon *a, const char *was, const char *is)
{
    struct via_sql *db = &s->write;
    struct via_reason why = {0};
    sqlite3_stmt *q;

    if (!via_sql_ok(db) || strcmp(was, is) == 0)
        return;
    if (a->state == VIA_ADDON_IS_DESTROYED) {
        via_sql_fail(db, VIA_STATE_INVALID, "add-on %s is destroyed and has no options to set",
                     a->name);
        return;
    }
    q = via_sql_stmt(db, "UPDATE main.addons SET options = ?2, updated_at = ?3 WHERE rid = ?1");
    via_sql_bind_int(db, q, 1, a->rid);
    via_sql_bind_text(db, q, 2, is);
    via_sql_bind_text(db, q, 3, s->now);
    via_sql_run(db, q);
    via_reason_put(&why, "add-on", a->name);
    via_options_tell(was, is, &why);
    addon_changed(s, a, "addon.set", &why);
}

void
via_addon_set_options(struct via_store *s, int64_t rid, const char *options)
{
    struct via_sql *db = &s->write;
    struct via_addon a;
    struct via_buf merged;
    struct via_buf old;
    sqlite3_stmt *q;

    if (!via_addon_find_row(db, rid, &a))
        return;
    via_buf_init(&old);
    via_buf_init(&merged);
    q = via_sql_stmt(db, "SELECT options FROM main.addons WHERE rid = ?1");
    via_sql_bind_int(db, q, 1, rid);
    if (via_sql_row(db, q))
        via_buf_puts(&old, (const char *)sqlite3_column_text(q, 0));
    via_sql_end(db, q);
    if (old.failed)
        via_sql_fail(db, VIA_OUT_OF_MEMORY, "out of memory");
    via_options_merge(db, via_buf_text(&old), options, &merged);
    if (merged.failed)
        via_sql_fail(db, VIA_OUT_OF_MEMORY, "out of memory");
    options_write(s, &a, via_buf_text(&old), via_buf_text(&merged));
    via_buf_deinit(&merged);
    via_buf_deinit(&old);
}

void
via_addon_set_state(struct via_store *s, int64_t rid, const char *state)
{
    struct via_sql *db = &s->write;
    struct via_reason why = {0};
    enum via_addon_state to;
    struct via_addon a;
    sqlite3_stmt *q;

    if (!via_addon_find_row(db, rid, &a))
        return;
    if (!via_addon_state_parse(state, &to) ||
        (to != VIA_ADDON_IS_READY && to != VIA_ADDON_IS_SUSPENDED))
        via_sql_fail(db, VIA_VALUE_INVALID, "state can be set to ready or suspended only");
    else if (to == a.state)
        return;
    else if (!via_addon_state_may_set(a.state, to))
        via_sql_fail(db, VIA_STATE_INVALID, "add-on %s is %s and cannot become %s", a.name,
                     via_addon_state_word(a.state), state);
    /* Of a suspended add-on nothing but its state keeps operations away from a restore. */
    via_addon_check_idle(s, &a, "addon.restore");
    q = via_sql_stmt(db, "UPDATE main.addons SET state = ?2, updated_at = ?3 WHERE rid = ?1");
    via_sql_bind_int(db, q, 1, rid);
    via_sql_bind_text(db, q, 2, state);
    via_sql_bind_text(db, q, 3, s->now);
    via_sql_run(db, q);
    via_reason_put(&why, "add-on", a.name);
    addon_changed(s, &a, to == VIA_ADDON_IS_READY ? "addon.resume" : "addon.suspend", &why);
}
