/* snapshot.h: snapshots and exports as rows; their files are the provider's. */
#ifndef VIA_CONTROL_SNAPSHOT_H
#define VIA_CONTROL_SNAPSHOT_H

#include "control/addon.h"
#include "control/store.h"

/* In the store's transaction: write a pending snapshot of `a` and the intent to take it. `reason`
 * may be NULL. Returns the row id. VIA_STATE_INVALID unless the add-on is ready or suspended. */
int64_t via_snapshot_put(struct via_store *s, const struct via_addon *a, const char *reason);

/* Delete a snapshot: its row stays as "deleted", an intent removes the file, and when that fails
 * puts the row back (via_snapshot_keep). Deleting it again is fine; one that is being taken or
 * restored is VIA_ADDON_BUSY. */
void via_snapshot_remove(struct via_store *s, int64_t rid);

/* Is snapshot `id` of an add-on read by a restore that has not come to its end? */
bool via_snapshot_is_read(struct via_sql *db, const char *addon_id, const char *id);

/* In a transaction of effects/: write the pending snapshot `id` of an add-on that is made without
 * an intent of its own. */
void via_snapshot_put_pending(struct via_store *s, const char *id, const struct via_addon *a,
                              const char *reason);

/* In a transaction of effects/: a repair kept the log of an add-on under the id of a snapshot that
 * never was: a row for it, so that it can be deleted, and a record. */
void via_snapshot_put_log(struct via_store *s, const char *id, const struct via_addon *a,
                          const char *operation_id);

/* Outcomes, in a transaction of effects/. */
void via_snapshot_ready(struct via_store *s, const char *id, int64_t size_bytes,
                        const char *digest);

/* The pending snapshot `id`, if there is one, was not made after all. */
void via_snapshot_drop(struct via_store *s, const char *id);

/* The snapshot `id`, whose row says that it is deleted, could not be: it is what it was before. */
void via_snapshot_keep(struct via_store *s, const char *id);

/* Is snapshot `id` ready, and its add-on not destroyed? */
bool via_snapshot_is_ready(struct via_sql *db, const char *id);

/* The next ready snapshot in the order of rows; `rid` is 0 at first. */
bool via_snapshot_next_ready(struct via_sql *db, int64_t *rid, char id[VIA_ID_SIZE],
                             char addon_id[VIA_ID_SIZE]);

/* In a transaction of effects/: a snapshot has no file, and will have none. */
void via_snapshot_forget(struct via_store *s, const char *id);

/* The newest ready snapshot of an add-on; false when it has none. */
bool via_snapshot_newest(struct via_sql *db, const char *addon_id, char id[VIA_ID_SIZE]);

/* Write a pending export of `a` to the absolute `path` and the intent. Returns the row id. */
int64_t via_export_put(struct via_store *s, const struct via_addon *a, const char *path);

/* The path of an export. */
bool via_export_path(struct via_sql *db, const char *id, char out[VIA_PATH_SIZE]);

/* Its outcome: "ready" with its size, or "failed". */
void via_export_settle(struct via_store *s, const char *id, const char *state, int64_t size_bytes);

/* Write the intent to repair the storage of `a`: missing storage is made empty unless a snapshot
 * could be restored (VIA_STORAGE_MISSING names it), bytes of a failed add-on are adopted when
 * sound. `present` says whether there is storage, `obstacle` (NULL: nothing) what is in its place:
 * then it is VIA_STORAGE_UNREADABLE. */
void via_addon_repair(struct via_store *s, const struct via_addon *a, bool present,
                      const char *obstacle);

#endif
