/* The focus of this file is the order and the fairness of the workers' queues. */
#include "check.h"
#include "proxy/lanes.h"

#include <stdatomic.h>
#include <time.h>

#define MANY 200

struct job {
    struct via_task task;
    int number;
    int ms;
};

static _Atomic int running, most, finished, out_of_order;
static int last_number;
static _Atomic bool quick_done;

static void
nap(int ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};

    nanosleep(&t, NULL);
}

static void
run_counted(struct via_task *task, int worker)
{
    struct job *job = (struct job *)(void *)task;
    int now = atomic_fetch_add(&running, 1) + 1;

    (void)worker;
    if (now > atomic_load(&most))
        atomic_store(&most, now);
    if (job->number != last_number + 1)
        atomic_fetch_add(&out_of_order, 1);
    last_number = job->number;
    nap(job->ms);
    atomic_fetch_sub(&running, 1);
    atomic_fetch_add(&finished, 1);
}

static void
run_nap(struct via_task *task, int worker)
{
    (void)worker;
    nap(((struct job *)(void *)task)->ms);
    atomic_fetch_add(&finished, 1);
}

static void
run_quick(struct via_task *task, int worker)
{
    (void)task;
    (void)worker;
    atomic_store(&quick_done, true);
}

static bool
wait_for(int count, int ms)
{
    for (; ms > 0 && atomic_load(&finished) < count; ms -= 5)
        nap(5);
    return atomic_load(&finished) >= count;
}

static void
check_order(struct via_lanes *lanes)
{
    static struct job jobs[MANY];
    static struct via_lane lane;

    via_lane_init(&lane, VIA_LANE_WRITE, 1);
    CHECK(via_lane_is_idle(lanes, &lane), "a lane begins idle");
    for (int i = 0; i < MANY; i++) {
        jobs[i] = (struct job){.task.run = run_counted, .number = i + 1};
        via_lanes_submit(lanes, &lane, &jobs[i].task);
    }
    CHECK(wait_for(MANY, 10000), "every task runs");
    CHECK(atomic_load(&most) == 1, "a lane of one runs one at a time");
    CHECK(atomic_load(&out_of_order) == 0, "and in the order they came");
    nap(20);
    CHECK(via_lane_is_idle(lanes, &lane), "then it is idle again");
}

/* Slow reads of many add-ons take their share of the workers and no more. */
static void
check_share(struct via_lanes *lanes)
{
    static struct job slow[40], quick;
    static struct via_lane lanes_slow[40], lane_quick;

    atomic_store(&finished, 0);
    for (int i = 0; i < 40; i++) {
        via_lane_init(&lanes_slow[i], VIA_LANE_SLOW, 3);
        slow[i] = (struct job){.task.run = run_nap, .ms = 100};
        via_lanes_submit(lanes, &lanes_slow[i], &slow[i].task);
    }
    via_lane_init(&lane_quick, VIA_LANE_QUICK, VIA_WORKERS);
    quick = (struct job){.task.run = run_quick};
    via_lanes_submit(lanes, &lane_quick, &quick.task);
    nap(50);
    CHECK(atomic_load(&quick_done), "a quick task does not wait for slow ones");
    CHECK(atomic_load(&finished) < 40, "which were still running then");
    CHECK(wait_for(40, 10000), "and end in their turn");
}

/* Long writes and slow reads together leave workers for the rest. */
static void
check_both_full(struct via_lanes *lanes)
{
    static struct job longs[40], quick;
    static struct via_lane lanes_long[40], lane_quick;

    atomic_store(&finished, 0);
    atomic_store(&quick_done, false);
    for (int i = 0; i < 40; i++) {
        via_lane_init(&lanes_long[i], i % 2 ? VIA_LANE_SLOW : VIA_LANE_WRITE, 1);
        longs[i] = (struct job){.task.run = run_nap, .ms = 300};
        via_lanes_submit(lanes, &lanes_long[i], &longs[i].task);
    }
    nap(20);
    via_lane_init(&lane_quick, VIA_LANE_QUICK, VIA_WORKERS);
    quick = (struct job){.task.run = run_quick};
    via_lanes_submit(lanes, &lane_quick, &quick.task);
    nap(100);
    CHECK(atomic_load(&quick_done), "a quick task waits for neither long writes nor slow reads");
    CHECK(atomic_load(&finished) == 0, "which were all still running then");
    CHECK(wait_for(40, 10000), "and end in their turn");
}

/* One busy lane does not keep another waiting behind its whole queue. */
static void
check_turns(struct via_lanes *lanes)
{
    static struct job busy[30], other;
    static struct via_lane lane_busy, lane_other;

    atomic_store(&finished, 0);
    via_lane_init(&lane_busy, VIA_LANE_WRITE, 1);
    via_lane_init(&lane_other, VIA_LANE_WRITE, 1);
    for (int i = 0; i < 30; i++) {
        busy[i] = (struct job){.task.run = run_nap, .ms = 20};
        via_lanes_submit(lanes, &lane_busy, &busy[i].task);
    }
    atomic_store(&quick_done, false);
    other = (struct job){.task.run = run_quick};
    via_lanes_submit(lanes, &lane_other, &other.task);
    nap(100);
    CHECK(atomic_load(&quick_done) && atomic_load(&finished) < 30, "lanes take turns");
    CHECK(wait_for(30, 10000), "and nothing is forgotten");
}

int
main(void)
{
    struct via_lanes *lanes = via_lanes_new();

    if (!CHECK(lanes != NULL, "the workers start"))
        return check_end();
    check_order(lanes);
    check_share(lanes);
    check_both_full(lanes);
    check_turns(lanes);
    via_lanes_free(lanes);
    return check_end();
}
