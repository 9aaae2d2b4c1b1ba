/* task.h: work that a thread of its own does, where one can be had. */
#ifndef VIA_PROVIDER_SQLITE_TASK_H
#define VIA_PROVIDER_SQLITE_TASK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct via_task {
    void (*run)(void *arg, bool is_aside); /* aside: in a thread of its own */
    void *arg;
    bool has_thread;
    pthread_t thread;
    pthread_mutex_t lock; /* of is_over */
    pthread_cond_t news;
    bool is_over;
};

/* Begin it. Cannot fail: without a thread it is run in via_task_end(). */
void via_task_begin(struct via_task *t, void (*run)(void *arg, bool is_aside), void *arg);

/* Wait up to `ms` for its end. True when it has come, or when nothing goes on before
 * via_task_end(). */
bool via_task_wait(struct via_task *t, int64_t ms);

/* Wait for its end; then `t` is done with. */
void via_task_end(struct via_task *t);

#endif
