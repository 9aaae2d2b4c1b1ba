/* growth.h: how much of a file is there, told by who writes it to those who read behind. */
#ifndef VIA_PROVIDER_SQLITE_GROWTH_H
#define VIA_PROVIDER_SQLITE_GROWTH_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct via_growth {
    _Atomic int64_t there_bytes; /* from the start of the file; -1: it has been given up */
    pthread_mutex_t lock;        /* of is_over, and of waiting */
    pthread_cond_t news;
    bool is_over; /* there will be no more */
};

/* Nothing is there. Released with via_growth_close(), when nobody waits any more. */
void via_growth_open(struct via_growth *g);

/* The first `bytes` of the file can be read. */
void via_growth_tell(struct via_growth *g, int64_t bytes);

/* There will be no more than has been told of. */
void via_growth_end(struct via_growth *g);

/* There is nothing worth reading: who reads is to stop. */
void via_growth_give_up(struct via_growth *g);

/* Wait until `bytes` (at least 1) are there, or no more will be. Returns how many are there, -1
 * when it has been given up. */
int64_t via_growth_wait(struct via_growth *g, int64_t bytes);

void via_growth_close(struct via_growth *g);

#endif
