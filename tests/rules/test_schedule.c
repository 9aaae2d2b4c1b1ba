/* The focus of this file is when a scheduled snapshot is due, and which of them may go. */
#include "check.h"
#include "rules/schedule.h"

#define NOW_MS INT64_C(1800000000000)
#define S 1000

static int64_t
due(int64_t every_s, int64_t begun_ms, int failures)
{
    struct via_schedule plan = {.every_s = every_s};
    struct via_schedule_past past = {.begun_ms = begun_ms, .failures = failures};

    return (via_schedule_due_ms(&plan, &past, NOW_MS) - NOW_MS) / S;
}

static void
test_due(void)
{
    struct via_schedule plan = {.every_s = 60};
    struct via_schedule_past pending = {.begun_ms = NOW_MS - 3600 * S, .pending = true};
    struct via_schedule none = {.keep = 3, .max_age_s = 10};
    struct via_schedule_past never = {0};

    CHECK(via_schedule_due_ms(&none, &never, NOW_MS) == INT64_MAX, "without an interval never");
    CHECK(due(60, 0, 0) == 0, "the first is due at once");
    CHECK(due(60, NOW_MS - 10 * S, 0) == 50, "the next an interval after the last began");
    CHECK(due(60, NOW_MS - 601 * S, 0) == -541, "ten missed ones are due as one");
    CHECK(due(60, NOW_MS + 86400 * S, 0) == 0, "a last one from the future counts for nothing");
    CHECK(via_schedule_due_ms(&plan, &pending, NOW_MS) > NOW_MS, "not while one is being taken");
}

static void
test_failures(void)
{
    int64_t before = 0;
    bool grows = true;

    CHECK(due(86400, NOW_MS, 1) == 5, "after a failure soon");
    CHECK(due(1, NOW_MS, 1) == 5, "but later than one that is taken each second");
    for (int failures = 1; failures <= 100; failures++) {
        grows = grows && due(60, NOW_MS, failures) >= before;
        before = due(60, NOW_MS, failures);
    }
    CHECK(grows && before == 3600, "then ever less often, at last once an hour");
}

static void
test_drops(void)
{
    struct via_schedule keep = {.every_s = 60, .keep = 3};
    struct via_schedule age = {.every_s = 60, .max_age_s = 100};
    struct via_schedule neither = {.every_s = 60};

    CHECK(!via_schedule_drops(&keep, 2, 9, 1 << 30), "the third of three is kept, however old");
    CHECK(via_schedule_drops(&keep, 3, 3, 0), "the fourth may go");
    CHECK(!via_schedule_drops(&keep, 0, 9, 0), "those of others do not count against it");
    CHECK(!via_schedule_drops(&age, 9, 9, 100), "one that is just of age is kept");
    CHECK(via_schedule_drops(&age, 0, 1, 101), "an older one may go, when there is a newer");
    CHECK(!via_schedule_drops(&age, 0, 0, 1 << 30), "the newest never goes");
    CHECK(!via_schedule_drops(&neither, 99, 99, 1 << 30), "without a limit none goes");
}

static void
test_fresh(void)
{
    CHECK(via_schedule_fresh_s(&(struct via_schedule){.every_s = 60, .max_age_s = 7}) == 7,
          "the age that was asked for counts");
    CHECK(via_schedule_fresh_s(&(struct via_schedule){.every_s = 60}) == 180,
          "else two intervals and a minute");
    CHECK(via_schedule_fresh_s(&(struct via_schedule){.keep = 5}) == 0, "else nobody asked");
}

int
main(void)
{
    test_due();
    test_failures();
    test_drops();
    test_fresh();
    return check_end();
}
