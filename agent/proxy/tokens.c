/* tokens.c: a set-associative table of passes, in shards with a lock each. */
#include "proxy/tokens.h"

#include "identity/codec.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHARDS 16
#define SETS 64 /* of each shard */
#define WAYS 4

struct slot {
    struct via_token_key key;
    struct via_pass *pass;
    uint64_t used; /* by the shard's clock */
};

struct shard {
    pthread_mutex_t lock;
    uint64_t clock;
    struct slot slots[SETS][WAYS];
};

struct via_tokens {
    struct shard shards[SHARDS];
};

struct via_tokens *
via_tokens_new(void)
{
    struct via_tokens *t = calloc(1, sizeof *t);

    for (int i = 0; t && i < SHARDS; i++)
        pthread_mutex_init(&t->shards[i].lock, NULL);
    return t;
}

void
via_tokens_free(struct via_tokens *t)
{
    if (!t)
        return;
    via_tokens_tick(t, INT64_MAX);
    for (int i = 0; i < SHARDS; i++)
        pthread_mutex_destroy(&t->shards[i].lock);
    free(t);
}

struct via_pass *
via_pass_hold(struct via_pass *p)
{
    atomic_fetch_add_explicit(&p->holders, 1, memory_order_relaxed);
    return p;
}

void
via_pass_drop(struct via_pass *p)
{
    if (p && atomic_fetch_sub_explicit(&p->holders, 1, memory_order_acq_rel) == 1)
        free(p);
}

/* What a key is the digest of. */
struct text {
    size_t n;
    uint64_t words[(VIA_TOKEN_SIZE + VIA_NAME_SIZE) / 8 + 4];
};

static void
text_make(struct text *t, const char *token, size_t n, const char *binding, int64_t generation)
{
    char *at = (char *)t->words;
    size_t m = strlen(binding) + 1;

    if (n > VIA_TOKEN_SIZE) /* no token of Via's; the gates will say so */
        n = VIA_TOKEN_SIZE;
    memcpy(at, &generation, sizeof generation);
    memcpy(at + sizeof generation, binding, m);
    memcpy(at + sizeof generation + m, token, n);
    t->n = sizeof generation + m + n;
    memset(at + t->n, 0, sizeof *t->words); /* the last word, whole */
}

/* It holds a token, and the stack is used again by whoever comes next. */
static void
text_wipe(struct text *t)
{
    explicit_bzero(t->words, t->n);
}

void
via_tokens_key(const char *token, size_t n, const char *binding, int64_t generation,
               struct via_token_key *key)
{
    struct text t;

    text_make(&t, token, n, binding, generation);
    via_digest_local(t.words, t.n, key->digest);
    text_wipe(&t);
}

/* In a time that does not tell where they differ. */
static bool
memo_is(const struct via_token_memo *memo, const struct text *t)
{
    uint64_t differs = 0;

    if (memo->n != t->n)
        return false;
    for (size_t i = 0; i * sizeof *t->words < t->n; i++)
        differs |= memo->words[i] ^ t->words[i];
    return differs == 0;
}

void
via_tokens_key_again(struct via_token_memo *memo, const char *token, size_t n, const char *binding,
                     int64_t generation, struct via_token_key *key)
{
    struct text t;

    text_make(&t, token, n, binding, generation);
    if (!memo_is(memo, &t)) {
        via_digest_local(t.words, t.n, memo->key.digest);
        memo->n = t.n <= sizeof memo->words ? t.n : 0;
        memcpy(memo->words, t.words, memo->n);
        memset((char *)memo->words + memo->n, 0, -memo->n % sizeof *memo->words);
    }
    text_wipe(&t);
    *key = memo->key;
}

static struct slot *
set_of(struct via_tokens *t, const struct via_token_key *key, struct shard **shard)
{
    *shard = &t->shards[key->digest[0] % SHARDS];
    return (*shard)->slots[key->digest[1] % SETS];
}

struct via_pass *
via_tokens_find(struct via_tokens *t, const struct via_token_key *key,
                const struct via_epoch *epoch, int64_t now_ms)
{
    struct shard *shard;
    struct slot *set = set_of(t, key, &shard);
    struct via_pass *found = NULL;

    pthread_mutex_lock(&shard->lock);
    for (int i = 0; i < WAYS && !found; i++)
        if (set[i].pass && memcmp(&set[i].key, key, sizeof *key) == 0 &&
            via_pass_is_fresh(set[i].pass, epoch, now_ms)) {
            set[i].used = ++shard->clock;
            found = via_pass_hold(set[i].pass);
        }
    pthread_mutex_unlock(&shard->lock);
    return found;
}

/* The slot to fill: the key's own, else an empty one, else the one longest unused. */
static struct slot *
set_choose(struct slot *set, const struct via_token_key *key)
{
    struct slot *oldest = set;

    for (int i = 0; i < WAYS; i++)
        if (set[i].pass && memcmp(&set[i].key, key, sizeof *key) == 0)
            return &set[i];
    for (int i = 0; i < WAYS; i++) {
        if (!set[i].pass)
            return &set[i];
        if (set[i].used < oldest->used)
            oldest = &set[i];
    }
    return oldest;
}

struct via_pass *
via_tokens_put(struct via_tokens *t, const struct via_token_key *key, const struct via_epoch *epoch,
               const struct via_grant *grant)
{
    struct via_pass *p = malloc(sizeof *p), *old;
    struct shard *shard;
    struct slot *set = set_of(t, key, &shard), *slot;

    if (!p)
        return NULL;
    atomic_init(&p->holders, 1);
    p->epoch = epoch;
    p->grant = *grant;
    if (grant->epoch == 0)
        return p;
    pthread_mutex_lock(&shard->lock);
    slot = set_choose(set, key);
    old = slot->pass;
    slot->key = *key;
    slot->pass = via_pass_hold(p);
    slot->used = ++shard->clock;
    pthread_mutex_unlock(&shard->lock);
    via_pass_drop(old);
    return p;
}

void
via_tokens_tick(struct via_tokens *t, int64_t now_ms)
{
    for (int i = 0; i < SHARDS; i++) {
        pthread_mutex_lock(&t->shards[i].lock);
        for (int j = 0; j < SETS * WAYS; j++) {
            struct slot *slot = &t->shards[i].slots[j / WAYS][j % WAYS];

            if (slot->pass && slot->pass->grant.expires_ms <= now_ms) {
                via_pass_drop(slot->pass);
                slot->pass = NULL;
            }
        }
        pthread_mutex_unlock(&t->shards[i].lock);
    }
}
