#include "control/replica.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/log.h"
#include "control/schema.h"

#include <stdio.h>
#include <string.h>

static void
replica_paths(const struct via_root *root, const char *id, char control[VIA_PATH_SIZE],
              char runtime[VIA_PATH_SIZE])
{
    char relative[VIA_ID_SIZE + 64];

    (void)snprintf(relative, sizeof relative, "backups/%s.control-plane.incoming", id);
    via_root_join(root, relative, control);
    (void)snprintf(relative, sizeof relative, "backups/%s.runtime.incoming", id);
    via_root_join(root, relative, runtime);
}

/* Begin to read both databases on `reader` while nobody writes either. */
static void
replica_pin(struct via_sql *reader, const struct via_root *root)
{
    struct via_sql writer = {0};

    via_schema_open(reader, root, true, false);
    via_schema_open(&writer, root, false, false);
    via_sql_exec(&writer, "BEGIN IMMEDIATE"); /* of both: lang_attach.html */
    if (!via_sql_ok(&writer))
        via_sql_fail(reader, writer.error.status, "%s", writer.error.message);
    via_sql_exec(reader, "BEGIN; SELECT 1 FROM main.sqlite_schema; SELECT 1 FROM rt.sqlite_schema");
    via_sql_close(&writer);
}

/* Copy what `reader` sees of `schema` into the new file `path`. Returns its version, or -1. */
static int64_t
replica_copy(struct via_sql *reader, const char *schema, const struct via_root *root,
             const char *path, struct via_error *e)
{
    sqlite3_backup *backup = NULL;
    struct via_sql to = {0};
    int64_t version = -1;

    if (!via_sql_ok(reader) || via_fs_touch(path, 0600, root, e) != VIA_OK)
        return via_sql_take(reader, e), -1;
    via_sql_open(&to, path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW);
    via_sql_exec(&to, "PRAGMA synchronous = OFF");
    if (via_sql_ok(&to))
        backup = sqlite3_backup_init(to.db, "main", reader->db, schema);
    if (backup)
        (void)sqlite3_backup_step(backup, -1);
    if (via_sql_ok(&to) && (!backup || sqlite3_backup_finish(backup) != SQLITE_OK))
        via_sql_fail(&to, via_sql_status(sqlite3_extended_errcode(to.db)),
                     "the control plane cannot be copied: %s", sqlite3_errmsg(to.db));
    via_sql_exec(&to, "PRAGMA journal_mode = DELETE"); /* one file, without a log */
    version = via_sql_int(&to, "PRAGMA user_version", -1);
    if (via_sql_take(&to, e) != VIA_OK)
        version = -1;
    via_sql_close(&to);
    return version;
}

enum via_status
via_replica_open(struct via_replica *r, const struct via_root *root, const char *id,
                 struct via_error *e)
{
    struct via_sql reader = {0};

    memset(r, 0, sizeof *r);
    replica_paths(root, id, r->control, r->runtime);
    replica_pin(&reader, root);
    r->runtime_schema = replica_copy(&reader, "rt", root, r->runtime, e);
    if (r->runtime_schema >= 0)
        r->control_schema = replica_copy(&reader, "main", root, r->control, e);
    via_sql_close(&reader);
    if (r->runtime_schema < 0 || r->control_schema < 0)
        return e->status;
    via_sql_open(&r->sql, r->control, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW);
    via_sql_exec(&r->sql, "PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF");
    return via_sql_ok(&r->sql) ? VIA_OK : via_sql_take(&r->sql, e);
}

enum via_status
via_replica_settle(struct via_replica *r, struct via_error *e)
{
    enum via_status status = via_sql_take(&r->sql, e);

    via_sql_close(&r->sql);
    return status;
}

/* A copy, and what SQLite may have left beside it: as much as can be removed. */
static enum via_status
copy_remove(const char *path, struct via_error *e)
{
    static const char *const suffixes[] = {"-wal", "-shm", "-journal", ""};
    char name[VIA_PATH_SIZE + 16];

    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        (void)snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
        via_ignore(via_fs_remove(name, e));
    }
    return e->status;
}

static enum via_status
copies_remove(const char *control, const char *runtime, struct via_error *e)
{
    via_ignore(copy_remove(runtime, e));
    return copy_remove(control, e);
}

void
via_replica_close(struct via_replica *r)
{
    struct via_error ignored = {0};

    via_sql_close(&r->sql);
    if (r->runtime[0] && copies_remove(r->control, r->runtime, &ignored) != VIA_OK)
        via_log(VIA_LOG_WARN, "%s", ignored.message);
}

enum via_status
via_replica_forget(const struct via_root *root, const char *id, struct via_error *e)
{
    char control[VIA_PATH_SIZE], runtime[VIA_PATH_SIZE];

    replica_paths(root, id, control, runtime);
    return copies_remove(control, runtime, e);
}

bool
via_replica_next_snapshot(struct via_replica *r, const char *addon_id,
                          struct via_replica_snapshot *out)
{
    struct via_sql *db = &r->sql;
    sqlite3_stmt *q = via_sql_stmt(db, "SELECT id, digest, size_bytes FROM main.snapshots"
                                       " WHERE addon_id = ?1 AND state = 'ready' AND id > ?2"
                                       " ORDER BY id LIMIT 1");
    bool found;

    via_sql_bind_text(db, q, 1, addon_id);
    via_sql_bind_text(db, q, 2, out->id);
    found = via_sql_row(db, q);
    if (found) {
        via_sql_text(q, 0, out->id, sizeof out->id);
        via_sql_text(q, 1, out->digest, sizeof out->digest);
        out->size_bytes = sqlite3_column_int64(q, 2);
    }
    via_sql_end(db, q);
    return found;
}

void
via_replica_settle_snapshot(struct via_replica *r, const char *id, const char *state)
{
    struct via_sql *db = &r->sql;
    sqlite3_stmt *q = via_sql_stmt(db, "UPDATE main.snapshots SET state = ?2 WHERE id = ?1");

    via_sql_bind_text(db, q, 1, id);
    via_sql_bind_text(db, q, 2, state);
    via_sql_run(db, q);
}

int64_t
via_replica_snapshot_bytes(struct via_replica *r)
{
    return via_sql_int(&r->sql, "SELECT sum(size_bytes) FROM main.snapshots WHERE state = 'ready'",
                       0);
}
