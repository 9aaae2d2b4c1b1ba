#include "provider/sqlite/follow.h"

#include "base/error.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define FOLLOW_CHUNK ((size_t)1 << 18) /* stays in the processor's cache */

/* Wait for more; how many bytes there are to read at `at`, 0 at the end. */
static int64_t
follow_more(struct via_follow *f, int64_t at)
{
    int64_t there;

    atomic_store(&f->read_bytes, at);
    via_growth_heed(f->growth, &f->may_give_way);
    there = via_growth_wait(f->growth, at + 1);
    return there > at ? there - at : 0;
}

/* Read what there is. Returns 0 or errno. */
static int
follow_read(struct via_follow *f, struct via_digest *d, char *chunk)
{
    int64_t at = 0, more;

    while ((more = follow_more(f, at)) > 0) {
        size_t n = more < (int64_t)FOLLOW_CHUNK ? (size_t)more : FOLLOW_CHUNK;
        ssize_t got = pread(f->fd, chunk, n, at);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? errno : EIO;
        via_digest_put(d, chunk, (size_t)got);
        at += got;
    }
    return 0;
}

static void
follow_run(void *arg, bool is_aside)
{
    struct via_follow *f = arg;
    struct via_digest d;
    char *chunk = malloc(FOLLOW_CHUNK);

    f->may_give_way = is_aside;
    via_digest_begin(&d);
    f->err = chunk ? follow_read(f, &d, chunk) : ENOMEM;
    via_digest_end(&d, f->digest);
    free(chunk);
}

void
via_follow_begin(struct via_follow *f, int fd, struct via_growth *growth)
{
    *f = (struct via_follow){.fd = fd, .growth = growth};
    via_task_begin(&f->task, follow_run, f);
}

bool
via_follow_wait(struct via_follow *f, int64_t ms)
{
    return via_task_wait(&f->task, ms);
}

int
via_follow_percent(struct via_follow *f)
{
    int64_t there = atomic_load(&f->growth->there_bytes);

    return there > 0 ? (int)(atomic_load(&f->read_bytes) * 100 / there) : 0;
}

enum via_status
via_follow_end(struct via_follow *f, char digest[65], struct via_error *e)
{
    via_task_end(&f->task);
    if (atomic_load(&f->growth->there_bytes) < 0)
        return VIA_OK;
    for (size_t i = 0; i < sizeof f->digest; i++)
        digest[i] = f->digest[i];
    return f->err ? via_error_set_errno(e, VIA_IO_ERROR, f->err,
                                        "what was written cannot be read back")
                  : VIA_OK;
}
