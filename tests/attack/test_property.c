/* The focus of this file is that Via allows what a small model of the gates allows and nothing
 * else: random changes of the control plane, restores among them, and between them operations with
 * every token that was ever issued, through the agent on a kept connection, by resolve and through
 * guarded connections that stay open, each answered with exactly the model's code.
 *
 *     test_property [STEPS [SEED]]
 *
 * A failure prints the shortest sequence of steps that still fails, as SQL and requests. */
#include "attack/change.h"
#include "check.h"

#include <time.h>

#define STEPS 100000
#define WORLD_STEPS 1500 /* then a new one, lest everything ends up revoked */
#define SHRINK_MS 60000  /* at most */

static int worlds, drains;
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

/* -- restores ------------------------------------------------------------------- */

/* Start `via addon restore` of the add-on's content as it is now. */
static pid_t
restore_start(struct world *w, int addon, int timeout_s)
{
    const char *build = getenv("BUILD");
    char program[VIA_PATH_SIZE], snapshot[VIA_ID_SIZE], seconds[16];
    pid_t pid;

    change(w, "INSERT INTO via_snapshots(addon) VALUES(%Q)", w->addons[addon]);
    snprintf(snapshot, sizeof snapshot, "%s",
             live_sql("SELECT id FROM via_snapshots WHERE rowid=last_insert_rowid()"));
    snprintf(program, sizeof program, "%s/via", build ? build : "build");
    snprintf(seconds, sizeof seconds, "%d", timeout_s);
    pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr))
            _exit(126);
        execl(program, "via", "addon", "restore", w->addons[addon], "--snapshot", snapshot,
              "--drain", "--timeout", seconds, "--state-dir", live_root.path, (char *)NULL);
        _exit(127);
    }
    if (w->aloud)
        printf("  via addon restore %s --snapshot %s --drain --timeout %s: it waits\n",
               w->addons[addon], snapshot, seconds);
    return pid;
}

/* A transaction of the operator's that a restore has to wait for. */
static sqlite3 *
restore_hold(const struct world *w, int addon, bool writes)
{
    sqlite3 *db = NULL;
    char uri[128];

    snprintf(uri, sizeof uri, "file:%s?vfs=via&operator=1", w->addons[addon]);
    if (sqlite3_open_v2(uri, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_URI, NULL) != SQLITE_OK ||
        sqlite3_busy_timeout(db, 10000) != SQLITE_OK ||
        sqlite3_exec(db, writes ? "BEGIN; UPDATE t SET a = a" : "BEGIN; SELECT a FROM t", NULL,
                     NULL, NULL) != SQLITE_OK)
        live_die("an add-on is not held: %s", sqlite3_errmsg(db));
    return db;
}

/* The add-on behind a name of a token's release. */
static int
addon_of(const struct model *m, int token, int name)
{
    const struct m_deploy *deploy = &m->deploys[m->instances[m->tokens[token].instance].deploy];

    return m->releases[deploy->release].entries[name].addon;
}

/* Content that was exchanged is read by connections that are opened after it. */
static void
connections_close(struct world *w, int addon)
{
    for (int i = 0; i < w->m.token_count; i++)
        for (int n = 0; n < NAMES; n++) {
            if (addon_of(&w->m, i, n) != addon)
                continue;
            sqlite3_close(w->open[i][n]);
            w->open[i][n] = NULL;
        }
}

/* End the transaction and the restore's wait; or with `in_time` false, first the wait. */
static void
drain_end(struct world *w, bool in_time)
{
    int status = 0;

    if (in_time)
        sqlite3_close(w->drain.held);
    if (waitpid(w->drain.restore, &status, 0) != w->drain.restore || !WIFEXITED(status) ||
        (WEXITSTATUS(status) == 0) != in_time)
        live_die("a restore %s: %x", in_time ? "failed" : "did not fail", (unsigned)status);
    if (!in_time)
        sqlite3_close(w->drain.held);
    else
        connections_close(w, w->drain.addon);
    if (w->aloud)
        printf("  it %s\n", in_time ? "goes on, and is done" : "times out");
    w->m.addons[w->drain.addon].draining = false;
    w->drain.addon = NONE;
}

/* A restore, of an add-on that some token reaches, that has to wait: until some steps later, or
 * until its time is over. */
static void
step_drain(struct world *w, const struct step *s)
{
    bool in_time = s->b % 6 != 0;
    struct m_ask reached = {.name = NONE};
    int i;

    if (s->c % 9 || w->drain.addon != NONE || w->m.token_count == 0)
        return;
    reached.token = (int)(s->a % (uint32_t)w->m.token_count);
    if (!choose_answered(w, &reached, VIA_OK))
        return;
    i = addon_of(&w->m, reached.token, reached.name);
    drains += in_time;
    w->drain.addon = i;
    w->drain.steps = 20 + (int)(s->b >> 8) % 20;
    w->drain.held = restore_hold(w, i, s->b % 2);
    w->drain.restore = restore_start(w, i, in_time ? 600 : 1);
    while (strcmp(live_sql("SELECT state FROM via_addons WHERE id=%Q", w->addons[i]), "draining"))
        if (kill(w->drain.restore, 0) != 0 || waitpid(w->drain.restore, NULL, WNOHANG) != 0)
            live_die("a restore ended before it had to wait");
        else
            usleep(2000);
    w->m.addons[i].draining = true;
    if (!in_time)
        drain_end(w, false);
}

/* How often each change comes, of 256; the rest are operations. */
static const struct {
    int share;
    void (*take)(struct world *w, const struct step *s);
} changes[] = {
    {5, step_bind},    {1, step_unbind},      {5, step_rotate},   {2, step_revoke},
    {5, step_deploy},  {1, step_stop_deploy}, {6, step_register}, {1, step_stop_instance},
    {4, step_lease},   {3, step_mint},        {5, step_suspend},  {4, step_block},
    {1, step_destroy}, {2, step_mode},        {1, step_handover}, {1, step_drain},
};

static bool
step_take(struct world *w, const struct step *s)
{
    int at = (int)(s->what % 256);

    if (w->drain.addon != NONE && w->drain.steps-- == 0)
        drain_end(w, true);
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
    w->drain.addon = NONE;
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
    if (w->drain.addon != NONE)
        drain_end(w, true);
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
        for (int way = 0; way < 6; way++) {
            struct m_ask ask = {.token = i, .writes = way & 1, .door = (enum m_door)(way / 2)};

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
    return answers[status][BY_AGENT] + answers[status][BY_FILE] + answers[status][BY_RESOLVE];
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
                                               VIA_ADDON_DRAINING,
                                               VIA_TOKEN_INVALID,
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
    printf("note: %d restores went on when they could\n", drains);
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
        CHECK(!right || answered(expected[i]) >=
                            (expected[i] == VIA_ADDON_DRAINING ? drains : 1 + wanted / 2000),
              "%s: %ld by the agent, %ld by file, %ld by resolve", via_status_word(expected[i]),
              answers[expected[i]][BY_AGENT], answers[expected[i]][BY_FILE],
              answers[expected[i]][BY_RESOLVE]);
    sqlite3_close(live_db);
    return check_end();
}
