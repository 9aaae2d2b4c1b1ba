#include "control/views.h"

#include "base/buf.h"
#include "control/setting.h"

/* What a transaction wants of runtime.db before it is applied; see store.h. */
static const char overlay_sql[] =
    "CREATE TEMP TABLE o_instances(rid INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, app, target,"
    " deploy, release, pid INTEGER, state, started_at, lease_expires_at, stopped_at, token_path,"
    " restart_reason, lease_exact INTEGER NOT NULL DEFAULT 0);"
    "CREATE TEMP TABLE o_tokens(rid INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, kind, instance,"
    " binding, audience, issued_at, expires_at);"
    "CREATE TEMP TABLE o_activations(seq INTEGER PRIMARY KEY, deploy TEXT NOT NULL UNIQUE, app,"
    " target, at);"
    "CREATE TEMP TABLE o_audit(seq INTEGER PRIMARY KEY, at, actor, action, outcome, app, deploy,"
    " instance, binding, reason, count);"
    "CREATE TEMP TABLE o_intents(seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, operation INTEGER,"
    " subject TEXT, argument TEXT, number INTEGER);"
    "CREATE TEMP VIEW live_instances AS SELECT rid, id, app, target, deploy, release, pid, state,"
    " started_at, lease_expires_at, stopped_at, token_path, restart_reason FROM temp.o_instances"
    " UNION ALL"
    " SELECT rid, id, app, target, deploy, release, pid, state, started_at, lease_expires_at,"
    " stopped_at, token_path, restart_reason FROM rt.instances AS r"
    " WHERE NOT EXISTS (SELECT 1 FROM temp.o_instances AS o WHERE o.id = r.id);"
    "CREATE TEMP VIEW live_tokens AS SELECT rid, id, kind, instance, binding, audience, issued_at,"
    " expires_at FROM temp.o_tokens UNION ALL"
    " SELECT rid, id, kind, instance, binding, audience, issued_at, expires_at FROM rt.tokens;"
    "CREATE TEMP VIEW live_activations AS SELECT seq, deploy, app, target, at FROM"
    " temp.o_activations UNION ALL"
    " SELECT seq, deploy, app, target, at FROM rt.activations;";

static const char plain_sql[] =
    "CREATE TEMP VIEW live_instances AS SELECT rid, id, app, target, deploy, release, pid, state,"
    " started_at, lease_expires_at, stopped_at, token_path, restart_reason FROM rt.instances;"
    "CREATE TEMP VIEW live_tokens AS SELECT rid, id, kind, instance, binding, audience, issued_at,"
    " expires_at FROM rt.tokens;"
    "CREATE TEMP VIEW live_activations AS SELECT seq, deploy, app, target, at FROM"
    " rt.activations;";

/* What the via_* tables show, a view each. A column that costs is a subquery, and is
 * computed only by a statement that names it. */
static const char views_sql[] =
    /* what the last look found (effects/doctor.h), and what it saw of the files. They are mended in
     * the order of v_findings: whatever is wrong may be so for want of a permission, and a folder
     * comes before what is in it */
    "CREATE TEMP TABLE findings(rid INTEGER PRIMARY KEY, code, severity, subject, reason,"
    " remediation, fixable INTEGER);"
    "CREATE TEMP TABLE seen_storage(addon_id TEXT PRIMARY KEY, present, size_bytes,"
    " hidden) WITHOUT ROWID;"
    "CREATE TEMP TABLE seen_snapshots(id TEXT, addon_id TEXT, size_bytes,"
    " PRIMARY KEY(id, addon_id)) WITHOUT ROWID;"
    "CREATE TEMP TABLE seen_strays(path TEXT PRIMARY KEY, is_work) WITHOUT ROWID;"
    "CREATE TEMP TABLE seen_dead(rid INTEGER PRIMARY KEY);"
    "CREATE TEMP TABLE seen_keys(rid INTEGER PRIMARY KEY, kid, use, state, created_at);"
    "CREATE TEMP VIEW v_keys AS SELECT rid, kid, use, state, created_at FROM temp.seen_keys"
    " UNION ALL SELECT rid, kid, use, 'retired', created_at FROM main.retired_keys;"
    "CREATE TEMP VIEW v_findings AS SELECT rid, code, severity, subject, reason, remediation,"
    " fixable FROM temp.findings"
    " ORDER BY instr('error warning info', severity), code NOT IN ('owner_wrong',"
    " 'permissions_wrong', 'key_permissions_wrong'), code, subject;"
    "CREATE TEMP VIEW v_gates AS SELECT column1 AS rid, column2 AS gate FROM"
    " (VALUES(1, 'identity'), (2, 'workload'), (3, 'manifest'), (4, 'add-on'));"
    "CREATE TEMP VIEW v_apps AS SELECT rid, name, created_at FROM main.apps;"
    "CREATE TEMP VIEW v_addons AS SELECT rid, id, type, name, app, state,"
    " (SELECT count(*) FROM main.bindings AS b WHERE b.addon_id = a.id) AS binding_count,"
    " (SELECT count(*) FROM main.snapshots AS c WHERE c.addon_id = a.id AND c.state = 'ready')"
    " AS snapshot_count, options, created_at, updated_at, destroyed_at, error"
    " FROM main.addons AS a;"
    "CREATE TEMP VIEW v_storage AS SELECT rid, name AS addon, id AS addon_id FROM main.addons"
    " WHERE state <> 'destroyed';"
    "CREATE TEMP VIEW v_snapshots AS SELECT c.rid, c.id, a.name AS addon, c.addon_id, c.app,"
    " c.state, c.size_bytes, c.digest, c.reason, c.created_at"
    " FROM main.snapshots AS c JOIN main.addons AS a ON a.id = c.addon_id;"
    "CREATE TEMP VIEW v_exports AS SELECT c.rid, c.id, a.name AS addon, c.path, c.state,"
    " c.size_bytes, c.created_at FROM main.exports AS c JOIN main.addons AS a ON a.id = c.addon_id;"
    "CREATE TEMP VIEW v_env AS SELECT rid, app, target, name, value, sealed IS NOT NULL AS secret,"
    " version, updated_at FROM main.env WHERE value IS NOT NULL OR sealed IS NOT NULL;"
    "CREATE TEMP VIEW v_backups AS SELECT rid, id, path, state, size_bytes, digest, created_at,"
    " fingerprint, sealed, absent, left_out FROM main.backups;"
    "CREATE TEMP VIEW v_restores AS SELECT c.rid, c.id, a.name AS addon, c.snapshot, c.state,"
    " c.phase, c.drain, c.restart_bound_apps, c.force_after_timeout, c.timeout_s,"
    " c.safety_snapshot, c.error, c.started_at, c.finished_at"
    " FROM main.restores AS c JOIN main.addons AS a ON a.id = c.addon_id;"
    "CREATE TEMP VIEW v_releases AS SELECT rid, id, app, target, version, artifact, manifest,"
    " signature, key_id, created_at FROM main.releases;"
    "CREATE TEMP VIEW v_release_bindings AS SELECT rid, release, binding, binding_target, addon_id,"
    " type, mode, generation FROM main.release_bindings;"
    /* superseded: since another of its app and target first had an instance, later than its own
     * or, when it never had one, of a newer deploy */
    "CREATE TEMP VIEW v_deploys AS SELECT rid, id, app, release, target,"
    " CASE WHEN state <> 'open' THEN state WHEN superseded_at IS NOT NULL THEN 'superseded'"
    " WHEN seq IS NULL THEN 'pending' ELSE 'running' END AS state,"
    " reason, created_at, coalesce(finished_at, superseded_at) AS finished_at,"
    " (SELECT r.artifact FROM main.releases AS r WHERE r.id = p.release) AS artifact"
    " FROM (SELECT *, (SELECT w.at FROM live_activations AS w WHERE w.app = d.app AND"
    " w.target = d.target AND w.seq > coalesce(d.seq, 0) AND (d.seq IS NOT NULL OR"
    " (SELECT n.rid FROM main.deploys AS n WHERE n.id = w.deploy) > d.rid)"
    " ORDER BY w.seq LIMIT 1) AS superseded_at"
    " FROM (SELECT *, (SELECT v.seq FROM live_activations AS v WHERE v.deploy = e.id) AS seq"
    " FROM main.deploys AS e) AS d) AS p;"
    "CREATE TEMP VIEW v_bindings AS SELECT b.rid, b.app, b.binding, b.target,"
    " a.name AS addon, b.addon_id, b.mode,"
    " (SELECT max(g.generation) FROM main.generations AS g WHERE g.app = b.app AND"
    " g.binding = b.binding AND g.target = b.target AND g.addon_id = b.addon_id AND"
    " g.status = 'active') AS generation,"
    " EXISTS (SELECT 1 FROM main.release_bindings AS r JOIN v_deploys AS d ON d.release = r.release"
    " WHERE r.addon_id = b.addon_id AND r.binding = b.binding AND r.binding_target = b.target AND"
    " d.app = b.app AND d.state = 'running') AS deployed,"
    " b.created_at FROM main.bindings AS b JOIN main.addons AS a ON a.id = b.addon_id;"
    "CREATE TEMP VIEW v_generations AS SELECT rid, app, binding, target, addon_id, generation,"
    " CASE WHEN status = 'retiring' AND expires_at IS NOT NULL AND"
    " expires_at <= strftime('%Y-%m-%dT%H:%M:%fZ', 'now') THEN 'revoked' ELSE status END AS status,"
    " created_at, expires_at, CASE WHEN status = 'retiring' AND"
    " expires_at <= strftime('%Y-%m-%dT%H:%M:%fZ', 'now') THEN expires_at ELSE revoked_at END"
    " AS revoked_at, operation_id FROM main.generations;"
    "CREATE TEMP VIEW v_instances AS SELECT rid, id, app, target, deploy, release, pid,"
    " CASE WHEN state = 'running' AND lease_expires_at <= strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"
    " THEN 'expired' ELSE state END AS state, started_at, lease_expires_at, stopped_at,"
    " token_path, restart_reason FROM live_instances;"
    "CREATE TEMP VIEW v_tokens AS SELECT rid, id, kind, instance, binding, audience, issued_at,"
    " expires_at FROM live_tokens;"
    "CREATE TEMP VIEW v_operations AS SELECT rid, id, kind, subject, actor, state, phase, progress,"
    " error, started_at, finished_at FROM main.operations;"
    "CREATE TEMP VIEW v_audit AS SELECT seq * 2 AS rid, 'control' AS stream, seq, at, actor, "
    "action,"
    " outcome, app, deploy, instance, binding, reason, count, operation_id, prev_hash, hash"
    " FROM main.audit UNION ALL"
    " SELECT seq * 2 + 1, 'runtime', seq, at, actor, action, outcome, app, deploy, instance,"
    " binding, reason, count, operation_id, prev_hash, hash FROM rt.audit;"
    /* a stream's signed head is kept where the stream is not */
    "CREATE TEMP VIEW v_audit_heads AS SELECT 1 AS rid, stream, seq, hash, at AS signed_at, kid, "
    "signature"
    " FROM rt.audit_marks WHERE stream = 'control' AND kind = 'head' UNION ALL"
    " SELECT 2, stream, seq, hash, at, kid, signature"
    " FROM main.audit_marks WHERE stream = 'runtime' AND kind = 'head';"
    /* one row for each binding of a live add-on and each target it is released to, or one with
     * an empty binding */
    "CREATE TEMP VIEW v_readiness AS SELECT (a.rid << 20) + (b.rid & 1048575) AS rid,"
    " a.rid AS addon_rid, a.name AS addon, a.id AS addon_id, a.app, b.binding, b.target,"
    " a.state AS addon_state, a.type AS type,"
    " EXISTS (SELECT 1 FROM main.release_bindings AS r JOIN v_deploys AS d ON d.release = r.release"
    " WHERE r.addon_id = a.id AND r.binding = b.binding AND r.binding_target = b.target AND "
    "d.state IN ('running', 'pending'))"
    " AS deployed,"
    " EXISTS (SELECT 1 FROM main.release_bindings AS r JOIN v_instances AS i ON"
    " i.release = r.release WHERE r.addon_id = a.id AND r.binding = b.binding AND"
    " r.binding_target = b.target AND i.state = 'running') AS instance_running,"
    " EXISTS (SELECT 1 FROM main.release_bindings AS r JOIN v_instances AS i ON"
    " i.release = r.release WHERE r.addon_id = a.id AND r.binding = b.binding AND"
    " r.binding_target = b.target AND i.state = 'expired') AS instance_expired,"
    " EXISTS (SELECT 1 FROM main.generations AS g WHERE g.app = b.app AND g.binding = b.binding AND"
    " g.target = b.target AND g.addon_id = b.addon_id AND g.status = 'active') AS has_generation,"
    " iif(a.options ->> '$.block_reads', coalesce(a.options ->> '$.block_reason', ''), NULL)"
    " AS block"
    " FROM main.bindings AS b JOIN main.addons AS a ON a.id = b.addon_id"
    " WHERE a.state <> 'destroyed' UNION ALL"
    " SELECT a.rid << 20, a.rid, a.name, a.id, a.app, NULL, '', a.state, a.type, 0, 0, 0, 0, NULL"
    " FROM main.addons AS a WHERE a.state <> 'destroyed' AND"
    " NOT EXISTS (SELECT 1 FROM main.bindings AS b WHERE b.addon_id = a.id);";

/* The settings as rows: what is compiled in, with what was set over it. */
static void
views_put_settings(struct via_sql *s)
{
    struct via_buf b;

    via_buf_init(&b);
    via_buf_puts(&b, "CREATE TEMP VIEW v_settings AS WITH d(rid, name, \"default\", unit, help)"
                     " AS (VALUES");
    for (size_t i = 0; i < via_settings_count; i++) {
        via_buf_printf(&b, "%s(%zu,", i ? "," : "", i + 1);
        via_buf_put_sql(&b, via_settings[i].name);
        via_buf_putc(&b, ',');
        via_buf_put_sql(&b, via_settings[i].value);
        via_buf_putc(&b, ',');
        via_buf_put_sql(&b, via_settings[i].unit);
        via_buf_putc(&b, ',');
        via_buf_put_sql(&b, via_settings[i].help);
        via_buf_putc(&b, ')');
    }
    via_buf_puts(&b, ") SELECT d.rid, d.name, coalesce(s.value, d.\"default\") AS value,"
                     " d.\"default\", d.unit, d.help FROM d"
                     " LEFT JOIN main.settings AS s ON s.name = d.name");
    if (b.failed)
        via_sql_fail(s, VIA_OUT_OF_MEMORY, "out of memory");
    via_sql_exec(s, via_buf_text(&b));
    via_buf_deinit(&b);
}

void
via_views_make(struct via_sql *s, bool overlay)
{
    via_sql_exec(s, overlay ? overlay_sql : plain_sql);
    via_sql_exec(s, views_sql);
    views_put_settings(s);
}
