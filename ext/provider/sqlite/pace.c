#include "provider/sqlite/pace.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define PACE_CHUNK ((int64_t)1 << 20)
#define PACE_CHUNK_SLOW ((int64_t)1 << 15)
#define PACE_AHEAD ((int64_t)1 << 23)      /* of the disk, twice at most */
#define PACE_FLOOR_PER_MS ((int64_t)24000) /* bytes: 24 MB a second */
#define PACE_QUIET_MS 1000                 /* without a change: nobody writes any more */
#define PACE_NAP_NS 100000
#define PACE_NAPS 20
#define PACE_NICE 19

bool
via_pace_sees(const char *path, struct via_pace_seen *seen)
{
    struct via_pace_seen before = *seen;
    struct stat st;

    if (!path || stat(path, &st) < 0)
        return false;
    *seen = (struct via_pace_seen){true, st.st_mtim, st.st_size};
    return before.is_known &&
           (before.time.tv_sec != st.st_mtim.tv_sec || before.time.tv_nsec != st.st_mtim.tv_nsec ||
            before.size_bytes != st.st_size);
}

static bool
pace_look(struct via_pace *p)
{
    if (!via_pace_sees(p->log, &p->seen))
        return false;
    p->seen_ms = via_clock_mono_ms();
    return true;
}

void
via_pace_begin(struct via_pace *p, const char *log, int to)
{
    *p = (struct via_pace){.log = log, .to = to, .chunk_bytes = PACE_CHUNK};
    (void)pace_look(p);
}

static void
pace_slow_down(struct via_pace *p, int64_t at)
{
    p->is_slow = true;
    p->slow_ms = via_clock_mono_ms();
    p->slow_at = at;
    p->chunk_bytes = PACE_CHUNK_SLOW;
    (void)setpriority(PRIO_PROCESS, 0, PACE_NICE); /* to stay so: who wrote may write again */
}

/* Let somebody else's commit by, which syncs what has been written with its own. False when none
 * comes soon. */
static bool
pace_let_by(struct via_pace *p)
{
    for (int i = 0; i < PACE_NAPS; i++) {
        if (pace_look(p))
            return true;
        (void)nanosleep(&(struct timespec){.tv_nsec = PACE_NAP_NS}, NULL);
    }
    return false;
}

/* How much next? `at` bytes are there. */
static void
pace_adjust(struct via_pace *p, int64_t at)
{
    int64_t now_ms = via_clock_mono_ms();
    bool is_late = at - p->slow_at < (now_ms - p->slow_ms) * PACE_FLOOR_PER_MS;

    if (now_ms - p->seen_ms >= PACE_QUIET_MS) {
        p->is_slow = false;
        p->chunk_bytes = PACE_CHUNK;
    } else if (is_late && p->chunk_bytes < PACE_CHUNK) {
        p->chunk_bytes *= 2;
    } else if (!is_late && p->chunk_bytes > PACE_CHUNK_SLOW) {
        p->chunk_bytes /= 2;
    }
}

/* As long as there is time, between two commits of others. */
static int
pace_step_slow(struct via_pace *p, int64_t at, int64_t n)
{
    bool is_let_by = false;

    if (p->chunk_bytes == PACE_CHUNK_SLOW) {
        if (sync_file_range(p->to, at, n, SYNC_FILE_RANGE_WAIT_BEFORE) < 0 && errno != ENOSYS)
            return errno;
        is_let_by = pace_let_by(p);
    }
    if (!is_let_by && (via_io_sync_begin(&p->sync, p->to) < 0 || via_io_sync_end(&p->sync) < 0))
        return errno;
    pace_adjust(p, at + n);
    return 0;
}

int
via_pace_step(struct via_pace *p, int64_t at, int64_t n)
{
    if (pace_look(p) && !p->is_slow)
        pace_slow_down(p, at + n);
    if (sync_file_range(p->to, at, n, SYNC_FILE_RANGE_WRITE) < 0 && errno != ENOSYS)
        return errno;
    if (p->is_slow)
        return pace_step_slow(p, at, n);
    if (at / PACE_AHEAD != (at + n) / PACE_AHEAD && via_io_sync_begin(&p->sync, p->to) < 0)
        return errno;
    return 0;
}

int
via_pace_end(struct via_pace *p)
{
    return via_io_sync_end(&p->sync) < 0 ? errno : 0;
}
