/* agent.c: the parts of an agent, their making, their upkeep. */
#include "api/agent.h"

#include "api/profiles.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "control/chain.h"
#include "control/generation.h"
#include "control/prune.h"
#include "effects/effects.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECOVER_EVERY_S 5
#define TIDY_EVERY_S 60
#define TIDY_MS 200 /* of pruning a round, each kind */

/* What was replaced is kept until the end, for a thread may still look at it: a few hundred bytes
 * each time an operator changes a setting. */
struct via_kept {
    struct via_kept *older;
    struct via_epoch epoch; /* closed when `page` is NULL */
    struct via_bounds bounds;
};

/* bounds_mutex is held. */
static struct via_kept *
agent_keep(struct via_agent *a)
{
    struct via_kept *kept = calloc(1, sizeof *kept);

    if (kept) {
        kept->older = a->kept;
        a->kept = kept;
    }
    return kept;
}

static void
bounds_read(struct via_access *access, struct via_bounds *b)
{
    memset(b, 0, sizeof *b); /* compared byte by byte */
    b->request_bytes = via_access_setting_int(access, "request_bytes");
    b->result_bytes = via_access_setting_int(access, "result_bytes");
    b->sql_bytes = via_access_setting_int(access, "sql_bytes");
    b->params_max = via_access_setting_int(access, "params_max");
    b->json_depth = via_access_setting_int(access, "json_depth");
    b->open_addons = via_access_setting_int(access, "open_addons");
    b->statement_timeout_ms = via_access_setting_int(access, "statement_timeout_ms");
    b->busy_timeout_ms = via_access_setting_int(access, "busy_timeout_ms");
    via_access_setting_text(access, "allowed_hosts", b->allowed_hosts, sizeof b->allowed_hosts);
    via_access_setting_text(access, "advertised_url", b->advertised_url, sizeof b->advertised_url);
}

/* Take in the settings, if they changed; bounds_mutex is held. */
static void
bounds_refresh(struct via_agent *a)
{
    const struct via_bounds *old = atomic_load(&a->bounds);
    uint64_t epoch = via_epoch_now(atomic_load(&a->epoch)); /* before they are read */
    struct via_bounds now;
    struct via_kept *kept;

    bounds_read(a->bounds_access, &now);
    if (now.request_bytes <= 0) /* they cannot be read */
        return;
    if (!old || memcmp(old, &now, sizeof now) != 0) {
        kept = agent_keep(a);
        if (!kept)
            return;
        kept->bounds = now;
        atomic_store(&a->bounds, &kept->bounds);
    }
    atomic_store(&a->bounds_epoch, epoch);
}

const struct via_bounds *
via_agent_bounds(struct via_agent *a)
{
    if (!via_epoch_is(atomic_load(&a->epoch), atomic_load(&a->bounds_epoch))) {
        /* While a commit is under way everybody comes here: one reads, the others need not wait. */
        if (via_epoch_now(atomic_load(&a->epoch)) != 0)
            pthread_mutex_lock(&a->bounds_mutex);
        else if (pthread_mutex_trylock(&a->bounds_mutex) != 0)
            return atomic_load(&a->bounds);
        if (!via_epoch_is(atomic_load(&a->epoch), atomic_load(&a->bounds_epoch)))
            bounds_refresh(a);
        pthread_mutex_unlock(&a->bounds_mutex);
    }
    return atomic_load(&a->bounds);
}

/* Said once, not every five seconds: what is out of this process's reach waits for an operator. */
static void
agent_recover(void)
{
    static char said[VIA_MESSAGE_SIZE]; /* by one thread at a time: the start, then the tick */
    struct via_error e = {0};
    int settled = 0;

    if (via_effects_recover(&settled, &e) != VIA_OK && strcmp(said, e.message) != 0)
        via_log(VIA_LOG_WARN, "cannot mend unfinished operations; type: via doctor --fix (%s: %s)",
                via_status_word(e.status), e.message);
    memcpy(said, e.message, sizeof said);
    if (settled)
        via_log(VIA_LOG_INFO, "mended %d unfinished operation%s", settled, settled == 1 ? "" : "s");
}

enum via_status
via_agent_mend(struct via_error *e)
{
    int vfs = via_vfs_register();

    if (vfs != SQLITE_OK)
        return via_error_set(e, VIA_INTERNAL_ERROR, "cannot register the guarded VFS: %s",
                             sqlite3_errstr(vfs));
    agent_recover();
    return VIA_OK;
}

/* A store for upkeep, in nobody's way and waiting for nobody. */
static enum via_status
upkeep_new(struct via_store **out, struct via_error *e)
{
    if (via_store_new(out, e) != VIA_OK)
        return e->status;
    (void)snprintf((*out)->actor, sizeof(*out)->actor, "agent");
    (void)sqlite3_busy_timeout((*out)->write.db, 0);
    (void)sqlite3_busy_timeout((*out)->runtime.db, 0);
    return VIA_OK;
}

/* That somebody is in the way is no complaint: it is done the next time. */
static void
upkeep_complain(const char *what, const struct via_error *e)
{
    if (e->status != VIA_OK && e->status != VIA_CONTROL_BUSY)
        via_log(VIA_LOG_WARN, "cannot %s: %s: %s", what, via_status_word(e->status), e->message);
}

/* Write which generations the clock has ended. */
static void
agent_end_graces(void)
{
    struct via_error e = {0};
    struct via_store *s = NULL;

    if (upkeep_new(&s, &e) == VIA_OK)
        via_ignore(via_generation_settle(s, TIDY_MS, &e));
    upkeep_complain("write that a grace is over", &e);
    via_store_free(s);
}

/* Sign the heads of the audit and prune what is over. */
static void
agent_tidy(void)
{
    struct via_error e = {0}, signing = {0};
    struct via_store *s = NULL;

    if (upkeep_new(&s, &e) == VIA_OK) {
        if (via_chain_sign(s, &signing) != VIA_OK)
            via_log(VIA_LOG_WARN, "cannot sign the audit: %s: %s", via_status_word(signing.status),
                    signing.message);
        via_ignore(via_chain_prune(s, TIDY_MS, &e));
        via_ignore(via_runtime_prune(s, TIDY_MS, &e));
    }
    upkeep_complain("prune old records", &e);
    via_store_free(s);
}

/* Map run/epoch. */
static enum via_status
epoch_map(struct via_agent *a, struct via_error *e)
{
    struct via_kept *kept;

    pthread_mutex_lock(&a->bounds_mutex);
    kept = agent_keep(a);
    pthread_mutex_unlock(&a->bounds_mutex);
    if (!kept)
        return via_error_set(e, VIA_OUT_OF_MEMORY, "there is no memory for the epoch");
    if (via_epoch_open(&kept->epoch, &a->root, e) != VIA_OK)
        return e->status;
    atomic_store(&a->epoch, &kept->epoch);
    atomic_store(&a->bounds_epoch, 0); /* another page counts anew */
    return VIA_OK;
}

enum via_status
via_agent_open(struct via_agent *a, struct via_error *e)
{
    (void)pthread_mutex_init(&a->bounds_mutex, NULL);
    if (epoch_map(a, e) != VIA_OK || via_witness_new(&a->root, &a->witness, e) != VIA_OK ||
        via_access_new(&a->root, atomic_load(&a->epoch), &a->tick_access, e) != VIA_OK ||
        via_access_new(&a->root, atomic_load(&a->epoch), &a->bounds_access, e) != VIA_OK ||
        via_keyring_new(&a->root, &a->keys, e) != VIA_OK)
        return e->status;
    (void)pthread_mutex_init(&a->keys_mutex, NULL);
    (void)via_agent_bounds(a);
    via_streams_init(&a->streams);
    a->tokens = via_tokens_new();
    a->profiles = via_profiles_new();
    a->lanes = via_lanes_new();
    a->pool = a->lanes ? via_pool_new(a->lanes) : NULL;
    via_lane_init(&a->door, VIA_LANE_QUICK, VIA_WORKERS);
    if (!a->tokens || !a->profiles || !a->pool || !atomic_load(&a->bounds))
        return via_error_set(e, VIA_OUT_OF_MEMORY, "there is no memory for the agent");
    return VIA_OK;
}

void
via_agent_close(struct via_agent *a)
{
    via_lanes_free(a->lanes);
    via_pool_free(a->pool);
    via_tokens_free(a->tokens);
    via_profiles_free(a->profiles);
    for (int i = 0; i < VIA_WORKERS; i++)
        via_access_free(a->access[i]);
    via_access_free(a->tick_access);
    via_access_free(a->bounds_access);
    via_keyring_free(a->keys);
    via_witness_free(a->witness);
    if (a->tokens) /* it had been opened */
        agent_tidy();
    while (a->kept) {
        struct via_kept *older = a->kept->older;

        if (a->kept->epoch.page)
            via_epoch_close(&a->kept->epoch);
        free(a->kept);
        a->kept = older;
    }
}

struct via_access *
via_agent_access(struct via_agent *a, int worker, struct via_error *e)
{
    const struct via_epoch *ep = atomic_load(&a->epoch);

    if (a->access[worker] && a->access_epoch[worker] == ep)
        return a->access[worker];
    via_access_free(a->access[worker]);
    a->access[worker] = NULL;
    if (via_access_new(&a->root, ep, &a->access[worker], e) != VIA_OK)
        return NULL;
    a->access_epoch[worker] = ep;
    return a->access[worker];
}

/* Stop what still runs on add-ons whose restore has waited long enough. The phase is written with
 * the epoch moved, so there is nothing to ask while it stands still. */
static void
agent_drain(struct via_agent *a)
{
    uint64_t epoch = via_epoch_now(atomic_load(&a->epoch));
    char addon_id[VIA_ID_SIZE] = "";

    if (epoch != 0 && epoch == a->drain_epoch)
        return;
    a->drain_epoch = epoch;
    while (via_access_next_interrupted(a->tick_access, addon_id)) {
        a->drain_epoch = 0; /* look again, for what slipped in */
        via_pool_drain(a->pool, addon_id, via_clock_mono_ms());
    }
}

static void
stream_interrupted(void *arg, const struct via_grant *grant)
{
    struct via_agent *a = arg;

    via_ignore(
        via_witness_interrupt(a->witness, &grant->claims, grant->binding, VIA_ADDON_DRAINING));
}

void
via_agent_tick(struct via_agent *a, int64_t second)
{
    struct via_error e = {0};

    via_witness_tick(a->witness);
    if (!via_epoch_is_current(atomic_load(&a->epoch), &a->root)) {
        via_log(VIA_LOG_WARN, "run/epoch was replaced; every grant is checked anew");
        if (epoch_map(a, &e) != VIA_OK)
            via_log(VIA_LOG_ERROR, "cannot map it: %s", e.message);
    }
    (void)via_agent_bounds(a);
    via_tokens_tick(a->tokens, via_clock_now_ms());
    via_profiles_tick(a->profiles, via_clock_now_ms());
    agent_drain(a);
    via_streams_tick(&a->streams, a->pool, via_clock_mono_ms(), stream_interrupted, a);
    via_pool_tick(a->pool);
    if (second % RECOVER_EVERY_S == 0 && via_effects_is_due(via_access_db(a->tick_access)))
        agent_recover();
    if (second % RECOVER_EVERY_S == 0 && via_generation_is_due(via_access_db(a->tick_access)))
        agent_end_graces();
    if (second % TIDY_EVERY_S == 1)
        agent_tidy();
}
