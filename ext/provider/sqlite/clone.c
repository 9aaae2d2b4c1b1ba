/* clone.c: the child, which calls only what is safe after a fork, and the parent, which listens.
 *
 * The child holds no descriptor but its three, so that no lock or socket of a parent that is killed
 * lives on in it; and it is killed with its parent. */
#include "provider/sqlite/clone.h"

#include "base/error.h"
#include "base/io.h"
#include "provider/sqlite/pace.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define CLONE_LISTEN_MS 250
#define CLONE_SHORT (-1) /* in place of an errno: the file ends too early */

/* What the child says; shorter than PIPE_BUF, so never in parts. */
struct clone_news {
    int64_t bytes; /* that are there */
    int err;       /* errno, or CLONE_SHORT */
    int is_end;
};

/* -- the child --------------------------------------------------------------------- */

static void
child_say(int out, int64_t bytes, int err, bool is_end)
{
    struct clone_news news = {bytes, err, is_end};

    while (write(out, &news, sizeof news) < 0 && errno == EINTR)
        continue;
}

/* Close everything but `a` and `b`. */
static void
child_close_rest(int a, int b)
{
    unsigned low = (unsigned)(a < b ? a : b), high = (unsigned)(a < b ? b : a);

    if (low > 0)
        (void)close_range(0, low - 1, 0);
    if (high > low + 1)
        (void)close_range(low + 1, high - 1, 0);
    (void)close_range(high + 1, ~0u, 0);
}

/* Through memory, where the kernel cannot do it alone. */
static ssize_t
child_pass(int from, int to, int64_t at, size_t n)
{
    static char page[1 << 18];
    ssize_t got = pread(from, page, n < sizeof page ? n : sizeof page, at);

    return got <= 0 ? got : pwrite(to, page, (size_t)got, at);
}

/* Copy some of the `n` bytes at `at`. */
static ssize_t
child_copy_some(int from, int to, int64_t at, size_t n, bool *by_kernel)
{
    off_t in = at, out = at;
    ssize_t got;

    if (!*by_kernel)
        return child_pass(from, to, at, n);
    got = copy_file_range(from, &in, to, &out, n, 0);
    /* 0 before the end is how some file systems say that they do not do it. */
    if (got > 0 || (got < 0 && (errno == ENOSPC || errno == EDQUOT || errno == EFBIG ||
                                errno == EINTR || errno == EIO)))
        return got;
    *by_kernel = false;
    return child_pass(from, to, at, n);
}

static int
child_copy(const struct via_clone *c, int from, int out)
{
    struct via_pace pace;
    bool by_kernel = true;
    int64_t at = 0, told = 0;
    struct stat st;
    int err = 0;

    if (fstat(from, &st) < 0 || st.st_size < c->size_bytes)
        return CLONE_SHORT;
    if (ioctl(c->to, FICLONE, from) == 0) /* of a file that is longer, the rest is cut */
        return ftruncate(c->to, c->size_bytes) == 0 ? 0 : errno;
    /* Room for all of it at once: a full disk is met before anybody else is hurt. */
    if (fallocate(c->to, 0, 0, c->size_bytes) < 0 &&
        ((errno != EOPNOTSUPP && errno != ENOSYS && errno != EINTR) ||
         ftruncate(c->to, c->size_bytes) < 0))
        return errno;
    via_pace_begin(&pace, c->log, c->to);
    (void)posix_fadvise(from, 0, 0, POSIX_FADV_SEQUENTIAL);
    while (at < c->size_bytes && err == 0) {
        int64_t chunk = pace.chunk_bytes;
        int64_t n = c->size_bytes - at < chunk ? c->size_bytes - at : chunk;
        ssize_t got = child_copy_some(from, c->to, at, (size_t)n, &by_kernel);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? errno : CLONE_SHORT;
        at += got;
        if (at - told < chunk && at < c->size_bytes)
            continue;
        err = via_pace_step(&pace, told, at - told);
        child_say(out, told = at, 0, false);
    }
    return err != 0 ? err : via_pace_end(&pace);
}

static _Noreturn void
child_main(const struct via_clone *c, int out, pid_t parent)
{
    int from, err;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    child_close_rest(c->to, out);
    from = via_io_open(AT_FDCWD, c->from, O_RDONLY | O_NOFOLLOW, 0);
    err = from < 0 ? errno : child_copy(c, from, out);
    child_say(out, c->size_bytes, err, true);
    _exit(0);
}

/* -- the parent -------------------------------------------------------------------- */

static enum via_status
clone_fail(int err, struct via_error *e)
{
    switch (err) {
    case CLONE_SHORT:
        return via_error_set(e, VIA_STORAGE_CORRUPT, "the storage of this add-on ends too early");
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return via_error_set(e, VIA_STORAGE_FULL,
                             "there is no room for the copy; make room and try again");
    case ENOENT:
        return via_error_set(e, VIA_STORAGE_MISSING, "the storage of this add-on is missing");
    default:
        return via_error_set_errno(e, VIA_IO_ERROR, err, "the storage cannot be copied");
    }
}

/* One piece of news: 1, 0 for none in a while, -1 when the child is gone. */
static int
clone_listen(int in, struct clone_news *news)
{
    struct pollfd p = {.fd = in, .events = POLLIN};
    ssize_t got;

    if (poll(&p, 1, CLONE_LISTEN_MS) <= 0)
        return 0;
    got = read(in, news, sizeof *news);
    if (got < 0 && errno == EINTR)
        return 0;
    return got == (ssize_t)sizeof *news ? 1 : -1;
}

static enum via_status
clone_follow(const struct via_clone *c, int in, pid_t child, struct via_error *e)
{
    struct clone_news news = {0};
    int heard;

    while ((heard = clone_listen(in, &news)) >= 0) {
        if (heard && news.err)
            return clone_fail(news.err, e);
        if (c->tell && !c->tell(c->arg, news.bytes)) {
            (void)kill(child, SIGKILL);
            return via_error_set(e, VIA_OPERATION_INTERRUPTED, "the copy was stopped");
        }
        if (heard && news.is_end)
            return VIA_OK;
    }
    return via_error_set(e, VIA_OPERATION_INTERRUPTED, "the process that copies was killed");
}

enum via_status
via_clone_run(const struct via_clone *c, bool *is_refused, struct via_error *e)
{
    enum via_status status;
    sigset_t all, before;
    pid_t parent = getpid(), child;
    int ends[2];

    *is_refused = pipe2(ends, O_CLOEXEC) < 0;
    if (*is_refused)
        return VIA_OK;
    /* The child runs none of the handlers of the program that we are a guest in. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    child = _Fork();
    if (child == 0)
        child_main(c, ends[1], parent);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    close(ends[1]);
    *is_refused = child < 0;
    status = *is_refused ? VIA_OK : clone_follow(c, ends[0], child, e);
    close(ends[0]);
    /* Somebody who waits for every child may have been faster. */
    while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR)
        continue;
    return status;
}
