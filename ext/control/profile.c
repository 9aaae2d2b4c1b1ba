#include "control/profile.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/id.h"
#include "control/env.h"
#include "control/manifest.h"
#include "identity/jwt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A profile in the making. */
struct making {
    struct via_access *access;
    struct via_sql *db;
    struct via_profile *p;
    struct via_buf vault;
    int64_t ttl_s;
    int64_t now_ms;
};

/* Make room for one more of `*count` members of `size` bytes. The new one is zeroed. */
static void *
list_add(void **list, size_t *count, size_t size)
{
    void *grown = realloc(*list, (*count + 1) * size);
    char *added;

    if (!grown)
        return NULL;
    *list = grown;
    added = (char *)grown + (*count)++ * size;
    memset(added, 0, size);
    return added;
}

static void
ends_by(struct via_profile *p, int64_t at_ms)
{
    if (at_ms < p->expires_ms)
        p->expires_ms = at_ms;
}

/* -- values ----------------------------------------------------------------------- */

/* Put the sealed value into the vault, open. */
static void
value_open(struct making *m, sqlite3_stmt *q, struct via_profile_value *v)
{
    const struct via_env_sealed sealed = {.app = m->p->claims.app,
                                          .target = (const char *)sqlite3_column_text(q, 5),
                                          .name = v->name,
                                          .version = v->version,
                                          .kid = (const char *)sqlite3_column_text(q, 3),
                                          .bytes = sqlite3_column_blob(q, 2),
                                          .n = (size_t)sqlite3_column_bytes(q, 2)};
    char *out = via_buf_reserve(&m->vault, sealed.n);

    v->broken = !out || !via_env_open(via_access_keys(m->access), &sealed, out);
    if (v->broken)
        return;
    v->len = sealed.n - VIA_SEAL_OVERHEAD;
    m->vault.len += v->len;
}

/* Of each name the target's value, else that of every target. */
static void
values_read(struct making *m)
{
    struct via_profile *p = m->p;
    struct via_profile_value *v;
    sqlite3_stmt *q = via_sql_stmt(
        m->db, "SELECT name, value, sealed, key_id, version, target FROM main.env AS e"
               " WHERE app = ?1 AND target IN ('', ?2)"
               " AND (value IS NOT NULL OR sealed IS NOT NULL)"
               " AND (target = ?2 OR NOT EXISTS (SELECT 1 FROM main.env AS c WHERE c.app = ?1 AND"
               " c.target = ?2 AND c.name = e.name AND"
               " (c.value IS NOT NULL OR c.sealed IS NOT NULL))) ORDER BY name");

    via_sql_bind_text(m->db, q, 1, p->claims.app);
    via_sql_bind_text(m->db, q, 2, p->target);
    while (via_sql_row(m->db, q)) {
        v = list_add((void **)&p->values, &p->value_count, sizeof *v);
        if (!v) {
            via_sql_fail(m->db, VIA_OUT_OF_MEMORY, "out of memory");
            break;
        }
        via_sql_text(q, 0, v->name, sizeof v->name);
        v->version = sqlite3_column_int64(q, 4);
        v->at = m->vault.len;
        if (sqlite3_column_type(q, 2) != SQLITE_NULL) {
            value_open(m, q, v);
        } else {
            v->len = (size_t)sqlite3_column_bytes(q, 1);
            via_buf_put(&m->vault, sqlite3_column_text(q, 1), v->len);
        }
    }
    via_sql_end(m->db, q);
}

/* -- bindings --------------------------------------------------------------------- */

int64_t
via_profile_renew_ms(const struct via_profile_binding *b)
{
    return b->issued_ms + (b->expires_ms - b->issued_ms) / 2;
}

/* A generation token for the binding: signed, and known to nobody but its bearer. */
static enum via_status
credential_mint(struct making *m, struct via_profile_binding *b, struct via_error *e)
{
    struct via_claims claims = m->p->claims;
    enum via_status status;

    (void)snprintf(claims.audience, sizeof claims.audience, "via-addon");
    (void)snprintf(claims.binding, sizeof claims.binding, "%s", b->name);
    via_id_make("tok", claims.jti);
    claims.generation = b->generation;
    claims.mode = b->mode;
    claims.issued_s = claims.not_before_s = m->now_ms / 1000;
    claims.expires_s = claims.issued_s + m->ttl_s;
    b->issued_ms = claims.issued_s * 1000;
    b->expires_ms = claims.expires_s * 1000;
    status = via_jwt_sign(via_access_keys(m->access), &claims, &m->vault, e);
    b->len = m->vault.len - b->at;
    memcpy(b->kid, claims.kid, sizeof b->kid);
    return status;
}

/* The credential handed out before, if it is for the same, its half-life is to come, and its key
 * was not retired. */
static bool
credential_keep(struct making *m, const struct via_profile *older, struct via_profile_binding *b)
{
    const struct via_profile_binding *old;

    for (size_t i = 0; older && i < older->binding_count; i++) {
        old = &older->bindings[i];
        if (strcmp(old->name, b->name) != 0 || old->refused.status != VIA_OK ||
            old->generation != b->generation || old->mode != b->mode ||
            via_profile_renew_ms(old) <= m->now_ms ||
            !via_keyring_has(via_access_keys(m->access), old->kid))
            continue;
        b->len = old->len;
        b->issued_ms = old->issued_ms;
        b->expires_ms = old->expires_ms;
        memcpy(b->kid, old->kid, sizeof b->kid);
        atomic_store(&b->witnessed, atomic_load(&old->witnessed));
        via_buf_put(&m->vault, older->vault + old->at, old->len);
        return true;
    }
    return false;
}

static enum via_status
binding_make(struct making *m, const struct via_profile *older,
             const struct via_manifest_entry *entry, struct via_error *e)
{
    struct via_profile *p = m->p;
    struct via_profile_binding *b = list_add((void **)&p->bindings, &p->binding_count, sizeof *b);
    struct via_grant grant;

    if (!b)
        return via_error_set(e, VIA_OUT_OF_MEMORY, "out of memory");
    (void)snprintf(b->name, sizeof b->name, "%s", entry->binding);
    (void)snprintf(b->type, sizeof b->type, "%s", entry->type);
    b->at = m->vault.len;
    if (via_access_check(m->access, &p->claims, b->name, 0, &grant, &b->refused) != VIA_OK)
        return via_gate_is_refusal(b->refused.status)
                   ? VIA_OK
                   : via_error_set(e, b->refused.status, "%s", b->refused.message);
    b->generation = grant.generation;
    b->mode = grant.mode;
    ends_by(p, grant.expires_ms);
    if (!credential_keep(m, older, b) && credential_mint(m, b, e) != VIA_OK)
        return e->status;
    ends_by(p, via_profile_renew_ms(b));
    return VIA_OK;
}

/* -- the whole -------------------------------------------------------------------- */

/* Its version first: what changes after it is read moves it, and is asked for again. */
static void
version_read(struct making *m)
{
    sqlite3_stmt *q = via_sql_stmt(m->db, "SELECT 1 + coalesce(sum(version), 0) FROM main.profiles"
                                          " WHERE app = ?1 AND target IN ('', ?2)");

    via_sql_bind_text(m->db, q, 1, m->p->claims.app);
    via_sql_bind_text(m->db, q, 2, m->p->target);
    if (via_sql_row(m->db, q))
        m->p->version = sqlite3_column_int64(q, 0);
    via_sql_end(m->db, q);
}

static enum via_status
profile_fill(struct making *m, const struct via_profile *older, struct via_error *e)
{
    struct via_profile *p = m->p;
    struct via_manifest_list list = {0};
    struct via_workload workload;

    if (via_access_workload(m->access, &p->claims, &workload, e) != VIA_OK)
        return e->status;
    p->epoch = workload.epoch;
    p->expires_ms = workload.expires_ms;
    m->now_ms = via_clock_now_ms();
    m->ttl_s = via_access_setting_int(m->access, "workload_token_ttl_s");
    if (!via_manifest_list(workload.manifest, workload.manifest_len, &list))
        return via_error_set(e, VIA_OUT_OF_MEMORY, "out of memory");
    memcpy(p->target, list.target, sizeof p->target);
    version_read(m);
    values_read(m);
    via_ignore(via_sql_take(m->db, e));
    for (size_t i = 0; e->status == VIA_OK && i < list.count; i++)
        via_ignore(binding_make(m, older, &list.entries[i], e));
    free(list.entries);
    return e->status;
}

enum via_status
via_profile_new(struct via_access *a, const struct via_claims *claims,
                const struct via_profile *older, struct via_profile **out, struct via_error *e)
{
    struct making m = {.access = a, .db = via_access_db(a), .p = calloc(1, sizeof *m.p)};

    *out = NULL;
    if (!m.p)
        return via_error_set(e, VIA_OUT_OF_MEMORY, "out of memory");
    m.p->claims = *claims;
    via_buf_init(&m.vault);
    m.vault.secret = true;
    if (profile_fill(&m, older, e) == VIA_OK) {
        m.p->vault = m.vault.failed ? NULL : via_guarded_new(m.vault.len);
        if (!m.p->vault)
            (void)via_error_set(e, VIA_OUT_OF_MEMORY, "out of memory");
        else if (m.vault.len > 0)
            memcpy(m.p->vault, m.vault.data, m.vault.len);
    }
    via_buf_deinit(&m.vault);
    if (e->status == VIA_OK)
        *out = m.p;
    else
        via_profile_free(m.p);
    return e->status;
}

void
via_profile_free(struct via_profile *p)
{
    if (!p)
        return;
    via_guarded_free(p->vault);
    free(p->values);
    free(p->bindings);
    free(p);
}

const struct via_profile_value *
via_profile_value(const struct via_profile *p, const char *name, size_t n)
{
    size_t from = 0, to = p->value_count;

    while (n < VIA_NAME_SIZE && from < to) {
        size_t middle = from + (to - from) / 2;
        const struct via_profile_value *v = &p->values[middle];
        int order = strncmp(name, v->name, n);

        if (order == 0 && v->name[n] == '\0')
            return v;
        if (order < 0 || (order == 0 && v->name[n] != '\0'))
            to = middle;
        else
            from = middle + 1;
    }
    return NULL;
}
