/* world.h: what a random test made in a live Via, its model, and operations that are held against
 * the model at every door. */
#ifndef VIA_TESTS_WORLD_H
#define VIA_TESTS_WORLD_H

#include "attack/model.h"
#include "base/clock.h"
#include "live.h"

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
    struct {
        int addon; /* NONE: no restore waits */
        int steps; /* left of them */
        sqlite3 *held;
        pid_t restore;
    } drain;
};

static struct live_http http = {.fd = -1};
static const char *const names[] = {"DATABASE", "LEDGER", "NOWHERE"};
static const char *const targets[] = {"", "prod"};
static bool shrinking;
static long answers[VIA_STATUS_COUNT][DOORS]; /* by code and door */

/* What the agent says to a POST of `body`. */
static inline enum via_status
ask_post(const struct world *w, const struct m_ask *ask, const char *path, const char *body)
{
    enum via_status said;

    if (!live_post(&http, path, w->tokens[ask->token], body))
        return VIA_IO_ERROR;
    if (http.status == 200)
        return VIA_OK;
    said = via_status_parse(http.code, strlen(http.code));
    return http.status == via_status_http(said) ? said : VIA_INTERNAL_ERROR;
}

static inline enum via_status
ask_resolve(const struct world *w, const struct m_ask *ask)
{
    char body[64] = "{}";

    if (ask->name != NONE)
        snprintf(body, sizeof body, "{\"keys\":[\"%s\"]}", names[ask->name]);
    return ask_post(w, ask, "config/resolve", body);
}

static inline enum via_status
ask_agent(const struct world *w, const struct m_ask *ask)
{
    char body[256], generation[48] = "";
    const char *sql = ask->writes ? "UPDATE t SET a = a + 1" : "SELECT a FROM t";

    if (ask->generation)
        snprintf(generation, sizeof generation, "\"generation\":%lld,", (long long)ask->generation);
    snprintf(body, sizeof body, "{%s%s%s%s\"sql\":\"%s\"}",
             ask->name == NONE ? "" : "\"binding\":\"", ask->name == NONE ? "" : names[ask->name],
             ask->name == NONE ? "" : "\",", generation, sql);
    return ask_post(w, ask, ask->writes ? "sql/execute" : "sql/query", body);
}

static inline void
token_path(const struct world *w, int token, char path[VIA_PATH_SIZE])
{
    snprintf(path, VIA_PATH_SIZE, "%s/token-%d-%d", scratch_path, w->id, token);
}

static inline enum via_status
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
static inline bool
operate(struct world *w, const struct m_ask *ask)
{
    static const char *const doors[] = {"agent", "guarded file", "resolve"};
    enum via_status before = model_decide(&w->m, ask, via_clock_now_ms()), after, is;

    is = ask->door == BY_FILE      ? ask_file(w, ask)
         : ask->door == BY_RESOLVE ? ask_resolve(w, ask)
                                   : ask_agent(w, ask);
    after = model_decide(&w->m, ask, via_clock_now_ms());
    answers[is][ask->door]++;
    if (is == before || is == after)
        return true;
    if (w->aloud || !shrinking)
        printf(
            "%s %s with token %d (%s of %s), binding %s, generation %lld: %s, the model says %s\n",
            doors[ask->door], ask->writes ? "write" : "read", ask->token,
            w->m.tokens[ask->token].name == NONE ? "workload" : names[w->m.tokens[ask->token].name],
            w->instances[w->m.tokens[ask->token].instance],
            ask->name == NONE ? "-" : names[ask->name], (long long)ask->generation,
            via_status_word(is), via_status_word(before));
    fflush(stdout);
    return false;
}

/* A token from `ask->token` on, and a name, that are answered `want`. False: there are none. */
static inline bool
choose_answered(const struct world *w, struct m_ask *ask, enum via_status want)
{
    int count = w->m.token_count, from = ask->token;

    for (int i = 0; i < count * NAMES; i++) {
        struct m_ask probe = *ask;

        probe.token = (from + i / NAMES) % count;
        probe.name = i % NAMES;
        if (model_decide(&w->m, &probe, via_clock_now_ms()) == want) {
            *ask = probe;
            return true;
        }
    }
    return false;
}

static inline bool
step_operate(struct world *w, const struct step *s)
{
    static const enum m_door doors[] = {BY_FILE, BY_AGENT, BY_FILE, BY_AGENT, BY_RESOLVE};
    struct m_ask ask = {.writes = s->b % 3 == 0, .door = doors[s->b % 5]};
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
    if ((t->name != NONE) == (ask.door == BY_AGENT) && ask.door != BY_FILE && s->c % 2)
        ask.name = NONE;
    if (ask.door == BY_AGENT && (s->c >> 8) % 8 == 0)
        ask.generation = 1 + (s->c >> 16) % 4;
    if (w->drain.addon != NONE && (s->c >> 4) % 2)
        choose_answered(w, &ask, VIA_ADDON_DRAINING);
    return operate(w, &ask);
}

#endif
