#include "api/jwks.h"

#include "api/reply.h"
#include "base/error.h"
#include "identity/codec.h"

#define CACHE_S 60

/* What others may have to verify. */
static bool
use_is_public(enum via_key_use use)
{
    return use == VIA_KEY_WORKLOAD || use == VIA_KEY_GENERATION || use == VIA_KEY_MANIFEST ||
           use == VIA_KEY_AUDIT;
}

static void
jwk_put(void *arg, const struct via_key_facts *key)
{
    struct via_buf *b = arg;

    if (b->failed || !use_is_public(key->use))
        return;
    via_buf_printf(b,
                   "%s{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"%s\",\"use\":\"sig\","
                   "\"alg\":\"EdDSA\",\"via_use\":\"%s\",\"x\":\"",
                   b->data[b->len - 1] == '[' ? "" : ",", key->kid, via_key_use_word(key->use));
    via_base64url_put(b, key->public, sizeof key->public);
    via_buf_puts(b, "\"}");
}

enum via_http_turn
via_jwks_serve(struct via_agent *a, struct via_http_request *r)
{
    enum via_status status;
    struct via_error e = {0};

    via_buf_puts(&r->reply, "{\"keys\":[");
    (void)pthread_mutex_lock(&a->keys_mutex);
    status = via_keyring_each(a->keys, jwk_put, &r->reply, &e);
    (void)pthread_mutex_unlock(&a->keys_mutex);
    if (status != VIA_OK) {
        via_reply_error(r, status, "the keys cannot be read", NULL);
        return VIA_HTTP_ANSWERED;
    }
    r->status = 200;
    r->content_type = "application/jwk-set+json";
    r->cache_s = CACHE_S;
    via_buf_puts(&r->reply, "]}");
    return VIA_HTTP_ANSWERED;
}
