#include "provider/sqlite/capture.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/io.h"
#include "provider/sqlite/copy.h"
#include "provider/sqlite/follow.h"
#include "provider/sqlite/place.h"
#include "provider/sqlite/verify.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum via_status
capture_fail_id(struct via_error *e)
{
    return via_error_set(e, VIA_INTERNAL_ERROR, "this is not the id of a snapshot of an add-on");
}

enum via_status
via_capture_open(const char *path, int *fd, int64_t *size_bytes, struct via_error *e)
{
    struct stat st;
    int err;

    *size_bytes = 0;
    *fd = via_io_open(AT_FDCWD, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0);
    if (*fd >= 0 && fstat(*fd, &st) == 0 && S_ISREG(st.st_mode)) {
        *size_bytes = st.st_size;
        return VIA_OK;
    }
    err = *fd < 0 ? errno : 0;
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
    if (err == 0 || err == ENOENT || err == ENOTDIR || err == ELOOP)
        return via_error_set(e, VIA_SNAPSHOT_MISSING, "the snapshot's file is missing");
    return via_error_set_errno(e, VIA_STORAGE_UNREADABLE, err,
                               "the snapshot's file cannot be read");
}

/* What checking says of content, said of a snapshot. */
static enum via_status
capture_fail(const struct via_error *why, struct via_error *e)
{
    if (why->status == VIA_STORAGE_CORRUPT || why->status == VIA_STORAGE_UNREADABLE)
        return via_error_set(e, VIA_SNAPSHOT_CORRUPT, "the snapshot does not hold: %.300s",
                             why->message);
    return via_error_set(e, why->status, "%s", why->message);
}

enum via_status
via_capture_read(const char *path, const struct via_progress *progress,
                 struct via_snapshot_facts *out, struct via_error *e)
{
    struct via_error why = {0};
    struct via_growth growth;
    struct via_verify verify;
    struct via_follow follow;
    int fd;

    if (via_capture_open(path, &fd, &out->size_bytes, &why) != VIA_OK)
        return via_error_set(e, why.status, "%s", why.message);
    via_growth_init(&growth);
    via_growth_tell(&growth, out->size_bytes);
    via_growth_end(&growth);
    via_follow_begin(&follow, fd, &growth);
    via_verify_begin(&verify, path, false, NULL);
    via_verify_attend(&verify, &follow, progress);
    if (via_verify_end(&verify, &why) != VIA_OK)
        via_growth_give_up(&growth);
    via_ignore(via_follow_end(&follow, out->digest, &why));
    via_growth_deinit(&growth);
    close(fd);
    return why.status == VIA_OK ? VIA_OK : capture_fail(&why, e);
}

/* What an earlier attempt finished, before its process could say so, is as good. */
static bool
capture_find(const char *path, struct via_snapshot_facts *out)
{
    return via_capture_read(path, NULL, out, NULL) == VIA_OK;
}

static enum via_status
capture_copy(const struct via_opener *opener, const char *addon_id, const struct via_copy *c,
             struct via_snapshot_facts *out, struct via_error *e)
{
    struct via_pin pin;
    enum via_status status = via_pin_open(&pin, opener, addon_id, e);

    if (status == VIA_OK)
        status = via_copy_make(c, &pin, out, e);
    via_pin_close(&pin);
    return status;
}

static enum via_status
capture_build(const struct via_root *root, const struct via_opener *opener, const char *addon_id,
              const char *snapshot_id, struct via_copy *c, struct via_snapshot_facts *out,
              struct via_error *e)
{
    char incoming[VIA_PATH_SIZE], ready[VIA_PATH_SIZE];
    struct via_claim claim;
    enum via_status status;

    if (!via_place_put_snapshot(root, addon_id, snapshot_id, VIA_PLACE_UNDER_WAY, incoming) ||
        !via_place_put_snapshot(root, addon_id, snapshot_id, VIA_PLACE_READY, ready))
        return capture_fail_id(e);
    status = via_claim_take(&claim, incoming, root, e);
    c->path = incoming;
    c->fd = claim.fd;
    if (status == VIA_OK)
        status = capture_copy(opener, addon_id, c, out, e);
    if (status == VIA_OK)
        status = via_fs_publish(incoming, ready, e);
    via_claim_drop(&claim, status == VIA_OK);
    c->path = NULL; /* it is of this call */
    return status;
}

enum via_status
via_capture_make(const struct via_root *root, const struct via_opener *opener, const char *addon_id,
                 const char *snapshot_id, const struct via_progress *progress,
                 struct via_snapshot_facts *out, struct via_error *e)
{
    char data[VIA_PATH_SIZE], log[VIA_PATH_SIZE], folder[VIA_PATH_SIZE], ready[VIA_PATH_SIZE];
    struct via_copy c = {.data = data, .log = log, .progress = progress};
    struct via_error why = {0};
    struct stat st;

    memset(out, 0, sizeof *out);
    if (!via_place_put_snapshot(root, addon_id, snapshot_id, VIA_PLACE_READY, ready) ||
        !via_place_put(root, addon_id, VIA_PLACE_DATA, "", data) ||
        !via_place_put(root, addon_id, VIA_PLACE_DATA, "-wal", log) ||
        !via_place_put(root, addon_id, "snapshots", "", folder))
        return capture_fail_id(e);
    if (capture_find(ready, out))
        return VIA_OK;
    if (via_place_find_data(root, addon_id, &st, e) != VIA_OK ||
        via_place_check_folder(root, addon_id, "snapshots", e) != VIA_OK)
        return e->status;
    if (via_fs_mkdir(folder, 0700, root, &why) == VIA_OK)
        via_ignore(capture_build(root, opener, addon_id, snapshot_id, &c, out, &why));
    if (why.status == VIA_DISK_FULL) /* by the file system rather than by SQLite: one answer */
        why.status = VIA_STORAGE_FULL;
    return why.status == VIA_OK ? VIA_OK : via_error_set(e, why.status, "%s", why.message);
}

enum via_status
via_capture_check(const struct via_root *root, const char *addon_id, const char *snapshot_id,
                  const char *digest, struct via_error *e)
{
    struct via_snapshot_facts found;
    char path[VIA_PATH_SIZE];
    enum via_status status;

    if (!via_place_put_snapshot(root, addon_id, snapshot_id, VIA_PLACE_READY, path))
        return capture_fail_id(e);
    status = via_capture_read(path, NULL, &found, e);
    if (status != VIA_OK)
        return status;
    if (strcmp(found.digest, digest) != 0)
        return via_error_set(e, VIA_SNAPSHOT_CORRUPT,
                             "the snapshot's file is not what was written; choose another one");
    return VIA_OK;
}

enum via_status
via_capture_remove(const struct via_root *root, const char *addon_id, const char *snapshot_id,
                   struct via_error *e)
{
    static const char *const suffixes[] = {VIA_PLACE_UNDER_WAY, VIA_PLACE_DAMAGED,
                                           VIA_PLACE_DAMAGED "-wal", VIA_PLACE_READY};
    char path[VIA_PATH_SIZE];

    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        if (!via_place_put_snapshot(root, addon_id, snapshot_id, suffixes[i], path))
            return capture_fail_id(e);
        if (via_fs_remove(path, e) != VIA_OK)
            return e->status;
    }
    return VIA_OK;
}

bool
via_capture_exists(const struct via_root *root, const char *addon_id, const char *snapshot_id)
{
    char path[VIA_PATH_SIZE];
    struct stat st;

    return via_place_put_snapshot(root, addon_id, snapshot_id, VIA_PLACE_READY, path) &&
           (lstat(path, &st) == 0 || !via_place_is_absent(errno));
}
