#include "control/release.h"

#include "base/buf.h"
#include "base/id.h"
#include "control/app.h"
#include "control/audit.h"
#include "control/manifest.h"
#include "control/reason.h"
#include "identity/codec.h"
#include "rules/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BINDINGS_OF_TARGET                                                                         \
    " FROM main.bindings AS b JOIN main.addons AS a ON a.id = b.addon_id WHERE b.app = ?1 AND"     \
    " (b.target = ?2 OR (b.target = '' AND NOT EXISTS (SELECT 1 FROM main.bindings AS c WHERE"     \
    " c.app = b.app AND c.binding = b.binding AND c.target = ?2)))"

/* The bindings a release for `target` takes: of each name that target's, else that of every target.
 * The caller frees *out. */
static size_t
release_entries(struct via_sql *db, const char *app, const char *target,
                struct via_manifest_entry **out)
{
    struct via_manifest_entry *entry;
    size_t cap = 0;
    size_t n = 0;
    void *grown;
    sqlite3_stmt *q = via_sql_stmt(
        db, "SELECT b.binding, b.target, b.addon_id, a.type, b.mode,"
            " coalesce((SELECT max(generation) FROM main.generations AS g WHERE g.app = b.app AND"
            " g.binding = b.binding AND g.target = b.target AND g.addon_id = b.addon_id AND"
            " g.status = 'active'), (SELECT max(generation) FROM main.generations AS g WHERE"
            " g.app = b.app AND g.binding = b.binding AND g.target = b.target AND"
            " g.addon_id = b.addon_id), 0)" BINDINGS_OF_TARGET " ORDER BY b.binding");

    *out = NULL;
    via_sql_bind_text(db, q, 1, app);
    via_sql_bind_text(db, q, 2, target);
    while (via_sql_row(db, q)) {
        if (n == cap) {
            cap = cap ? cap * 2 : 8;
            grown = realloc(*out, cap * sizeof **out);
            if (!grown) {
                via_sql_fail(db, VIA_OUT_OF_MEMORY, "out of memory");
                break;
            }
            *out = grown;
        }
        entry = &(*out)[n++];
        via_sql_text(q, 0, entry->binding, sizeof entry->binding);
        via_sql_text(q, 1, entry->target, sizeof entry->target);
        via_sql_text(q, 2, entry->addon_id, sizeof entry->addon_id);
        via_sql_text(q, 3, entry->type, sizeof entry->type);
        via_sql_text(q, 4, entry->mode, sizeof entry->mode);
        entry->generation = sqlite3_column_int64(q, 5);
    }
    via_sql_end(db, q);
    return n;
}

static void
release_put_entries(struct via_sql *db, const char *id, const struct via_manifest_entry *entries,
                    size_t count)
{
    sqlite3_stmt *q;

    for (size_t i = 0; i < count; i++) {
        q = via_sql_stmt(db, "INSERT INTO main.release_bindings(release, binding, binding_target,"
                             " addon_id, type, mode, generation)"
                             " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)");
        via_sql_bind_text(db, q, 1, id);
        via_sql_bind_text(db, q, 2, entries[i].binding);
        via_sql_bind_text(db, q, 3, entries[i].target);
        via_sql_bind_text(db, q, 4, entries[i].addon_id);
        via_sql_bind_text(db, q, 5, entries[i].type);
        via_sql_bind_text(db, q, 6, entries[i].mode);
        via_sql_bind_int(db, q, 7, entries[i].generation);
        via_sql_run(db, q);
    }
}

/* Sign `manifest` and write the release's row. Returns its row id. */
static int64_t
release_put_row(struct via_store *s, const struct via_manifest_head *head,
                const struct via_buf *manifest)
{
    struct via_sql *db = &s->write;
    uint8_t signature[64];
    char kid[VIA_ID_SIZE];
    struct via_buf encoded;
    struct via_error e = {0};
    sqlite3_stmt *q;

    if (manifest->failed)
        via_sql_fail(db, VIA_OUT_OF_MEMORY, "out of memory");
    else if (via_keyring_sign(s->keys, VIA_KEY_MANIFEST, manifest->data, manifest->len, signature,
                              kid, &e) != VIA_OK)
        via_sql_fail(db, e.status, "%s", e.message);
    if (!via_sql_ok(db))
        return 0;
    via_buf_init(&encoded);
    via_base64url_put(&encoded, signature, sizeof signature);
    q = via_sql_stmt(db, "INSERT INTO main.releases(id, app, target, version, artifact, manifest,"
                         " signature, key_id, created_at)"
                         " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)");
    via_sql_bind_text(db, q, 1, head->id);
    via_sql_bind_text(db, q, 2, head->app);
    via_sql_bind_text(db, q, 3, head->target);
    via_sql_bind_int(db, q, 4, head->version);
    via_sql_bind_text(db, q, 5, head->artifact);
    via_sql_bind_text(db, q, 6, via_buf_text(manifest));
    via_sql_bind_text(db, q, 7, via_buf_text(&encoded));
    via_sql_bind_text(db, q, 8, kid);
    via_sql_bind_text(db, q, 9, head->created_at);
    via_sql_run(db, q);
    via_buf_deinit(&encoded);
    return via_sql_ok(db) ? sqlite3_last_insert_rowid(db->db) : 0;
}

/* Which release a record speaks of. */
static void
release_tell(struct via_sql *db, const char *id, struct via_reason *why)
{
    sqlite3_stmt *q = via_sql_stmt(db, "SELECT version, target FROM main.releases WHERE id = ?1");
    char target[VIA_NAME_SIZE];

    via_reason_put(why, "release", id);
    via_sql_bind_text(db, q, 1, id);
    if (via_sql_row(db, q)) {
        via_reason_put_int(why, "version", sqlite3_column_int64(q, 0));
        via_sql_text(q, 1, target, sizeof target);
        via_reason_put(why, "target", target);
    }
    via_sql_end(db, q);
}

int64_t
via_release_put(struct via_store *s, const char *app, const char *target, const char *artifact,
                char id[VIA_ID_SIZE])
{
    struct via_sql *db = &s->write;
    struct via_manifest_head head = {
        .id = id, .app = app, .target = target, .artifact = artifact, .created_at = s->now};
    struct via_manifest_entry *entries = NULL;
    struct via_reason why = {0};
    struct via_buf manifest;
    size_t count;
    int64_t rid;
    sqlite3_stmt *q;

    via_app_get(s, app);
    if (!via_name_is_target(target))
        via_sql_fail(db, VIA_NAME_INVALID,
                     "a target's name is empty, or as an app's: letters, digits, dots, underscores,"
                     " dashes");
    if (artifact && strlen(artifact) > 512)
        via_sql_fail(db, VIA_VALUE_INVALID, "an artifact is named in at most 512 bytes");
    if (!via_sql_ok(db))
        return 0;
    via_id_make("rel", id);
    q = via_sql_stmt(db, "SELECT 1 + coalesce(max(version), 0) FROM main.releases WHERE app = ?1");
    via_sql_bind_text(db, q, 1, app);
    if (via_sql_row(db, q))
        head.version = sqlite3_column_int64(q, 0);
    via_sql_end(db, q);

    count = release_entries(db, app, target, &entries);
    via_buf_init(&manifest);
    via_manifest_write(&manifest, &head, entries, count);
    rid = release_put_row(s, &head, &manifest);
    release_put_entries(db, id, entries, count);
    release_tell(db, id, &why);
    if (via_sql_ok(db))
        via_audit_control(s, "release.create", app, NULL, why.text, NULL);
    via_buf_deinit(&manifest);
    free(entries);
    return rid;
}

bool
via_deploy_is_elsewhere(struct via_sql *db, const char *app)
{
    sqlite3_stmt *q =
        via_sql_stmt(db, "SELECT 1 FROM main.deploys WHERE app = ?1 AND target > '' LIMIT 1");
    bool is_elsewhere;

    via_sql_bind_text(db, q, 1, app);
    is_elsewhere = via_sql_row(db, q);
    via_sql_end(db, q);
    return is_elsewhere;
}

bool
via_deploy_serving(struct via_sql *db, const char *app, const char *binding, const char *target,
                   char out[VIA_NAME_SIZE])
{
    sqlite3_stmt *q = via_sql_stmt(
        db, "SELECT d.target FROM v_deploys AS d WHERE d.app = ?1"
            " AND d.state IN ('running', 'pending') AND (d.target = ?3 OR (?3 = ''"
            " AND NOT EXISTS (SELECT 1 FROM main.bindings AS b WHERE b.app = ?1 AND"
            " b.binding = ?2 AND b.target = d.target)))"
            " ORDER BY EXISTS (SELECT 1 FROM main.release_bindings AS r WHERE"
            " r.release = d.release AND r.binding = ?2 AND r.binding_target = ?3) DESC,"
            " d.rid DESC LIMIT 1");
    bool is_there;

    via_sql_bind_text(db, q, 1, app);
    via_sql_bind_text(db, q, 2, binding);
    via_sql_bind_text(db, q, 3, target);
    is_there = via_sql_row(db, q);
    if (is_there)
        via_sql_text(q, 0, out, VIA_NAME_SIZE);
    via_sql_end(db, q);
    return is_there;
}

void
via_deploy_only_target(struct via_store *s, const char *app, char target[VIA_NAME_SIZE])
{
    struct via_sql *db = &s->write;
    /* what is stopped counts only when nothing else is there */
    sqlite3_stmt *q = via_sql_stmt(db, "SELECT DISTINCT target FROM main.deploys WHERE app = ?1 AND"
                                       " (state = 'open' OR NOT EXISTS (SELECT 1 FROM main.deploys"
                                       " WHERE app = ?1 AND state = 'open')) LIMIT 2");

    target[0] = '\0';
    via_sql_bind_text(db, q, 1, app);
    if (via_sql_row(db, q)) {
        via_sql_text(q, 0, target, VIA_NAME_SIZE);
        if (via_sql_row(db, q))
            via_sql_fail(db, VIA_TARGET_REQUIRED,
                         "app %s is deployed to several targets; say which", app);
    }
    via_sql_end(db, q);
}

/* The release to deploy: checked when given, else made. Fills app, release and target. */
static void
deploy_release(struct via_store *s, const struct via_deploy_spec *spec, char app[VIA_NAME_SIZE],
               char release[VIA_ID_SIZE], char target[VIA_NAME_SIZE])
{
    struct via_sql *db = &s->write;
    sqlite3_stmt *q;

    if (!spec->release) {
        via_app_get(s, spec->app);
        (void)snprintf(app, VIA_NAME_SIZE, "%s", spec->app ? spec->app : "");
        if (spec->target)
            (void)snprintf(target, VIA_NAME_SIZE, "%s", spec->target);
        else if (via_sql_ok(db))
            via_deploy_only_target(s, app, target);
        if (spec->target && !via_name_is_target(spec->target))
            via_sql_fail(db, VIA_NAME_INVALID,
                         "a target's name is empty, or as an app's: letters,"
                         " digits, dots, underscores, dashes");
        if (via_sql_ok(db))
            (void)via_release_put(s, app, target, spec->artifact, release);
        return;
    }
    q = via_sql_stmt(db, "SELECT app, id, target FROM main.releases WHERE id = ?1");
    via_sql_bind_text(db, q, 1, spec->release);
    if (!via_sql_row(db, q)) {
        via_sql_fail(db, VIA_RELEASE_NOT_FOUND, "there is no release %s", spec->release);
        return;
    }
    via_sql_text(q, 0, app, VIA_NAME_SIZE);
    via_sql_text(q, 1, release, VIA_ID_SIZE);
    via_sql_text(q, 2, target, VIA_NAME_SIZE);
    via_sql_end(db, q);
    if (spec->app && strcmp(spec->app, app) != 0)
        via_sql_fail(db, VIA_RELEASE_NOT_FOUND, "release %s is of app %s, not of %s", release, app,
                     spec->app);
    else if (spec->target && strcmp(spec->target, target) != 0)
        via_sql_fail(db, VIA_VALUE_INVALID, "release %s is for target '%s', not for '%s'", release,
                     target, spec->target);
    else if (spec->artifact)
        via_sql_fail(db, VIA_VALUE_INVALID,
                     "release %s names its artifact; give an artifact or a release, not both",
                     release);
}

/* Record what became of a deploy; `said` is what its operator said of it, or NULL. */
static void
deploy_record(struct via_store *s, const char *action, const struct via_record *of,
              const char *release, const char *said)
{
    struct via_record record = *of;
    struct via_reason why = {0};
    char quoted[VIA_QUOTE_SIZE];

    release_tell(&s->write, release, &why);
    if (said)
        via_reason_put(&why, "reason", via_reason_quote(said, quoted));
    record.at = s->now;
    record.actor = s->actor;
    record.action = action;
    record.outcome = "ok";
    record.reason = why.text;
    if (via_sql_ok(&s->write))
        via_audit_put(&s->write, &record);
}

int64_t
via_deploy_put(struct via_store *s, const struct via_deploy_spec *spec)
{
    struct via_sql *db = &s->write;
    char app[VIA_NAME_SIZE] = "";
    char release[VIA_ID_SIZE] = "";
    char target[VIA_NAME_SIZE] = "";
    char id[VIA_ID_SIZE];
    struct via_buf text;
    int64_t rid;
    sqlite3_stmt *q;

    deploy_release(s, spec, app, release, target);
    if (!via_sql_ok(db))
        return 0;
    via_buf_init(&text);
    if (!via_manifest_verify(db, s->keys, release, app, &text))
        via_sql_fail(db, VIA_MANIFEST_INVALID,
                     "the manifest of release %s does not match its signature", release);
    via_buf_deinit(&text);
    via_id_make("dep", id);
    q = via_sql_stmt(db, "INSERT INTO main.deploys(id, app, release, target, state, reason,"
                         " created_at) VALUES(?1, ?2, ?3, ?4, 'open', ?5, ?6)");
    via_sql_bind_text(db, q, 1, id);
    via_sql_bind_text(db, q, 2, app);
    via_sql_bind_text(db, q, 3, release);
    via_sql_bind_text(db, q, 4, target);
    via_sql_bind_text(db, q, 5, spec->reason);
    via_sql_bind_text(db, q, 6, s->now);
    via_sql_run(db, q);
    rid = via_sql_ok(db) ? sqlite3_last_insert_rowid(db->db) : 0;
    deploy_record(s, "deploy.create", &(struct via_record){.app = app, .deploy = id}, release,
                  spec->reason);
    return rid;
}

void
via_deploy_stop(struct via_store *s, int64_t rid)
{
    struct via_sql *db = &s->write;
    char app[VIA_NAME_SIZE] = "";
    char id[VIA_ID_SIZE] = "";
    char release[VIA_ID_SIZE] = "";
    sqlite3_stmt *q = via_sql_stmt(db, "SELECT app, id, release FROM main.deploys WHERE rid = ?1"
                                       " AND state <> 'stopped'");
    bool found;

    via_sql_bind_int(db, q, 1, rid);
    found = via_sql_row(db, q);
    if (found) {
        via_sql_text(q, 0, app, sizeof app);
        via_sql_text(q, 1, id, sizeof id);
        via_sql_text(q, 2, release, sizeof release);
    }
    via_sql_end(db, q);
    if (!found)
        return;
    q = via_sql_stmt(db, "UPDATE main.deploys SET state = 'stopped', finished_at = ?2"
                         " WHERE rid = ?1");
    via_sql_bind_int(db, q, 1, rid);
    via_sql_bind_text(db, q, 2, s->now);
    via_sql_run(db, q);
    deploy_record(s, "deploy.stop", &(struct via_record){.app = app, .deploy = id}, release, NULL);
}
