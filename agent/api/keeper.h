/* keeper.h: the thread that takes snapshots by schedule, beside the agent's serving. */
#ifndef VIA_API_KEEPER_H
#define VIA_API_KEEPER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

struct via_keeper {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    _Atomic bool stop;
    bool runs;
};

/* Start it. False: there is no thread to be had. */
bool via_keeper_start(struct via_keeper *k);

/* Stop what it does and wait for its end. Fine when it was never started. */
void via_keeper_stop(struct via_keeper *k);

#endif
