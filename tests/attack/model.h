/* model.h: the four gates once more, small and by the book, to hold Via against.
 *
 * Written from the contract and not from the code: arrays, loops, no database. One world has two
 * apps on two targets. Whoever changes the world tells the model in the same words. */
#ifndef VIA_TESTS_MODEL_H
#define VIA_TESTS_MODEL_H

#include "via/model.h"

#include <string.h>

enum { APPS = 2, TARGETS = 2, NAMES = 2, ADDONS = 6, NONE = -1, FOREVER_MS = 3600000 };
enum { MAX_GENERATIONS = 400, MAX_ROWS = 400, MAX_TOKENS = 700 };

struct m_addon {
    int app;
    bool suspended, destroyed, draining, block_reads, block_writes;
};

struct m_binding {
    int addon; /* NONE: the name is free on this target */
    enum via_mode mode;
};

struct m_generation {
    int app, name, target, addon;
    int64_t number;
    bool active, revoked;
    int64_t ends_ms; /* 0: never by itself */
};

struct m_release {
    int app, target;
    struct m_entry {
        int addon, target; /* addon NONE: not listed */
        enum via_mode mode;
    } entries[NAMES];
};

struct m_deploy {
    int release;
    bool stopped, superseded, started;
};

struct m_instance {
    int deploy;
    bool stopped;
    int64_t lease_ms;
};

struct m_token {
    int instance;
    int name; /* NONE in a workload token */
    int64_t generation;
    int64_t expires_ms;
};

struct model {
    struct m_addon addons[ADDONS];
    struct m_binding bindings[APPS][NAMES][TARGETS];
    struct m_generation generations[MAX_GENERATIONS];
    struct m_release releases[MAX_ROWS];
    struct m_deploy deploys[MAX_ROWS];
    struct m_instance instances[MAX_ROWS];
    struct m_token tokens[MAX_TOKENS];
    int generation_count, release_count, deploy_count, instance_count, token_count;
    bool handover; /* a superseded deploy goes on (for as long as a test lasts), or not at all */
};

enum m_door { BY_AGENT, BY_FILE, BY_RESOLVE, DOORS };

/* An operation as it is asked for. */
struct m_ask {
    int token;
    int name;           /* NONE: none is given */
    int64_t generation; /* 0: none is given */
    bool writes;
    enum m_door door; /* resolve tells credentials: neither generation nor write is asked */
};

static inline bool
m_generation_holds(const struct m_generation *g, int64_t now_ms)
{
    return !g->revoked && (g->ends_ms == 0 || now_ms < g->ends_ms);
}

/* The generation `number` of what a release lists under `name`, or with 0 the newest active. */
static inline const struct m_generation *
m_generation_find(const struct model *m, int app, int name, const struct m_entry *entry,
                  int64_t number)
{
    const struct m_generation *found = NULL;

    for (int i = 0; i < m->generation_count; i++) {
        const struct m_generation *g = &m->generations[i];

        if (g->app == app && g->name == name && g->target == entry->target &&
            g->addon == entry->addon && (number ? g->number == number : g->active && !g->revoked))
            found = g;
    }
    return found;
}

static inline enum via_status
m_workload(const struct model *m, const struct m_instance *in, int64_t now_ms)
{
    const struct m_deploy *deploy = &m->deploys[in->deploy];

    if (in->stopped)
        return VIA_WORKLOAD_UNBOUND;
    if (now_ms >= in->lease_ms)
        return VIA_RUNTIME_IDENTITY_EXPIRED;
    if (deploy->stopped || (deploy->superseded && !m->handover))
        return VIA_WORKLOAD_UNBOUND;
    return VIA_OK;
}

static inline enum via_status
m_manifest(const struct model *m, const struct m_token *t, const struct m_ask *ask, int64_t now_ms)
{
    const struct m_release *release =
        &m->releases[m->deploys[m->instances[t->instance].deploy].release];
    int name = ask->name == NONE ? t->name : ask->name;
    int64_t number = ask->generation ? ask->generation : t->generation;
    const struct m_generation *g;

    if ((t->name != NONE && name != t->name) || name >= NAMES ||
        release->entries[name].addon == NONE)
        return VIA_BINDING_NOT_IN_RELEASE;
    if (t->name != NONE && number != t->generation)
        return VIA_GENERATION_UNKNOWN;
    g = m_generation_find(m, release->app, name, &release->entries[name], number);
    if (!g)
        return number ? VIA_GENERATION_UNKNOWN : VIA_GENERATION_REVOKED;
    return m_generation_holds(g, now_ms) ? VIA_OK : VIA_GENERATION_REVOKED;
}

static inline enum via_status
m_addon(const struct m_addon *addon)
{
    if (addon->destroyed || addon->suspended)
        return VIA_ADDON_UNAVAILABLE;
    return addon->draining ? VIA_ADDON_DRAINING : VIA_OK;
}

/* The credential of one name, or of each: of all that the release lists, the first refusal counts.
 * A name that it does not list is answered as missing. */
static inline enum via_status
m_resolve(const struct model *m, const struct m_token *t, const struct m_ask *ask, int64_t now_ms)
{
    const struct m_release *release =
        &m->releases[m->deploys[m->instances[t->instance].deploy].release];
    enum via_status status = VIA_OK;

    for (int name = 0; name < NAMES && status == VIA_OK; name++) {
        struct m_ask one = {.name = name};
        int addon = release->entries[name].addon;

        if (addon == NONE || (ask->name != NONE && ask->name != name))
            continue;
        status = m_manifest(m, t, &one, now_ms);
        if (status == VIA_OK)
            status = m_addon(&m->addons[addon]);
    }
    return status;
}

/* What Via has to answer at `now_ms`. */
static inline enum via_status
model_decide(const struct model *m, const struct m_ask *ask, int64_t now_ms)
{
    const struct m_token *t = &m->tokens[ask->token];
    const struct m_instance *in = &m->instances[t->instance];
    const struct m_entry *entry;
    const struct m_addon *addon;
    enum via_status status;

    if (now_ms >= t->expires_ms)
        return VIA_RUNTIME_IDENTITY_EXPIRED;
    if (t->name == NONE ? ask->door == BY_FILE : ask->door == BY_RESOLVE)
        return VIA_TOKEN_INVALID;
    status = m_workload(m, in, now_ms);
    if (status == VIA_OK && ask->door == BY_RESOLVE)
        return m_resolve(m, t, ask, now_ms);
    if (status == VIA_OK)
        status = m_manifest(m, t, ask, now_ms);
    if (status != VIA_OK)
        return status;
    entry = &m->releases[m->deploys[in->deploy].release]
                 .entries[ask->name == NONE ? t->name : ask->name];
    addon = &m->addons[entry->addon];
    status = m_addon(addon);
    if (status != VIA_OK)
        return status;
    if (addon->block_reads) /* whoever writes reads */
        return VIA_ADDON_BLOCKED;
    if (ask->writes && entry->mode == VIA_MODE_RO)
        return VIA_READ_ONLY_BINDING;
    if (ask->writes && addon->block_writes)
        return VIA_ADDON_BLOCKED;
    return VIA_OK;
}

/* -- changes -------------------------------------------------------------------- */

static inline void
model_begin(struct model *m)
{
    memset(m, 0, sizeof *m);
    for (int i = 0; i < ADDONS; i++)
        m->addons[i].app = i % APPS;
    for (int a = 0; a < APPS; a++)
        for (int n = 0; n < NAMES; n++)
            for (int t = 0; t < TARGETS; t++)
                m->bindings[a][n][t].addon = NONE;
}

static inline void
model_generation_add(struct model *m, int app, int name, int target, int addon)
{
    struct m_generation *g = &m->generations[m->generation_count];
    int64_t number = 0;

    for (int i = 0; i < m->generation_count; i++) {
        const struct m_generation *old = &m->generations[i];

        if (old->app == app && old->name == name && old->target == target && old->number > number)
            number = old->number;
    }
    *g = (struct m_generation){app, name, target, addon, number + 1, true, false, 0};
    m->generation_count++;
}

static inline void
model_rotate(struct model *m, int app, int name, int target, int64_t ends_ms)
{
    int addon = m->bindings[app][name][target].addon;

    for (int i = 0; i < m->generation_count; i++) {
        struct m_generation *g = &m->generations[i];

        if (g->app == app && g->name == name && g->target == target && g->addon == addon &&
            g->active && !g->revoked) {
            g->active = false;
            g->ends_ms = ends_ms;
        }
    }
    model_generation_add(m, app, name, target, addon);
}

/* A release of what is bound now: for each name the target's own binding, else that of ''. */
static inline void
model_release(struct model *m, int app, int target)
{
    struct m_release *r = &m->releases[m->release_count++];

    *r = (struct m_release){.app = app, .target = target};
    for (int n = 0; n < NAMES; n++) {
        int from = m->bindings[app][n][target].addon != NONE ? target : 0;

        r->entries[n] =
            (struct m_entry){m->bindings[app][n][from].addon, from, m->bindings[app][n][from].mode};
    }
}

/* The first instance of a deploy ends the time of the others of its app and target: of those that
 * ran, and of those older ones that never did. */
static inline void
model_start(struct model *m, int deploy)
{
    const struct m_release *mine = &m->releases[m->deploys[deploy].release];

    for (int i = 0; i < m->deploy_count; i++) {
        struct m_deploy *d = &m->deploys[i];
        const struct m_release *its = &m->releases[d->release];

        if (i != deploy && its->app == mine->app && its->target == mine->target &&
            (d->started || i < deploy))
            d->superseded = true;
    }
    m->deploys[deploy].started = true;
}

#endif
