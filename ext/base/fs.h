/* fs.h: files as Via makes them: whole, owned, synced.
 *
 * The only user of rename, fsync, unlink and mkdir. `owner` hands a new file to the
 * owner of the state root when the process is root; NULL keeps the process's own. */
#ifndef VIA_BASE_FS_H
#define VIA_BASE_FS_H

#include "base/root.h"

#include <stddef.h>

/* Make a directory with exactly `mode`; fine when it is there already as a
 * directory. A symbolic link in its place is refused. */
VIA_MUST_USE enum via_status via_fs_mkdir(const char *path, mode_t mode,
                                          const struct via_root *owner, struct via_error *e);

/* Make an empty file with exactly `mode` when none is there. O_NOFOLLOW. */
VIA_MUST_USE enum via_status via_fs_touch(const char *path, mode_t mode,
                                          const struct via_root *owner, struct via_error *e);

/* Make the file `path` with exactly `mode`, where nothing is yet, and open it for writing; the
 * caller closes *fd. Whoever owns the folder cannot put a file of theirs in its place.
 * VIA_STATE_INVALID when something is there. */
VIA_MUST_USE enum via_status via_fs_create(const char *path, mode_t mode,
                                           const struct via_root *owner, int *fd,
                                           struct via_error *e);

/* Replace `path` atomically: a temporary beside it, fsync, rename, fsync of the folder. */
VIA_MUST_USE enum via_status via_fs_write(const char *path, const void *bytes, size_t n,
                                          mode_t mode, const struct via_root *owner,
                                          struct via_error *e);

/* Make `path` atomically, never replacing: VIA_STATE_INVALID when it exists. */
VIA_MUST_USE enum via_status via_fs_write_new(const char *path, const void *bytes, size_t n,
                                              mode_t mode, const struct via_root *owner,
                                              struct via_error *e);

/* Read a whole regular file (no symbolic link) of at most `max` bytes. *out is malloc'ed, NUL
 * added, *n without it; the caller frees. VIA_STATE_UNAVAILABLE when it cannot be read,
 * VIA_VALUE_INVALID when it is longer. */
VIA_MUST_USE enum via_status via_fs_read(const char *path, size_t max, char **out, size_t *n,
                                         struct via_error *e);

/* fsync `from`, rename it to `to` in the same folder, fsync the folder. */
VIA_MUST_USE enum via_status via_fs_publish(const char *from, const char *to, struct via_error *e);

/* The same, never replacing: VIA_STATE_INVALID when `to` exists; then `from` is still there. */
VIA_MUST_USE enum via_status via_fs_publish_new(const char *from, const char *to,
                                                struct via_error *e);

/* Rename `from`, which is synced, over `to` in the same folder without opening it; fsync the
 * folder. */
VIA_MUST_USE enum via_status via_fs_move(const char *from, const char *to, struct via_error *e);

/* Give the file `from` a second name `to`, which is new, and fsync its folder.
 * VIA_STATE_UNAVAILABLE where it cannot be done. */
VIA_MUST_USE enum via_status via_fs_link(const char *from, const char *to, struct via_error *e);

/* fsync a file or a directory. */
VIA_MUST_USE enum via_status via_fs_sync(const char *path, struct via_error *e);

/* Unlink; a missing file is fine. */
VIA_MUST_USE enum via_status via_fs_remove(const char *path, struct via_error *e);

/* Remove a directory and all in it, never following a symbolic link, then sync its parent.
 * A missing one is fine. */
VIA_MUST_USE enum via_status via_fs_remove_tree(const char *path, struct via_error *e);

/* Remove the temporaries that processes killed inside the functions above left in `folder`. The
 * caller holds the lock under which files are written there. What cannot be removed stays. */
void via_fs_sweep(const char *folder);

/* Give `path` to the root's owner when the process is root. */
VIA_MUST_USE enum via_status via_fs_own(const char *path, const struct via_root *owner,
                                        struct via_error *e);

#endif
