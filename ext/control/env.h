/* env.h: an app's environment values, plain and secret.
 *
 * A secret is sealed with the host's seal key, bound to its app, target, name and version, so
 * that a row that was moved or put back does not open. Versions count up for ever: the row
 * of an unset value stays, empty. Apps read both through control/profile.h alone. */
#ifndef VIA_CONTROL_ENV_H
#define VIA_CONTROL_ENV_H

#include "control/store.h"

#define VIA_ENV_VALUE_BYTES 65536 /* the longest value */

struct via_env_spec {
    const char *app;
    const char *target; /* NULL: "", for every target */
    const char *name;
    const char *value;      /* NULL: not given */
    bool value_is_open;     /* it stands in the text of a statement: no secret may */
    const char *value_file; /* in place of `value`; one line end at its end is left out */
    int secret;             /* 1, 0, or -1: as it is, and plain when new */
    bool keep;              /* leave alone what is there */
};

/* Set a value, for every instance's next look. A secret stays one until it is unset. Returns the
 * row id. Setting a plain value to what it is changes nothing. */
int64_t via_env_put(struct via_store *s, const struct via_env_spec *spec);

/* The same for a row that is there: the spec's app, target and name are ignored. */
void via_env_set(struct via_store *s, int64_t rid, const struct via_env_spec *spec);

/* Unset. */
void via_env_remove(struct via_store *s, int64_t rid);

/* Seal what is sealed with the key `kid` with the newest one. The handle holds VIA_KEY_IN_USE when
 * a secret does not open. */
void via_env_reseal(struct via_store *s, const char *kid);

/* A secret as its row has it. */
struct via_env_sealed {
    const char *app, *target, *name;
    int64_t version;
    const char *kid;
    const void *bytes;
    size_t n;
};

/* Open it into `out`, which takes n - VIA_SEAL_OVERHEAD bytes. False: its key is gone, or it was
 * sealed for another row. */
VIA_MUST_USE bool via_env_open(struct via_keyring *keys, const struct via_env_sealed *sealed,
                               void *out);

/* A value's name must not be one that a binding of the app stands for. The handle holds
 * VIA_NAME_TAKEN. `taken_by` says whose names to compare with. */
enum via_name_owner { VIA_NAMES_OF_BINDINGS, VIA_NAMES_OF_VALUES };
void via_env_check_name(struct via_sql *db, const char *app, const char *name,
                        enum via_name_owner with);

#endif
