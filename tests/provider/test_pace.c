/* The focus of this file is a copy beside writers: it slows down when somebody commits, not below a
 * certain speed, and goes on at full speed when nobody does any more; no error of the disk is lost.
 */
#include "provider/sqlite/pace.h"

#include "check.h"
#include "scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static char log_path[512];

static void
log_change(void)
{
    int fd = open(log_path, O_WRONLY | O_CREAT | O_APPEND, 0600);

    CHECK(fd >= 0 && write(fd, "frame", 5) == 5, "somebody commits");
    close(fd);
}

static void
nap_ms(long ms)
{
    (void)nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

/* Write a chunk where `*at` stands. Returns what the step says. */
static int
step(struct via_pace *p, int64_t *at)
{
    static const char bytes[1 << 20];
    int64_t n = p->chunk_bytes;
    int err = pwrite(p->to, bytes, (size_t)n, *at) == n ? via_pace_step(p, *at, n) : EIO;

    *at += n;
    return err;
}

static void
test_speed(void)
{
    struct via_pace p;
    char path[600];
    int64_t at = 0, whole, least;
    int fd;

    (void)snprintf(path, sizeof path, "%s.copy", log_path);
    fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    log_change();
    via_pace_begin(&p, log_path, fd);
    whole = p.chunk_bytes;
    for (int i = 0; i < 20; i++)
        CHECK(step(&p, &at) == 0 && !p.is_slow && p.chunk_bytes == whole, "nobody writes");
    log_change();
    CHECK(step(&p, &at) == 0 && p.is_slow && p.chunk_bytes < whole, "somebody does: less at once");
    least = p.chunk_bytes;
    nap_ms(100); /* as on a busy machine */
    log_change();
    CHECK(step(&p, &at) == 0 && p.is_slow && p.chunk_bytes > least, "it is late: more at once");
    for (int i = 0; i < 30 && p.chunk_bytes < whole; i++) {
        nap_ms(30);
        log_change();
        CHECK(step(&p, &at) == 0, "later and later");
    }
    CHECK(p.chunk_bytes == whole && p.is_slow, "as much as before, while somebody writes");
    nap_ms(1100);
    CHECK(step(&p, &at) == 0 && !p.is_slow && p.chunk_bytes == whole, "nobody writes any more");
    CHECK(via_pace_end(&p) == 0, "all of it can be written");
    close(fd);
}

static void
test_unknown_log(void)
{
    struct via_pace_seen seen = {0};
    struct via_pace p;
    int64_t at = 0;
    int fd = open("/dev/full", O_WRONLY);

    CHECK(!via_pace_sees(NULL, &seen) && !via_pace_sees("/nowhere/log", &seen),
          "a log that is not there does not change");
    CHECK(!via_pace_sees(log_path, &seen) && !via_pace_sees(log_path, &seen),
          "nor does one that is first seen");
    via_pace_begin(&p, NULL, fd);
    CHECK(via_pace_step(&p, at, p.chunk_bytes) != 0, "what cannot be synced is told");
    close(fd);
}

int
main(void)
{
    (void)snprintf(log_path, sizeof log_path, "%s/log", scratch_folder());
    test_speed();
    test_unknown_log();
    return check_end();
}
