/* The focus of this file is that Via allows what a small model of the gates allows and nothing
 * else: random changes of the control plane, and between them operations with every token that was
 * ever issued, through the agent on a kept connection and through guarded connections that stay
 * open, each answered with exactly the model's code.
 *
 *     test_property [STEPS [SEED]]
 *
 * A failure prints the shortest sequence of steps that still fails, as SQL and requests. */
#include "attack/model.h"
#include "base/clock.h"
#include "check.h"
#include "live.h"

#include <time.h>

#define STEPS 100000
#define WORLD_STEPS 1500 /* then a new one, lest everything ends up revoked */
#define SHRINK_MS 60000  /* at most */

/* Numbers to choose by; what they mean depends on what is there when the step is taken. */
struct step {
    uint32_t what, a, b, c;
};

struct world {
    struct model m;
    int id;
    bool aloud;
    char instances[MAX_ROWS][VIA_ID_SIZE];
    char releases[MAX_ROWS][VIA_ID_SIZE];
    char deploys[MAX_ROWS][VIA_ID_SIZE];
    char addons[ADDONS][VIA_ID_SIZE];
    char tokens[MAX_TOKENS][1100];
    sqlite3 *open[MAX_TOKENS][NAMES]; /* guarded connections, once they were let in */
};

static struct live_http http = {.fd = -1};
static const char *const names[] = {"DATABASE", "LEDGER", "NOWHERE"};
static const char *const targets[] = {"", "prod"};
static int worlds;
static bool shrinking;
static long answers[VIA_STATUS_COUNT][2]; /* by code and door */
static uint64_t random_state;

/* xorshift64*: the same everywhere for the same seed. */
static uint32_t
random_next(void)
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return (uint32_t)((random_state * UINT64_C(2685821657736338717)) >> 32);
}

/* -- operations ----------------------------------------------------------------- */

static enum via_status
ask_agent(const struct world *w, const struct m_ask *ask)
{
    char body[256], generation[48] = "";
    const char *sql = ask->writes ? "UPDATE t SET a = a + 1" : "SELECT a FROM t";

    if (ask->generation)
        snprintf(generation, sizeof generation, "\"generation\":%lld,", (long long)ask->generation);
    snprintf(body, sizeof body, "{%s%s%s%s\"sql\":\"%s\"}",
             ask->name == NONE ? "" : "\"binding\":\"", ask->name == NONE ? "" : names[ask->name],
             ask->name == NONE ? "" : "\",", generation, sql);
    if (!live_post(&http, ask->writes ? "execute" : "query", w->tokens[ask->token], body))
        return VIA_IO_ERROR;
    if (http.status == 200)
        return VIA_OK;
    if (http.status != via_status_http(via_status_parse(http.code, strlen(http.code))))
        return VIA_INTERNAL_ERROR;
    return via_status_parse(http.code, strlen(http.code));
}

static void
token_path(const struct world *w, int token, char path[VIA_PATH_SIZE])
{
    snprintf(path, VIA_PATH_SIZE, "%s/token-%d-%d", scratch_path, w->id, token);
}

static enum via_status
ask_file(struct world *w, const struct m_ask *ask)
{
    sqlite3 *fresh = NULL, **kept = ask->name < NAMES ? &w->open[ask->token][ask->name] : NULL;
    sqlite3 *db = kept ? *kept : NULL;
    char path[VIA_PATH_SIZE], uri[VIA_PATH_SIZE + 64];
    enum via_status refusal;
    int rc = SQLITE_OK;

    via_vfs_clear_refusal();
    if (!db) {
        token_path(w, ask->token, path);
        snprintf(uri, sizeof uri, "file:%s?vfs=via&token_file=%s", names[ask->name], path);
        rc = sqlite3_open_v2(uri, &fresh, SQLITE_OPEN_READWRITE | SQLITE_OPEN_URI, NULL);
        (void)sqlite3_busy_timeout(fresh, 10000); /* the agent closes what is idle */
        db = fresh;
    }
    /* A file that was opened read-only refuses to write without asking anybody: read first. */
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db, "SELECT a FROM t", NULL, NULL, NULL);
    if (rc == SQLITE_OK && ask->writes)
        rc = sqlite3_exec(db, "UPDATE t SET a = a + 1", NULL, NULL, NULL);
    refusal = via_vfs_refusal(NULL);
    if (fresh && kept && (rc == SQLITE_OK || rc == SQLITE_READONLY))
        *kept = fresh;
    else
        sqlite3_close(fresh);
    if (rc == SQLITE_OK)
        return VIA_OK;
    if (rc == SQLITE_READONLY && refusal == VIA_OK) /* opened read-only: SQLite says it itself */
        return VIA_READ_ONLY_BINDING;
    return refusal == VIA_OK ? VIA_INTERNAL_ERROR : refusal;
}

/* Ask, and hold the answer against the model; time may pass while asking. */
static bool
operate(struct world *w, const struct m_ask *ask)
{
    enum via_status before = model_decide(&w->m, ask, via_clock_now_ms()), after, is;

    is = ask->by_file ? ask_file(w, ask) : ask_agent(w, ask);
    after = model_decide(&w->m, ask, via_clock_now_ms());
    answers[is][ask->by_file]++;
    if (is == before || is == after)
        return true;
    if (w->aloud || !shrinking)
        printf(
            "%s %s with token %d (%s of %s), binding %s, generation %lld: %s, the model says %s\n",
            ask->by_file ? "guarded file" : "agent", ask->writes ? "write" : "read", ask->token,
            w->m.tokens[ask->token].name == NONE ? "workload" : names[w->m.tokens[ask->token].name],
            w->instances[w->m.tokens[ask->token].instance],
            ask->name == NONE ? "-" : names[ask->name], (long long)ask->generation,
            via_status_word(is), via_status_word(before));
    fflush(stdout);
    return false;
}

static bool
step_operate(struct world *w, const struct step *s)
{
    struct m_ask ask = {.writes = s->b % 3 == 0, .by_file = s->b % 5 < 2};
    const struct m_token *t;
    int recent = 8;

    if (w->m.token_count == 0)
        return true;
    /* Half of the time one of the newest, or few would ever be let in. */
    if (s->b % 2 && w->m.token_count > recent)
        ask.token = w->m.token_count - 1 - (int)(s->a % (uint32_t)recent);
    else
        ask.token = (int)(s->a % (uint32_t)w->m.token_count);
    t = &w->m.tokens[ask.token];
    ask.name = (int)(s->c % 16 == 0 ? 2 : s->c % 3 == 0 ? 1 : 0);
    if (t->name != NONE && s->c % 8)
        ask.name = t->name;
    if (t->name != NONE && !ask.by_file && s->c % 2)
        ask.name = NONE;
    if (!ask.by_file && (s->c >> 8) % 8 == 0)
        ask.generation = 1 + (s->c >> 16) % 4;
    return operate(w, &ask);
}

/* -- changes -------------------------------------------------------------------- */

static const char *
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

static void
app_name(const struct world *w, int app, char out[32])
{
    snprintf(out, 32, "w%d-%c", w->id, 'a' + app);
}

static void
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
static struct m_binding *
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

static void
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

static void
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

static int64_t
row_ms(const char *sql, const char *id)
{
    return strtoll(live_sql(sql, id), NULL, 10);
}

#define MS_OF(column) "SELECT CAST((julianday(" column ") - 2440587.5) * 86400000 + 0.5 AS INTEGER)"

static void
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

static void
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

static void
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

static void
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
static void step_mint(struct world *w, const struct step *s);

static void
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

static void
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
static void
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
static void
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

static void
step_suspend(struct world *w, const struct step *s)
{
    int i = (int)(s->a % ADDONS);
    struct m_addon *a = &w->m.addons[i];

    if (a->destroyed)
        return;
    a->suspended = s->b % 3 == 0;
    change(w, "UPDATE via_addons SET state=%Q WHERE id=%Q", a->suspended ? "suspended" : "ready",
           w->addons[i]);
}

static void
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

static void
step_destroy(struct world *w, const struct step *s)
{
    int i = (int)(s->a % ADDONS);

    if (s->b % 8 || w->m.addons[i].destroyed)
        return;
    change(w, "DELETE FROM via_addons WHERE id=%Q AND force=1", w->addons[i]);
    w->m.addons[i].destroyed = true;
    for (int n = 0; n < NAMES; n++)
        for (int t = 0; t < TARGETS; t++)
            if (w->m.bindings[w->m.addons[i].app][n][t].addon == i)
                w->m.bindings[w->m.addons[i].app][n][t].addon = NONE;
}

static void
step_handover(struct world *w, const struct step *s)
{
    w->m.handover = s->a % 3 != 0;
    change(w, "UPDATE via_settings SET value=%d WHERE name='handover_s'",
           w->m.handover ? FOREVER_MS / 1000 : 0);
}

/* How often each change comes, of 256; the rest are operations. */
static const struct {
    int share;
    void (*take)(struct world *w, const struct step *s);
} changes[] = {
    {5, step_bind},    {1, step_unbind},      {5, step_rotate},   {2, step_revoke},
    {5, step_deploy},  {1, step_stop_deploy}, {6, step_register}, {1, step_stop_instance},
    {4, step_lease},   {3, step_mint},        {5, step_suspend},  {4, step_block},
    {1, step_destroy}, {2, step_mode},        {1, step_handover},
};

static bool
step_take(struct world *w, const struct step *s)
{
    int at = (int)(s->what % 256);

    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        if (at < changes[i].share) {
            changes[i].take(w, s);
            return true;
        }
        at -= changes[i].share;
    }
    return step_operate(w, s);
}

/* -- worlds --------------------------------------------------------------------- */

/* Apps and add-ons of names that no world before had. */
static void
world_begin(struct world *w, bool aloud)
{
    char app[32], uri[128];

    memset(w, 0, sizeof *w);
    w->id = ++worlds;
    w->aloud = aloud;
    model_begin(&w->m);
    w->m.handover = true;
    live_sql("UPDATE via_settings SET value=%d WHERE name='handover_s'", FOREVER_MS / 1000);
    live_sql("BEGIN");
    for (int i = 0; i < ADDONS; i++) {
        app_name(w, i % APPS, app);
        live_sql("INSERT INTO via_addons(type,name,app) VALUES('sqlite','db%d',%Q)", i, app);
        snprintf(w->addons[i], VIA_ID_SIZE, "%s",
                 live_sql("SELECT id FROM via_addons WHERE rowid=last_insert_rowid()"));
    }
    live_sql("COMMIT");
    for (int i = 0; i < ADDONS; i++) {
        sqlite3 *db = NULL;

        snprintf(uri, sizeof uri, "file:%s?vfs=via&operator=1", w->addons[i]);
        if (sqlite3_open_v2(uri, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_URI, NULL) != SQLITE_OK ||
            sqlite3_exec(db, "CREATE TABLE t(a); INSERT INTO t VALUES(0)", NULL, NULL, NULL))
            live_die("an add-on does not open: %s", sqlite3_errmsg(db));
        sqlite3_close(db);
    }
}

static void
world_end(struct world *w)
{
    for (int i = 0; i < w->m.token_count; i++) {
        char path[VIA_PATH_SIZE];

        for (int n = 0; n < NAMES; n++)
            sqlite3_close(w->open[i][n]);
        token_path(w, i, path);
        unlink(path);
    }
}

/* At the end: everything ever issued, at both doors. */
static bool
world_sweep(struct world *w)
{
    for (int i = 0; i < w->m.token_count; i++)
        for (int way = 0; way < 4; way++) {
            struct m_ask ask = {.token = i, .writes = way & 1, .by_file = way & 2};

            ask.name = w->m.tokens[i].name == NONE ? way & 1 : w->m.tokens[i].name;
            if (!operate(w, &ask))
                return false;
        }
    return true;
}

/* Take the steps in a new world. Returns how many were right; more than `n` when all were. */
static size_t
world_run(const struct step *steps, size_t n, bool aloud)
{
    static struct world w;
    size_t i = 0;

    world_begin(&w, aloud);
    while (i < n && step_take(&w, &steps[i]))
        i++;
    if (i == n && world_sweep(&w))
        i = n + 1;
    world_end(&w);
    return i;
}

/* Leave out whatever the failure does without: halves, quarters, … single steps. */
static size_t
shrink(struct step *steps, size_t n)
{
    static struct step fewer[WORLD_STEPS];
    int64_t until_ms = via_clock_mono_ms() + SHRINK_MS;

    shrinking = true;
    for (size_t part = n / 2; part >= 1; part /= 2)
        for (size_t at = 0; at + part <= n && via_clock_mono_ms() < until_ms;) {
            memcpy(fewer, steps, at * sizeof *steps);
            memcpy(fewer + at, steps + at + part, (n - at - part) * sizeof *steps);
            if (world_run(fewer, n - part, false) <= n - part) {
                n -= part;
                memcpy(steps, fewer, n * sizeof *steps);
            } else
                at += part;
        }
    return n;
}

static long
answered(enum via_status status)
{
    return answers[status][0] + answers[status][1];
}

int
main(int argc, char **argv)
{
    static struct step steps[WORLD_STEPS];
    const char *slower = getenv("VIA_TEST_SLOWER");
    long wanted = argc > 1 ? strtol(argv[1], NULL, 10) : STEPS / (slower ? 8 : 1), taken = 0;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : (uint64_t)time(NULL);
    static const enum via_status expected[] = {VIA_OK,
                                               VIA_RUNTIME_IDENTITY_EXPIRED,
                                               VIA_WORKLOAD_UNBOUND,
                                               VIA_BINDING_NOT_IN_RELEASE,
                                               VIA_GENERATION_REVOKED,
                                               VIA_GENERATION_UNKNOWN,
                                               VIA_ADDON_UNAVAILABLE,
                                               VIA_READ_ONLY_BINDING,
                                               VIA_ADDON_BLOCKED};
    bool right = true;

    random_state = seed * 2 + 1;
    live_start();
    printf("note: seed %llu\n", (unsigned long long)seed);
    fflush(stdout);
    while (right && taken < wanted) {
        size_t n = WORLD_STEPS;

        for (size_t i = 0; i < n; i++)
            steps[i] = (struct step){random_next(), random_next(), random_next(), random_next()};
        right = world_run(steps, n, false) > n;
        if (!right) {
            n = shrink(steps, n);
            printf("%zu steps that fail:\n", n);
            if (world_run(steps, n, true) > n)
                printf("… but not this time: look at the first answer above\n");
        }
        taken += (long)n;
    }
    CHECK(right, "%ld random steps are answered as the model answers them", taken);
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
        CHECK(!right || answered(expected[i]) > wanted / 2000, "%s: %ld by the agent, %ld by file",
              via_status_word(expected[i]), answers[expected[i]][0], answers[expected[i]][1]);
    sqlite3_close(live_db);
    return check_end();
}
