/* codec.h: base64 and hex, strict. (With the rest of this room the only user of libsodium.) */
#ifndef VIA_IDENTITY_CODEC_H
#define VIA_IDENTITY_CODEC_H

#include "base/buf.h"

#include <stdint.h>

/* Start the crypto library; idempotent and thread-safe. False: it cannot run here. */
VIA_MUST_USE bool via_identity_init(void);

/* base64url without padding (RFC 7515 section 2). Decode refuses padding, white space,
 * foreign characters and non-zero trailing bits; *n holds the decoded length. */
void via_base64url_put(struct via_buf *b, const void *bytes, size_t n);
VIA_MUST_USE bool via_base64url_decode(const char *text, size_t len, uint8_t *out, size_t size,
                                       size_t *n);

/* Standard base64 with padding. Decode also takes it without padding. */
void via_base64_put(struct via_buf *b, const void *bytes, size_t n);
VIA_MUST_USE bool via_base64_decode(const char *text, size_t len, uint8_t *out, size_t size,
                                    size_t *n);

/* BLAKE2b-256 of the pieces in order, in lower-case hex. */
struct via_piece {
    const void *bytes;
    size_t n;
};
void via_digest_hex(const struct via_piece *pieces, size_t count, char out[65]);

/* The same for what comes in parts: begin, put as often as needed, end. */
struct via_digest {
    _Alignas(64) unsigned char state[384];
};
void via_digest_begin(struct via_digest *d);
void via_digest_put(struct via_digest *d, const void *bytes, size_t n);
void via_digest_end(struct via_digest *d, char out[65]);

/* BLAKE2b-128: for names made of names; collision-resistant. */
void via_digest_short(const void *bytes, size_t n, uint8_t out[16]);

/* SipHash-2-4-128 under a key that this process made up: for look-up tables in memory, in a third
 * of the time. Nobody without the key can aim at an entry; it means nothing elsewhere. */
void via_digest_local(const void *bytes, size_t n, uint8_t out[16]);

#endif
