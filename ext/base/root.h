/* root.h: the state root: where everything is, made with the right owner and mode.
 *
 * The only place that knows the names of the root's files, apart from add-on
 * storage, which belongs to provider/. Files made by root in a root owned by
 * another user are handed to that user. */
#ifndef VIA_BASE_ROOT_H
#define VIA_BASE_ROOT_H

#include "via/model.h"

#include <sys/types.h>

struct via_root {
    char path[VIA_PATH_SIZE - 512]; /* absolute, no trailing slash */
    uid_t uid;                      /* owner of the root, of all files in it */
    gid_t gid;
};

/* Override, for this process, what `via_root_path` answers; NULL takes it back.
 * Call before any thread uses Via. The text is copied. */
void via_root_set_path(const char *path);

/* The state root's path: the override, else VIA_STATE_DIR, else /var/lib/via. Made
 * absolute (not resolved) into `out`. False when it is empty or too long. */
VIA_MUST_USE bool via_root_path(char *out, size_t size);

/* Open the state root, making it and its folders (run, keys, addons, addons/sqlite, backups) when
 * missing. Only run/ must be there: what needs another folder says so when it is not.
 * VIA_STATE_UNAVAILABLE names VIA_STATE_DIR and sudo; VIA_DISK_FULL; VIA_STATE_RESTORING while a
 * restore fills it. Idempotent and safe against another process doing the same. */
VIA_MUST_USE enum via_status via_root_open(struct via_root *root, struct via_error *e);

/* Make those of the root's folders that `name` is or is in ("addons/sqlite"), where via_root_open
 * could not. What via_fs_mkdir says. */
VIA_MUST_USE enum via_status via_root_make_folder(const struct via_root *root, const char *name,
                                                  struct via_error *e);

/* The folder in the root that is there while a restore fills it; stage.h. */
#define VIA_ROOT_RESTORING "restoring"

/* Make the root itself when missing, and none of its folders, even while it is being restored. */
VIA_MUST_USE enum via_status via_root_begin(struct via_root *root, struct via_error *e);

/* As via_root_open, but nothing is made: VIA_STATE_UNAVAILABLE when the root does not exist. */
VIA_MUST_USE enum via_status via_root_find(struct via_root *root, struct via_error *e);

/* Is `path` (absolute, its folder resolved) that of a file which Via keeps in the root, or in a
 * folder of the root? What launchers keep in run/ is theirs. */
VIA_MUST_USE bool via_root_is_own(const struct via_root *root, const char *path);

/* Format `root->path`/`relative` into `out` (size VIA_PATH_SIZE). */
void via_root_join(const struct via_root *root, const char *relative, char out[VIA_PATH_SIZE]);

#endif
