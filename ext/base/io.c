/* io.c: calls on descriptors that go on after an interruption. */
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <sys/syscall.h>
#include <unistd.h>

int
via_io_open(int folder, const char *path, int flags, mode_t mode)
{
    int fd;

    do
        fd = openat(folder, path, flags | O_CLOEXEC, mode);
    while (fd < 0 && errno == EINTR);
    return fd;
}

bool
via_io_has_spare(void)
{
    int fd = via_io_open(AT_FDCWD, "/dev/null", O_RDONLY, 0);

    if (fd >= 0)
        close(fd);
    return fd >= 0 || (errno != EMFILE && errno != ENFILE);
}

int
via_io_sync(int fd)
{
    int rc;

    do
        rc = fsync(fd);
    while (rc < 0 && errno == EINTR);
    return rc;
}

int
via_io_sync_begin(struct via_io_sync *s, int fd)
{
    struct iocb order = {.aio_lio_opcode = IOCB_CMD_FDSYNC, .aio_fildes = (uint32_t)fd};
    struct iocb *orders[] = {&order};

    if (via_io_sync_end(s) < 0)
        return -1;
    if (s->context == 0 && !s->is_refused)
        s->is_refused = syscall(SYS_io_setup, 1, &s->context) < 0;
    if (!s->is_refused)
        s->is_under_way = syscall(SYS_io_submit, s->context, 1, orders) == 1;
    return s->is_under_way ? 0 : via_io_sync(fd);
}

int
via_io_sync_end(struct via_io_sync *s)
{
    struct io_event event;
    long n;

    if (!s->is_under_way)
        return 0;
    do
        n = syscall(SYS_io_getevents, s->context, 1, 1, &event, NULL);
    while (n < 0 && errno == EINTR);
    s->is_under_way = false;
    if (n == 1 && event.res < 0)
        errno = (int)-event.res;
    return n == 1 && event.res == 0 ? 0 : -1;
}

int
via_io_put(int fd, const void *bytes, size_t n)
{
    const char *at = bytes;

    while (n > 0) {
        ssize_t put = write(fd, at, n);

        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return -1;
        at += put;
        n -= (size_t)put;
    }
    return 0;
}

/* From where `fd` stands when `at` is negative. */
static int64_t
io_fill(int fd, char *bytes, size_t n, int64_t at)
{
    size_t have = 0;

    while (have < n) {
        ssize_t got = at < 0 ? read(fd, bytes + have, n - have)
                             : pread(fd, bytes + have, n - have, at + (int64_t)have);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        have += (size_t)got;
    }
    return (int64_t)have;
}

int64_t
via_io_read(int fd, void *bytes, size_t n)
{
    return io_fill(fd, bytes, n, -1);
}

int64_t
via_io_get(int fd, void *bytes, size_t n, int64_t at)
{
    return io_fill(fd, bytes, n, at);
}
