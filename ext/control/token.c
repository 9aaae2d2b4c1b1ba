#include "base/buf.h"
#include "base/clock.h"
#include "base/id.h"
#include "control/instance.h"
#include "control/manifest.h"
#include "control/setting.h"

#include <stdio.h>
#include <string.h>

/* The newest active generation of a manifest's binding, 0 when there is none. */
static int64_t
token_generation(struct via_sql *db, const char *app, const struct via_manifest_entry *entry)
{
    int64_t generation = 0;
    sqlite3_stmt *q = via_sql_stmt(db, "SELECT max(generation) FROM main.generations WHERE app = ?1"
                                       " AND binding = ?2 AND target = ?3 AND addon_id = ?4"
                                       " AND status = 'active'");

    via_sql_bind_text(db, q, 1, app);
    via_sql_bind_text(db, q, 2, entry->binding);
    via_sql_bind_text(db, q, 3, entry->target);
    via_sql_bind_text(db, q, 4, entry->addon_id);
    if (via_sql_row(db, q))
        generation = sqlite3_column_int64(q, 0);
    via_sql_end(db, q);
    return generation;
}

/* The manifest's entry for the binding; the handle holds the refusal when there is none. */
static bool
token_entry(struct via_store *s, const struct via_instance *in, const char *binding,
            struct via_manifest_entry *entry)
{
    struct via_sql *db = &s->write;
    struct via_buf text;
    bool found = false;

    via_buf_init(&text);
    if (!via_manifest_verify(db, s->keys, in->release, in->app, &text))
        via_sql_fail(db, VIA_MANIFEST_INVALID,
                     "the manifest of release %s does not match its signature", in->release);
    else if (!via_manifest_find(text.data, text.len, binding, entry))
        via_sql_fail(db, VIA_BINDING_NOT_IN_RELEASE, "release %s does not list binding %s",
                     in->release, binding);
    else
        found = true;
    via_buf_deinit(&text);
    return found;
}

/* Check what is asked for; fills the instance and, for a generation token, the generation. */
static void
token_check(struct via_store *s, const struct via_token_spec *spec, struct via_instance *in,
            int64_t *generation)
{
    struct via_sql *db = &s->write;
    struct via_manifest_entry entry;
    bool is_generation = spec->kind && strcmp(spec->kind, "generation") == 0;

    if (!is_generation && (!spec->kind || strcmp(spec->kind, "workload") != 0))
        via_sql_fail(db, VIA_VALUE_INVALID, "a token's kind is workload or generation");
    else if (!spec->instance)
        via_sql_fail(db, VIA_VALUE_REQUIRED, "say which instance: column instance is empty");
    else if (!spec->path || !spec->path[0])
        via_sql_fail(db, VIA_VALUE_REQUIRED,
                     "say which file to write the token to: column path is empty");
    else if (strlen(spec->path) >= VIA_PATH_SIZE - 64)
        via_sql_fail(db, VIA_PATH_INVALID, "the path of the token file is too long");
    else if (spec->ttl_s < 0 || spec->ttl_s > 315360000)
        via_sql_fail(db, VIA_VALUE_INVALID, "ttl_s is from 1 to 315360000 seconds");
    else if (!is_generation && spec->binding)
        via_sql_fail(db, VIA_VALUE_INVALID, "a workload token has no binding");
    else if (is_generation && !spec->binding)
        via_sql_fail(db, VIA_VALUE_REQUIRED, "say which binding: column binding is empty");
    else if (!via_instance_find_id(db, spec->instance, in))
        via_sql_fail(db, VIA_INSTANCE_NOT_FOUND, "there is no instance %s", spec->instance);
    else if (strcmp(in->state, "stopped") == 0)
        via_sql_fail(db, VIA_INSTANCE_STOPPED, "instance %s is stopped; register a new one",
                     in->id);
    if (!via_sql_ok(db) || !is_generation || !token_entry(s, in, spec->binding, &entry))
        return;
    *generation = token_generation(db, in->app, &entry);
    if (*generation == 0)
        via_sql_fail(db, VIA_GENERATION_REVOKED, "binding %s has no active generation; rotate it",
                     spec->binding);
}

int64_t
via_token_put(struct via_store *s, const struct via_token_spec *spec)
{
    struct via_sql *db = &s->write;
    struct via_instance in = {0};
    bool is_generation = spec->kind && strcmp(spec->kind, "generation") == 0;
    int64_t ttl_s = spec->ttl_s ? spec->ttl_s : via_setting_int(db, "workload_token_ttl_s");
    int64_t generation = 0;
    int64_t rid = via_store_rid();
    char expires[VIA_TIME_SIZE];
    char id[VIA_ID_SIZE];
    sqlite3_stmt *q;

    token_check(s, spec, &in, &generation);
    if (!via_sql_ok(db))
        return 0;
    via_id_make("tok", id);
    via_clock_format((via_clock_now_ms() / 1000 + ttl_s) * 1000, expires);
    q = via_sql_stmt(db, "INSERT INTO temp.o_tokens(rid, id, kind, instance, binding, audience,"
                         " issued_at, expires_at) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)");
    via_sql_bind_int(db, q, 1, rid);
    via_sql_bind_text(db, q, 2, id);
    via_sql_bind_text(db, q, 3, spec->kind);
    via_sql_bind_text(db, q, 4, in.id);
    via_sql_bind_text(db, q, 5, spec->binding);
    via_sql_bind_text(db, q, 6, is_generation ? "via-addon" : "via-config");
    via_sql_bind_text(db, q, 7, s->now);
    via_sql_bind_text(db, q, 8, expires);
    via_sql_run(db, q);
    if (!is_generation)
        via_instance_renew(s, in.rid, expires, false);
    via_store_intend(s, VIA_INTENT_MINT, 0, id, spec->path, generation);
    return rid;
}

/* Read a token's row; false when there is none. */
static bool
token_row(struct via_sql *db, const char *id, char instance[VIA_ID_SIZE], struct via_claims *out)
{
    char issued[VIA_TIME_SIZE];
    char expires[VIA_TIME_SIZE];
    int64_t issued_ms = 0;
    int64_t expires_ms = 0;
    bool found;
    sqlite3_stmt *q = via_sql_stmt(db, "SELECT instance, binding, audience, issued_at, expires_at"
                                       " FROM v_tokens WHERE id = ?1");

    via_sql_bind_text(db, q, 1, id);
    found = via_sql_row(db, q);
    if (found) {
        via_sql_text(q, 0, instance, VIA_ID_SIZE);
        via_sql_text(q, 1, out->binding, sizeof out->binding);
        via_sql_text(q, 2, out->audience, sizeof out->audience);
        via_sql_text(q, 3, issued, sizeof issued);
        via_sql_text(q, 4, expires, sizeof expires);
        found = via_clock_parse(issued, &issued_ms) && via_clock_parse(expires, &expires_ms);
    }
    via_sql_end(db, q);
    (void)snprintf(out->jti, sizeof out->jti, "%s", id);
    out->issued_s = out->not_before_s = issued_ms / 1000;
    out->expires_s = expires_ms / 1000;
    return found;
}

enum via_status
via_token_claims(struct via_store *s, const char *id, int64_t generation, struct via_claims *out,
                 struct via_error *e)
{
    struct via_sql *db = &s->write;
    struct via_manifest_entry entry;
    struct via_instance in;
    char instance[VIA_ID_SIZE];

    memset(out, 0, sizeof *out);
    if (!token_row(db, id, instance, out))
        via_sql_fail(db, VIA_INTERNAL_ERROR, "the token's row is gone");
    else if (!via_instance_find_id(db, instance, &in))
        via_sql_fail(db, VIA_INSTANCE_NOT_FOUND, "there is no instance %s", instance);
    if (via_sql_ok(db)) {
        (void)snprintf(out->app, sizeof out->app, "%s", in.app);
        (void)snprintf(out->deploy, sizeof out->deploy, "%s", in.deploy);
        (void)snprintf(out->release, sizeof out->release, "%s", in.release);
        (void)snprintf(out->instance, sizeof out->instance, "%s", in.id);
    }
    if (via_sql_ok(db) && out->binding[0] && token_entry(s, &in, out->binding, &entry)) {
        out->generation = generation;
        out->mode = strcmp(entry.mode, "ro") == 0 ? VIA_MODE_RO : VIA_MODE_RW;
    }
    return via_sql_take(db, e);
}
