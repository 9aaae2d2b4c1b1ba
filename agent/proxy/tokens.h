/* tokens.h: what tokens were found to be worth, remembered while nothing changed.
 *
 * A pass is a grant with a count of holders. The table is keyed by the digest of a token
 * with binding and generation asked for; an entry dies when the epoch moves or the
 * grant expires. Bounded: a full set forgets its oldest. Thread-safe; decides nothing. */
#ifndef VIA_PROXY_TOKENS_H
#define VIA_PROXY_TOKENS_H

#include "control/access.h"

#include <stdatomic.h>

struct via_pass {
    _Atomic int holders;
    const struct via_epoch *epoch; /* the page its number was read from */
    struct via_grant grant;
};

struct via_token_key {
    uint8_t digest[16];
};

/* The last key that was made on a connection, and what of: a kept one sends the same token again,
 * and to compare that costs a fraction of its digest. Holds a token: wipe it at the end. */
struct via_token_memo {
    struct via_token_key key;
    size_t n;            /* of the words; 0: none yet */
    uint64_t words[192]; /* a longer one is not remembered */
};

struct via_tokens;

struct via_tokens *via_tokens_new(void); /* NULL: no memory */
void via_tokens_free(struct via_tokens *t);

/* The key of `token` used for `binding` and `generation`. */
void via_tokens_key(const char *token, size_t n, const char *binding, int64_t generation,
                    struct via_token_key *key);

/* The same, out of `memo` when it was made there last. */
void via_tokens_key_again(struct via_token_memo *memo, const char *token, size_t n,
                          const char *binding, int64_t generation, struct via_token_key *key);

/* A fresh pass for `key`, held for the caller, or NULL: ask the gates. */
struct via_pass *via_tokens_find(struct via_tokens *t, const struct via_token_key *key,
                                 const struct via_epoch *epoch, int64_t now_ms);

/* A pass for `grant`, held for the caller; remembered under `key` if the grant can be fresh
 * again. NULL: no memory. */
struct via_pass *via_tokens_put(struct via_tokens *t, const struct via_token_key *key,
                                const struct via_epoch *epoch, const struct via_grant *grant);

/* Forget what has expired. */
void via_tokens_tick(struct via_tokens *t, int64_t now_ms);

struct via_pass *via_pass_hold(struct via_pass *p);
void via_pass_drop(struct via_pass *p); /* NULL is fine */

static inline bool
via_pass_is_fresh(const struct via_pass *p, const struct via_epoch *epoch, int64_t now_ms)
{
    return p->epoch == epoch && via_grant_is_fresh(&p->grant, epoch, now_ms);
}

#endif
