/* agent.h: what one agent consists of, handed to every route. */
#ifndef VIA_API_AGENT_H
#define VIA_API_AGENT_H

#include "base/epoch.h"
#include "control/access.h"
#include "control/witness.h"
#include "http/listen.h"
#include "proxy/pool.h"
#include "proxy/streams.h"
#include "proxy/tokens.h"

#include <pthread.h>
#include <stdatomic.h>

struct via_kept;
struct via_profiles;

struct via_agent {
    struct via_root root;
    struct via_epoch *_Atomic epoch;         /* replaced when its file is */
    const struct via_bounds *_Atomic bounds; /* replaced when a setting changes */
    _Atomic uint64_t bounds_epoch;           /* they are of; a setting that changes moves it */
    struct via_access *bounds_access;        /* under bounds_mutex, as what follows */
    pthread_mutex_t bounds_mutex;
    struct via_kept *kept; /* every epoch and bounds there were: threads may look */
    struct via_witness *witness;
    struct via_tokens *tokens;
    struct via_profiles *profiles;
    struct via_lanes *lanes;
    struct via_pool *pool;
    struct via_streams streams;
    struct via_lane door;                   /* requests that the gates have to look at */
    struct via_access *access[VIA_WORKERS]; /* each of its worker alone, made on first use */
    const struct via_epoch *access_epoch[VIA_WORKERS];
    struct via_access *tick_access; /* of the tick, as the next */
    uint64_t drain_epoch;           /* when it last found nothing to interrupt */
    struct via_keyring *keys;       /* for their public halves, under keys_mutex */
    pthread_mutex_t keys_mutex;
    char listen[VIA_LISTEN_SIZE];
    _Atomic bool draining;
};

/* Mend what a dead process left. Before the process is confined: an archive that was under way may
 * be anywhere. */
VIA_MUST_USE enum via_status via_agent_mend(struct via_error *e);

/* Open everything below the listeners. */
VIA_MUST_USE enum via_status via_agent_open(struct via_agent *a, struct via_error *e);

/* Close it; every request is answered by then. Fine after a failed open. */
void via_agent_close(struct via_agent *a);

/* The settings in force now. Borrowed for the life of the agent. Two loads, mostly. */
const struct via_bounds *via_agent_bounds(struct via_agent *a);

/* The gates, for worker `worker` alone. NULL: *e says why. */
struct via_access *via_agent_access(struct via_agent *a, int worker, struct via_error *e);

/* What is due each second; `second` counts them. */
void via_agent_tick(struct via_agent *a, int64_t second);

#endif
