#include "control/generation.h"

#include "base/clock.h"
#include "control/addon.h"
#include "control/app.h"
#include "control/audit.h"
#include "control/operation.h"
#include "control/reason.h"

#include <stdio.h>
#include <string.h>

#define BATCH_MAX 256 /* ended in one transaction */

int64_t
via_generation_put(struct via_store *s, const struct via_generation_of *of,
                   const char *operation_id, int64_t *number)
{
    struct via_sql *db = &s->write;
    sqlite3_stmt *q = via_sql_stmt(db, "SELECT 1 + coalesce(max(generation), 0)"
                                       " FROM main.generations WHERE app = ?1 AND binding = ?2"
                                       " AND target = ?3");

    *number = 0;
    via_sql_bind_text(db, q, 1, of->app);
    via_sql_bind_text(db, q, 2, of->binding);
    via_sql_bind_text(db, q, 3, of->target);
    if (via_sql_row(db, q))
        *number = sqlite3_column_int64(q, 0);
    via_sql_end(db, q);
    q = via_sql_stmt(db, "INSERT INTO main.generations(app, binding, target, addon_id, generation,"
                         " status, created_at, operation_id)"
                         " VALUES(?1, ?2, ?3, ?4, ?5, 'active', ?6, ?7)");
    via_sql_bind_text(db, q, 1, of->app);
    via_sql_bind_text(db, q, 2, of->binding);
    via_sql_bind_text(db, q, 3, of->target);
    via_sql_bind_text(db, q, 4, of->addon_id);
    via_sql_bind_int(db, q, 5, *number);
    via_sql_bind_text(db, q, 6, s->now);
    via_sql_bind_text(db, q, 7, operation_id);
    via_sql_run(db, q);
    return via_sql_ok(db) ? sqlite3_last_insert_rowid(db->db) : 0;
}

/* A binding's sequence, with the add-on that is looked at, and one generation of it. */
struct sequence {
    char app[VIA_NAME_SIZE];
    char binding[VIA_NAME_SIZE];
    char target[VIA_NAME_SIZE];
    char addon_id[VIA_ID_SIZE];
    char addon[VIA_ADDON_ROW_NAME_SIZE];
    int64_t generation;
};

static void
sequence_read(sqlite3_stmt *q, struct sequence *out)
{
    via_sql_text(q, 0, out->app, sizeof out->app);
    via_sql_text(q, 1, out->binding, sizeof out->binding);
    via_sql_text(q, 2, out->target, sizeof out->target);
    via_sql_text(q, 3, out->addon_id, sizeof out->addon_id);
    via_sql_text(q, 4, out->addon, sizeof out->addon);
}

static void
sequence_tell(const struct sequence *of, struct via_reason *why)
{
    via_reason_put(why, "add-on", of->addon);
    via_reason_put(why, "target", of->target);
    via_reason_put_int(why, "generation", of->generation);
}

static void
sequence_operation(struct via_store *s, const char *kind, const struct sequence *of,
                   char id[VIA_ID_SIZE])
{
    via_operation_put_done(
        s,
        &(struct via_change){
            .kind = kind, .subject = of->binding, .app = of->app, .addon_id = of->addon_id},
        id);
}

/* -- ending ------------------------------------------------------------------------ */

/* The generation `rid`, unless it is revoked. `over` is when its grace ended, "" when it has not.
 */
static bool
ending_find(struct via_store *s, int64_t rid, struct sequence *of, char over[VIA_TIME_SIZE])
{
    struct via_sql *db = &s->write;
    sqlite3_stmt *q =
        via_sql_stmt(db, "SELECT g.app, g.binding, g.target, g.addon_id, a.name, g.generation,"
                         " iif(g.status = 'retiring' AND g.expires_at <= ?2, g.expires_at, NULL)"
                         " FROM main.generations AS g LEFT JOIN main.addons AS a"
                         " ON a.id = g.addon_id WHERE g.rid = ?1 AND g.status <> 'revoked'");
    bool found;

    via_sql_bind_int(db, q, 1, rid);
    via_sql_bind_text(db, q, 2, s->now);
    found = via_sql_row(db, q);
    if (found) {
        sequence_read(q, of);
        of->generation = sqlite3_column_int64(q, 5);
        via_sql_text(q, 6, over, VIA_TIME_SIZE);
    }
    via_sql_end(db, q);
    return found;
}

/* Write that the generation `rid` is revoked: now, or since its grace was over. */
static void
generation_end(struct via_store *s, int64_t rid)
{
    struct via_sql *db = &s->write;
    struct via_reason why = {0};
    struct sequence of = {0};
    char over[VIA_TIME_SIZE];
    char op_id[VIA_ID_SIZE];
    sqlite3_stmt *q;

    if (!ending_find(s, rid, &of, over))
        return;
    sequence_operation(s, "credentials.revoke", &of, op_id);
    q = via_sql_stmt(db, "UPDATE main.generations SET status = 'revoked', revoked_at = ?2,"
                         " operation_id = ?3 WHERE rid = ?1");
    via_sql_bind_int(db, q, 1, rid);
    via_sql_bind_text(db, q, 2, over[0] ? over : s->now);
    via_sql_bind_text(db, q, 3, op_id);
    via_sql_run(db, q);
    sequence_tell(&of, &why);
    if (over[0])
        via_reason_put(&why, "grace over", NULL);
    if (via_sql_ok(db))
        via_audit_control(s, "credentials.revoke", of.app, of.binding, why.text, op_id);
}

/* The next generation whose grace is over by `now`, or 0. */
static int64_t
due_next(struct via_sql *db, const char *now)
{
    int64_t rid = 0;
    sqlite3_stmt *q = via_sql_stmt(db, "SELECT rid FROM main.generations WHERE status = 'retiring'"
                                       " AND expires_at <= ?1 ORDER BY expires_at LIMIT 1");

    via_sql_bind_text(db, q, 1, now);
    if (via_sql_row(db, q))
        rid = sqlite3_column_int64(q, 0);
    via_sql_end(db, q);
    return rid;
}

/* The next of one binding, whose add-on may be another by now. */
static int64_t
due_next_of(struct via_store *s, const struct sequence *of)
{
    struct via_sql *db = &s->write;
    int64_t rid = 0;
    sqlite3_stmt *q = via_sql_stmt(db, "SELECT rid FROM main.generations WHERE app = ?1 AND"
                                       " binding = ?2 AND target = ?3 AND status = 'retiring' AND"
                                       " expires_at <= ?4 ORDER BY generation LIMIT 1");

    via_sql_bind_text(db, q, 1, of->app);
    via_sql_bind_text(db, q, 2, of->binding);
    via_sql_bind_text(db, q, 3, of->target);
    via_sql_bind_text(db, q, 4, s->now);
    if (via_sql_row(db, q))
        rid = sqlite3_column_int64(q, 0);
    via_sql_end(db, q);
    return rid;
}

static void
due_end_of(struct via_store *s, const struct sequence *of)
{
    int64_t rid;

    while ((rid = due_next_of(s, of)) > 0)
        generation_end(s, rid);
}

bool
via_generation_is_due(struct via_sql *db)
{
    char now[VIA_TIME_SIZE];
    bool is_due;

    via_clock_format(via_clock_now_ms(), now);
    is_due = due_next(db, now) > 0;
    return via_sql_take(db, NULL) == VIA_OK && is_due;
}

static enum via_status
due_end_some(struct via_store *s, struct via_error *e)
{
    int64_t rid;

    if (via_store_begin(s, true, e) != VIA_OK)
        return e->status;
    for (int i = 0; i < BATCH_MAX && (rid = due_next(&s->write, s->now)) > 0; i++)
        generation_end(s, rid);
    return via_store_commit(s, e);
}

enum via_status
via_generation_settle(struct via_store *s, int64_t budget_ms, struct via_error *e)
{
    int64_t until_ms = via_clock_mono_ms() + budget_ms;

    while (via_generation_is_due(&s->read) && due_end_some(s, e) == VIA_OK &&
           via_clock_mono_ms() < until_ms)
        ;
    return e->status;
}

/* -- rotating ---------------------------------------------------------------------- */

/* Find the binding to rotate and its add-on. */
static bool
rotation_find(struct via_store *s, const struct via_rotation *r, struct sequence *out)
{
    struct via_sql *db = &s->write;
    bool found;
    bool several;
    sqlite3_stmt *q =
        via_sql_stmt(db, "SELECT b.app, b.binding, b.target, b.addon_id, a.name"
                         " FROM main.bindings AS b JOIN main.addons AS a ON a.id = b.addon_id"
                         " WHERE b.app = ?1 AND b.binding = ?2 AND (?3 IS NULL OR b.target = ?3)"
                         " LIMIT 2");

    via_sql_bind_text(db, q, 1, r->app);
    via_sql_bind_text(db, q, 2, r->binding);
    via_sql_bind_text(db, q, 3, r->target);
    found = via_sql_row(db, q);
    if (found)
        sequence_read(q, out);
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

/* What is active retires. */
static void
rotation_retire(struct via_store *s, const struct sequence *of, int64_t grace_s,
                const char *operation_id)
{
    struct via_sql *db = &s->write;
    char expires[VIA_TIME_SIZE];
    sqlite3_stmt *q =
        via_sql_stmt(db, "UPDATE main.generations SET status = 'retiring', expires_at = ?4,"
                         " operation_id = ?5 WHERE app = ?1 AND binding = ?2 AND target = ?3"
                         " AND addon_id = ?6 AND status = 'active'");

    via_sql_bind_text(db, q, 1, of->app);
    via_sql_bind_text(db, q, 2, of->binding);
    via_sql_bind_text(db, q, 3, of->target);
    if (grace_s >= 0) {
        via_clock_format(via_clock_now_ms() + grace_s * 1000, expires);
        via_sql_bind_text(db, q, 4, expires);
    }
    via_sql_bind_text(db, q, 5, operation_id);
    via_sql_bind_text(db, q, 6, of->addon_id); /* a release may still run on another of this name */
    via_sql_run(db, q);
}

static void
rotation_tell(const struct sequence *of, int64_t grace_s, struct via_reason *why)
{
    char grace[32] = "until revoked";

    if (grace_s >= 0)
        (void)snprintf(grace, sizeof grace, "%lld s", (long long)grace_s);
    sequence_tell(of, why);
    via_reason_put(why, "grace", grace);
}

int64_t
via_generation_rotate(struct via_store *s, const struct via_rotation *r)
{
    struct via_sql *db = &s->write;
    struct via_reason why = {0};
    struct sequence of = {0};
    char op_id[VIA_ID_SIZE];
    int64_t rid;

    via_app_get(s, r->app);
    if (!via_sql_ok(db) || !rotation_find(s, r, &of))
        return 0;
    due_end_of(s, &of);
    sequence_operation(s, "credentials.rotate", &of, op_id);
    rotation_retire(s, &of, r->grace_s, op_id);
    rid = via_generation_put(
        s,
        &(struct via_generation_of){
            .app = of.app, .binding = of.binding, .target = of.target, .addon_id = of.addon_id},
        op_id, &of.generation);
    rotation_tell(&of, r->grace_s, &why);
    if (via_sql_ok(db))
        via_audit_control(s, "credentials.rotate", of.app, of.binding, why.text, op_id);
    return rid;
}

/* -- revoking ---------------------------------------------------------------------- */

void
via_generation_revoke(struct via_store *s, int64_t rid)
{
    struct sequence of = {0};
    char over[VIA_TIME_SIZE];

    if (!ending_find(s, rid, &of, over))
        return;
    generation_end(s, rid);
    due_end_of(s, &of);
}
