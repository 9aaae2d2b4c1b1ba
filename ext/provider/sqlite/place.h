/* place.h: the names of an add-on's files, and files that are not yet what they will be. */
#ifndef VIA_PROVIDER_SQLITE_PLACE_H
#define VIA_PROVIDER_SQLITE_PLACE_H

#include "base/root.h"

#include <sys/stat.h>

#define VIA_PLACE_DATA "data.sqlite"
#define VIA_PLACE_INCOMING "incoming.sqlite" /* what is to be the data */

/* Write addons/sqlite/<id>/<name><suffix>, or the folder for an empty `name`. False for what is no
 * id, and when it does not fit. */
VIA_MUST_USE bool via_place_put(const struct via_root *root, const char *addon_id, const char *name,
                                const char *suffix, char out[VIA_PATH_SIZE]);

/* The same for a snapshot's file, with one of these suffixes. */
#define VIA_PLACE_READY ".sqlite"
#define VIA_PLACE_UNDER_WAY ".incoming"
#define VIA_PLACE_DAMAGED ".damaged" /* bytes that a restore found in its way */
VIA_MUST_USE bool via_place_put_snapshot(const struct via_root *root, const char *addon_id,
                                         const char *snapshot_id, const char *suffix,
                                         char out[VIA_PATH_SIZE]);

/* Is there a database with bytes in it? A zero-byte file is none: nothing here makes one.
 * VIA_STORAGE_MISSING, or VIA_STORAGE_UNREADABLE when it cannot be told: a folder that this process
 * may not enter is no sign that nothing is in it. */
VIA_MUST_USE enum via_status via_place_find_data(const struct via_root *root, const char *addon_id,
                                                 struct stat *st, struct via_error *e);

/* May this process list and enter the folder `name` of an add-on ("": its own), if it is there?
 * VIA_STORAGE_UNREADABLE. */
VIA_MUST_USE enum via_status via_place_check_folder(const struct via_root *root,
                                                    const char *addon_id, const char *name,
                                                    struct via_error *e);

/* Does `err`, of a look at a path, say that nothing is there? */
VIA_MUST_USE bool via_place_is_absent(int err);

/* Is the absolute `path`, without symbolic links, below the folder `relative` of the root? Climbs
 * by dev and inode, for two spellings of a path are no two places. */
VIA_MUST_USE bool via_place_is_below(const char *path, const struct via_root *root,
                                     const char *relative);

enum via_status via_place_fail_id(struct via_error *e); /* VIA_INTERNAL_ERROR */

/* What is where the database should be, and no file: "is a folder"; NULL when nothing is. */
const char *via_place_obstacle(const struct via_root *root, const char *addon_id);

/* There is no database: VIA_STORAGE_MISSING, or VIA_STORAGE_UNREADABLE when something else is in
 * its place. */
enum via_status via_place_fail_missing(const struct via_root *root, const char *addon_id,
                                       struct via_error *e);
enum via_status via_place_fail_unseen(int err, struct via_error *e); /* VIA_STORAGE_UNREADABLE */

/* A file under way: nobody else's while it is claimed, worth nothing when its process is dead. */
struct via_claim {
    char path[VIA_PATH_SIZE];
    int fd;
};

/* Make the empty file `path`, 0600, over what a dead process left there. VIA_ADDON_BUSY when a
 * living one is at it; else as via_fs_touch. Drop it in any case. */
VIA_MUST_USE enum via_status via_claim_take(struct via_claim *claim, const char *path,
                                            const struct via_root *owner, struct via_error *e);

/* Let go of it; unless it is kept, because it has got its name, the file is removed. */
void via_claim_drop(struct via_claim *claim, bool is_kept);

#endif
