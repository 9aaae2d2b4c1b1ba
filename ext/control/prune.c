#include "control/prune.h"

#include "base/clock.h"
#include "base/error.h"
#include "control/setting.h"

#define BATCH "500"

static const char *const steps[] = {
    "DELETE FROM temp.over",
    "INSERT INTO temp.over(rid, id) SELECT rid, id FROM instances AS i"
    " WHERE coalesce(stopped_at, lease_expires_at) < ?1"
    " AND EXISTS (SELECT 1 FROM instances AS n WHERE n.deploy = i.deploy AND n.rid > i.rid)"
    " AND (state = 'stopped' OR NOT EXISTS (SELECT 1 FROM tokens AS t WHERE t.instance = i.id"
    " AND t.expires_at >= ?1)) LIMIT " BATCH,
    "DELETE FROM grants WHERE instance IN (SELECT id FROM temp.over)",
    "DELETE FROM tokens WHERE instance IN (SELECT id FROM temp.over)",
    "DELETE FROM instances WHERE rid IN (SELECT rid FROM temp.over)",
    "DELETE FROM tokens WHERE rid IN (SELECT rid FROM tokens AS t WHERE expires_at < ?1"
    " AND EXISTS (SELECT 1 FROM tokens AS n WHERE n.instance = t.instance AND n.rid > t.rid"
    " AND n.kind = t.kind AND n.binding IS t.binding) LIMIT " BATCH ")",
};

/* One transaction; the rows that went. */
static int64_t
prune_batch(struct via_sql *db, const char *before)
{
    int64_t gone = 0;
    sqlite3_stmt *q;

    via_sql_exec(db, "BEGIN IMMEDIATE");
    for (size_t i = 0; via_sql_ok(db) && i < sizeof steps / sizeof *steps; i++) {
        q = via_sql_stmt(db, steps[i]);
        if (q && sqlite3_bind_parameter_count(q) > 0)
            via_sql_bind_text(db, q, 1, before);
        via_sql_run(db, q);
        gone += i > 0 ? via_sql_changes(db) : 0;
    }
    via_sql_exec(db, "COMMIT");
    return via_sql_ok(db) ? gone : 0;
}

enum via_status
via_runtime_prune(struct via_store *s, int64_t budget_ms, struct via_error *e)
{
    int64_t keep_s = via_setting_int(&s->read, "instance_keep_s");
    int64_t until_ms = via_clock_mono_ms() + budget_ms;
    char before[VIA_TIME_SIZE];

    if (via_sql_take(&s->read, e) != VIA_OK || keep_s == 0)
        return e->status;
    via_clock_format(via_clock_now_ms() - keep_s * 1000, before);
    via_sql_exec(&s->runtime, "CREATE TEMP TABLE IF NOT EXISTS over(rid INTEGER PRIMARY KEY, id)");
    while (via_clock_mono_ms() < until_ms && prune_batch(&s->runtime, before) > 0)
        ;
    via_ignore(via_sql_take(&s->runtime, e));
    if (!sqlite3_get_autocommit(s->runtime.db)) {
        via_sql_exec(&s->runtime, "ROLLBACK");
        via_ignore(via_sql_take(&s->runtime, NULL));
    }
    return e->status;
}
