#include "provider/sqlite/follow.h"

#include "base/error.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define FOLLOW_CHUNK ((size_t)1 << 18) /* stays in the processor's cache */

/* Wait for more; how many bytes there are to read at `at`, 0 at the end. */
static int64_t
follow_wait(struct via_follow *f, int64_t at)
{
    int64_t there;

    atomic_store(&f->read_bytes, at);
    there = via_growth_wait(f->growth, at + 1);
    return there > at ? there - at : 0;
}

/* Take in `n` bytes at `at` where they lie. False where that cannot be done: pages that do not come
 * in are told when the map is filled, and not by a signal. */
static bool
follow_take_mapped(struct via_follow *f, struct via_digest *d, int64_t at, size_t n)
{
    size_t before = (size_t)(at % f->page_bytes), size = before + n;
    char *map = mmap(NULL, size, PROT_READ, MAP_SHARED, f->fd, at - (int64_t)before);
    bool is_there;

    if (map == MAP_FAILED)
        return false;
    is_there = madvise(map, size, MADV_POPULATE_READ) == 0;
    if (is_there)
        via_digest_put(d, map + before, n);
    (void)munmap(map, size);
    return is_there;
}

/* Take in some of the `n` bytes at `at`; returns how many, 0 at the end, -1 with errno. */
static ssize_t
follow_take(struct via_follow *f, struct via_digest *d, int64_t at, size_t n, char *chunk)
{
    ssize_t got;

    if (n >= FOLLOW_CHUNK && follow_take_mapped(f, d, at, n))
        return (ssize_t)n;
    got = pread(f->fd, chunk, n, at);
    if (got > 0)
        via_digest_put(d, chunk, (size_t)got);
    return got;
}

/* Read what there is. Returns 0 or errno. */
static int
follow_run(struct via_follow *f, struct via_digest *d, char *chunk)
{
    int64_t at = 0, more;

    while ((more = follow_wait(f, at)) > 0) {
        size_t n = more < (int64_t)FOLLOW_CHUNK ? (size_t)more : FOLLOW_CHUNK;
        ssize_t got = follow_take(f, d, at, n, chunk);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? errno : EIO;
        at += got;
    }
    return 0;
}

static void
follow_main(struct via_follow *f)
{
    struct via_digest d;
    char *chunk = malloc(FOLLOW_CHUNK);

    via_digest_begin(&d);
    f->err = chunk ? follow_run(f, &d, chunk) : ENOMEM;
    via_digest_end(&d, f->digest);
    free(chunk);
}

static void *
follow_thread(void *arg)
{
    follow_main(arg);
    return NULL;
}

void
via_follow_begin(struct via_follow *f, int fd, struct via_growth *growth)
{
    sigset_t all, before;

    *f = (struct via_follow){.fd = fd, .growth = growth, .page_bytes = sysconf(_SC_PAGESIZE)};
    /* Signals are for the threads of the program that we are a guest in. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    f->has_thread = pthread_create(&f->thread, NULL, follow_thread, f) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void
via_follow_give_way(struct via_follow *f)
{
    if (f->has_thread)
        (void)pthread_setschedparam(f->thread, SCHED_IDLE, &(struct sched_param){0});
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
    if (f->has_thread)
        (void)pthread_join(f->thread, NULL);
    else
        follow_main(f);
    if (atomic_load(&f->growth->there_bytes) < 0)
        return VIA_OK;
    for (size_t i = 0; i < sizeof f->digest; i++)
        digest[i] = f->digest[i];
    return f->err ? via_error_set_errno(e, VIA_IO_ERROR, f->err,
                                        "what was written cannot be read back")
                  : VIA_OK;
}
