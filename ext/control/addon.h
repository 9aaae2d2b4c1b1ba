/* addon.h: add-ons: their rows, names, options and states. Storage is the provider's. */
#ifndef VIA_CONTROL_ADDON_H
#define VIA_CONTROL_ADDON_H

#include "control/store.h"
#include "rules/lifecycle.h"

#include <stddef.h>

struct via_addon {
    int64_t rid;
    char id[VIA_ID_SIZE];
    char type[32];
    char name[VIA_ADDON_ROW_NAME_SIZE];
    char app[VIA_NAME_SIZE];
    enum via_addon_state state;
    char error[VIA_MESSAGE_SIZE];
};

/* By row id; false when there is none. */
bool via_addon_find_row(struct via_sql *db, int64_t rid, struct via_addon *out);

/* By id. */
bool via_addon_find_id(struct via_sql *db, const char *id, struct via_addon *out);

/* By exact name in an app, whatever its state. */
bool via_addon_find_name(struct via_sql *db, const char *app, const char *name,
                         struct via_addon *out);

/* The next add-on, in the order of their ids, that may have content worth keeping: not destroyed,
 * not being made. `after` is "" at first. */
bool via_addon_next_kept(struct via_sql *db, const char *after, struct via_addon *out);

/* As an operator names it: an id, or a name, in `app` (NULL or "": in whichever app alone has it).
 * False with VIA_ADDON_NOT_FOUND or VIA_ADDON_AMBIGUOUS in the handle. */
bool via_addon_get(struct via_sql *db, const char *app, const char *name, struct via_addon *out);

struct via_addon_spec {
    const char *type;
    const char *name;
    const char *app;
    const char *options; /* JSON object, or NULL */
    const char *source;  /* file to import, or NULL */
};

/* Check a spec without changing anything: names, type is the caller's. The handle holds the
 * refusal. */
void via_addon_check(struct via_store *s, const struct via_addon_spec *spec);

/* Write a provisioning add-on and the intent to make its storage. A failed add-on of that name is
 * buried first; the caller has made sure that it left no data. Returns its row id and *id. */
int64_t via_addon_put(struct via_store *s, const struct via_addon_spec *spec, char id[VIA_ID_SIZE]);

/* Merge `options` (a JSON object; null resets a member) into those of the add-on. */
void via_addon_set_options(struct via_store *s, int64_t rid, const char *options);

/* Suspend or resume. VIA_STATE_INVALID; VIA_ADDON_BUSY while it is restored. */
void via_addon_set_state(struct via_store *s, int64_t rid, const char *state);

/* Destroy: bury the name, take the bindings away, write the intent to remove the bytes when the
 * retention is 0. VIA_ADDON_BOUND, VIA_ADDON_IN_USE (not with `force`), VIA_ADDON_PROTECTED. */
void via_addon_remove(struct via_store *s, int64_t rid, bool force);

/* VIA_ADDON_BUSY when an operation of `kind` (NULL: any) is under way on `a`. */
void via_addon_check_idle(struct via_store *s, const struct via_addon *a, const char *kind);

/* Outcomes of provisioning, in a transaction of effects/. */
void via_addon_provisioned(struct via_store *s, const char *id);
void via_addon_failed(struct via_store *s, const char *id, const char *operation_id,
                      const struct via_error *why);

/* Its bytes and snapshots are gone. */
void via_addon_purged(struct via_store *s, const char *id);

#endif
