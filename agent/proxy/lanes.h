/* lanes.h: a few worker threads, and the queues before them.
 *
 * A lane is a FIFO of which a limited number of tasks run at once: one for the writes of an
 * add-on, a few for its slow reads. Lanes with work take turns, so that one busy add-on
 * does not occupy the workers; each class of lanes may hold only its share of them. */
#ifndef VIA_PROXY_LANES_H
#define VIA_PROXY_LANES_H

#include <stdbool.h>

enum via_lane_class {
    VIA_LANE_QUICK, /* gates, openings, pieces of a stream: milliseconds */
    VIA_LANE_WRITE,
    VIA_LANE_SLOW, /* reads that outlasted the fast path */
    VIA_LANE_CLASSES
};

struct via_task {
    struct via_task *next;
    void (*run)(struct via_task *task, int worker); /* `worker` counts from 0 */
};

struct via_lane {
    enum via_lane_class class;
    int limit; /* tasks that may run at once */
    int running;
    bool ready; /* in its class's queue */
    struct via_task *head, *tail;
    struct via_lane *next;
};

#define VIA_WORKERS 12

struct via_lanes;

/* Start the workers. NULL: it cannot be done. */
struct via_lanes *via_lanes_new(void);

/* Run what is queued, then stop the workers and free. */
void via_lanes_free(struct via_lanes *l);

void via_lane_init(struct via_lane *lane, enum via_lane_class class, int limit);

/* Queue `task` on `lane`. Both must live until it has run. */
void via_lanes_submit(struct via_lanes *l, struct via_lane *lane, struct via_task *task);

/* Is nothing queued or running on `lane`? */
bool via_lane_is_idle(struct via_lanes *l, const struct via_lane *lane);

#endif
