/* profiles.h: the profiles that were made, kept while nothing changed.
 *
 * Keyed by the digest of the workload token. A profile serves while its epoch stands; one that
 * went stale still lends its credentials to the next of the same instance, so that a
 * change by an operator mints nothing anew. Bounded: a full set forgets its oldest.
 * Thread-safe; decides nothing. */
#ifndef VIA_API_PROFILES_H
#define VIA_API_PROFILES_H

#include "control/profile.h"
#include "proxy/tokens.h"

struct via_held_profile {
    _Atomic int holders;
    const struct via_epoch *epoch; /* the page its number was read from */
    struct via_profile *profile;
};

struct via_profiles;

struct via_profiles *via_profiles_new(void); /* NULL: no memory */
void via_profiles_free(struct via_profiles *t);

/* A fresh profile for `key`, held for the caller, or NULL: ask the gates. */
struct via_held_profile *via_profiles_find(struct via_profiles *t, const struct via_token_key *key,
                                           const struct via_epoch *epoch, int64_t now_ms);

/* The newest profile of `instance`, fresh or not, held for the caller, or NULL. */
struct via_held_profile *via_profiles_of(struct via_profiles *t, const char *instance);

/* Hold `profile`, which is owned from here on, and remember it under `key` if it can be fresh
 * again. NULL: no memory, and `profile` is freed. */
struct via_held_profile *via_profiles_put(struct via_profiles *t, const struct via_token_key *key,
                                          const struct via_epoch *epoch,
                                          struct via_profile *profile);

/* Forget those whose token has expired. */
void via_profiles_tick(struct via_profiles *t, int64_t now_ms);

void via_profile_drop(struct via_held_profile *h); /* NULL is fine */

#endif
