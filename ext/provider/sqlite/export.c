#include "provider/sqlite/export.h"

#include "base/error.h"
#include "base/fs.h"
#include "provider/sqlite/copy.h"
#include "provider/sqlite/place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

/* Where it goes, with its folder resolved: what is checked is what is written to. */
struct export_place {
    char path[VIA_PATH_SIZE];
    char incoming[VIA_PATH_SIZE];
};

static enum via_status
export_fail_there(const char *path, struct via_error *e)
{
    return via_error_set(e, VIA_PATH_INVALID, "%.200s is there already; name a new file", path);
}

/* Resolve the folder of `path` into `out`, and the name in it. */
static enum via_status
export_resolve(const char *path, char folder[VIA_PATH_SIZE], const char **name, struct via_error *e)
{
    const char *slash = strrchr(path, '/');
    size_t n = slash ? (size_t)(slash - path) : 0;
    char given[VIA_PATH_SIZE], *whole;

    *name = slash ? slash + 1 : "";
    if (path[0] != '/' || n >= sizeof given || !**name || strcmp(*name, ".") == 0 ||
        strcmp(*name, "..") == 0)
        return via_error_set(e, VIA_PATH_INVALID, "%.200s is no absolute path of a file", path);
    (void)snprintf(given, sizeof given, "%.*s/", (int)n, path);
    whole = realpath(given, NULL);
    if (!whole)
        return via_error_set_errno(e, VIA_PATH_UNWRITABLE, errno,
                                   "the folder of %.200s cannot be written to", path);
    n = strlen(whole);
    if (n < VIA_PATH_SIZE)
        memcpy(folder, whole, n + 1);
    free(whole);
    if (n >= VIA_PATH_SIZE)
        return via_error_set(e, VIA_PATH_INVALID, "%.200s is too long", path);
    if (strcmp(folder, "/") == 0)
        folder[0] = '\0';
    return VIA_OK;
}

static bool
export_put_incoming(const char *folder, const char *name, const char *addon_id,
                    char out[VIA_PATH_SIZE])
{
    int n = snprintf(out, VIA_PATH_SIZE, "%s/.%s.%s.incoming", folder, name, addon_id);

    return n > 0 && n < VIA_PATH_SIZE;
}

static enum via_status
export_find_place(const struct via_root *root, const char *addon_id, const char *path,
                  struct export_place *out, struct via_error *e)
{
    char folder[VIA_PATH_SIZE];
    const char *name;
    struct stat st;
    int n;

    if (export_resolve(path, folder, &name, e) != VIA_OK)
        return e->status;
    n = snprintf(out->path, sizeof out->path, "%s/%s", folder, name);
    if (n < 0 || n >= VIA_PATH_SIZE || !export_put_incoming(folder, name, addon_id, out->incoming))
        return via_error_set(e, VIA_PATH_INVALID, "%.200s is too long", path);
    if (via_place_is_below(out->path, root, "addons"))
        return via_error_set(e, VIA_PATH_INVALID,
                             "an export goes to a place of yours, not among Via's own files");
    if (lstat(out->path, &st) == 0)
        return export_fail_there(path, e);
    if (errno != ENOENT || faccessat(AT_FDCWD, *folder ? folder : "/", W_OK | X_OK, AT_EACCESS) < 0)
        return via_error_set_errno(e, VIA_PATH_UNWRITABLE, errno,
                                   "the folder of %.200s cannot be written to", path);
    return VIA_OK;
}

static enum via_status
export_copy(const struct via_opener *opener, const char *addon_id, const struct via_copy *c,
            int64_t *size_bytes, struct via_error *e)
{
    struct via_snapshot_facts facts = {0};
    struct via_pin pin;
    enum via_status status = via_pin_open(&pin, opener, addon_id, e);

    if (status == VIA_OK)
        status = via_copy_make(c, &pin, &facts, e);
    via_pin_close(&pin);
    *size_bytes = facts.size_bytes;
    return status;
}

static enum via_status
export_build(const struct via_opener *opener, const char *addon_id,
             const struct export_place *place, struct via_copy *c, int64_t *size_bytes,
             struct via_error *e)
{
    struct via_claim claim;
    enum via_status status = via_claim_take(&claim, place->incoming, NULL, e);

    if (status == VIA_STATE_UNAVAILABLE)
        e->status = VIA_PATH_UNWRITABLE;
    c->path = place->incoming;
    c->fd = claim.fd;
    if (status == VIA_OK)
        status = export_copy(opener, addon_id, c, size_bytes, e);
    if (status == VIA_OK)
        status = via_fs_publish_new(place->incoming, place->path, e);
    if (status == VIA_STATE_INVALID) /* somebody was faster */
        e->status = VIA_PATH_INVALID;
    via_claim_drop(&claim, status == VIA_OK);
    return e->status;
}

enum via_status
via_export_make(const struct via_root *root, const struct via_opener *opener, const char *addon_id,
                const char *path, const struct via_progress *progress, int64_t *size_bytes,
                struct via_error *e)
{
    struct via_error why = {0};
    struct export_place place;
    char data[VIA_PATH_SIZE], log[VIA_PATH_SIZE];
    struct via_copy c = {
        .data = data, .log = log, .header = VIA_HEADER_PLAIN, .progress = progress};
    struct stat st;

    *size_bytes = 0;
    if (!via_place_put(root, addon_id, VIA_PLACE_DATA, "", data) ||
        !via_place_put(root, addon_id, VIA_PLACE_DATA, "-wal", log))
        return via_place_fail_id(e);
    if (via_place_find_data(root, addon_id, &st, e) != VIA_OK)
        return e->status;
    if (export_find_place(root, addon_id, path, &place, &why) == VIA_OK)
        via_ignore(export_build(opener, addon_id, &place, &c, size_bytes, &why));
    if (why.status == VIA_DISK_FULL)
        why.status = VIA_STORAGE_FULL;
    return why.status == VIA_OK ? VIA_OK : via_error_set(e, why.status, "%s", why.message);
}

bool
via_export_left(const char *addon_id, const char *path, char out[VIA_PATH_SIZE])
{
    char folder[VIA_PATH_SIZE];
    struct via_error ignored = {0};
    const char *name;
    bool is_free;
    int fd;

    if (export_resolve(path, folder, &name, &ignored) != VIA_OK ||
        !export_put_incoming(folder, name, addon_id, out))
        return false;
    fd = open(out, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    is_free = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0;
    if (fd >= 0)
        close(fd);
    return is_free;
}
