/* codec.c: base64, hex and digests by libsodium. */
#include "identity/codec.h"

#include <pthread.h>
#include <sodium.h>

bool
via_identity_init(void)
{
    return sodium_init() >= 0;
}

static void
base64_put(struct via_buf *b, const void *bytes, size_t n, int variant)
{
    size_t size = sodium_base64_encoded_len(n, variant); /* closing NUL included */
    char *out = via_buf_reserve(b, size);

    if (!out)
        return;
    sodium_bin2base64(out, size, bytes, n, variant);
    b->len += size - 1;
}

/* The library refuses foreign characters, wrong padding, non-zero trailing bits and, without an
 * end pointer, anything left over. */
static bool
base64_decode(const char *text, size_t len, uint8_t *out, size_t size, size_t *n, int variant)
{
    return sodium_base642bin(out, size, text, len, NULL, n, NULL, variant) == 0;
}

void
via_base64url_put(struct via_buf *b, const void *bytes, size_t n)
{
    base64_put(b, bytes, n, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

bool
via_base64url_decode(const char *text, size_t len, uint8_t *out, size_t size, size_t *n)
{
    return base64_decode(text, len, out, size, n, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

void
via_base64_put(struct via_buf *b, const void *bytes, size_t n)
{
    base64_put(b, bytes, n, sodium_base64_VARIANT_ORIGINAL);
}

bool
via_base64_decode(const char *text, size_t len, uint8_t *out, size_t size, size_t *n)
{
    return base64_decode(text, len, out, size, n,
                         len % 4 == 0 ? sodium_base64_VARIANT_ORIGINAL
                                      : sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
}

#define DIGEST_BYTES 32

_Static_assert(sizeof(((struct via_digest *)0)->state) >= sizeof(crypto_generichash_state) &&
                   _Alignof(struct via_digest) >= _Alignof(crypto_generichash_state),
               "struct via_digest holds the library's state");

static crypto_generichash_state *
digest_state(struct via_digest *d)
{
    return (crypto_generichash_state *)(void *)d->state;
}

void
via_digest_begin(struct via_digest *d)
{
    crypto_generichash_init(digest_state(d), NULL, 0, DIGEST_BYTES);
}

void
via_digest_put(struct via_digest *d, const void *bytes, size_t n)
{
    crypto_generichash_update(digest_state(d), bytes, n);
}

void
via_digest_end(struct via_digest *d, char out[65])
{
    uint8_t digest[DIGEST_BYTES];

    crypto_generichash_final(digest_state(d), digest, sizeof digest);
    sodium_bin2hex(out, 65, digest, sizeof digest);
}

void
via_digest_hex(const struct via_piece *pieces, size_t count, char out[65])
{
    struct via_digest d;

    via_digest_begin(&d);
    for (size_t i = 0; i < count; i++)
        via_digest_put(&d, pieces[i].bytes, pieces[i].n);
    via_digest_end(&d, out);
}

void
via_digest_short(const void *bytes, size_t n, uint8_t out[16])
{
    crypto_generichash(out, 16, bytes, n, NULL, 0);
}

static pthread_once_t local_once = PTHREAD_ONCE_INIT;
static uint8_t local_key[crypto_shorthash_siphashx24_KEYBYTES];

static void
local_start(void)
{
    randombytes_buf(local_key, sizeof local_key);
}

void
via_digest_local(const void *bytes, size_t n, uint8_t out[16])
{
    (void)pthread_once(&local_once, local_start);
    (void)crypto_shorthash_siphashx24(out, bytes, n, local_key);
}
