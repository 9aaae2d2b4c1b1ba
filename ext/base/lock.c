/* lock.c: byte locks on run/locks by open file description.
 *
 * The file stays empty: only its lock table in the kernel is used. Two threads that share
 * one struct via_lock do not exclude each other; each opens its own. */
#include "base/lock.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/io.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum via_status
via_lock_open(struct via_lock *l, const struct via_root *root, struct via_error *e)
{
    char path[VIA_PATH_SIZE];
    enum via_status status;

    l->fd = -1;
    via_root_join(root, "run/locks", path);
    status = via_fs_touch(path, 0600, root, e);
    if (status != VIA_OK)
        return status;
    l->fd = via_io_open(AT_FDCWD, path, O_RDWR | O_NOFOLLOW, 0);
    if (l->fd < 0)
        return via_error_set_errno(e, VIA_STATE_UNAVAILABLE, errno, "run/locks cannot be opened");
    return VIA_OK;
}

void
via_lock_close(struct via_lock *l)
{
    if (l->fd >= 0)
        close(l->fd);
    l->fd = -1;
}

/* One fcntl on one byte, repeated when a signal interrupts it. */
static bool
lock_fcntl(const struct via_lock *l, int command, struct flock *range)
{
    int rc;

    do
        rc = fcntl(l->fd, command, range);
    while (rc < 0 && errno == EINTR);
    return rc == 0;
}

static bool
lock_byte(const struct via_lock *l, int command, short type, int64_t slot)
{
    struct flock range = {.l_type = type, .l_whence = SEEK_SET, .l_start = (off_t)slot, .l_len = 1};

    return lock_fcntl(l, command, &range);
}

bool
via_lock_take(struct via_lock *l, int64_t slot)
{
    if (lock_byte(l, F_OFD_SETLKW, F_WRLCK, slot))
        return true;
    via_log(VIA_LOG_ERROR, "run/locks: byte %lld cannot be locked (%s)", (long long)slot,
            strerror(errno));
    return false;
}

bool
via_lock_try(struct via_lock *l, int64_t slot)
{
    return lock_byte(l, F_OFD_SETLK, F_WRLCK, slot);
}

void
via_lock_drop(struct via_lock *l, int64_t slot)
{
    if (!lock_byte(l, F_OFD_SETLK, F_UNLCK, slot))
        via_log(VIA_LOG_ERROR, "run/locks: byte %lld cannot be unlocked (%s)", (long long)slot,
                strerror(errno));
}

bool
via_lock_is_held(const struct via_lock *l, int64_t slot)
{
    struct flock range = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t)slot, .l_len = 1};

    return lock_fcntl(l, F_OFD_GETLK, &range) && range.l_type != F_UNLCK;
}
