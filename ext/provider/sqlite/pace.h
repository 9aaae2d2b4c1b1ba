/* pace.h: how a process copies a database while others write it.
 *
 * Whoever commits waits for the disk, and so for all that the disk was given before: it is never
 * given much at once, and less while others commit. But the log cannot be folded in before the copy
 * is there, so it is never slower than a certain speed either. */
#ifndef VIA_PROVIDER_SQLITE_PACE_H
#define VIA_PROVIDER_SQLITE_PACE_H

#include "base/io.h"

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* What was seen of a log. Zero: nothing yet. */
struct via_pace_seen {
    bool is_known;
    struct timespec time; /* of its last change */
    int64_t size_bytes;
};

/* Has the log `path` (NULL: never) changed since the last look, if there was one? */
bool via_pace_sees(const char *path, struct via_pace_seen *seen);

struct via_pace {
    const char *log; /* path, or NULL */
    int to;          /* descriptor of the copy */
    struct via_pace_seen seen;
    int64_t seen_ms; /* when it changed */
    bool is_slow;
    int64_t slow_ms; /* since when, and from which byte on */
    int64_t slow_at;
    int64_t chunk_bytes;
    struct via_io_sync sync;
};

/* Both are borrowed. */
void via_pace_begin(struct via_pace *p, const char *log, int to);

/* `n` bytes have been written at `at`, about p->chunk_bytes: let the disk have them. 0 or errno, of
 * these or earlier ones: an error is told once, to the first who asks. */
int via_pace_step(struct via_pace *p, int64_t at, int64_t n);

/* Wait for what the disk was given. 0 or errno. Not all of it may be synced. */
int via_pace_end(struct via_pace *p);

#endif
