/* The focus of this file is when a launcher renews its tokens: by its own clock, which goes on in
 * sleep, and at once when somebody sets the wall clock that tokens are dated by. */
#include "base/clock.h"
#include "check.h"
#include "cli/run/run.h"

int
main(void)
{
    int64_t lead_ms = via_clock_now_ms() - via_clock_mono_ms();
    struct run_instance in;

    run_instance_init(&in);
    in.clocks_ms = lead_ms;
    in.renew_at_ms = via_clock_mono_ms() + 600000;
    CHECK(!run_token_is_due(&in), "before half their life they are not due");
    in.clocks_ms = lead_ms + 500;
    CHECK(!run_token_is_due(&in), "nor while the clock is slewed");
    in.clocks_ms = lead_ms - 3600000;
    CHECK(run_token_is_due(&in), "set forward, the clock has made them expire");
    in.clocks_ms = lead_ms + 3600000;
    CHECK(run_token_is_due(&in), "set back, it has made them of the future");
    in.clocks_ms = lead_ms;
    in.renew_at_ms = via_clock_mono_ms() - 1;
    CHECK(run_token_is_due(&in), "half their life is over, asleep or awake");
    return check_end();
}
