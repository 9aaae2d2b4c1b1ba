/* jwt.h: compact JWS with Ed25519, exactly as Via issues it, and nothing else (RFC 7519,
 * RFC 8725). Header exactly alg EdDSA, kid, typ JWT. */
#ifndef VIA_IDENTITY_JWT_H
#define VIA_IDENTITY_JWT_H

#include "base/buf.h"
#include "identity/keys.h"

/* Sign `claims` into `out`. The audience chooses the key: "via-config" workload,
 * "via-addon" generation. claims->kid receives its name. */
VIA_MUST_USE enum via_status via_jwt_sign(struct via_keyring *k, struct via_claims *claims,
                                          struct via_buf *out, struct via_error *e);

/* Verify the `n` bytes at `token` at `now_s` (Unix seconds) and fill *out.
 *
 * VIA_OK                         every byte and claim is as Via writes it
 * VIA_TOKEN_MISSING              n is 0
 * VIA_TOKEN_INVALID              anything wrong with it, audience and signature included
 * VIA_RUNTIME_IDENTITY_EXPIRED   all right but past `exp` (no leeway; 5 s on iat and nbf)
 *
 * On VIA_RUNTIME_IDENTITY_EXPIRED *out is filled too, for the audit; otherwise it is
 * zeroed on failure. */
VIA_MUST_USE enum via_status via_jwt_verify(struct via_keyring *k, const char *token, size_t n,
                                            int64_t now_s, struct via_claims *out,
                                            struct via_error *e);

#endif
