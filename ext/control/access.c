#include "control/access.h"

#include "base/clock.h"
#include "base/error.h"
#include "control/manifest.h"
#include "control/options.h"
#include "control/schema.h"
#include "control/setting.h"
#include "identity/jwt.h"
#include "rules/gates.h"
#include "sql/sql.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct via_access {
    struct via_root root;
    const struct via_epoch *epoch;
    struct via_keyring *keys;
    struct via_sql db;
    struct via_buf manifest;
};

/* The facts of one check and what a grant is made of. */
struct check {
    struct via_gate_facts facts;
    struct via_manifest_entry entry;
    struct via_addon_policy policy;
    int64_t generation;
};

/* What facts are read with. */
struct reader {
    struct via_sql *db;
    struct via_keyring *keys;
    struct via_buf *manifest;
};

enum via_status
via_access_new(const struct via_root *root, const struct via_epoch *epoch, struct via_access **out,
               struct via_error *e)
{
    struct via_access *a = calloc(1, sizeof *a);

    *out = NULL;
    if (!a)
        return via_error_set(e, VIA_OUT_OF_MEMORY, "out of memory");
    a->root = *root;
    a->epoch = epoch;
    via_buf_init(&a->manifest);
    if (via_schema_ensure(root, e) != VIA_OK || via_keyring_new(root, &a->keys, e) != VIA_OK)
        goto failed;
    via_schema_open(&a->db, root, true, false);
    if (via_sql_take(&a->db, e) != VIA_OK)
        goto failed;
    *out = a;
    return VIA_OK;
failed:
    via_access_free(a);
    return e->status;
}

void
via_access_free(struct via_access *a)
{
    if (!a)
        return;
    via_sql_close(&a->db);
    via_keyring_free(a->keys);
    via_buf_deinit(&a->manifest);
    free(a);
}

enum via_status
via_access_identify(struct via_access *a, const char *token, size_t n, struct via_claims *claims,
                    struct via_error *e)
{
    return via_jwt_verify(a->keys, token, n, via_clock_now_ms() / 1000, claims, e);
}

static int64_t
column_ms(sqlite3_stmt *q, int i)
{
    const char *text = (const char *)sqlite3_column_text(q, i);
    int64_t ms = 0;

    if (!text || !via_clock_parse(text, &ms))
        return 0;
    return ms;
}

static bool
column_is(sqlite3_stmt *q, int i, const char *value)
{
    const char *text = (const char *)sqlite3_column_text(q, i);

    return text && strcmp(text, value) == 0;
}

static void
gather_instance(struct via_sql *db, struct via_gate_facts *f)
{
    const struct via_claims *c = f->claims;
    sqlite3_stmt *q = via_sql_stmt(db, "SELECT state, lease_expires_at, app, deploy, release"
                                       " FROM live_instances WHERE id = ?1");

    via_sql_bind_text(db, q, 1, c->instance);
    f->instance_known = via_sql_row(db, q);
    if (f->instance_known) {
        f->instance_state =
            column_is(q, 0, "running") ? VIA_INSTANCE_IS_RUNNING : VIA_INSTANCE_IS_STOPPED;
        f->lease_expires_ms = column_ms(q, 1);
        f->instance_matches =
            column_is(q, 2, c->app) && column_is(q, 3, c->deploy) && column_is(q, 4, c->release);
    }
    via_sql_end(db, q);
}

static enum via_deploy_state
deploy_state(const char *word)
{
    static const struct {
        const char *word;
        enum via_deploy_state state;
    } words[] = {{"pending", VIA_DEPLOY_IS_PENDING},
                 {"running", VIA_DEPLOY_IS_RUNNING},
                 {"superseded", VIA_DEPLOY_IS_SUPERSEDED}};

    for (size_t i = 0; word && i < sizeof words / sizeof words[0]; i++)
        if (strcmp(words[i].word, word) == 0)
            return words[i].state;
    return VIA_DEPLOY_IS_STOPPED;
}

static void
gather_deploy(struct via_sql *db, struct via_gate_facts *f)
{
    const struct via_claims *c = f->claims;
    sqlite3_stmt *q = via_sql_stmt(db, "SELECT state, finished_at, app, release FROM v_deploys"
                                       " WHERE id = ?1");

    via_sql_bind_text(db, q, 1, c->deploy);
    f->deploy_known = via_sql_row(db, q);
    if (f->deploy_known) {
        f->deploy_state = deploy_state((const char *)sqlite3_column_text(q, 0));
        f->superseded_ms = column_ms(q, 1);
        f->deploy_matches = column_is(q, 2, c->app) && column_is(q, 3, c->release);
    }
    via_sql_end(db, q);
    f->handover_ms = via_setting_int(db, "handover_s") * 1000;
}

/* The generation asked for, or the newest active one; it belongs when it is of the manifest's
 * add-on. */
static void
gather_generation(struct via_sql *db, struct check *c, int64_t asked)
{
    struct via_gate_facts *f = &c->facts;
    sqlite3_stmt *q = via_sql_stmt(
        db, "SELECT generation, status, expires_at FROM main.generations WHERE app = ?1 AND"
            " binding = ?2 AND target = ?3 AND addon_id = ?4 AND"
            " iif(?5 > 0, generation = ?5, status = 'active') ORDER BY generation DESC LIMIT 1");

    f->generation_asked = asked > 0;
    via_sql_bind_text(db, q, 1, f->claims->app);
    via_sql_bind_text(db, q, 2, c->entry.binding);
    via_sql_bind_text(db, q, 3, c->entry.target);
    via_sql_bind_text(db, q, 4, c->entry.addon_id);
    via_sql_bind_int(db, q, 5, asked);
    f->generation_known = via_sql_row(db, q);
    if (f->generation_known) {
        c->generation = sqlite3_column_int64(q, 0);
        f->generation_revoked = column_is(q, 1, "revoked");
        f->generation_expires_ms = column_ms(q, 2);
    }
    via_sql_end(db, q);
}

static void
gather_addon(struct via_sql *db, struct check *c)
{
    struct via_gate_facts *f = &c->facts;
    const char *options;
    sqlite3_stmt *q = via_sql_stmt(db, "SELECT state, app, type, options FROM main.addons"
                                       " WHERE id = ?1");

    via_sql_bind_text(db, q, 1, c->entry.addon_id);
    f->addon_known = via_sql_row(db, q);
    if (f->addon_known) {
        if (!via_addon_state_parse((const char *)sqlite3_column_text(q, 0), &f->addon_state))
            f->addon_known = false;
        f->addon_matches = column_is(q, 1, f->claims->app) && column_is(q, 2, c->entry.type);
        options = (const char *)sqlite3_column_text(q, 3);
        via_options_policy(options ? options : "{}", &c->policy);
    }
    via_sql_end(db, q);
}

/* Every fact about `binding`; one that an earlier refusal makes idle is left out. */
static void
gather_facts(struct reader *r, struct check *c, const char *binding, int64_t generation)
{
    struct via_gate_facts *f = &c->facts;
    struct via_error none = {0};

    gather_instance(r->db, f);
    gather_deploy(r->db, f);
    if (via_gate_check(VIA_GATE_WORKLOAD, f, &none) == VIA_OK) {
        f->manifest_holds =
            via_manifest_verify(r->db, r->keys, f->claims->release, f->claims->app, r->manifest);
        f->binding_listed =
            f->manifest_holds &&
            via_manifest_find(r->manifest->data, r->manifest->len, binding, &c->entry);
    }
    if (f->binding_listed) {
        gather_generation(r->db, c, generation);
        gather_addon(r->db, c);
    }
}

/* One snapshot of each database for all facts, so that they belong together. */
static void
gather(struct via_access *a, struct check *c, const char *binding, int64_t generation)
{
    struct reader r = {.db = &a->db, .keys = a->keys, .manifest = &a->manifest};

    via_sql_exec(&a->db, "BEGIN");
    gather_facts(&r, c, binding, generation);
    via_sql_exec(&a->db, "COMMIT");
    if (!sqlite3_get_autocommit(a->db.db)) {
        struct via_error kept = a->db.error;

        a->db.error.status = VIA_OK;
        via_sql_exec(&a->db, "ROLLBACK");
        a->db.error = kept;
    }
}

/* What the token itself narrows: its binding, its generation. That the request is for others is the
 * manifest gate's to refuse, after those before it. */
static enum via_status
check_token_scope(struct via_gate_facts *f, const char **binding, int64_t *generation,
                  struct via_error *e)
{
    const struct via_claims *claims = f->claims;

    if (!claims->binding[0])
        return (*binding)[0] ? VIA_OK
                             : via_error_set(e, VIA_BAD_REQUEST, "the request names no binding");
    f->token_of_other_binding = (*binding)[0] && strcmp(*binding, claims->binding) != 0;
    f->token_of_other_generation = *generation > 0 && *generation != claims->generation;
    *binding = claims->binding;
    *generation = claims->generation;
    return VIA_OK;
}

static enum via_mode
entry_mode(const struct via_manifest_entry *entry)
{
    return strcmp(entry->mode, "rw") == 0 ? VIA_MODE_RW : VIA_MODE_RO;
}

enum via_status
via_access_check(struct via_access *a, const struct via_claims *claims, const char *binding,
                 int64_t generation, struct via_grant *out, struct via_error *e)
{
    struct check c = {.facts = {.claims = claims, .now_ms = via_clock_now_ms()}};
    uint64_t epoch = via_epoch_now(a->epoch); /* before the facts: what is taken later moves it */

    memset(out, 0, sizeof *out);
    if (claims->kid[0] &&
        !via_keyring_has(a->keys, claims->kid)) /* retired since it was verified */
        c.facts.identity = VIA_TOKEN_INVALID;
    if (check_token_scope(&c.facts, &binding, &generation, e) != VIA_OK)
        return e->status;
    gather(a, &c, binding, generation);
    if (via_sql_take(&a->db, e) != VIA_OK)
        return e->status;
    if (via_gates_check(&c.facts, e) != VIA_OK)
        return e->status;
    out->claims = *claims;
    (void)snprintf(out->binding, sizeof out->binding, "%s", c.entry.binding);
    (void)snprintf(out->addon_id, sizeof out->addon_id, "%s", c.entry.addon_id);
    out->generation = c.generation;
    out->mode = entry_mode(&c.entry);
    if (claims->binding[0] && claims->mode == VIA_MODE_RO)
        out->mode = VIA_MODE_RO;
    out->policy = c.policy;
    out->epoch = epoch;
    out->expires_ms = via_gates_expiry_ms(&c.facts);
    return VIA_OK;
}

/* -- asking without a token ---------------------------------------------------------- */

/* What the token that was minted last for an instance would say of it: a workload token, or when it
 * never had one, one of the binding. */
static void
claims_read(struct via_sql *db, const struct via_gate_question *ask, struct via_claims *out,
            enum via_status *identity)
{
    int64_t expires_ms = 0;
    sqlite3_stmt *q = via_sql_stmt(db, "SELECT app, deploy, release FROM live_instances"
                                       " WHERE id = ?1");

    via_sql_bind_text(db, q, 1, ask->instance);
    if (via_sql_row(db, q)) {
        via_sql_text(q, 0, out->app, sizeof out->app);
        via_sql_text(q, 1, out->deploy, sizeof out->deploy);
        via_sql_text(q, 2, out->release, sizeof out->release);
    }
    via_sql_end(db, q);
    (void)snprintf(out->instance, sizeof out->instance, "%s", ask->instance);
    q = via_sql_stmt(db, "SELECT expires_at FROM live_tokens WHERE instance = ?1 AND"
                         " (kind = 'workload' OR binding = ?2)"
                         " ORDER BY kind = 'workload' DESC, rid DESC LIMIT 1");
    via_sql_bind_text(db, q, 1, ask->instance);
    via_sql_bind_text(db, q, 2, ask->binding);
    if (via_sql_row(db, q))
        expires_ms = column_ms(q, 0);
    via_sql_end(db, q);
    out->expires_s = expires_ms / 1000;
    *identity = expires_ms > 0 ? VIA_OK : VIA_TOKEN_MISSING;
}

/* Decide `gate`; gate 4 by all that it looks at. */
static enum via_status
gate_decide(enum via_gate gate, const struct check *c, enum via_operation_kind operation,
            struct via_error *e)
{
    if (via_gate_check(gate, &c->facts, e) != VIA_OK || gate != VIA_GATE_ADDON)
        return e->status;
    return via_gate_operation(entry_mode(&c->entry), &c->policy, operation, e);
}

/* End the savepoint, also of a handle that has failed. */
static void
explain_end(struct via_sql *db)
{
    struct via_error kept = {0};

    via_ignore(via_sql_take(db, &kept));
    via_sql_exec(db, "RELEASE explain");
    if (kept.status != VIA_OK)
        db->error = kept;
}

void
via_access_explain(struct via_sql *db, struct via_keyring *keys,
                   const struct via_gate_question *ask, struct via_gate_answer *out)
{
    struct via_claims claims = {0};
    struct check c = {.facts = {.claims = &claims, .now_ms = via_clock_now_ms()}};
    struct via_buf manifest;
    struct reader r = {.db = db, .keys = keys, .manifest = &manifest};

    memset(out, 0, sizeof *out);
    via_buf_init(&manifest);
    via_sql_exec(db, "SAVEPOINT explain");
    claims_read(db, ask, &claims, &c.facts.identity);
    gather_facts(&r, &c, ask->binding, 0);
    explain_end(db);
    via_buf_deinit(&manifest);
    if (!via_sql_ok(db))
        return;
    for (enum via_gate gate = VIA_GATE_IDENTITY; gate <= VIA_GATE_ADDON; gate++) {
        out->reached = gate;
        if (gate_decide(gate, &c, ask->operation, &out->why) != VIA_OK)
            break;
    }
    (void)snprintf(out->addon_id, sizeof out->addon_id, "%s", c.entry.addon_id);
    (void)snprintf(out->type, sizeof out->type, "%s", c.entry.type);
}

enum via_status
via_access_workload(struct via_access *a, const struct via_claims *claims, struct via_workload *out,
                    struct via_error *e)
{
    struct check c = {.facts = {.claims = claims, .now_ms = via_clock_now_ms()}};

    *out = (struct via_workload){.epoch = via_epoch_now(a->epoch)};
    gather(a, &c, "", 0);
    if (via_sql_take(&a->db, e) != VIA_OK)
        return e->status;
    if (via_gate_check(VIA_GATE_IDENTITY, &c.facts, e) != VIA_OK ||
        via_gate_check(VIA_GATE_WORKLOAD, &c.facts, e) != VIA_OK)
        return e->status;
    if (!c.facts.manifest_holds)
        return via_gate_check(VIA_GATE_MANIFEST, &c.facts, e);
    out->manifest = a->manifest.data;
    out->manifest_len = a->manifest.len;
    out->expires_ms = via_gates_expiry_ms(&c.facts);
    return VIA_OK;
}

struct via_sql *
via_access_db(struct via_access *a)
{
    return &a->db;
}

struct via_keyring *
via_access_keys(struct via_access *a)
{
    return a->keys;
}

enum via_status
via_grant_allows(const struct via_grant *g, enum via_operation_kind kind, struct via_error *e)
{
    return via_gate_operation(g->mode, &g->policy, kind, e);
}

int64_t
via_access_setting_int(struct via_access *a, const char *name)
{
    int64_t value = via_setting_int(&a->db, name);

    via_ignore(via_sql_take(&a->db, NULL));
    return value;
}

void
via_access_setting_text(struct via_access *a, const char *name, char *out, size_t size)
{
    via_setting_text(&a->db, name, out, size);
    via_ignore(via_sql_take(&a->db, NULL));
}

enum via_status
via_access_addon(struct via_access *a, const char *addon_id, char app[VIA_NAME_SIZE],
                 char name[VIA_ADDON_ROW_NAME_SIZE], char state[16], struct via_error *e)
{
    sqlite3_stmt *q =
        via_sql_stmt(&a->db, "SELECT app, name, state FROM main.addons WHERE id = ?1");
    bool found;

    via_sql_bind_text(&a->db, q, 1, addon_id);
    found = via_sql_row(&a->db, q);
    if (found) {
        via_sql_text(q, 0, app, VIA_NAME_SIZE);
        via_sql_text(q, 1, name, VIA_ADDON_ROW_NAME_SIZE);
        via_sql_text(q, 2, state, 16);
    }
    via_sql_end(&a->db, q);
    if (via_sql_take(&a->db, e) != VIA_OK)
        return e->status;
    if (!found)
        return via_error_set(e, VIA_ADDON_NOT_FOUND, "there is no such add-on");
    return VIA_OK;
}

bool
via_access_next_interrupted(struct via_access *a, char addon_id[VIA_ID_SIZE])
{
    sqlite3_stmt *q = via_sql_stmt(&a->db, "SELECT min(addon_id) FROM main.restores WHERE"
                                           " state = 'running' AND phase = 'interrupt' AND"
                                           " addon_id > ?1");
    bool found;

    via_sql_bind_text(&a->db, q, 1, addon_id);
    found = via_sql_row(&a->db, q) && sqlite3_column_type(q, 0) != SQLITE_NULL;
    if (found)
        via_sql_text(q, 0, addon_id, VIA_ID_SIZE);
    via_sql_end(&a->db, q);
    return via_sql_take(&a->db, NULL) == VIA_OK && found;
}

bool
via_access_is_exchanged(struct via_access *a, const char *addon_id)
{
    bool found;
    sqlite3_stmt *q = via_sql_stmt(&a->db, "SELECT 1 FROM main.restores WHERE addon_id = ?1 AND"
                                           " state = 'running' AND phase = 'exchange'");

    via_sql_bind_text(&a->db, q, 1, addon_id);
    found = via_sql_row(&a->db, q);
    via_sql_end(&a->db, q);
    return via_sql_take(&a->db, NULL) == VIA_OK && found;
}
