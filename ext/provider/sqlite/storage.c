/* storage.c: where an SQLite add-on lives.
 *
 * addons/sqlite/<id>/data.sqlite appears by one rename, so that it is absent or whole;
 * what is under way is called incoming.sqlite beside it. Database files are looked at
 * with stat alone (a descriptor of our own would drop SQLite's locks when it is closed). */
#include "base/error.h"
#include "base/fs.h"
#include "base/id.h"
#include "base/log.h"
#include "provider/provider.h"
#include "provider/sqlite/capture.h"
#include "provider/sqlite/export.h"
#include "provider/sqlite/header.h"
#include "provider/sqlite/import.h"
#include "provider/sqlite/pin.h"
#include "provider/sqlite/place.h"
#include "provider/sqlite/restore.h"
#include "provider/sqlite/source.h"
#include "provider/sqlite/transfer.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *const side_suffixes[] = {"-wal", "-shm", "-journal"};
#define SIDE_COUNT (sizeof side_suffixes / sizeof side_suffixes[0])

/* Remove what SQLite may have left beside `name`. */
static enum via_status
storage_clear_sides(const struct via_root *root, const char *addon_id, const char *name,
                    struct via_error *e)
{
    char path[VIA_PATH_SIZE];

    for (size_t i = 0; i < SIDE_COUNT; i++)
        if (via_place_put(root, addon_id, name, side_suffixes[i], path) &&
            via_fs_remove(path, e) != VIA_OK)
            return e->status;
    return VIA_OK;
}

static enum via_status
storage_clear(const struct via_root *root, const char *addon_id, const char *name,
              struct via_error *e)
{
    char path[VIA_PATH_SIZE];

    if (storage_clear_sides(root, addon_id, name, e) != VIA_OK)
        return e->status;
    if (!via_place_put(root, addon_id, name, "", path))
        return via_place_fail_id(e);
    return via_fs_remove(path, e);
}

/* Put the finished file in its place. Its log must be folded in by now: a log left behind
 * would be content lost. */
static enum via_status
storage_publish(const struct via_root *root, const char *addon_id, const char *incoming,
                struct via_error *e)
{
    char path[VIA_PATH_SIZE];
    struct stat st;

    if (!via_place_put(root, addon_id, VIA_PLACE_INCOMING, "-wal", path))
        return via_place_fail_id(e);
    if (lstat(path, &st) == 0 && st.st_size > 0)
        return via_error_set(e, VIA_IO_ERROR, "the new storage could not be closed cleanly");
    /* SQLite says nothing when it cannot remove them; and a stale log of an earlier file of this
     * name would corrupt the new one. */
    if (storage_clear_sides(root, addon_id, VIA_PLACE_INCOMING, e) != VIA_OK ||
        storage_clear(root, addon_id, VIA_PLACE_DATA, e) != VIA_OK)
        return e->status;
    if (!via_place_put(root, addon_id, VIA_PLACE_DATA, "", path))
        return via_place_fail_id(e);
    return via_fs_publish(incoming, path, e);
}

static enum via_status
storage_build(const struct via_root *root, const char *addon_id, struct via_source *source,
              const struct via_progress *progress, struct via_error *e)
{
    struct via_error ignored = {0};
    char incoming[VIA_PATH_SIZE];
    enum via_status status;

    if (!via_place_put(root, addon_id, VIA_PLACE_INCOMING, "", incoming))
        return via_place_fail_id(e);
    /* What a dead process left of an earlier attempt is worth nothing. */
    status = storage_clear(root, addon_id, VIA_PLACE_INCOMING, e);
    if (status == VIA_OK)
        status = via_fs_touch(incoming, 0600, root, e);
    if (status == VIA_OK)
        status = via_import_fill(incoming, source, progress, e);
    if (status == VIA_OK)
        status = storage_publish(root, addon_id, incoming, e);
    if (status != VIA_OK && storage_clear(root, addon_id, VIA_PLACE_INCOMING, &ignored) != VIA_OK)
        via_log(VIA_LOG_WARN, "%s: %s", addon_id, ignored.message);
    return status;
}

static enum via_status
storage_make(const struct via_root *root, const char *addon_id, struct via_source *source,
             const struct via_progress *progress, struct via_error *e)
{
    struct via_error ignored = {0};
    char folder[VIA_PATH_SIZE];
    enum via_status status;
    struct stat st;
    bool made;

    if (!via_place_put(root, addon_id, "", "", folder))
        return via_place_fail_id(e);
    made = lstat(folder, &st) < 0;
    status = via_root_make_folder(root, "addons/sqlite", e);
    if (status == VIA_OK)
        status = via_fs_mkdir(folder, 0700, root, e);
    if (status == VIA_OK)
        status = storage_build(root, addon_id, source, progress, e);
    if (status != VIA_OK && made && via_fs_remove_tree(folder, &ignored) != VIA_OK)
        via_log(VIA_LOG_WARN, "%s: %s", addon_id, ignored.message);
    return status;
}

static enum via_status
sqlite_provision(const struct via_root *root, const char *addon_id, const char *source,
                 const struct via_progress *progress, struct via_error *e)
{
    struct via_error inner = {0};
    struct via_source from = {0};
    enum via_status status;
    struct stat st;

    if (!via_id_is("addon", addon_id))
        return via_place_fail_id(e);
    status = via_place_find_data(root, addon_id, &st, &inner);
    if (status == VIA_OK)
        return storage_clear(root, addon_id, VIA_PLACE_INCOMING, e);
    if (status != VIA_STORAGE_MISSING)
        return via_error_set(e, status, "%s", inner.message);
    status = VIA_OK;
    via_error_clear(&inner);
    if (source)
        status = via_source_open(&from, root, source, &inner);
    if (status == VIA_OK)
        status = storage_make(root, addon_id, source ? &from : NULL, progress, &inner);
    via_source_close(&from);
    if (status == VIA_DISK_FULL) /* by the file system rather than by SQLite: one answer */
        status = inner.status = VIA_STORAGE_FULL;
    return status == VIA_OK ? VIA_OK : via_error_set(e, status, "%s", inner.message);
}

static enum via_status
sqlite_check_source(const char *source, const struct via_progress *progress, struct via_error *e)
{
    struct via_error ignored = {0}, inner = {0};
    struct via_source from = {0};
    struct via_root root;
    bool has_root = via_root_find(&root, &ignored) == VIA_OK;
    enum via_status status = via_source_open(&from, has_root ? &root : NULL, source, &inner);

    if (status == VIA_OK)
        status = via_source_verify(&from, progress, &inner);
    via_source_close(&from);
    return status == VIA_OK ? VIA_OK : via_error_set(e, status, "%s", inner.message);
}

static void
sqlite_probe(const struct via_root *root, const char *addon_id, struct via_storage_facts *out)
{
    struct via_error why = {0};
    char path[VIA_PATH_SIZE];
    struct stat st;

    memset(out, 0, sizeof *out);
    out->obstacle = via_place_obstacle(root, addon_id);
    if (via_place_put(root, addon_id, VIA_PLACE_INCOMING, "", path))
        out->leftovers = lstat(path, &st) == 0;
    out->unseen =
        via_place_find_data(root, addon_id, &st, &why) == VIA_STORAGE_UNREADABLE && !out->obstacle;
    out->present = why.status == VIA_OK || out->unseen;
    if (why.status != VIA_OK)
        return;
    out->size_bytes = st.st_size;
    if (via_place_put(root, addon_id, VIA_PLACE_DATA, "", path)) {
        out->readable = faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) == 0;
        out->writable = faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) == 0;
    }
    if (via_place_put(root, addon_id, VIA_PLACE_DATA, "-wal", path) && lstat(path, &st) == 0)
        out->wal_bytes = st.st_size;
}

static bool
sqlite_looks_sound(const struct via_root *root, const char *addon_id)
{
    char path[VIA_PATH_SIZE], log[VIA_PATH_SIZE];

    return !via_place_put(root, addon_id, VIA_PLACE_DATA, "", path) ||
           !via_place_put(root, addon_id, VIA_PLACE_DATA, "-wal", log) ||
           via_header_holds(path, log);
}

static enum via_status
sqlite_keep_log(const struct via_root *root, const char *addon_id, const char *keep_id,
                bool *is_kept, struct via_error *e)
{
    char log[VIA_PATH_SIZE], kept[VIA_PATH_SIZE], folder[VIA_PATH_SIZE];
    enum via_status status = VIA_OK;
    struct stat st;

    *is_kept = false;
    if (!via_place_put(root, addon_id, VIA_PLACE_DATA, "-wal", log) ||
        !via_place_put(root, addon_id, "snapshots", "", folder) ||
        !via_place_put_snapshot(root, addon_id, keep_id, VIA_PLACE_DAMAGED "-wal", kept))
        return via_place_fail_id(e);
    if (lstat(kept, &st) < 0 &&
        via_place_find_data(root, addon_id, &st, NULL) == VIA_STORAGE_MISSING &&
        lstat(log, &st) == 0 && st.st_size > 0) {
        status = via_fs_mkdir(folder, 0700, root, e);
        if (status == VIA_OK)
            status = via_fs_move(log, kept, e);
        if (status == VIA_OK)
            via_log(VIA_LOG_WARN, "%s: its log was there without its database, and is kept as %s",
                    addon_id, kept);
    }
    *is_kept = lstat(kept, &st) == 0;
    return status;
}

static enum via_status
sqlite_destroy(const struct via_root *root, const char *addon_id, struct via_error *e)
{
    char folder[VIA_PATH_SIZE];

    if (!via_place_put(root, addon_id, "", "", folder))
        return via_place_fail_id(e);
    return via_fs_remove_tree(folder, e);
}

static enum via_status
sqlite_check_integrity(const struct via_root *root, const struct via_opener *opener,
                       const char *addon_id, const struct via_progress *progress,
                       struct via_error *e)
{
    struct via_sql sql = {0};
    enum via_status status;
    struct stat st;

    if (via_place_find_data(root, addon_id, &st, e) != VIA_OK)
        return e->status;
    status = via_content_open(&sql, opener, addon_id, e);
    if (status == VIA_OK)
        status = via_content_check(&sql, false, progress, e);
    via_sql_close(&sql);
    return status;
}

static bool
sqlite_locate(const struct via_root *root, const char *addon_id, char out[VIA_PATH_SIZE])
{
    return via_place_put(root, addon_id, VIA_PLACE_DATA, "", out);
}

const struct via_provider via_provider_sqlite = {
    .type = "sqlite",
    .check_source = sqlite_check_source,
    .provision = sqlite_provision,
    .probe = sqlite_probe,
    .looks_sound = sqlite_looks_sound,
    .keep_log = sqlite_keep_log,
    .destroy = sqlite_destroy,
    .snapshot = via_capture_make,
    .check_snapshot = via_capture_check,
    .remove_snapshot = via_capture_remove,
    .has_snapshot = via_capture_exists,
    .restore = via_restore_make,
    .is_restored = via_restore_is_made,
    .undo_restore = via_restore_undo,
    .finish_restore = via_restore_finish,
    .export_to = via_export_make,
    .export_left = via_export_left,
    .check_integrity = sqlite_check_integrity,
    .lend = via_transfer_lend,
    .forget_lent = via_transfer_forget,
    .open_snapshot = via_transfer_open_snapshot,
    .receive = via_transfer_receive,
    .received = via_transfer_received,
    .locate = sqlite_locate,
};
