#include "provider/sqlite/transfer.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/id.h"
#include "base/io.h"
#include "provider/sqlite/capture.h"
#include "provider/sqlite/copy.h"
#include "provider/sqlite/place.h"
#include "provider/sqlite/source.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* The ticket becomes part of a name. */
static bool
lent_path(const struct via_root *root, const char *addon_id, const char *ticket,
          char out[VIA_PATH_SIZE])
{
    return via_id_is("backup", ticket) &&
           via_place_put(root, addon_id, ticket, VIA_PLACE_UNDER_WAY, out);
}

/* Give the copy away without its name, so that it ends with the process. */
static enum via_status
lend_hand_over(const struct via_claim *claim, int *fd, struct via_error *e)
{
    *fd = fcntl(claim->fd, F_DUPFD_CLOEXEC, 0);
    if (*fd < 0)
        return via_error_set_errno(e, VIA_IO_ERROR, errno, "the copy cannot be read");
    return VIA_OK;
}

/* The copy lies beside the content, and nowhere else: what cannot be made there, or not be copied,
 * is the fault of that place. `from` said of the copy is `to` said of the content. */
static enum via_status
lend_blame(const struct via_error *why, enum via_status from, enum via_status to,
           struct via_error *e)
{
    return via_error_set(e, why->status == from ? to : why->status, "%s", why->message);
}

enum via_status
via_transfer_lend(const struct via_root *root, const struct via_opener *opener,
                  const char *addon_id, const char *ticket, const struct via_progress *progress,
                  int *fd, struct via_error *e)
{
    char data[VIA_PATH_SIZE], log[VIA_PATH_SIZE], incoming[VIA_PATH_SIZE];
    struct via_copy c = {.data = data, .log = log, .path = incoming, .progress = progress};
    struct via_snapshot_facts facts = {0};
    struct via_claim claim = {.fd = -1};
    struct via_error why = {0};
    struct via_pin pin = {0};
    enum via_status status;
    struct stat st;

    *fd = -1;
    if (!lent_path(root, addon_id, ticket, incoming) ||
        !via_place_put(root, addon_id, VIA_PLACE_DATA, "", data) ||
        !via_place_put(root, addon_id, VIA_PLACE_DATA, "-wal", log))
        return via_place_fail_id(e);
    if (via_place_find_data(root, addon_id, &st, e) != VIA_OK)
        return e->status;
    if (via_claim_take(&claim, incoming, root, &why) != VIA_OK)
        status = lend_blame(&why, VIA_STATE_UNAVAILABLE, VIA_STORAGE_READONLY, e);
    else
        status = via_pin_open(&pin, opener, addon_id, e);
    c.fd = claim.fd;
    if (status == VIA_OK && via_copy_make(&c, &pin, &facts, &why) != VIA_OK)
        status = lend_blame(&why, VIA_IO_ERROR, VIA_STORAGE_UNREADABLE, e);
    via_pin_close(&pin);
    if (status == VIA_OK)
        status = lend_hand_over(&claim, fd, e);
    via_claim_drop(&claim, false);
    return status;
}

enum via_status
via_transfer_forget(const struct via_root *root, const char *addon_id, const char *ticket,
                    struct via_error *e)
{
    char incoming[VIA_PATH_SIZE];

    if (!lent_path(root, addon_id, ticket, incoming))
        return via_place_fail_id(e);
    return via_fs_remove(incoming, e);
}

/* The path of the content, or of a snapshot: whole, or under way. */
static bool
transfer_path(const struct via_root *root, const char *addon_id, const char *snapshot_id,
              bool is_whole, char out[VIA_PATH_SIZE])
{
    if (snapshot_id)
        return via_place_put_snapshot(root, addon_id, snapshot_id,
                                      is_whole ? VIA_PLACE_READY : VIA_PLACE_UNDER_WAY, out);
    return via_place_put(root, addon_id, is_whole ? VIA_PLACE_DATA : VIA_PLACE_INCOMING, "", out);
}

enum via_status
via_transfer_open_snapshot(const struct via_root *root, const char *addon_id,
                           const char *snapshot_id, int *fd, struct via_error *e)
{
    char path[VIA_PATH_SIZE];
    int64_t size_bytes;

    *fd = -1;
    if (!via_place_put_snapshot(root, addon_id, snapshot_id, VIA_PLACE_READY, path))
        return via_place_fail_id(e);
    return via_capture_open(path, fd, &size_bytes, e);
}

enum via_status
via_transfer_receive(const struct via_root *root, const char *addon_id, const char *snapshot_id,
                     int *fd, struct via_error *e)
{
    char path[VIA_PATH_SIZE], folder[VIA_PATH_SIZE];

    *fd = -1;
    if (!transfer_path(root, addon_id, snapshot_id, false, path) ||
        !via_place_put(root, addon_id, "", "", folder))
        return via_place_fail_id(e);
    if (via_fs_mkdir(folder, 0700, root, e) != VIA_OK)
        return e->status;
    if (snapshot_id && (!via_place_put(root, addon_id, "snapshots", "", folder) ||
                        via_fs_mkdir(folder, 0700, root, e) != VIA_OK))
        return e->status;
    if (via_fs_touch(path, 0600, root, e) != VIA_OK)
        return e->status;
    *fd = via_io_open(AT_FDCWD, path, O_WRONLY | O_TRUNC | O_NOFOLLOW | O_NONBLOCK, 0);
    if (*fd < 0)
        return via_error_set_errno(e, VIA_IO_ERROR, errno, "the database cannot be written");
    return VIA_OK;
}

enum via_status
via_transfer_received(const struct via_root *root, const char *addon_id, const char *snapshot_id,
                      const struct via_progress *progress, struct via_error *e)
{
    char from[VIA_PATH_SIZE], to[VIA_PATH_SIZE];
    struct via_sql sql = {0};
    enum via_status status;

    if (!transfer_path(root, addon_id, snapshot_id, false, from) ||
        !transfer_path(root, addon_id, snapshot_id, true, to))
        return via_place_fail_id(e);
    /* A snapshot says of itself whether it holds: it is as it was, and checked when it is used. */
    if (!snapshot_id) {
        via_sqlite_open_frozen(&sql, from);
        status = via_content_check(&sql, true, progress, e);
        via_sql_close(&sql);
        if (status != VIA_OK)
            return status;
    }
    return via_fs_publish_new(from, to, e);
}
