#include "rules/schedule.h"

#define RETRY_FIRST_S 5
#define RETRY_LAST_S 3600
#define PENDING_MS 1000
#define LATE_S 60

/* 5, 10, 20 … seconds, an hour at most. */
static int64_t
retry_s(int failures)
{
    int64_t s = RETRY_FIRST_S;

    for (int i = 1; i < failures && s < RETRY_LAST_S; i++)
        s *= 2;
    return s < RETRY_LAST_S ? s : RETRY_LAST_S;
}

int64_t
via_schedule_due_ms(const struct via_schedule *plan, const struct via_schedule_past *past,
                    int64_t now_ms)
{
    if (plan->every_s <= 0)
        return INT64_MAX;
    if (past->pending)
        return now_ms + PENDING_MS;
    /* A clock that was wrong once must not keep it from running until then. */
    if (past->begun_ms == 0 || past->begun_ms > now_ms)
        return now_ms;
    return past->begun_ms + 1000 * (past->failures ? retry_s(past->failures) : plan->every_s);
}

int64_t
via_schedule_fresh_s(const struct via_schedule *plan)
{
    if (plan->max_age_s > 0)
        return plan->max_age_s;
    return plan->every_s > 0 ? 2 * plan->every_s + LATE_S : 0;
}

bool
via_schedule_drops(const struct via_schedule *plan, int64_t newer_own, int64_t newer_ready,
                   int64_t age_s)
{
    if (newer_ready == 0)
        return false;
    return (plan->keep > 0 && newer_own >= plan->keep) ||
           (plan->max_age_s > 0 && age_s > plan->max_age_s);
}
