#include "control/backup.h"

#include "base/id.h"
#include "control/audit.h"
#include "control/operation.h"
#include "control/reason.h"
#include "identity/keyfile.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* -- the key that signs ------------------------------------------------------------------ */

bool
via_backup_newest_key(struct via_sql *db, char kid[VIA_ID_SIZE])
{
    /* Ids sort by time. */
    sqlite3_stmt *q = via_sql_stmt(db, "SELECT max(key_id) FROM main.backups");

    kid[0] = '\0';
    if (via_sql_row(db, q))
        via_sql_text(q, 0, kid, VIA_ID_SIZE);
    via_sql_end(db, q);
    return via_id_is("key", kid);
}

/* A key to compare with, until one is found that is newer. */
struct newer {
    const char *kid;
    bool found;
};

static void
newer_look(void *arg, const struct via_key_facts *key)
{
    struct newer *n = arg;

    n->found = n->found || (key->use == VIA_KEY_BACKUP && strcmp(key->kid, n->kid) > 0);
}

static bool
key_is_retired(struct via_sql *db, const char *kid)
{
    sqlite3_stmt *q = via_sql_stmt(db, "SELECT 1 FROM main.retired_keys WHERE kid = ?1");
    bool is_retired;

    via_sql_bind_text(db, q, 1, kid);
    is_retired = via_sql_row(db, q);
    via_sql_end(db, q);
    return is_retired;
}

bool
via_backup_key_is_lost(struct via_store *s, struct via_sql *db, char kid[VIA_ID_SIZE])
{
    struct newer newer = {.kid = kid};
    struct via_error why = {0};
    char path[VIA_PATH_SIZE];
    struct stat st;

    if (!via_backup_newest_key(db, kid) || key_is_retired(db, kid))
        return false;
    via_keyfile_path(&s->root, kid, path);
    if (lstat(path, &st) == 0 || errno != ENOENT)
        return false;
    return via_keyring_each(s->keys, newer_look, &newer, &why) == VIA_OK && !newer.found;
}

/* -- rows -------------------------------------------------------------------------------- */

/* Write the row. */
static int64_t
backup_insert(struct via_store *s, const char *id, const char *path, const char *passphrase_file)
{
    struct via_sql *db = &s->write;
    sqlite3_stmt *q =
        via_sql_stmt(db, "INSERT INTO main.backups(id, path, state, passphrase_file, sealed,"
                         " created_at) VALUES(?1, ?2, 'pending', ?3, ?4, ?5)");

    via_sql_bind_text(db, q, 1, id);
    via_sql_bind_text(db, q, 2, path);
    via_sql_bind_text(db, q, 3, passphrase_file);
    via_sql_bind_int(db, q, 4, passphrase_file != NULL);
    via_sql_bind_text(db, q, 5, s->now);
    via_sql_run(db, q);
    return via_sql_ok(db) ? sqlite3_last_insert_rowid(db->db) : 0;
}

int64_t
via_backup_put(struct via_store *s, const char *path, const char *passphrase_file)
{
    struct via_operation op = {.kind = "backup.create", .state = "pending", .phase = "copy"};
    char id[VIA_ID_SIZE], op_id[VIA_ID_SIZE];
    char relative[VIA_ID_SIZE + 32], own[VIA_PATH_SIZE];
    struct via_reason why = {0};
    int64_t rid, operation;

    if (via_backup_key_is_lost(s, &s->write, id)) {
        via_sql_fail(&s->write, VIA_KEY_UNAVAILABLE,
                     "keys/%s.jwk, which signs this host's backups, is missing; put a copy of the"
                     " file back, or make a new key, whose fingerprint is another:"
                     " via keys rotate backup",
                     id);
        return 0;
    }
    via_id_make("backup", id);
    (void)snprintf(relative, sizeof relative, "backups/%s.tar.zst", id);
    via_root_join(&s->root, relative, own);
    rid = backup_insert(s, id, path ? path : own, passphrase_file);
    (void)snprintf(op.payload, sizeof op.payload, "%s", id);
    operation = via_operation_put(s, &op, id, op_id);
    via_store_intend(s, VIA_INTENT_BACKUP, operation, id, NULL, 0);
    via_reason_put(&why, "backup", id);
    if (passphrase_file)
        via_reason_put(&why, "sealed", NULL);
    if (via_sql_ok(&s->write))
        via_audit_control(s, "backup.create", NULL, NULL, why.text, op_id);
    return rid;
}

bool
via_backup_find(struct via_sql *db, const char *id, struct via_backup *out)
{
    bool found;
    sqlite3_stmt *q = via_sql_stmt(db, "SELECT id, path, passphrase_file, created_at"
                                       " FROM main.backups WHERE id = ?1");

    memset(out, 0, sizeof *out);
    via_sql_bind_text(db, q, 1, id);
    found = via_sql_row(db, q);
    if (found) {
        via_sql_text(q, 0, out->id, sizeof out->id);
        via_sql_text(q, 1, out->path, sizeof out->path);
        via_sql_text(q, 2, out->passphrase_file, sizeof out->passphrase_file);
        via_sql_text(q, 3, out->created_at, sizeof out->created_at);
    }
    via_sql_end(db, q);
    return found;
}

bool
via_backup_newest(struct via_sql *db, const char *addon_id, char path[VIA_PATH_SIZE], bool *sealed)
{
    sqlite3_stmt *q = via_sql_stmt(
        db, "SELECT path, sealed FROM main.backups WHERE state = 'ready' AND absent = 0 AND"
            " created_at >= (SELECT created_at FROM main.addons WHERE id = ?1) ORDER BY rid DESC");
    bool found = false;

    via_sql_bind_text(db, q, 1, addon_id);
    while (!found && via_sql_row(db, q)) {
        via_sql_text(q, 0, path, VIA_PATH_SIZE);
        *sealed = sqlite3_column_int(q, 1) != 0;
        found = access(path, F_OK) == 0; /* most are taken to another host */
    }
    via_sql_end(db, q);
    if (!found)
        path[0] = '\0';
    return found;
}

void
via_backup_ready(struct via_store *s, const char *id, const struct via_backup_outcome *outcome)
{
    struct via_sql *db = &s->write;
    sqlite3_stmt *q =
        via_sql_stmt(db, "UPDATE main.backups SET state = 'ready', passphrase_file = NULL,"
                         " size_bytes = ?2, digest = ?3, fingerprint = ?4, absent = ?5,"
                         " left_out = '[' || ?6 || ']', key_id = ?7"
                         " WHERE id = ?1");

    via_sql_bind_text(db, q, 1, id);
    via_sql_bind_int(db, q, 2, outcome->size_bytes);
    via_sql_bind_text(db, q, 3, outcome->digest);
    via_sql_bind_text(db, q, 4, outcome->fingerprint);
    via_sql_bind_int(db, q, 5, outcome->absent);
    via_sql_bind_text(db, q, 6, outcome->left_out);
    via_sql_bind_text(db, q, 7, outcome->key_id);
    via_sql_run(db, q);
}

void
via_backup_failed(struct via_store *s, const char *id)
{
    struct via_sql *db = &s->write;
    sqlite3_stmt *q = via_sql_stmt(db, "UPDATE main.backups SET state = 'failed',"
                                       " passphrase_file = NULL WHERE id = ?1");

    via_sql_bind_text(db, q, 1, id);
    via_sql_run(db, q);
}
