/* streams.h: results that are on their way, so that none outstays its time.
 *
 * A client that reads slowly keeps a snapshot and a connection; nobody but the clock would take
 * them back. Thread-safe. */
#ifndef VIA_PROXY_STREAMS_H
#define VIA_PROXY_STREAMS_H

#include "proxy/run.h"

#include <pthread.h>

struct via_stream {
    struct via_run *run;
    struct via_stream *next, **at; /* `at` is NULL while it is in no list */
    bool idle;                     /* between two pieces: nobody steps it */
};

struct via_streams {
    pthread_mutex_t lock;
    struct via_stream *head;
};

void via_streams_init(struct via_streams *l);

/* `run`, which gave VIA_RUN_MORE, waits for its client. */
void via_streams_put(struct via_streams *l, struct via_stream *s, struct via_run *run);

/* The client is ready: may the next piece be made? Then the run is the caller's again, until
 * the next put. False: its time was over, and it was ended. */
bool via_streams_take(struct via_streams *l, struct via_stream *s);

/* Forget `s`. Fine for one that was never put. */
void via_streams_remove(struct via_streams *l, struct via_stream *s);

/* End the waiting runs whose deadline is over, and those that via_pool_drain() stops; of the latter
 * `tell` (may be NULL) is told. Says how many. */
int via_streams_tick(struct via_streams *l, struct via_pool *pool, int64_t now_ms,
                     void (*tell)(void *arg, const struct via_grant *grant), void *arg);

#endif
