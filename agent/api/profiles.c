/* profiles.c: a set-associative table under one lock, which is held for a few comparisons. */
#include "api/profiles.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define SETS 256
#define WAYS 4
#define SLOTS (SETS * WAYS)

struct slot {
    struct via_token_key key;
    struct via_held_profile *held;
    uint64_t used; /* by the table's clock */
};

struct via_profiles {
    pthread_mutex_t lock;
    uint64_t clock;
    struct slot slots[SLOTS];
};

struct via_profiles *
via_profiles_new(void)
{
    struct via_profiles *t = calloc(1, sizeof *t);

    if (t)
        pthread_mutex_init(&t->lock, NULL);
    return t;
}

void
via_profiles_free(struct via_profiles *t)
{
    if (!t)
        return;
    via_profiles_tick(t, INT64_MAX);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

static struct via_held_profile *
profile_hold(struct via_held_profile *h)
{
    atomic_fetch_add_explicit(&h->holders, 1, memory_order_relaxed);
    return h;
}

void
via_profile_drop(struct via_held_profile *h)
{
    if (!h || atomic_fetch_sub_explicit(&h->holders, 1, memory_order_acq_rel) != 1)
        return;
    via_profile_free(h->profile);
    free(h);
}

static struct slot *
set_of(struct via_profiles *t, const struct via_token_key *key)
{
    return &t->slots[key->digest[0] % SETS * WAYS];
}

static bool
slot_is(const struct slot *s, const struct via_token_key *key)
{
    return s->held && memcmp(&s->key, key, sizeof *key) == 0;
}

static bool
profile_is_fresh(const struct via_held_profile *h, const struct via_epoch *epoch, int64_t now_ms)
{
    return h->epoch == epoch && via_epoch_is(epoch, h->profile->epoch) &&
           now_ms < h->profile->expires_ms;
}

struct via_held_profile *
via_profiles_find(struct via_profiles *t, const struct via_token_key *key,
                  const struct via_epoch *epoch, int64_t now_ms)
{
    struct slot *set = set_of(t, key);
    struct via_held_profile *found = NULL;

    pthread_mutex_lock(&t->lock);
    for (int i = 0; i < WAYS && !found; i++)
        if (slot_is(&set[i], key) && profile_is_fresh(set[i].held, epoch, now_ms)) {
            set[i].used = ++t->clock;
            found = profile_hold(set[i].held);
        }
    pthread_mutex_unlock(&t->lock);
    return found;
}

struct via_held_profile *
via_profiles_of(struct via_profiles *t, const char *instance)
{
    struct slot *found = NULL;
    struct via_held_profile *held;

    pthread_mutex_lock(&t->lock);
    for (struct slot *s = t->slots; s < t->slots + SLOTS; s++)
        if (s->held && strcmp(s->held->profile->claims.instance, instance) == 0 &&
            (!found || s->used > found->used))
            found = s;
    held = found ? profile_hold(found->held) : NULL;
    pthread_mutex_unlock(&t->lock);
    return held;
}

/* The slot to fill: the key's own, else an empty one, else the one longest unused. */
static struct slot *
set_choose(struct slot *set, const struct via_token_key *key)
{
    struct slot *chosen = set;

    for (int i = 0; i < WAYS; i++) {
        if (slot_is(&set[i], key))
            return &set[i];
        if (chosen->held && (!set[i].held || set[i].used < chosen->used))
            chosen = &set[i];
    }
    return chosen;
}

struct via_held_profile *
via_profiles_put(struct via_profiles *t, const struct via_token_key *key,
                 const struct via_epoch *epoch, struct via_profile *profile)
{
    struct via_held_profile *h = malloc(sizeof *h), *old;
    struct slot *slot;

    if (!h) {
        via_profile_free(profile);
        return NULL;
    }
    atomic_init(&h->holders, 1);
    h->epoch = epoch;
    h->profile = profile;
    pthread_mutex_lock(&t->lock);
    slot = set_choose(set_of(t, key), key);
    old = slot->held;
    slot->key = *key;
    slot->held = profile_hold(h);
    slot->used = ++t->clock;
    pthread_mutex_unlock(&t->lock);
    via_profile_drop(old);
    return h;
}

void
via_profiles_tick(struct via_profiles *t, int64_t now_ms)
{
    struct via_held_profile *old;

    for (struct slot *s = t->slots; s < t->slots + SLOTS; s++) {
        old = NULL;
        pthread_mutex_lock(&t->lock);
        if (s->held && s->held->profile->claims.expires_s * 1000 <= now_ms) {
            old = s->held;
            s->held = NULL;
        }
        pthread_mutex_unlock(&t->lock);
        via_profile_drop(old);
    }
}
