/* restore.h: restores as rows: what is asked, how far it is, and when an add-on drains for it. */
#ifndef VIA_CONTROL_RESTORE_H
#define VIA_CONTROL_RESTORE_H

#include "control/addon.h"
#include "control/store.h"

struct via_restore_spec {
    const char *snapshot;    /* its id */
    bool drain;              /* let the running bound deploy finish its operations first */
    bool restart_bound_apps; /* afterwards */
    bool force_after_timeout;
    int64_t timeout_s; /* for what runs to end; below 0: the setting */
};

struct via_restore {
    char id[VIA_ID_SIZE];
    char addon_id[VIA_ID_SIZE];
    char snapshot[VIA_ID_SIZE];
    char digest[65]; /* of that snapshot */
    char keep_id[VIA_ID_SIZE];
    char phase[32];
    bool restart_bound_apps;
    bool force_after_timeout;
    int64_t timeout_s;
};

/* In the store's transaction: write a pending restore of `a` and its intent. Returns the row id.
 * VIA_ADDON_ACTIVE when a running deploy uses the add-on and neither drain nor force_after_timeout
 * is asked; VIA_SNAPSHOT_NOT_FOUND, VIA_STATE_INVALID, VIA_ADDON_BUSY. */
int64_t via_restore_put(struct via_store *s, const struct via_addon *a,
                        const struct via_restore_spec *spec);

/* By id; false when there is none. */
bool via_restore_find(struct via_sql *db, const char *id, struct via_restore *out);

/* -- in a transaction of effects/ -------------------------------------------------- */

/* It has come to `phase`: copy, drain, interrupt, exchange, check or undo. */
void via_restore_phase(struct via_store *s, const struct via_restore *r, const char *phase);

/* From now on the gates refuse the add-on's operations (VIA_ADDON_DRAINING), unless it is
 * suspended; and no longer. */
void via_restore_drain(struct via_store *s, const struct via_restore *r, const char *operation_id);
void via_restore_serve(struct via_store *s, const struct via_restore *r);

/* The old content becomes the snapshot keep_id, which is pending. */
void via_restore_keep(struct via_store *s, const struct via_restore *r);

/* It is over: the new content stands. `is_kept` says whether the old one is the snapshot keep_id;
 * `is_damaged`, that it could not be, and its bytes lie aside under that id. */
void via_restore_done(struct via_store *s, const struct via_restore *r, bool is_kept,
                      bool is_damaged, const char *operation_id);

/* It is over, and the old content stands. */
void via_restore_failed(struct via_store *s, const struct via_restore *r,
                        const struct via_error *why);

#endif
