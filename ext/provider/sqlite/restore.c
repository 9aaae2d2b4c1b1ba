/* restore.c: copy and check, drain, keep the old, exchange, serve, check the old.
 *
 * The old file is not copied to become a snapshot: drained, it is one, and gets a second name
 * before it loses its first. A killed process leaves one of these states, which
 * via_restore_is_made() tells apart:
 *
 *   restoring.sqlite is there      data.sqlite is the old content, with its own log; the second
 *                                  name, if it has one, is to go
 *   it is not, after DRAINED       data.sqlite is the new content; what is left of the old log is
 *                                  empty, and nobody shares its index */
#include "provider/sqlite/restore.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/log.h"
#include "provider/sqlite/capture.h"
#include "provider/sqlite/copy.h"
#include "provider/sqlite/hold.h"
#include "provider/sqlite/place.h"
#include "provider/sqlite/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RESTORE_INCOMING "restoring.sqlite"

struct restore {
    const struct via_root *root;
    const struct via_restore_order *order;
    struct via_restore_facts *out;
    struct via_hold old;
    int percent; /* of the progress, where the old content is read */
    char data[VIA_PATH_SIZE];
    char log[VIA_PATH_SIZE];
    char index[VIA_PATH_SIZE];
    char incoming[VIA_PATH_SIZE];
    char kept[VIA_PATH_SIZE];        /* the old content, if it can be read */
    char damaged[VIA_PATH_SIZE];     /* if it cannot */
    char damaged_log[VIA_PATH_SIZE]; /* and its log */
};

static enum via_status
restore_init(struct restore *r, const struct via_root *root, const char *addon_id,
             const char *keep_id, struct via_error *e)
{
    memset(r, 0, sizeof *r);
    r->root = root;
    if (via_place_put(root, addon_id, VIA_PLACE_DATA, "", r->data) &&
        via_place_put(root, addon_id, VIA_PLACE_DATA, "-wal", r->log) &&
        via_place_put(root, addon_id, VIA_PLACE_DATA, "-shm", r->index) &&
        via_place_put(root, addon_id, RESTORE_INCOMING, "", r->incoming) &&
        via_place_put_snapshot(root, addon_id, keep_id, VIA_PLACE_READY, r->kept) &&
        via_place_put_snapshot(root, addon_id, keep_id, VIA_PLACE_DAMAGED, r->damaged) &&
        via_place_put_snapshot(root, addon_id, keep_id, VIA_PLACE_DAMAGED "-wal", r->damaged_log))
        return VIA_OK;
    return via_error_set(e, VIA_INTERNAL_ERROR, "these are not the ids of a restore");
}

static enum via_status
restore_reach(const struct restore *r, enum via_restore_phase phase, struct via_error *e)
{
    return r->order->reach(r->order->arg, phase, e);
}

/* -- the new content --------------------------------------------------------------- */

/* What copying says of content, said of a snapshot. */
static enum via_status
incoming_fail(const struct via_error *why, struct via_error *e)
{
    switch (why->status) {
    case VIA_STORAGE_MISSING:
        return via_error_set(e, VIA_SNAPSHOT_MISSING, "the snapshot's file is missing");
    case VIA_STORAGE_CORRUPT:
    case VIA_STORAGE_UNREADABLE:
        return via_error_set(e, VIA_SNAPSHOT_CORRUPT, "the snapshot does not hold: %.300s",
                             why->message);
    case VIA_DISK_FULL:
        return via_error_set(e, VIA_STORAGE_FULL, "%s", why->message);
    default:
        return via_error_set(e, why->status, "%s", why->message);
    }
}

/* Where in the progress the new content stands, and the old is still to be read: one is copied and
 * read back, the other only read. */
static int
restore_percent(const struct restore *r, int64_t new_bytes)
{
    struct stat st;
    int64_t work = 2 * new_bytes;

    if (lstat(r->data, &st) == 0)
        work += st.st_size;
    return work > 0 ? (int)(2 * new_bytes * 100 / work) : 100;
}

/* Copy the snapshot, read the copy back and check it: it is the copy that will be served. */
static enum via_status
incoming_copy(const struct restore *r, const char *snapshot, int64_t size_bytes, int fd,
              struct via_error *e)
{
    struct via_progress_part part;
    struct via_progress progress = via_progress_part(&part, r->order->progress, 0, r->percent);
    struct via_copy copy = {
        .data = snapshot, .path = r->incoming, .fd = fd, .is_exact = true, .progress = &progress};
    struct via_pin pin = {.is_whole = true, .size_bytes = size_bytes};
    struct via_snapshot_facts facts = {0};
    struct via_error why = {0};

    via_sqlite_open_frozen(&pin.sql, snapshot);
    via_sql_exec(&pin.sql, "BEGIN");
    if (via_copy_make(&copy, &pin, &facts, &why) != VIA_OK)
        return incoming_fail(&why, e);
    if (strcmp(facts.digest, r->order->digest) != 0)
        return via_error_set(e, VIA_SNAPSHOT_CORRUPT,
                             "the snapshot's file is not what was written; choose another one");
    return VIA_OK;
}

/* Only databases with a write-ahead log are served, and to be one is to say so in the header. */
static enum via_status
incoming_settle(const struct restore *r, int fd, struct via_error *e)
{
    if (via_header_put(fd, VIA_HEADER_WAL, e) != VIA_OK)
        return e->status;
    return via_fs_sync(r->incoming, e);
}

static enum via_status
incoming_make(struct restore *r, struct via_error *e)
{
    char snapshot[VIA_PATH_SIZE];
    struct via_error why = {0};
    struct via_claim claim;
    enum via_status status;
    struct stat st;

    if (!via_place_put_snapshot(r->root, r->order->addon_id, r->order->snapshot_id, VIA_PLACE_READY,
                                snapshot))
        return via_error_set(e, VIA_INTERNAL_ERROR, "this is not the id of a snapshot");
    if (lstat(snapshot, &st) < 0 && !via_place_is_absent(errno))
        return via_place_fail_unseen(errno, e);
    if (lstat(snapshot, &st) < 0 || !S_ISREG(st.st_mode))
        return via_error_set(e, VIA_SNAPSHOT_MISSING, "the snapshot's file is missing");
    if (faccessat(AT_FDCWD, snapshot, R_OK, AT_EACCESS) < 0)
        return via_error_set_errno(e, VIA_STORAGE_UNREADABLE, errno,
                                   "this process may not read the snapshot's file");
    if (st.st_size == 0)
        return via_error_set(e, VIA_SNAPSHOT_CORRUPT, "the snapshot's file is empty");
    r->percent = restore_percent(r, st.st_size);
    status = via_claim_take(&claim, r->incoming, r->root, &why);
    if (status == VIA_OK)
        status = incoming_copy(r, snapshot, st.st_size, claim.fd, &why);
    if (status == VIA_OK)
        status = incoming_settle(r, claim.fd, &why);
    via_claim_drop(&claim, status == VIA_OK);
    return status == VIA_OK ? VIA_OK : incoming_fail(&why, e);
}

/* -- the old content --------------------------------------------------------------- */

/* A copy, where the file system gives a file only one name. Everybody is kept out by locks, and a
 * process of its own reads. */
static enum via_status
old_copy(const struct restore *r, struct via_error *e)
{
    struct via_copy copy = {.data = r->data, .path = r->kept, .progress = r->order->progress};
    struct via_pin pin = {.is_whole = true};
    struct via_claim claim;
    enum via_status status;
    struct stat st;

    if (lstat(r->data, &st) < 0)
        return via_place_fail_missing(r->root, r->order->addon_id, e);
    pin.size_bytes = st.st_size;
    status = via_claim_take(&claim, r->kept, r->root, e);
    copy.fd = claim.fd;
    via_sqlite_open_frozen(&pin.sql, r->data);
    via_sql_exec(&pin.sql, "BEGIN");
    if (status == VIA_OK)
        status = via_copy_make(&copy, &pin, &r->out->kept, e);
    via_pin_close(&pin);
    if (status == VIA_OK)
        status = via_fs_sync(r->kept, e);
    via_claim_drop(&claim, status == VIA_OK);
    return status;
}

/* A log without a database, or of one that cannot be read, must not meet the new content. */
static enum via_status
old_keep_log(const struct restore *r, const char *folder, struct via_error *e)
{
    enum via_status status;
    struct stat st;

    if (lstat(r->log, &st) < 0)
        return VIA_OK;
    status = st.st_size > 0 ? via_fs_move(r->log, r->damaged_log, e) : via_fs_remove(r->log, e);
    return status == VIA_OK ? via_fs_sync(folder, e) : status;
}

/* Give what is there a name among the snapshots, before it loses its own. */
static enum via_status
old_keep(const struct restore *r, struct via_error *e)
{
    char folder[VIA_PATH_SIZE], snapshots[VIA_PATH_SIZE];
    struct via_error ignored = {0};
    enum via_status status;

    if (!via_place_put(r->root, r->order->addon_id, "", "", folder) ||
        !via_place_put(r->root, r->order->addon_id, "snapshots", "", snapshots))
        return via_place_fail_id(e);
    status = r->out->has_old ? via_fs_mkdir(snapshots, 0700, r->root, e) : VIA_OK;
    if (status != VIA_OK)
        return status;
    if (r->old.is_locked)
        return via_fs_link(r->data, r->kept, &ignored) == VIA_OK ? VIA_OK : old_copy(r, e);
    if (r->old.has_file)
        status = via_fs_link(r->data, r->damaged, e);
    return status == VIA_OK ? old_keep_log(r, folder, e) : status;
}

/* Read what was kept, when it is no longer in anybody's way. */
static enum via_status
old_check(const struct restore *r, struct via_error *e)
{
    struct via_progress_part part;
    struct via_progress progress = via_progress_part(&part, r->order->progress, r->percent, 99);
    struct via_error why = {0};
    struct stat st;

    if (lstat(r->kept, &st) < 0) {
        r->out->is_damaged = lstat(r->damaged, &st) == 0 || lstat(r->damaged_log, &st) == 0;
        return VIA_OK;
    }
    switch (via_capture_read(r->kept, &progress, &r->out->kept, &why)) {
    case VIA_OK:
        r->out->is_kept = true;
        return VIA_OK;
    case VIA_SNAPSHOT_CORRUPT:
        via_log(VIA_LOG_WARN, "%s: what was replaced is damaged and kept as %s: %s",
                r->order->addon_id, r->damaged, why.message);
        r->out->is_damaged = true;
        return via_fs_move(r->kept, r->damaged, e);
    default:
        return via_error_set(e, why.status, "%s", why.message);
    }
}

/* -- the exchange ------------------------------------------------------------------ */

/* The new content stands and is barred: nobody has its log or index open. An index of the old one
 * may be open still, in connections that will use it no more, and a process that had the same file
 * open twice would lose its locks. A log that is not empty is of the new content, by now. */
static enum via_status
place_clear(const struct restore *r, struct via_error *e)
{
    struct stat st;

    if (via_fs_remove(r->index, e) != VIA_OK)
        return e->status;
    if (lstat(r->log, &st) == 0 && st.st_size == 0)
        return via_fs_remove(r->log, e);
    return VIA_OK;
}

static enum via_status
restore_exchange(struct restore *r, struct via_error *e)
{
    struct via_bar bar;
    enum via_status status = via_bar_take(&bar, r->incoming, e);

    if (status == VIA_OK)
        status = restore_reach(r, VIA_RESTORE_EXCHANGE, e);
    if (status == VIA_OK) {
        via_hold_forget_index(&r->old);
        status = via_fs_move(r->incoming, r->data, e);
        if (status == VIA_OK)
            status = place_clear(r, e);
        via_ignore(restore_reach(r, VIA_RESTORE_EXCHANGED, e));
    }
    via_bar_close(&bar);
    return status;
}

/* -- the whole --------------------------------------------------------------------- */

static bool
restore_may_wait(void *arg)
{
    const struct restore *r = arg;
    struct via_error ignored = {0};

    return restore_reach(r, VIA_RESTORE_OVERDUE, &ignored) == VIA_OK;
}

enum via_status
via_restore_make(const struct via_root *root, const struct via_opener *opener,
                 const struct via_restore_order *order, struct via_restore_facts *out,
                 struct via_error *e)
{
    struct restore r;
    enum via_status status;
    struct stat st;

    memset(out, 0, sizeof *out);
    if (restore_init(&r, root, order->addon_id, order->keep_id, e) != VIA_OK)
        return e->status;
    r.order = order;
    r.out = out;
    if (via_place_obstacle(root, order->addon_id))
        return via_place_fail_missing(root, order->addon_id, e);
    status = incoming_make(&r, e);
    if (status == VIA_OK)
        status = restore_reach(&r, VIA_RESTORE_CHECKED, e);
    if (status == VIA_OK)
        status = via_hold_take(&r.old, root, opener, order->addon_id, order->timeout_ms,
                               restore_may_wait, &r, e);
    out->has_old = r.old.has_file || (lstat(r.log, &st) == 0 && st.st_size > 0);
    if (status == VIA_OK)
        status = restore_reach(&r, VIA_RESTORE_DRAINED, e);
    if (status == VIA_OK)
        status = old_keep(&r, e);
    if (status == VIA_OK)
        status = restore_exchange(&r, e);
    via_hold_close(&r.old);
    if (status == VIA_OK)
        status = restore_reach(&r, VIA_RESTORE_SERVED, e);
    return status == VIA_OK ? old_check(&r, e) : status;
}

bool
via_restore_is_made(const struct via_root *root, const char *addon_id)
{
    char incoming[VIA_PATH_SIZE];
    struct stat st;

    return via_place_put(root, addon_id, RESTORE_INCOMING, "", incoming) &&
           lstat(incoming, &st) < 0 && errno == ENOENT;
}

enum via_status
via_restore_undo(const struct via_root *root, const char *addon_id, const char *keep_id,
                 struct via_error *e)
{
    struct restore r;
    struct stat st;

    if (restore_init(&r, root, addon_id, keep_id, e) != VIA_OK)
        return e->status;
    if (lstat(r.damaged_log, &st) == 0 && lstat(r.log, &st) < 0 &&
        via_fs_move(r.damaged_log, r.log, e) != VIA_OK)
        return e->status;
    if (via_capture_remove(root, addon_id, keep_id, e) != VIA_OK)
        return e->status;
    return via_fs_remove(r.incoming, e);
}

/* What the rename leaves to be done, after a crash in between. */
static enum via_status
finish_exchange(const struct restore *r, struct via_error *e)
{
    char folder[VIA_PATH_SIZE];
    struct via_bar bar;
    enum via_status status = via_bar_take(&bar, r->data, e);

    if (status == VIA_OK)
        status = place_clear(r, e);
    if (status == VIA_OK && via_place_put(r->root, r->order->addon_id, "", "", folder))
        status = via_fs_sync(folder, e);
    via_bar_close(&bar);
    return status;
}

enum via_status
via_restore_finish(const struct via_root *root, const struct via_restore_order *order,
                   bool is_served, struct via_restore_facts *out, struct via_error *e)
{
    struct restore r;

    memset(out, 0, sizeof *out);
    if (restore_init(&r, root, order->addon_id, order->keep_id, e) != VIA_OK)
        return e->status;
    r.order = order;
    r.out = out;
    if (!is_served &&
        (finish_exchange(&r, e) != VIA_OK || restore_reach(&r, VIA_RESTORE_SERVED, e) != VIA_OK))
        return e->status;
    return old_check(&r, e);
}
