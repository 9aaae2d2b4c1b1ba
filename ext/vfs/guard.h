/* guard.h: who opened a guarded file, and what it may do now.
 *
 * Each main file has one guard. It holds the grant in force and renews it when it has gone
 * stale. Knows nothing of SQLite's files and locks. */
#ifndef VIA_VFS_GUARD_H
#define VIA_VFS_GUARD_H

#include "vfs/context.h"
#include "vfs/policy.h"
#include "vfs/vfs.h"

struct via_guard {
    struct via_context *context;
    enum via_vfs_door door;
    const char *name;       /* as asked for; borrowed */
    const char *token_file; /* VIA_VFS_WORKLOAD; borrowed */
    char addon_id[VIA_ID_SIZE];
    struct via_claims claims; /* of a workload, once proved */
    bool has_claims;
    const struct via_grant *grant; /* in force: `own`, the slot's, or NULL */
    struct via_grant own;          /* made here: by opening or by renewing */
    bool may_write;                /* as the slot says; true for the other doors */
    uint64_t placed_epoch;         /* when the file was last seen to be the one of its name; or 0 */
};

/* Pass the door that `request` asks for. `name` and the request's texts are borrowed. On
 * success *path is where the data is. A refusal is recorded. Close in any case. */
VIA_MUST_USE enum via_status via_guard_open(struct via_guard *g, const char *name,
                                            const struct via_vfs_request *request,
                                            char path[VIA_PATH_SIZE], struct via_error *e);
void via_guard_close(struct via_guard *g);

/* Record that somebody asked for the binding `name` without a token. */
void via_guard_turn_away(const char *name, enum via_status code);

/* May this file only be read, whatever happens to its grant? */
bool via_guard_is_readonly(const struct via_guard *g);

/* May a transaction start without asking anybody? False says nothing yet. */
bool via_guard_is_open(const struct via_guard *g);

/* May a transaction start? Renews a stale grant; a refusal is recorded. */
VIA_MUST_USE enum via_status via_guard_check_read(struct via_guard *g, struct via_error *e);

/* May the transaction that is open write? Renews nothing: it started, so it may finish. */
VIA_MUST_USE enum via_status via_guard_check_write(struct via_guard *g, struct via_error *e);

/* Is the file still the one of its name, as far as can be told without looking? Asked with a lock
 * in hand that a restore waits for, so that a yes holds as long as the lock. */
bool via_guard_is_placed(const struct via_guard *g);

/* It was just looked at, in `epoch` (of before the look), and is. */
void via_guard_place(struct via_guard *g, uint64_t epoch);

/* Set or clear the grant of a locked file. VIA_ADDON_UNAVAILABLE for a grant of another add-on;
 * then none is in force. */
VIA_MUST_USE enum via_status via_guard_set(struct via_guard *g, const struct via_grant_slot *slot,
                                           struct via_error *e);

/* Record a refusal that another part decided. */
void via_guard_refusal(struct via_guard *g, const struct via_error *e);

#endif
