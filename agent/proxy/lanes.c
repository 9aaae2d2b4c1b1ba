/* lanes.c: see lanes.h. One lock for all queues: a worker holds it for a few moves of
 * pointers only. */
#include "proxy/lanes.h"

#include <pthread.h>
#include <stdlib.h>

#define SHARE_WRITE 6
#define SHARE_SLOW 4
#define SHARE_KEPT 2 /* workers that neither long writes nor slow reads can take */

_Static_assert(SHARE_WRITE + SHARE_SLOW <= VIA_WORKERS - SHARE_KEPT,
               "long tasks of both classes leave workers for the quick ones");

/* How many workers a class may hold at once; the rest stay for the others. */
static const int class_share[VIA_LANE_CLASSES] = {
    [VIA_LANE_QUICK] = VIA_WORKERS,
    [VIA_LANE_WRITE] = SHARE_WRITE,
    [VIA_LANE_SLOW] = SHARE_SLOW,
};

struct ready_queue {
    struct via_lane *head, *tail;
    int running;
};

struct worker {
    struct via_lanes *lanes;
    pthread_t thread;
    int number;
};

struct via_lanes {
    pthread_mutex_t lock;
    pthread_cond_t work;
    struct ready_queue classes[VIA_LANE_CLASSES];
    unsigned turn; /* the class to look at first */
    bool stopping;
    int count;
    struct worker workers[VIA_WORKERS];
};

void
via_lane_init(struct via_lane *lane, enum via_lane_class class, int limit)
{
    *lane = (struct via_lane){.class = class, .limit = limit};
}

/* Put `lane` among the ready ones if it has a task that may run. */
static void
lane_offer(struct via_lanes *l, struct via_lane *lane)
{
    struct ready_queue *q = &l->classes[lane->class];

    if (lane->ready || !lane->head || lane->running >= lane->limit)
        return;
    lane->ready = true;
    lane->next = NULL;
    if (q->tail)
        q->tail->next = lane;
    else
        q->head = lane;
    q->tail = lane;
    pthread_cond_signal(&l->work);
}

/* The next lane that may run, taken out of its queue, or NULL. */
static struct via_lane *
lanes_next(struct via_lanes *l)
{
    for (unsigned i = 0; i < VIA_LANE_CLASSES; i++) {
        unsigned class = (l->turn + i) % VIA_LANE_CLASSES;
        struct ready_queue *q = &l->classes[class];
        struct via_lane *lane = q->head;

        if (!lane || q->running >= class_share[class])
            continue;
        q->head = lane->next;
        if (!q->head)
            q->tail = NULL;
        lane->ready = false;
        l->turn = class + 1;
        return lane;
    }
    return NULL;
}

/* Run one task of `lane`. The lock is held on entry and on return. The lane may be freed by its
 * owner once idle, so it is not touched after its last task is counted out. */
static void
lane_run(struct via_lanes *l, struct via_lane *lane, int worker)
{
    struct via_task *task = lane->head;
    struct ready_queue *q = &l->classes[lane->class];

    lane->head = task->next;
    if (!lane->head)
        lane->tail = NULL;
    lane->running++;
    q->running++;
    lane_offer(l, lane);
    pthread_mutex_unlock(&l->lock);
    task->run(task, worker);
    pthread_mutex_lock(&l->lock);
    q->running--;
    lane->running--;
    lane_offer(l, lane);
    if (q->head) /* a share was freed */
        pthread_cond_signal(&l->work);
}

static void *
worker_main(void *arg)
{
    struct worker *w = arg;
    struct via_lanes *l = w->lanes;

    pthread_mutex_lock(&l->lock);
    for (;;) {
        struct via_lane *lane = lanes_next(l);

        if (lane)
            lane_run(l, lane, w->number);
        else if (l->stopping)
            break;
        else
            pthread_cond_wait(&l->work, &l->lock);
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

struct via_lanes *
via_lanes_new(void)
{
    struct via_lanes *l = calloc(1, sizeof *l);

    if (!l)
        return NULL;
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->work, NULL);
    for (int i = 0; i < VIA_WORKERS; i++) {
        l->workers[i] = (struct worker){.lanes = l, .number = i};
        if (pthread_create(&l->workers[i].thread, NULL, worker_main, &l->workers[i]) != 0) {
            via_lanes_free(l);
            return NULL;
        }
        l->count++;
    }
    return l;
}

void
via_lanes_free(struct via_lanes *l)
{
    if (!l)
        return;
    pthread_mutex_lock(&l->lock);
    l->stopping = true;
    pthread_cond_broadcast(&l->work);
    pthread_mutex_unlock(&l->lock);
    for (int i = 0; i < l->count; i++)
        pthread_join(l->workers[i].thread, NULL);
    pthread_mutex_destroy(&l->lock);
    pthread_cond_destroy(&l->work);
    free(l);
}

void
via_lanes_submit(struct via_lanes *l, struct via_lane *lane, struct via_task *task)
{
    pthread_mutex_lock(&l->lock);
    task->next = NULL;
    if (lane->tail)
        lane->tail->next = task;
    else
        lane->head = task;
    lane->tail = task;
    lane_offer(l, lane);
    pthread_mutex_unlock(&l->lock);
}

bool
via_lane_is_idle(struct via_lanes *l, const struct via_lane *lane)
{
    bool idle;

    pthread_mutex_lock(&l->lock);
    idle = !lane->head && lane->running == 0;
    pthread_mutex_unlock(&l->lock);
    return idle;
}
