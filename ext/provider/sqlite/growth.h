/* growth.h: how much of a file is there, told by who writes it to those who read behind. */
#ifndef VIA_PROVIDER_SQLITE_GROWTH_H
#define VIA_PROVIDER_SQLITE_GROWTH_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct via_growth {
    _Atomic int64_t there_bytes; /* from the start of the file; -1: it has been given up */
    _Atomic bool gives_way;      /* who reads behind is to leave the processor to others */
    _Atomic bool is_over;        /* there will be no more */
    pthread_mutex_t lock;        /* of those who wait */
    pthread_cond_t news;
};

/* Nothing is there. Released with via_growth_deinit(), when nobody waits any more. */
void via_growth_init(struct via_growth *g);

/* The first `bytes` of the file can be read. */
void via_growth_tell(struct via_growth *g, int64_t bytes);

/* There will be no more than has been told of. */
void via_growth_end(struct via_growth *g);

/* There is nothing worth reading: who reads is to stop. */
void via_growth_give_up(struct via_growth *g);

/* Wait until `bytes` (at least 1) are there, or no more will be. Returns how many are there, -1
 * when it has been given up. */
int64_t via_growth_wait(struct via_growth *g, int64_t bytes);

/* From now on those who read behind, in threads of their own, run after everybody else. */
void via_growth_give_way(struct via_growth *g);

/* Called often by who reads behind: do so, once, if the thread is one of its own (*may_give_way),
 * and run only when nobody else wants the processor. No thread does it to another: one that has
 * just ended would leave it to the caller. */
void via_growth_heed(const struct via_growth *g, bool *may_give_way);

void via_growth_deinit(struct via_growth *g);

#endif
