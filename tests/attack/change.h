/* change.h: one random change of the control plane each, told to the model in the same words. */
#ifndef VIA_TESTS_CHANGE_H
#define VIA_TESTS_CHANGE_H

#include "attack/world.h"

static inline const char *
change(const struct world *w, const char *format, ...)
{
    const char *value;
    va_list args, again;

    va_start(args, format);
    va_copy(again, args);
    if (w->aloud) {
        char *sql = sqlite3_vmprintf(format, again);

        printf("  %s;\n", sql);
        sqlite3_free(sql);
    }
    va_end(again);
    value = live_sql_on(live_db, format, args);
    va_end(args);
    return value;
}

static inline void
app_name(const struct world *w, int app, char out[32])
{
    snprintf(out, 32, "w%d-%c", w->id, 'a' + app);
}

static inline void
step_bind(struct world *w, const struct step *s)
{
    int app = (int)(s->a % APPS), name = (int)((s->a >> 8) % NAMES);
    int target = (int)((s->a >> 16) % 4 == 0), addon = app + APPS * (int)(s->b % (ADDONS / APPS));
    struct m_binding *b = &w->m.bindings[app][name][target];
    bool ro = s->c % 4 == 0;
    char owner[32];

    if (b->addon != NONE || w->m.addons[addon].destroyed ||
        w->m.generation_count == MAX_GENERATIONS)
        return;
    app_name(w, app, owner);
    change(w, "INSERT INTO via_bindings(app,binding,target,addon_id,mode) VALUES(%Q,%Q,%Q,%Q,%Q)",
           owner, names[name], targets[target], w->addons[addon], ro ? "ro" : "rw");
    *b = (struct m_binding){addon, ro ? VIA_MODE_RO : VIA_MODE_RW};
    model_generation_add(&w->m, app, name, target, addon);
}

/* A binding that is there, to do something to. */
static inline struct m_binding *
choose_binding(struct world *w, uint32_t n, int *app, int *name, int *target)
{
    for (uint32_t i = 0; i < APPS * NAMES * TARGETS; i++) {
        uint32_t k = (n + i) % (APPS * NAMES * TARGETS);

        *app = (int)(k % APPS);
        *name = (int)(k / APPS % NAMES);
        *target = (int)(k / APPS / NAMES);
        if (w->m.bindings[*app][*name][*target].addon != NONE)
            return &w->m.bindings[*app][*name][*target];
    }
    return NULL;
}

static inline void
step_unbind(struct world *w, const struct step *s)
{
    int app, name, target;
    struct m_binding *b = choose_binding(w, s->a, &app, &name, &target);
    char owner[32];

    if (!b)
        return;
    app_name(w, app, owner);
    change(w, "DELETE FROM via_bindings WHERE app=%Q AND binding=%Q AND target=%Q", owner,
           names[name], targets[target]);
    b->addon = NONE;
}

static inline void
step_mode(struct world *w, const struct step *s)
{
    int app, name, target;
    struct m_binding *b = choose_binding(w, s->a, &app, &name, &target);
    char owner[32];

    if (!b)
        return;
    app_name(w, app, owner);
    b->mode = s->b % 2 ? VIA_MODE_RW : VIA_MODE_RO;
    change(w, "UPDATE via_bindings SET mode=%Q WHERE app=%Q AND binding=%Q AND target=%Q",
           b->mode == VIA_MODE_RW ? "rw" : "ro", owner, names[name], targets[target]);
}

static inline int64_t
row_ms(const char *sql, const char *id)
{
    return strtoll(live_sql(sql, id), NULL, 10);
}

#define MS_OF(column) "SELECT CAST((julianday(" column ") - 2440587.5) * 86400000 + 0.5 AS INTEGER)"

static inline void
step_rotate(struct world *w, const struct step *s)
{
    static const int grace_s[] = {-1, 0, FOREVER_MS / 1000, 1};
    int app, name, target, grace = grace_s[s->b % 4];
    struct m_binding *b = choose_binding(w, s->a, &app, &name, &target);
    int64_t ends_ms = 0;
    char owner[32];

    if (!b || w->m.generation_count == MAX_GENERATIONS)
        return;
    app_name(w, app, owner);
    if (grace < 0)
        change(w, "INSERT INTO via_generations(app,binding,target) VALUES(%Q,%Q,%Q)", owner,
               names[name], targets[target]);
    else {
        change(w, "INSERT INTO via_generations(app,binding,target,grace_s) VALUES(%Q,%Q,%Q,%d)",
               owner, names[name], targets[target], grace);
        /* When exactly it ends is Via's to say; that it does is held against the clock. */
        ends_ms =
            row_ms(MS_OF("max(expires_at)") " FROM via_generations WHERE operation_id="
                                            "(SELECT operation_id FROM via_generations WHERE rowid="
                                            "last_insert_rowid())",
                   "");
        if (ends_ms == 0) /* nothing was active */
            ends_ms = 1;
        else if (grace == 0)
            ends_ms = 1;
    }
    model_rotate(&w->m, app, name, target, ends_ms);
}

static inline void
step_revoke(struct world *w, const struct step *s)
{
    struct m_generation *g;
    char owner[32];

    if (w->m.generation_count == 0)
        return;
    g = &w->m.generations[s->a % (uint32_t)w->m.generation_count];
    app_name(w, g->app, owner);
    change(w,
           "UPDATE via_generations SET status='revoked' WHERE app=%Q AND binding=%Q AND target=%Q"
           " AND generation=%lld",
           owner, names[g->name], targets[g->target], (long long)g->number);
    g->revoked = true;
}

static inline void
step_deploy(struct world *w, const struct step *s)
{
    struct model *m = &w->m;
    int app = (int)(s->a % APPS), target = (int)((s->a >> 8) % 4 == 0);
    bool older = s->b % 4 == 0 && m->release_count > 0;
    char owner[32];
    int n = m->deploy_count, release = m->release_count;

    if (n == MAX_ROWS || release == MAX_ROWS)
        return;
    app_name(w, app, owner);
    if (older) {
        release = (int)(s->c % (uint32_t)release);
        change(w, "INSERT INTO via_deploys(release) VALUES(%Q)", w->releases[release]);
    } else {
        change(w, "INSERT INTO via_deploys(app,target) VALUES(%Q,%Q)", owner, targets[target]);
        model_release(m, app, target);
    }
    snprintf(w->deploys[n], VIA_ID_SIZE, "%s",
             live_sql("SELECT id FROM via_deploys WHERE rowid=last_insert_rowid()"));
    if (!older)
        snprintf(w->releases[release], VIA_ID_SIZE, "%s",
                 live_sql("SELECT release FROM via_deploys WHERE id=%Q", w->deploys[n]));
    m->deploys[m->deploy_count++] = (struct m_deploy){.release = release};
}

static inline void
step_stop_deploy(struct world *w, const struct step *s)
{
    int i;

    if (w->m.deploy_count == 0)
        return;
    i = (int)(s->a % (uint32_t)w->m.deploy_count);
    change(w, "UPDATE via_deploys SET state='stopped' WHERE id=%Q", w->deploys[i]);
    w->m.deploys[i].stopped = true;
}

/* Register with one of the newest deploys that still take instances, and give it tokens. */
static inline void step_mint(struct world *w, const struct step *s);

static inline void
step_register(struct world *w, const struct step *s)
{
    struct model *m = &w->m;
    int n = m->instance_count, i;
    struct step mint = {.a = (uint32_t)n, .b = s->c, .c = s->b};

    if (n == MAX_ROWS || m->deploy_count == 0)
        return;
    i = m->deploy_count - 1 - (int)(s->a % 4);
    if (i < 0 || m->deploys[i].stopped || m->deploys[i].superseded)
        return;
    change(w, "INSERT INTO via_instances(deploy) VALUES(%Q)", w->deploys[i]);
    snprintf(w->instances[n], VIA_ID_SIZE, "%s",
             live_sql("SELECT id FROM via_instances WHERE rowid=last_insert_rowid()"));
    m->instances[n] = (struct m_instance){
        i, false,
        row_ms(MS_OF("lease_expires_at") " FROM via_instances WHERE id=%Q", w->instances[n])};
    m->instance_count++;
    if (!m->deploys[i].started)
        model_start(m, i);
    for (mint.b = 0; mint.b < 3; mint.b++)
        step_mint(w, &mint);
}

static inline void
step_stop_instance(struct world *w, const struct step *s)
{
    int i;

    if (w->m.instance_count == 0)
        return;
    i = (int)(s->a % (uint32_t)w->m.instance_count);
    change(w, "UPDATE via_instances SET state='stopped' WHERE id=%Q", w->instances[i]);
    w->m.instances[i].stopped = true;
}

/* The lease runs out, or is long again. */
static inline void
step_lease(struct world *w, const struct step *s)
{
    struct m_instance *in;
    bool out = s->b % 3 == 0;
    int i;

    if (w->m.instance_count == 0)
        return;
    i = (int)(s->a % (uint32_t)w->m.instance_count);
    in = &w->m.instances[i];
    if (in->stopped)
        return;
    change(w, "UPDATE via_instances SET lease_expires_at=%Q WHERE id=%Q",
           out ? "2001-01-01T00:00:00.000Z" : "2099-01-01T00:00:00.000Z", w->instances[i]);
    in->lease_ms = out ? 1 : INT64_C(4070908800000);
}

/* A token for instance a: workload (b = 0), or of the binding b - 1. */
static inline void
step_mint(struct world *w, const struct step *s)
{
    struct model *m = &w->m;
    int n = m->token_count, i, name = (int)(s->b % 3) - 1;
    const struct m_release *r;
    const struct m_generation *g = NULL;
    char path[VIA_PATH_SIZE];
    int ttl_s = s->c % 16 == 0 ? 1 : 900;
    FILE *in;

    if (n == MAX_TOKENS || m->instance_count == 0)
        return;
    i = (int)(s->a % (uint32_t)m->instance_count);
    r = &m->releases[m->deploys[m->instances[i].deploy].release];
    if (name >= 0 && r->entries[name].addon != NONE)
        g = m_generation_find(m, r->app, name, &r->entries[name], 0);
    if (m->instances[i].stopped || (name >= 0 && !g))
        return;
    token_path(w, n, path);
    change(w,
           "INSERT INTO via_tokens(kind,instance,binding,path,ttl_s)"
           " VALUES(%Q,%Q,nullif(%Q,''),%Q,%d)",
           name < 0 ? "workload" : "generation", w->instances[i], name < 0 ? "" : names[name], path,
           ttl_s);
    m->tokens[n] = (struct m_token){
        i, name, g ? g->number : 0,
        row_ms(MS_OF("max(expires_at)") " FROM via_tokens WHERE rowid=last_insert_rowid()", "")};
    if (name < 0 && m->tokens[n].expires_ms > m->instances[i].lease_ms)
        m->instances[i].lease_ms = m->tokens[n].expires_ms;
    in = fopen(path, "re");
    if (!in || !fgets(w->tokens[n], sizeof w->tokens[n], in))
        live_die("no token was minted");
    fclose(in);
    w->tokens[n][strcspn(w->tokens[n], "\n")] = '\0';
    m->token_count++;
}

static inline void
step_suspend(struct world *w, const struct step *s)
{
    int i = (int)(s->a % ADDONS);
    struct m_addon *a = &w->m.addons[i];

    if (a->destroyed || a->draining)
        return;
    a->suspended = s->b % 3 == 0;
    change(w, "UPDATE via_addons SET state=%Q WHERE id=%Q", a->suspended ? "suspended" : "ready",
           w->addons[i]);
}

static inline void
step_block(struct world *w, const struct step *s)
{
    int i = (int)(s->a % ADDONS);
    struct m_addon *a = &w->m.addons[i];

    if (a->destroyed)
        return;
    a->block_reads = s->b % 6 == 0;
    a->block_writes = s->c % 4 == 0;
    change(w,
           "UPDATE via_addons SET options='{\"block_reads\":%s,\"block_writes\":%s}' WHERE id=%Q",
           a->block_reads ? "true" : "null", a->block_writes ? "true" : "false", w->addons[i]);
}

static inline void
step_destroy(struct world *w, const struct step *s)
{
    int i = (int)(s->a % ADDONS);

    if (s->b % 8 || w->m.addons[i].destroyed || w->m.addons[i].draining)
        return;
    change(w, "DELETE FROM via_addons WHERE id=%Q AND force=1", w->addons[i]);
    w->m.addons[i].destroyed = true;
    for (int n = 0; n < NAMES; n++)
        for (int t = 0; t < TARGETS; t++)
            if (w->m.bindings[w->m.addons[i].app][n][t].addon == i)
                w->m.bindings[w->m.addons[i].app][n][t].addon = NONE;
}

static inline void
step_handover(struct world *w, const struct step *s)
{
    w->m.handover = s->a % 3 != 0;
    change(w, "UPDATE via_settings SET value=%d WHERE name='handover_s'",
           w->m.handover ? FOREVER_MS / 1000 : 0);
}

#endif
