#include "control/key.h"

#include "base/error.h"
#include "base/id.h"
#include "control/audit.h"
#include "control/backup.h"
#include "control/env.h"
#include "control/mark.h"
#include "control/operation.h"
#include "control/reason.h"
#include "identity/codec.h"

#include <stdio.h>
#include <string.h>

/* -- the table --------------------------------------------------------------------- */

/* The same key has the same row id in every look, before it is made and after it is retired. */
static int64_t
key_rid(const char *kid)
{
    uint8_t digest[16];
    uint64_t value;

    via_digest_short(kid, strlen(kid), digest);
    memcpy(&value, digest, sizeof value);
    return (int64_t)(value >> 2) + 1;
}

static void
look_put(void *arg, const struct via_key_facts *key)
{
    struct via_sql *db = arg;
    sqlite3_stmt *q = via_sql_stmt(db, "INSERT INTO temp.seen_keys(rid, kid, use, state,"
                                       " created_at) VALUES(?1, ?2, ?3, ?4, ?5)");

    via_sql_bind_int(db, q, 1, key_rid(key->kid));
    via_sql_bind_text(db, q, 2, key->kid);
    via_sql_bind_text(db, q, 3, via_key_use_word(key->use));
    via_sql_bind_text(db, q, 4, key->active ? "active" : "verify");
    via_sql_bind_text(db, q, 5, key->created_at);
    via_sql_run(db, q);
}

void
via_key_look(struct via_store *s, struct via_sql *db)
{
    struct via_error e = {0};

    via_sql_exec(db, "DELETE FROM temp.seen_keys");
    if (via_keyring_each(s->keys, look_put, db, &e) != VIA_OK)
        via_sql_fail(db, e.status, "%s", e.message);
    /* Retired, and its file not gone yet: what the row says counts. */
    via_sql_exec(db, "DELETE FROM temp.seen_keys WHERE kid IN (SELECT kid FROM main.retired_keys)");
}

/* -- changes ----------------------------------------------------------------------- */

static void
key_intend(struct via_store *s, enum via_intent_kind intent, const char *kind, const char *use,
           const char *kid)
{
    struct via_operation op = {.state = "pending", .phase = "file"};
    struct via_reason why = {0};
    char id[VIA_ID_SIZE];

    (void)snprintf(op.kind, sizeof op.kind, "%s", kind);
    (void)snprintf(op.payload, sizeof op.payload, "%s %s", use, kid);
    via_reason_put(&why, "key", kid);
    via_reason_put(&why, "use", use);
    op.rid = via_operation_put(s, &op, kid, id);
    via_audit_control(s, kind, NULL, NULL, why.text, id);
    via_store_intend(s, intent, op.rid, NULL, NULL, 0);
}

int64_t
via_key_rotate(struct via_store *s, const char *use)
{
    enum via_key_use parsed;
    char kid[VIA_ID_SIZE];

    if (!via_key_use_parse(use, &parsed)) {
        via_sql_fail(&s->write, VIA_VALUE_INVALID,
                     "a key's use is one of those that via keys rotate --help names, not %.60s",
                     use ? use : "NULL");
        return 0;
    }
    /* The one that it follows may be lost. */
    if (parsed == VIA_KEY_BACKUP && via_backup_newest_key(&s->write, kid))
        via_id_pass(kid);
    via_keyring_next(s->keys, parsed, kid);
    key_intend(s, VIA_INTENT_KEY_ROTATE, "key.rotate", use, kid);
    return key_rid(kid);
}

/* A release that runs, or waits to, must go on verifying. */
static void
check_manifests(struct via_sql *db, const char *kid)
{
    sqlite3_stmt *q = via_sql_stmt(
        db, "SELECT d.app, d.target FROM main.releases AS r JOIN v_deploys AS d ON d.release = r.id"
            " WHERE r.key_id = ?1 AND d.state IN ('pending', 'running') LIMIT 1");

    via_sql_bind_text(db, q, 1, kid);
    if (via_sql_row(db, q))
        via_sql_fail(db, VIA_KEY_IN_USE,
                     "what runs of app %s on target '%s' is signed with this key; deploy it anew"
                     " first",
                     (const char *)sqlite3_column_text(q, 0),
                     (const char *)sqlite3_column_text(q, 1));
    via_sql_end(db, q);
}

static void
check_marks(struct via_store *s, const char *kid)
{
    struct via_sql *db = &s->write;
    struct via_mark heads[VIA_STREAM_COUNT];
    struct via_error e = {0};
    sqlite3_stmt *q = via_sql_stmt(db, "SELECT 1 FROM main.audit_marks WHERE kid = ?1 UNION ALL"
                                       " SELECT 1 FROM rt.audit_marks WHERE kid = ?1");
    bool used;

    via_sql_bind_text(db, q, 1, kid);
    used = via_sql_row(db, q);
    via_sql_end(db, q);
    if (via_mark_file_read(&s->root, heads, &e) != VIA_OK)
        via_sql_fail(db, e.status, "%s", e.message);
    for (int i = 0; i < VIA_STREAM_COUNT; i++)
        used = used || strcmp(heads[i].kid, kid) == 0;
    if (used)
        via_sql_fail(db, VIA_KEY_IN_USE,
                     "the audit is still signed with this key; the agent signs it anew within a"
                     " minute of a rotation, unless it is broken");
}

/* A backup reads the rows at its start and the keys at its end: what those rows are sealed or
 * signed with must be there still. */
static void
check_backups(struct via_sql *db)
{
    if (via_sql_int(db,
                    "SELECT 1 FROM main.operations WHERE kind = 'backup.create' AND"
                    " state IN ('pending', 'running') LIMIT 1",
                    0))
        via_sql_fail(db, VIA_KEY_IN_USE,
                     "a backup is being written, and needs this key; retire it when that is over");
}

/* Write the row, and the intent to remove the file. */
static void
key_bury(struct via_store *s, const char *use, const char *kid)
{
    struct via_sql *db = &s->write;
    sqlite3_stmt *q =
        via_sql_stmt(db, "INSERT INTO main.retired_keys(rid, kid, use, created_at, retired_at)"
                         " SELECT rid, kid, use, created_at, ?2 FROM temp.seen_keys"
                         " WHERE kid = ?1");

    via_sql_bind_text(db, q, 1, kid);
    via_sql_bind_text(db, q, 2, s->now);
    via_sql_run(db, q);
    if (via_sql_ok(db))
        key_intend(s, VIA_INTENT_KEY_RETIRE, "key.retire", use, kid);
}

void
via_key_retire(struct via_store *s, int64_t rid)
{
    struct via_sql *db = &s->write;
    char kid[VIA_ID_SIZE] = "", use[16] = "", state[16] = "";
    sqlite3_stmt *q = via_sql_stmt(db, "SELECT kid, use, state FROM temp.v_keys WHERE rid = ?1");

    via_sql_bind_int(db, q, 1, rid);
    if (via_sql_row(db, q)) {
        via_sql_text(q, 0, kid, sizeof kid);
        via_sql_text(q, 1, use, sizeof use);
        via_sql_text(q, 2, state, sizeof state);
    }
    via_sql_end(db, q);
    if (!kid[0] || strcmp(state, "retired") == 0)
        return;
    if (strcmp(state, "active") == 0)
        via_sql_fail(db, VIA_KEY_ACTIVE, "%s is the %s key that signs now; rotate it first", kid,
                     use);
    else if (strcmp(use, "manifest") == 0)
        check_manifests(db, kid);
    else if (strcmp(use, "audit") == 0)
        check_marks(s, kid);
    else if (strcmp(use, "seal") == 0)
        via_env_reseal(s, kid);
    if (strcmp(use, "manifest") == 0 || strcmp(use, "audit") == 0 || strcmp(use, "seal") == 0)
        check_backups(db);
    key_bury(s, use, kid);
}

void
via_key_retire_use(struct via_store *s, enum via_key_use use)
{
    struct via_sql *db = &s->write;
    const char *word = via_key_use_word(use);
    char kid[VIA_ID_SIZE] = "";
    bool found = true;
    sqlite3_stmt *q;

    via_key_look(s, db);
    while (found) {
        q = via_sql_stmt(db, "SELECT kid FROM temp.seen_keys WHERE use = ?1 AND kid > ?2"
                             " ORDER BY kid LIMIT 1");
        via_sql_bind_text(db, q, 1, word);
        via_sql_bind_text(db, q, 2, kid);
        found = via_sql_row(db, q);
        if (found)
            via_sql_text(q, 0, kid, sizeof kid);
        via_sql_end(db, q);
        if (found)
            key_bury(s, word, kid);
    }
}

void
via_key_keep(struct via_store *s, const char *kid)
{
    sqlite3_stmt *q = via_sql_stmt(&s->write, "DELETE FROM main.retired_keys WHERE kid = ?1");

    via_sql_bind_text(&s->write, q, 1, kid);
    via_sql_run(&s->write, q);
}
