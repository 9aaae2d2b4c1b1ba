#include "control/overlay.h"

#include "base/id.h"
#include "base/log.h"
#include "control/audit.h"

#include <string.h>

/* Where the rows to be applied are: staged by this transaction, or owed since another. */
struct rows {
    const char *instances, *tokens, *activations, *audit;
};

#define ROWS_OF(prefix)                                                                            \
    {                                                                                              \
        .instances = "SELECT rid, id, app, target, deploy, release, pid, state, started_at,"       \
                     " lease_expires_at, stopped_at, token_path, restart_reason, lease_exact"      \
                     " FROM " prefix "instances",                                                  \
        .tokens = "SELECT rid, id, kind, instance, binding, audience, issued_at, expires_at"       \
                  " FROM " prefix "tokens",                                                        \
        .activations = "SELECT deploy, app, target, at FROM " prefix "activations ORDER BY seq",   \
        .audit = "SELECT at, actor, action, outcome, app, deploy, instance, binding, reason,"      \
                 " count FROM " prefix "audit ORDER BY seq",                                       \
    }

static const struct rows staged = ROWS_OF("temp.o_");
static const struct rows owed = ROWS_OF("main.owed_");

/* -- applying ---------------------------------------------------------------------- */

/* Copy the rows that `from` selects into `to`, which has a parameter a column. */
static void
rows_copy(struct via_store *s, const char *from, const char *to)
{
    sqlite3_stmt *in = via_sql_stmt(&s->write, from);
    sqlite3_stmt *out;

    while (via_sql_ok(&s->runtime) && via_sql_row(&s->write, in)) {
        out = via_sql_stmt(&s->runtime, to);
        for (int i = 0; i < sqlite3_column_count(in); i++)
            via_sql_bind_value(&s->runtime, out, i + 1, sqlite3_column_value(in, i));
        via_sql_run(&s->runtime, out);
    }
    via_sql_end(&s->write, in);
}

/* Records are chained as they are applied: the chain's head is known only under the lock. */
static void
rows_record(struct via_store *s, const char *from)
{
    sqlite3_stmt *q = via_sql_stmt(&s->write, from);
    struct via_record record;

    while (via_sql_ok(&s->runtime) && via_sql_row(&s->write, q)) {
        record = (struct via_record){.at = (const char *)sqlite3_column_text(q, 0),
                                     .actor = (const char *)sqlite3_column_text(q, 1),
                                     .action = (const char *)sqlite3_column_text(q, 2),
                                     .outcome = (const char *)sqlite3_column_text(q, 3),
                                     .app = (const char *)sqlite3_column_text(q, 4),
                                     .deploy = (const char *)sqlite3_column_text(q, 5),
                                     .instance = (const char *)sqlite3_column_text(q, 6),
                                     .binding = (const char *)sqlite3_column_text(q, 7),
                                     .reason = (const char *)sqlite3_column_text(q, 8),
                                     .count = sqlite3_column_int64(q, 9)};
        via_audit_put(&s->runtime, &record);
    }
    via_sql_end(&s->write, q);
}

/* A row may have changed since it was read: a stop, whoever asked for it, stands; a lease that was
 * only to be longer is not made shorter; a deploy whose successor was quicker does not run. */
static void
rows_apply(struct via_store *s, const struct rows *rows)
{
    rows_copy(s, rows->instances,
              "INSERT INTO instances(rid, id, app, target, deploy, release, pid, state,"
              " started_at, lease_expires_at, stopped_at, token_path, restart_reason)"
              " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)"
              " ON CONFLICT(id) DO UPDATE SET"
              " state = CASE WHEN state = 'stopped' THEN state ELSE excluded.state END,"
              " lease_expires_at = CASE WHEN state = 'stopped' THEN lease_expires_at"
              " WHEN ?14 THEN excluded.lease_expires_at"
              " ELSE max(lease_expires_at, excluded.lease_expires_at) END,"
              " stopped_at = coalesce(stopped_at, excluded.stopped_at),"
              " restart_reason = coalesce(excluded.restart_reason, restart_reason)");
    rows_copy(s, rows->tokens,
              "INSERT INTO tokens(rid, id, kind, instance, binding, audience, issued_at,"
              " expires_at) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING");
    rows_copy(s, rows->activations,
              "INSERT INTO activations(deploy, app, target, at) SELECT ?1, ?2, ?3, ?4"
              " WHERE NOT EXISTS (SELECT 1 FROM activations WHERE app = ?2 AND target = ?3"
              " AND deploy > ?1)"
              " ON CONFLICT(deploy) DO NOTHING");
    rows_record(s, rows->audit);
}

static bool
overlay_is_empty(struct via_store *s)
{
    return via_sql_int(&s->write,
                       "SELECT EXISTS(SELECT 1 FROM temp.o_audit) OR"
                       " EXISTS(SELECT 1 FROM temp.o_instances) OR"
                       " EXISTS(SELECT 1 FROM temp.o_tokens) OR"
                       " EXISTS(SELECT 1 FROM temp.o_activations)",
                       0) == 0;
}

void
via_overlay_clear(struct via_store *s)
{
    via_sql_exec(&s->write, "DELETE FROM temp.o_instances; DELETE FROM temp.o_tokens;"
                            "DELETE FROM temp.o_activations; DELETE FROM temp.o_audit");
}

/* -- owing ------------------------------------------------------------------------- */

/* The one name that `select` finds, or "". */
static void
debt_name(struct via_sql *db, const char *select, char out[VIA_ID_SIZE])
{
    sqlite3_stmt *q = via_sql_stmt(db, select);

    out[0] = '\0';
    if (via_sql_row(db, q))
        via_sql_text(q, 0, out, VIA_ID_SIZE);
    via_sql_end(db, q);
}

/* What is owed, into `name`; false when runtime.db has it, as it is now and not as a transaction of
 * the writer began to see it. */
static bool
debt_find(struct via_store *s, char name[VIA_ID_SIZE])
{
    char paid[VIA_ID_SIZE] = "";

    debt_name(&s->write, "SELECT debt FROM main.owed", name);
    if (name[0])
        debt_name(&s->runtime, "SELECT debt FROM paid", paid);
    return strcmp(name, paid) != 0;
}

/* In runtime.db's transaction. */
static void
debt_note_paid(struct via_store *s, const char *name)
{
    sqlite3_stmt *q;

    via_sql_exec(&s->runtime, "DELETE FROM paid");
    q = via_sql_stmt(&s->runtime, "INSERT INTO paid(debt) VALUES(?1)");
    via_sql_bind_text(&s->runtime, q, 1, name);
    via_sql_run(&s->runtime, q);
}

/* In runtime.db's transaction, so that no writer is between its commits. True: it was owed. */
static bool
debt_pay(struct via_store *s)
{
    char name[VIA_ID_SIZE];

    if (!debt_find(s, name))
        return false;
    rows_apply(s, &owed);
    debt_note_paid(s, name);
    return true;
}

/* In the control database's transaction: what is paid need not be known any more, and must not be
 * paid again to another runtime.db. */
static void
debt_forget(struct via_store *s)
{
    char name[VIA_ID_SIZE];

    if (!debt_find(s, name) && name[0])
        via_sql_exec(&s->write, "DELETE FROM main.owed; DELETE FROM main.owed_instances;"
                                "DELETE FROM main.owed_tokens; DELETE FROM main.owed_activations;"
                                "DELETE FROM main.owed_audit");
}

/* In both transactions: what is applied is owed until both are committed. */
static void
debt_make(struct via_store *s)
{
    struct via_sql *db = &s->write;
    char name[VIA_ID_SIZE];
    sqlite3_stmt *q;

    via_id_make("debt", name);
    via_sql_exec(db, "INSERT INTO main.owed_instances SELECT * FROM temp.o_instances;"
                     "INSERT INTO main.owed_tokens SELECT * FROM temp.o_tokens;"
                     "INSERT INTO main.owed_activations SELECT * FROM temp.o_activations;"
                     "INSERT INTO main.owed_audit SELECT * FROM temp.o_audit");
    q = via_sql_stmt(db, "INSERT INTO main.owed(debt) VALUES(?1)");
    via_sql_bind_text(db, q, 1, name);
    via_sql_run(db, q);
    debt_note_paid(s, name);
}

bool
via_overlay_apply(struct via_store *s)
{
    bool is_empty = overlay_is_empty(s);
    struct via_error why = {0};

    if (is_empty && s->immediate)
        debt_forget(s);
    if (is_empty || !via_sql_ok(&s->write))
        return false;
    /* Owed until that is on disk: in a transaction of its own, for ours may fail after the control
     * database's has forgotten it. */
    if (s->immediate && via_overlay_pay(s, &why) != VIA_OK) {
        via_sql_fail(&s->runtime, why.status, "%s", why.message);
        return false;
    }
    via_sql_exec(&s->runtime, "BEGIN IMMEDIATE");
    if (s->immediate)
        debt_forget(s);
    rows_apply(s, &staged);
    if (s->immediate)
        debt_make(s);
    return true;
}

enum via_status
via_overlay_pay(struct via_store *s, struct via_error *e)
{
    char name[VIA_ID_SIZE];
    bool was_owed, is_raised;

    if (!debt_find(s, name))
        return via_sql_take(&s->write, e);
    via_sql_exec(&s->runtime, "BEGIN IMMEDIATE");
    was_owed = debt_pay(s);
    /* A right may go with it, and whoever raised the epoch for that has settled it long ago. */
    is_raised = was_owed && via_epoch_begin(&s->epoch);
    if (was_owed && !is_raised)
        via_sql_fail(&s->runtime, VIA_STATE_UNAVAILABLE, "run/epoch cannot be locked");
    via_sql_exec(&s->runtime, "COMMIT");
    if (is_raised)
        via_epoch_end(&s->epoch);
    via_ignore(via_sql_take(&s->write, e));
    via_ignore(via_sql_take(&s->runtime, e));
    if (!sqlite3_get_autocommit(s->runtime.db)) {
        via_sql_exec(&s->runtime, "ROLLBACK");
        via_ignore(via_sql_take(&s->runtime, NULL));
    }
    if (was_owed && e->status == VIA_OK)
        via_log(VIA_LOG_INFO, "wrote the instances and tokens that runtime.db was owed");
    return e->status;
}

bool
via_overlay_is_owed(struct via_sql *db)
{
    return via_sql_int(db,
                       "SELECT EXISTS(SELECT 1 FROM main.owed AS o WHERE NOT EXISTS"
                       " (SELECT 1 FROM rt.paid AS p WHERE p.debt = o.debt))",
                       0) != 0;
}
