#include "cli/progress.h"

#include "base/clock.h"

#include <stdio.h>
#include <unistd.h>

#define DRAW_AFTER_MS 500
#define DRAW_EVERY_MS 200

static int64_t begun_ms; /* of the first word */
static int64_t drawn_ms; /* 0: nothing stands there */

static bool
progress_draw(void *arg, int percent)
{
    int64_t now_ms = via_clock_mono_ms();

    (void)arg;
    if (!begun_ms)
        begun_ms = now_ms;
    if (now_ms - begun_ms >= DRAW_AFTER_MS && now_ms - drawn_ms >= DRAW_EVERY_MS) {
        (void)fprintf(stderr, "\r%3d%% ", percent);
        drawn_ms = now_ms;
    }
    return true;
}

const struct via_progress *
cli_progress(void)
{
    static const struct via_progress drawn = {.tell = progress_draw};

    return isatty(STDERR_FILENO) ? &drawn : NULL;
}

void
cli_progress_end(void)
{
    if (drawn_ms)
        (void)fputs("\r     \r", stderr);
    drawn_ms = begun_ms = 0;
}
