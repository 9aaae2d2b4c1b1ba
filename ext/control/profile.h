/* profile.h: what one instance is to be told: its environment values, and a descriptor for each
 * binding of its release.
 *
 * Made after the same gates as every operation, for the bindings of the release's manifest, not
 * those of today. A binding that a gate refuses carries that refusal. Values and credentials
 * lie in guarded memory. A profile does not change once it is made, so that threads may share
 * it; it stands while its epoch does and until expires_ms. */
#ifndef VIA_CONTROL_PROFILE_H
#define VIA_CONTROL_PROFILE_H

#include "control/access.h"

#include <stdatomic.h>

struct via_profile_value {
    char name[VIA_NAME_SIZE];
    int64_t version;
    size_t at, len; /* in the vault */
    bool broken;    /* a secret that does not open */
};

struct via_profile_binding {
    char name[VIA_NAME_SIZE];
    char type[32];
    struct via_error refused; /* VIA_OK: the rest is filled in */
    int64_t generation;
    enum via_mode mode;
    size_t at, len;        /* of the credential, in the vault */
    char kid[VIA_ID_SIZE]; /* the key it is signed with */
    int64_t issued_ms, expires_ms;
    _Atomic bool witnessed; /* that it was granted is on record */
};

struct via_profile {
    struct via_claims claims;
    char target[VIA_NAME_SIZE];
    int64_t version; /* moves when values, bindings, generations or releases of the target do */
    struct via_profile_value *values; /* sorted by name */
    size_t value_count;
    struct via_profile_binding *bindings;
    size_t binding_count;
    char *vault;
    uint64_t epoch;     /* 0: good for this operation only */
    int64_t expires_ms; /* when it is to be made anew at the latest */
};

/* Make the profile of the instance that `claims`, of a workload token, speak of. A credential of
 * `older`, a profile of the same instance or NULL, is handed out again until half of its life is
 * over or its key is retired; no row is written for a new one. VIA_OK fills *out, which the caller
 * frees; else a gate's refusal of the workload, or why it could not be asked. */
VIA_MUST_USE enum via_status via_profile_new(struct via_access *a, const struct via_claims *claims,
                                             const struct via_profile *older,
                                             struct via_profile **out, struct via_error *e);
void via_profile_free(struct via_profile *p);

/* When a credential is to be asked for anew: Unix ms. */
int64_t via_profile_renew_ms(const struct via_profile_binding *b);

/* The value of that name, or NULL. */
const struct via_profile_value *via_profile_value(const struct via_profile *p, const char *name,
                                                  size_t n);

#endif
