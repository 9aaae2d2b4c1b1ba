#include "provider/sqlite/task.h"

#include "base/clock.h"

#include <signal.h>
#include <time.h>

static void *
task_main(void *arg)
{
    struct via_task *t = arg;

    t->run(t->arg, true);
    pthread_mutex_lock(&t->lock);
    t->is_over = true;
    pthread_cond_signal(&t->news);
    pthread_mutex_unlock(&t->lock);
    return NULL;
}

void
via_task_begin(struct via_task *t, void (*run)(void *arg, bool is_aside), void *arg)
{
    pthread_condattr_t clock;
    sigset_t all, before;

    *t = (struct via_task){.run = run, .arg = arg};
    pthread_mutex_init(&t->lock, NULL);
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&t->news, &clock);
    pthread_condattr_destroy(&clock);
    /* Signals are for the threads of the program that we are a guest in. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    t->has_thread = pthread_create(&t->thread, NULL, task_main, t) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

bool
via_task_wait(struct via_task *t, int64_t ms)
{
    int64_t until_ms = via_clock_mono_ms() + ms;
    struct timespec until = {until_ms / 1000, until_ms % 1000 * 1000000};
    bool is_over;

    if (!t->has_thread)
        return true;
    pthread_mutex_lock(&t->lock);
    while (!t->is_over && pthread_cond_timedwait(&t->news, &t->lock, &until) == 0)
        continue;
    is_over = t->is_over;
    pthread_mutex_unlock(&t->lock);
    return is_over;
}

void
via_task_end(struct via_task *t)
{
    if (t->has_thread)
        (void)pthread_join(t->thread, NULL);
    else
        t->run(t->arg, false);
    pthread_cond_destroy(&t->news);
    pthread_mutex_destroy(&t->lock);
}
