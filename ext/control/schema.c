#include "control/schema.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/lock.h"
#include "control/damage.h"
#include "control/setting.h"
#include "control/views.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct step {
    const char *sql;
    const char *why;
};

#define MARKS_SQL                                                                                  \
    "CREATE TABLE audit_marks(stream TEXT NOT NULL, kind TEXT NOT NULL, seq INTEGER NOT NULL,"     \
    " hash TEXT NOT NULL, at TEXT NOT NULL, kid TEXT NOT NULL, signature TEXT NOT NULL,"           \
    " PRIMARY KEY(stream, kind)) WITHOUT ROWID"

#define AUDIT_AT_SQL "CREATE INDEX audit_at ON audit(at)"

/* Triggers that count the changes of `table` against the app and target of its rows. */
#define PROFILE_MOVE(table, on, row)                                                               \
    "CREATE TRIGGER " table "_" on " AFTER " on " ON " table " BEGIN INSERT INTO profiles"         \
    " VALUES(" row ".app, " row                                                                    \
    ".target, 1) ON CONFLICT DO UPDATE SET version = version + 1; END;"
#define PROFILE_MOVES(table)                                                                       \
    PROFILE_MOVE(table, "INSERT", "new")                                                           \
    PROFILE_MOVE(table, "UPDATE", "new") PROFILE_MOVE(table, "DELETE", "old")

/* Append only: a step once released is never changed. */
static const struct step control_steps[] = {
    {"CREATE TABLE apps(rid INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
     " created_at TEXT NOT NULL)",
     "an app owns add-ons, bindings, releases and deploys"},
    {"CREATE TABLE addons(rid INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, type TEXT NOT NULL,"
     " name TEXT NOT NULL, app TEXT NOT NULL, state TEXT NOT NULL, options TEXT NOT NULL DEFAULT"
     " '{}', error TEXT, created_at TEXT NOT NULL, updated_at TEXT NOT NULL, destroyed_at TEXT,"
     " purge_at TEXT);"
     "CREATE UNIQUE INDEX addons_app_name ON addons(app, name);"
     "CREATE INDEX addons_name ON addons(name);"
     "CREATE INDEX addons_state ON addons(state);"
     "CREATE INDEX addons_purge ON addons(purge_at) WHERE purge_at IS NOT NULL",
     "an add-on keeps its row for ever; a buried name frees the unique one"},
    {"CREATE TABLE bindings(rid INTEGER PRIMARY KEY, app TEXT NOT NULL, binding TEXT NOT NULL,"
     " target TEXT NOT NULL, addon_id TEXT NOT NULL, mode TEXT NOT NULL, created_at TEXT NOT NULL,"
     " UNIQUE(app, binding, target));"
     "CREATE INDEX bindings_addon ON bindings(addon_id);"
     "CREATE INDEX bindings_binding ON bindings(binding)",
     "the name an app uses for an add-on on a target"},
    {"CREATE TABLE generations(rid INTEGER PRIMARY KEY, app TEXT NOT NULL, binding TEXT NOT NULL,"
     " target TEXT NOT NULL, addon_id TEXT NOT NULL, generation INTEGER NOT NULL,"
     " status TEXT NOT NULL, created_at TEXT NOT NULL, expires_at TEXT, revoked_at TEXT,"
     " operation_id TEXT, UNIQUE(app, binding, target, generation));"
     "CREATE INDEX generations_addon ON generations(addon_id);"
     "CREATE INDEX generations_binding ON generations(binding)",
     "one sequence a binding, which outlives unbinding: a number is never reused"},
    {"CREATE TABLE releases(rid INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, app TEXT NOT NULL,"
     " target TEXT NOT NULL, version INTEGER NOT NULL, artifact TEXT, manifest TEXT NOT NULL,"
     " signature TEXT NOT NULL, key_id TEXT NOT NULL, created_at TEXT NOT NULL,"
     " UNIQUE(app, version))",
     "the immutable record of what was released, with its signature"},
    {"CREATE TABLE release_bindings(rid INTEGER PRIMARY KEY, release TEXT NOT NULL,"
     " binding TEXT NOT NULL, binding_target TEXT NOT NULL, addon_id TEXT NOT NULL,"
     " type TEXT NOT NULL, mode TEXT NOT NULL, generation INTEGER NOT NULL,"
     " UNIQUE(release, binding));"
     "CREATE INDEX release_bindings_addon ON release_bindings(addon_id);"
     "CREATE INDEX release_bindings_binding ON release_bindings(binding)",
     "the manifest's bindings, to be searched; the signed text is what counts"},
    {"CREATE TABLE deploys(rid INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, app TEXT NOT NULL,"
     " release TEXT NOT NULL, target TEXT NOT NULL, state TEXT NOT NULL, reason TEXT,"
     " created_at TEXT NOT NULL, finished_at TEXT);"
     "CREATE INDEX deploys_app ON deploys(app, target);"
     "CREATE INDEX deploys_release ON deploys(release)",
     "state is open, stopped or failed; what has an instance is told by runtime.db"},
    {"CREATE TABLE operations(rid INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL,"
     " subject TEXT NOT NULL, actor TEXT NOT NULL, state TEXT NOT NULL, phase TEXT, progress"
     " INTEGER, error TEXT, started_at TEXT NOT NULL, finished_at TEXT, app TEXT, addon_id TEXT,"
     " payload TEXT);"
     "CREATE INDEX operations_state ON operations(state);"
     "CREATE INDEX operations_addon ON operations(addon_id)",
     "an intent, and how far it was carried out"},
    {"CREATE TABLE audit(seq INTEGER PRIMARY KEY, at TEXT NOT NULL, actor TEXT NOT NULL,"
     " action TEXT NOT NULL, outcome TEXT NOT NULL, app TEXT, deploy TEXT, instance TEXT,"
     " binding TEXT, reason TEXT, count INTEGER NOT NULL, operation_id TEXT,"
     " prev_hash TEXT NOT NULL, hash TEXT NOT NULL);"
     "CREATE INDEX audit_app ON audit(app);"
     "CREATE INDEX audit_binding ON audit(binding) WHERE binding IS NOT NULL",
     "the control stream: each change and its record commit together"},
    {"CREATE TABLE settings(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
     "settings that differ from their defaults"},
    {"CREATE TABLE snapshots(rid INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,"
     " addon_id TEXT NOT NULL, app TEXT NOT NULL, state TEXT NOT NULL, size_bytes INTEGER,"
     " digest TEXT, reason TEXT, created_at TEXT NOT NULL);"
     "CREATE INDEX snapshots_addon ON snapshots(addon_id, state);"
     "CREATE INDEX snapshots_app ON snapshots(app);"
     "CREATE INDEX snapshots_state ON snapshots(state)",
     "a snapshot's row outlives its file"},
    {"CREATE TABLE exports(rid INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,"
     " addon_id TEXT NOT NULL, path TEXT NOT NULL, state TEXT NOT NULL, size_bytes INTEGER,"
     " created_at TEXT NOT NULL);"
     "CREATE INDEX exports_addon ON exports(addon_id);"
     "CREATE INDEX exports_state ON exports(state)",
     "copies that left the state root"},
    {"CREATE INDEX addons_scheduled ON addons(rid) WHERE instr(options, '\"snapshot_') > 0;"
     "CREATE INDEX snapshots_scheduled ON snapshots(addon_id) WHERE reason = 'schedule'",
     "which add-ons have a schedule, and what it did, among thousands without"},
    {MARKS_SQL,
     "where the control stream begins after pruning; how far the runtime stream had come"},
    {"CREATE TABLE env(rid INTEGER PRIMARY KEY, app TEXT NOT NULL, target TEXT NOT NULL,"
     " name TEXT NOT NULL, value TEXT, sealed BLOB, key_id TEXT, version INTEGER NOT NULL,"
     " updated_at TEXT NOT NULL, UNIQUE(app, target, name));"
     "CREATE INDEX env_name ON env(name)",
     "a value or, sealed, a secret; with neither it is unset, and its version goes on from there"},
    {"CREATE TABLE profiles(app TEXT NOT NULL, target TEXT NOT NULL, version INTEGER NOT NULL,"
     " PRIMARY KEY(app, target)) WITHOUT ROWID;" PROFILE_MOVES("env") PROFILE_MOVES("bindings")
         PROFILE_MOVES("generations") PROFILE_MOVES("releases"),
     "counts what instances are told: a change that any path makes moves it"},
    {"CREATE TABLE backups(rid INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, path TEXT NOT NULL,"
     " state TEXT NOT NULL, passphrase_file TEXT, sealed INTEGER NOT NULL, size_bytes INTEGER,"
     " digest TEXT, fingerprint TEXT, absent INTEGER, created_at TEXT NOT NULL);"
     "CREATE INDEX backups_state ON backups(state)",
     "archives of the whole host; the file with the passphrase is named until it was read"},
    {"CREATE TABLE retired_keys(rid INTEGER PRIMARY KEY, kid TEXT NOT NULL UNIQUE,"
     " use TEXT NOT NULL, created_at TEXT NOT NULL, retired_at TEXT NOT NULL)",
     "keys whose files are gone for good"},
    {"CREATE TABLE restores(rid INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,"
     " addon_id TEXT NOT NULL, snapshot TEXT NOT NULL, state TEXT NOT NULL, phase TEXT NOT NULL,"
     " drain INTEGER NOT NULL, restart_bound_apps INTEGER NOT NULL,"
     " force_after_timeout INTEGER NOT NULL, timeout_s INTEGER NOT NULL,"
     " keep_id TEXT NOT NULL, safety_snapshot TEXT, error TEXT, started_at TEXT NOT NULL,"
     " finished_at TEXT);"
     "CREATE INDEX restores_addon ON restores(addon_id);"
     "CREATE INDEX restores_state ON restores(state, phase)",
     "what replaced an add-on's content, and the snapshot that the content before became"},
    {AUDIT_AT_SQL, "what was done of late is found without reading what was done before"},
    {PROFILE_MOVE("deploys", "INSERT", "new"),
     "an older release that is deployed again changes what instances are told"},
    {"CREATE INDEX generations_grace ON generations(expires_at) WHERE status = 'retiring' AND"
     " expires_at IS NOT NULL",
     "whose grace is over is found among all that were ever revoked"},
    {"CREATE TABLE owed(debt TEXT NOT NULL);"
     "CREATE TABLE owed_instances(rid INTEGER PRIMARY KEY, id TEXT NOT NULL, app, target, deploy,"
     " release, pid INTEGER, state, started_at, lease_expires_at, stopped_at, token_path,"
     " restart_reason, lease_exact INTEGER NOT NULL);"
     "CREATE TABLE owed_tokens(rid INTEGER PRIMARY KEY, id TEXT NOT NULL, kind, instance, binding,"
     " audience, issued_at, expires_at);"
     "CREATE TABLE owed_activations(seq INTEGER PRIMARY KEY, deploy TEXT NOT NULL, app, target,"
     " at);"
     "CREATE TABLE owed_audit(seq INTEGER PRIMARY KEY, at, actor, action, outcome, app, deploy,"
     " instance, binding, reason, count)",
     "the runtime rows of the last transaction that changed both databases, as overlay.h has them"},
    {"ALTER TABLE backups ADD COLUMN left_out TEXT", "what an archive does not hold, and why"},
    {"ALTER TABLE backups ADD COLUMN key_id TEXT", "a key that signed an archive is missed"},
    {"CREATE INDEX operations_told ON operations(addon_id) WHERE " VIA_DAMAGE_TOLD,
     "whether an add-on's content is sound is found among all that was ever done with it"},
};

static const struct step runtime_steps[] = {
    {"CREATE TABLE instances(rid INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, app TEXT NOT NULL,"
     " target TEXT NOT NULL, deploy TEXT NOT NULL, release TEXT NOT NULL, pid INTEGER,"
     " state TEXT NOT NULL, started_at TEXT NOT NULL, lease_expires_at TEXT NOT NULL,"
     " stopped_at TEXT);"
     "CREATE INDEX instances_app ON instances(app, target);"
     "CREATE INDEX instances_deploy ON instances(deploy);"
     "CREATE INDEX instances_release ON instances(release);"
     "CREATE INDEX instances_state ON instances(state)",
     "an instance is running or stopped; that its lease ran out is told by the clock"},
    {"CREATE TABLE tokens(rid INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL,"
     " instance TEXT NOT NULL, binding TEXT, audience TEXT NOT NULL, issued_at TEXT NOT NULL,"
     " expires_at TEXT NOT NULL);"
     "CREATE INDEX tokens_instance ON tokens(instance);"
     "CREATE INDEX tokens_binding ON tokens(binding) WHERE binding IS NOT NULL",
     "what was issued, never the material"},
    {"CREATE TABLE activations(seq INTEGER PRIMARY KEY AUTOINCREMENT, deploy TEXT NOT NULL UNIQUE,"
     " app TEXT NOT NULL, target TEXT NOT NULL, at TEXT NOT NULL);"
     "CREATE INDEX activations_app ON activations(app, target, seq)",
     "a deploy's first instance: the last of an app and target is the one that runs"},
    {"CREATE TABLE audit(seq INTEGER PRIMARY KEY, at TEXT NOT NULL, actor TEXT NOT NULL,"
     " action TEXT NOT NULL, outcome TEXT NOT NULL, app TEXT, deploy TEXT, instance TEXT,"
     " binding TEXT, reason TEXT, count INTEGER NOT NULL, operation_id TEXT,"
     " prev_hash TEXT NOT NULL, hash TEXT NOT NULL);"
     "CREATE INDEX audit_app ON audit(app);"
     "CREATE INDEX audit_binding ON audit(binding) WHERE binding IS NOT NULL",
     "the runtime stream"},
    {"CREATE TABLE grants(instance TEXT NOT NULL, binding TEXT NOT NULL,"
     " PRIMARY KEY(instance, binding)) WITHOUT ROWID",
     "which first grants are on record"},
    {MARKS_SQL,
     "where the runtime stream begins after pruning; how far the control stream had come"},
    {"ALTER TABLE instances ADD COLUMN token_path TEXT;"
     "ALTER TABLE instances ADD COLUMN restart_reason TEXT",
     "what a launcher said of its instance, and what is asked of the launcher"},
    {"CREATE INDEX instances_over ON instances(coalesce(stopped_at, lease_expires_at));"
     "CREATE INDEX tokens_expires ON tokens(expires_at)",
     "what is over is found without reading what is not"},
    {AUDIT_AT_SQL, "what was refused of late is found without reading what was before"},
    {"CREATE TABLE paid(debt TEXT NOT NULL)",
     "which of the control database's debts this one has last been paid"},
};

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static void
schema_pragmas(struct via_sql *s)
{
    via_sql_exec(s, "PRAGMA foreign_keys = OFF");
    via_sql_exec(s, "PRAGMA synchronous = FULL");
    via_sql_exec(s, "PRAGMA temp_store = MEMORY");
}

/* Apply what is missing of `steps` to one database, in one transaction. */
static void
schema_apply(struct via_sql *s, const struct step *steps, size_t count)
{
    char text[64];
    int64_t have;

    via_sql_exec(s, "PRAGMA journal_mode = WAL");
    via_sql_exec(s, "BEGIN IMMEDIATE");
    have = via_sql_int(s, "PRAGMA user_version", 0);
    for (size_t i = (size_t)have; i < count; i++)
        via_sql_exec(s, steps[i].sql);
    (void)snprintf(text, sizeof text, "PRAGMA user_version = %zu", count);
    via_sql_exec(s, text);
    via_sql_exec(s, "COMMIT");
}

void
via_schema_make(struct via_sql *s, bool runtime)
{
    schema_apply(s, runtime ? runtime_steps : control_steps,
                 runtime ? COUNT(runtime_steps) : COUNT(control_steps));
}

/* Keep a copy of a database that is about to be changed, in backups/: under its name it is whole.
 * What an upgrade that was killed left is removed by the next. */
static void
schema_keep(struct via_sql *s, const struct via_root *root, const char *stem, int64_t version)
{
    char relative[256];
    char path[VIA_PATH_SIZE], incoming[VIA_PATH_SIZE];
    char now[VIA_TIME_SIZE];
    sqlite3_stmt *q;

    if (!via_sql_ok(s))
        return;
    via_clock_format(via_clock_now_ms(), now);
    (void)snprintf(relative, sizeof relative, "backups/%s-schema-%lld-%s.db", stem,
                   (long long)version, now);
    via_root_join(root, relative, path);
    (void)snprintf(relative, sizeof relative, "backups/.%s-schema.incoming", stem);
    via_root_join(root, relative, incoming);
    /* An empty file of ours, for VACUUM would make one that others may read. */
    if (via_fs_remove(incoming, &s->error) == VIA_OK)
        via_ignore(via_fs_touch(incoming, 0600, root, &s->error));
    q = via_sql_stmt(s, "VACUUM INTO ?1");
    via_sql_bind_text(s, q, 1, incoming);
    via_sql_run(s, q);
    if (via_sql_ok(s))
        via_ignore(via_fs_publish(incoming, path, &s->error));
    if (!via_sql_ok(s))
        via_ignore(via_fs_remove(incoming, NULL));
}

static enum via_status
schema_ensure_one(const struct via_root *root, const char *stem, const struct step *steps,
                  size_t count, struct via_lock *lock, struct via_error *e)
{
    struct via_sql s = {0};
    char relative[64];
    char path[VIA_PATH_SIZE];
    int64_t have;

    (void)snprintf(relative, sizeof relative, "%s.db", stem);
    via_root_join(root, relative, path);
    if (via_fs_touch(path, 0600, root, e) != VIA_OK)
        return e->status;
    via_sql_open(&s, path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW);
    if (via_sql_ok(&s))
        (void)sqlite3_busy_timeout(s.db, 5000);
    schema_pragmas(&s);
    have = via_sql_int(&s, "PRAGMA user_version", 0);
    if (have > (int64_t)count) {
        via_sql_fail(&s, VIA_STATE_NEWER,
                     "a newer Via wrote this state root (schema %lld, this one knows %zu);"
                     " run that version",
                     (long long)have, count);
    } else if (have < (int64_t)count && via_sql_ok(&s)) {
        /* A live agent of the older schema would go on writing rows of its own shape. */
        if (have > 0 && !via_lock_try(lock, VIA_LOCK_AGENT))
            via_sql_fail(&s, VIA_AGENT_VERSION_MISMATCH,
                         "an older agent is running on this state root; stop it before this"
                         " version changes the schema");
        if (have > 0)
            schema_keep(&s, root, stem, have);
        schema_apply(&s, steps, count);
        if (have > 0)
            via_lock_drop(lock, VIA_LOCK_AGENT);
    }
    (void)via_sql_take(&s, e);
    via_sql_close(&s);
    return e->status;
}

/* A runtime.db that was just made is owed nothing: what the one before it had been paid went with
 * it, and would come back as it was then. */
static void
schema_owe_nothing(const struct via_root *root, struct via_error *e)
{
    struct via_sql s = {0};
    char path[VIA_PATH_SIZE];
    sqlite3_stmt *q;

    via_root_join(root, "control-plane.db", path);
    via_sql_open(&s, path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW);
    via_root_join(root, "runtime.db", path);
    q = via_sql_stmt(&s, "ATTACH ?1 AS rt");
    via_sql_bind_text(&s, q, 1, path);
    via_sql_run(&s, q);
    via_sql_exec(&s, "INSERT INTO rt.paid(debt) SELECT debt FROM main.owed");
    (void)via_sql_take(&s, e);
    via_sql_close(&s);
}

/* The control database is made before the other: alone the other is what is left of a root, and an
 * empty one beside it would disown all storage. */
static bool
schema_is_lost(const struct via_root *root)
{
    char path[VIA_PATH_SIZE];
    struct stat st;

    via_root_join(root, "control-plane.db", path);
    if (lstat(path, &st) == 0 || errno != ENOENT)
        return false;
    via_root_join(root, "runtime.db", path);
    return lstat(path, &st) == 0;
}

enum via_status
via_schema_ensure(const struct via_root *root, struct via_error *e)
{
    struct via_lock lock = {.fd = -1};
    char path[VIA_PATH_SIZE];
    struct stat st;
    bool is_new;

    if (via_lock_open(&lock, root, e) != VIA_OK)
        return e->status;
    via_root_join(root, "runtime.db", path);
    if (!via_lock_take(&lock, VIA_LOCK_MIGRATE)) {
        (void)via_error_set(e, VIA_STATE_UNAVAILABLE, "the state root cannot be locked");
    } else if (schema_is_lost(root)) {
        (void)via_error_set(e, VIA_STATE_CORRUPT,
                            "control-plane.db is gone from the state root, and runtime.db is not");
    } else if (schema_ensure_one(root, "control-plane", control_steps, COUNT(control_steps), &lock,
                                 e) == VIA_OK) {
        is_new = lstat(path, &st) < 0;
        if (schema_ensure_one(root, "runtime", runtime_steps, COUNT(runtime_steps), &lock, e) ==
                VIA_OK &&
            is_new)
            schema_owe_nothing(root, e);
    }
    via_lock_close(&lock);
    return e->status;
}

/* runtime.db as an SQLite URI; a path may hold characters that mean something there. */
static void
schema_runtime_uri(const struct via_root *root, bool readonly, char *out, size_t size)
{
    static const char hex[] = "0123456789ABCDEF";
    char path[VIA_PATH_SIZE];
    size_t n = 0;

    via_root_join(root, "runtime.db", path);
    n = (size_t)snprintf(out, size, "file:");
    for (const char *p = path; *p && n + 32 < size; p++) {
        if (*p == '%' || *p == '?' || *p == '#') {
            out[n++] = '%';
            out[n++] = hex[(unsigned char)*p >> 4];
            out[n++] = hex[(unsigned char)*p & 15];
        } else {
            out[n++] = *p;
        }
    }
    (void)snprintf(out + n, size - n, "?mode=%s", readonly ? "ro" : "rw");
}

void
via_schema_open(struct via_sql *s, const struct via_root *root, bool runtime_readonly, bool overlay)
{
    char path[VIA_PATH_SIZE];
    char uri[3 * VIA_PATH_SIZE];
    sqlite3_stmt *q;

    via_root_join(root, "control-plane.db", path);
    via_sql_open(s, path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX);
    if (!via_sql_ok(s))
        return;
    (void)sqlite3_busy_timeout(s->db, 5000);
    schema_runtime_uri(root, runtime_readonly, uri, sizeof uri);
    q = via_sql_stmt(s, "ATTACH ?1 AS rt");
    via_sql_bind_text(s, q, 1, uri);
    via_sql_run(s, q);
    schema_pragmas(s);
    via_views_make(s, overlay);
    if (via_sql_ok(s))
        (void)sqlite3_busy_timeout(s->db, (int)via_setting_int(s, "busy_timeout_ms"));
    if (s->error.status == VIA_INTERNAL_ERROR) /* the table is not there */
        s->error.status = VIA_STATE_CORRUPT;
}

void
via_schema_open_runtime(struct via_sql *s, const struct via_root *root)
{
    char path[VIA_PATH_SIZE];

    via_root_join(root, "runtime.db", path);
    via_sql_open(s, path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX);
    if (via_sql_ok(s))
        (void)sqlite3_busy_timeout(s->db, VIA_RUNTIME_TIMEOUT_MS);
    schema_pragmas(s);
    /* Many small writes, some of them caused by strangers: their log is kept short. */
    via_sql_exec(s, "PRAGMA wal_autocheckpoint = 128");
}
