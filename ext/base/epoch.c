/* epoch.c: the shared page of two counters.
 *
 * run/epoch is mapped for the life of the struct. Both counters start at 1, so that a
 * grant with epoch 0 never is fresh. */
#include "base/epoch.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define EPOCH_FILE "run/epoch"
#define EPOCH_BYTES 4096

static const char epoch_magic[8] = {'v', 'i', 'a', 'e', 'p', 'o', 'c', '1'};

_Static_assert(sizeof(struct via_epoch_page) <= EPOCH_BYTES, "the counters fit in the page");
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "the counters work between processes");

/* Give the file its size. The block is allocated, not left as a hole: on a full disk that is an
 * error here, and not a SIGBUS at the first store. */
static int
epoch_grow(int fd)
{
    struct stat st;
    int err;

    if (fstat(fd, &st) < 0)
        return errno;
    if (st.st_size >= EPOCH_BYTES)
        return 0;
    do
        err = posix_fallocate(fd, 0, EPOCH_BYTES);
    while (err == EINTR);
    return err;
}

/* Write the counters and then the magic, once. Under VIA_LOCK_EPOCH. */
static enum via_status
epoch_start(struct via_epoch_page *page, struct via_error *e)
{
    static const char blank[sizeof page->magic];

    if (memcmp(page->magic, epoch_magic, sizeof epoch_magic) == 0)
        return VIA_OK;
    if (memcmp(page->magic, blank, sizeof blank) != 0)
        return via_error_set(e, VIA_STATE_CORRUPT,
                             "run/epoch is not Via's; stop the agent and remove the file");
    atomic_store(&page->begun, 1);
    atomic_store(&page->done, 1);
    memcpy(page->magic, epoch_magic, sizeof epoch_magic);
    return VIA_OK;
}

static enum via_status
epoch_map(struct via_epoch *ep, int fd, struct via_error *e)
{
    enum via_status status = VIA_OK;
    struct stat st;
    void *page;
    int err;

    if (!via_lock_take(&ep->lock, VIA_LOCK_EPOCH))
        return via_error_set(e, VIA_IO_ERROR, "run/locks cannot be locked");
    err = epoch_grow(fd);
    if (err == 0 && fstat(fd, &st) < 0)
        err = errno;
    if (err == 0) {
        page = mmap(NULL, EPOCH_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        err = page == MAP_FAILED ? errno : 0;
    }
    if (err) {
        status = via_error_set_errno(e, VIA_STATE_UNAVAILABLE, err, "run/epoch cannot be mapped");
    } else {
        ep->page = page;
        ep->ino = st.st_ino;
        status = epoch_start(ep->page, e);
    }
    via_lock_drop(&ep->lock, VIA_LOCK_EPOCH);
    return status;
}

enum via_status
via_epoch_open(struct via_epoch *ep, const struct via_root *root, struct via_error *e)
{
    char path[VIA_PATH_SIZE];
    enum via_status status;
    int fd = -1;

    *ep = (struct via_epoch){.lock = {.fd = -1}};
    via_root_join(root, EPOCH_FILE, path);
    status = via_lock_open(&ep->lock, root, e);
    if (status == VIA_OK)
        status = via_fs_touch(path, 0600, root, e);
    if (status != VIA_OK)
        goto done;
    fd = via_io_open(AT_FDCWD, path, O_RDWR | O_NOFOLLOW, 0);
    if (fd < 0)
        status = via_error_set_errno(e, VIA_STATE_UNAVAILABLE, errno, "run/epoch cannot be opened");
    else
        status = epoch_map(ep, fd, e);
done:
    if (fd >= 0)
        close(fd); /* the mapping stays */
    if (status != VIA_OK)
        via_epoch_close(ep);
    return status;
}

void
via_epoch_close(struct via_epoch *ep)
{
    if (ep->page)
        munmap(ep->page, EPOCH_BYTES);
    ep->page = NULL;
    via_lock_close(&ep->lock);
}

bool
via_epoch_begin(struct via_epoch *ep)
{
    if (!via_lock_take(&ep->lock, VIA_LOCK_EPOCH))
        return false;
    atomic_fetch_add(&ep->page->begun, 1);
    return true;
}

void
via_epoch_end(struct via_epoch *ep)
{
    atomic_store(&ep->page->done, atomic_load(&ep->page->begun));
    via_lock_drop(&ep->lock, VIA_LOCK_EPOCH);
}

uint64_t
via_epoch_now(const struct via_epoch *ep)
{
    /* `done` first: when `begun` is read later and still equal, no commit began in between. */
    uint64_t done = atomic_load(&ep->page->done);
    uint64_t begun = atomic_load(&ep->page->begun);

    return begun == done ? begun : 0;
}

bool
via_epoch_is_current(const struct via_epoch *ep, const struct via_root *root)
{
    char path[VIA_PATH_SIZE];
    struct stat st;

    via_root_join(root, EPOCH_FILE, path);
    return lstat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_ino == ep->ino;
}
