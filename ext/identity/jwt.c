/* jwt.c: compact JWS with Ed25519, written one way and read only that way.
 *
 * The signature is checked before a claim is looked at: which key made it tells the use,
 * and the audience must then be the one of that use. Sentences hold nothing of a token
 * that Via did not sign itself. */
#include "identity/jwt.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/id.h"
#include "base/json.h"
#include "identity/codec.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#define JWT_LEEWAY_S 5
#define JWT_NUMBER_MAX (INT64_C(1) << 53)
#define JWT_SIGNATURE_BYTES 64

/* Which audience belongs to which key. */
static const struct jwt_kind {
    const char *audience;
    enum via_key_use use;
} jwt_kinds[] = {
    {"via-config", VIA_KEY_WORKLOAD},
    {"via-addon", VIA_KEY_GENERATION},
};

/* Every claim and where it lives; `generation`: only in a generation token. */
static const struct jwt_claim {
    const char *name;
    size_t at;
    size_t size; /* of a text, 0 for a number */
    bool generation;
} jwt_claims[] = {
#define CLAIM_TEXT(name, member, generation)                                                       \
    {                                                                                              \
        name, offsetof(struct via_claims, member), sizeof((struct via_claims *)0)->member,         \
            generation                                                                             \
    }
#define CLAIM_NUMBER(name, member, generation)                                                     \
    {                                                                                              \
        name, offsetof(struct via_claims, member), 0, generation                                   \
    }
    CLAIM_TEXT("aud", audience, false),      CLAIM_TEXT("app", app, false),
    CLAIM_TEXT("deploy", deploy, false),     CLAIM_TEXT("release", release, false),
    CLAIM_TEXT("instance", instance, false), CLAIM_TEXT("jti", jti, false),
    CLAIM_NUMBER("iat", issued_s, false),    CLAIM_NUMBER("nbf", not_before_s, false),
    CLAIM_NUMBER("exp", expires_s, false),   CLAIM_TEXT("binding", binding, true),
    CLAIM_NUMBER("gen", generation, true),
};

#define JWT_CLAIM_COUNT (sizeof jwt_claims / sizeof *jwt_claims)
#define JWT_WORKLOAD_MEMBERS 11   /* nine of the table, iss and sub */
#define JWT_GENERATION_MEMBERS 14 /* and binding, gen, mode */

static const struct jwt_kind *
kind_find(const char *audience)
{
    for (size_t i = 0; i < sizeof jwt_kinds / sizeof *jwt_kinds; i++) {
        if (strcmp(jwt_kinds[i].audience, audience) == 0)
            return &jwt_kinds[i];
    }
    return NULL;
}

/* -- writing --------------------------------------------------------------------- */

static void
put_text(struct via_buf *b, const char *name, const char *value)
{
    via_buf_printf(b, "%s\"%s\":", b->len > 0 ? "," : "{", name);
    via_buf_put_json(b, value, strlen(value));
}

static void
put_claims(struct via_buf *b, const struct via_claims *claims, bool generation)
{
    put_text(b, "iss", "via");
    put_text(b, "sub", claims->instance);
    for (size_t i = 0; i < JWT_CLAIM_COUNT; i++) {
        const struct jwt_claim *claim = &jwt_claims[i];
        const char *at = (const char *)claims + claim->at;

        if (claim->generation && !generation)
            continue;
        if (claim->size)
            put_text(b, claim->name, at);
        else
            via_buf_printf(b, ",\"%s\":%" PRId64, claim->name, *(const int64_t *)(const void *)at);
    }
    if (generation)
        put_text(b, "mode", claims->mode == VIA_MODE_RW ? "rw" : "ro");
    via_buf_putc(b, '}');
}

/* Write header.payload, as it is signed, into `out`. */
static void
put_signing_input(struct via_buf *out, const struct via_claims *claims, bool generation)
{
    struct via_buf json;

    via_buf_init(&json);
    via_buf_printf(&json, "{\"alg\":\"EdDSA\",\"kid\":\"%s\",\"typ\":\"JWT\"}", claims->kid);
    via_base64url_put(out, json.data, json.len);
    via_buf_putc(out, '.');
    via_buf_reset(&json);
    put_claims(&json, claims, generation);
    via_base64url_put(out, json.data, json.len);
    out->failed = out->failed || json.failed;
    via_buf_deinit(&json);
}

/* Is everything there that a token of this kind says, and within its bounds? */
static bool
claims_are_whole(const struct via_claims *claims, bool generation)
{
    for (size_t i = 0; i < JWT_CLAIM_COUNT; i++) {
        const struct jwt_claim *claim = &jwt_claims[i];
        const char *at = (const char *)claims + claim->at;

        if (claim->generation && !generation)
            continue;
        if (claim->size) {
            if (at[0] == '\0' || !memchr(at, '\0', claim->size))
                return false;
        } else {
            int64_t number = *(const int64_t *)(const void *)at;

            if (number < 0 || number > JWT_NUMBER_MAX)
                return false;
        }
    }
    return !generation || claims->generation >= 1;
}

enum via_status
via_jwt_sign(struct via_keyring *k, struct via_claims *claims, struct via_buf *out,
             struct via_error *e)
{
    const struct jwt_kind *kind = kind_find(claims->audience);
    bool generation = kind && kind->use == VIA_KEY_GENERATION;
    char signer[VIA_ID_SIZE];
    uint8_t signature[JWT_SIGNATURE_BYTES];
    size_t start = out->len;
    enum via_status status;

    if (!kind || !claims_are_whole(claims, generation) || claims->expires_s <= claims->issued_s)
        return via_error_set(e, VIA_INTERNAL_ERROR, "a token with incomplete claims was asked for");
    status = via_keyring_current(k, kind->use, claims->kid, e);
    while (status == VIA_OK) {
        put_signing_input(out, claims, generation);
        if (out->failed)
            return via_error_set(e, VIA_OUT_OF_MEMORY, "no memory is left to make a token");
        status = via_keyring_sign(k, kind->use, out->data + start, out->len - start, signature,
                                  signer, e);
        if (status != VIA_OK || strcmp(claims->kid, signer) == 0)
            break;
        /* A newer key came in between; the header must name the one that signs. */
        memcpy(claims->kid, signer, sizeof claims->kid);
        out->len = start;
    }
    if (status != VIA_OK)
        return status;
    via_buf_putc(out, '.');
    via_base64url_put(out, signature, sizeof signature);
    return out->failed ? via_error_set(e, VIA_OUT_OF_MEMORY, "no memory is left to make a token")
                       : VIA_OK;
}

/* -- reading --------------------------------------------------------------------- */

/* The three parts of a token, borrowed from it. */
struct jwt_parts {
    const char *header, *payload, *signature;
    size_t header_len, payload_len, signature_len;
    size_t signed_len; /* header.payload */
};

static bool
parts_split(const char *token, size_t n, struct jwt_parts *out)
{
    const char *end = token + n;
    const char *first = memchr(token, '.', n);
    const char *second = first ? memchr(first + 1, '.', (size_t)(end - first - 1)) : NULL;

    if (!second || memchr(second + 1, '.', (size_t)(end - second - 1)))
        return false;
    *out = (struct jwt_parts){
        .header = token,
        .header_len = (size_t)(first - token),
        .payload = first + 1,
        .payload_len = (size_t)(second - first - 1),
        .signature = second + 1,
        .signature_len = (size_t)(end - second - 1),
        .signed_len = (size_t)(second - token),
    };
    return true;
}

/* Copy a text without NUL inside, not empty, that fits. */
static bool
copy_text(const via_json *v, char *out, size_t size)
{
    size_t n;
    const char *text = v ? via_json_string(v, &n) : NULL;

    if (!text || n == 0 || n >= size || memchr(text, '\0', n))
        return false;
    memcpy(out, text, n + 1);
    return true;
}

static bool
text_is(const via_json *object, const char *name, const char *want)
{
    char have[VIA_NAME_SIZE];

    return copy_text(via_json_member(object, name), have, sizeof have) && strcmp(have, want) == 0;
}

/* Decode one part and parse it as an object without nesting. The caller frees the result. */
static via_json *
part_parse(const char *text, size_t len)
{
    uint8_t bytes[VIA_TOKEN_SIZE];
    via_json *doc;
    size_t n;

    if (!via_base64url_decode(text, len, bytes, sizeof bytes, &n))
        return NULL;
    if (via_json_parse((const char *)bytes, n, 1, &doc, NULL) != VIA_OK)
        return NULL;
    if (via_json_type(doc) == VIA_JSON_OBJECT)
        return doc;
    via_json_free(doc);
    return NULL;
}

/* Read the header: exactly alg, kid and typ (RFC 8725 sections 3.1 and 3.11). */
static bool
header_read(const struct jwt_parts *parts, char kid[VIA_ID_SIZE])
{
    via_json *header = part_parse(parts->header, parts->header_len);
    bool good = header && via_json_count(header) == 3 && text_is(header, "alg", "EdDSA") &&
                text_is(header, "typ", "JWT") &&
                copy_text(via_json_member(header, "kid"), kid, VIA_ID_SIZE) &&
                via_id_is("key", kid);

    if (header)
        via_json_free(header);
    return good;
}

/* Which kind of key made the signature? NULL: none of ours. */
static const struct jwt_kind *
signature_kind(struct via_keyring *k, const char *token, const struct jwt_parts *parts,
               const char *kid)
{
    uint8_t signature[JWT_SIGNATURE_BYTES];
    size_t n;

    if (!via_base64url_decode(parts->signature, parts->signature_len, signature, sizeof signature,
                              &n) ||
        n != sizeof signature)
        return NULL;
    for (size_t i = 0; i < sizeof jwt_kinds / sizeof *jwt_kinds; i++) {
        if (via_keyring_verify(k, jwt_kinds[i].use, kid, token, parts->signed_len, signature))
            return &jwt_kinds[i];
    }
    return NULL;
}

static bool
mode_read(const via_json *payload, enum via_mode *mode)
{
    *mode = text_is(payload, "mode", "rw") ? VIA_MODE_RW : VIA_MODE_RO;
    return *mode == VIA_MODE_RW || text_is(payload, "mode", "ro");
}

/* Fill `out` from the payload: every claim of the kind, each of its type, and no other. */
static bool
claims_read(const via_json *payload, bool generation, struct via_claims *out)
{
    size_t members = generation ? JWT_GENERATION_MEMBERS : JWT_WORKLOAD_MEMBERS;

    if (via_json_count(payload) != members || !text_is(payload, "iss", "via"))
        return false;
    for (size_t i = 0; i < JWT_CLAIM_COUNT; i++) {
        const struct jwt_claim *claim = &jwt_claims[i];
        const via_json *v = via_json_member(payload, claim->name);
        char *at = (char *)out + claim->at;

        if (claim->generation && !generation)
            continue;
        if (!v)
            return false;
        if (claim->size) {
            if (!copy_text(v, at, claim->size))
                return false;
        } else {
            if (via_json_type(v) != VIA_JSON_INTEGER)
                return false;
            *(int64_t *)(void *)at = via_json_integer(v);
        }
    }
    return text_is(payload, "sub", out->instance) &&
           (!generation || mode_read(payload, &out->mode)) && claims_are_whole(out, generation);
}

/* The audience must be the one of the key that signed. It comes before the other claims,
 * for a token of another audience has other claims. */
static enum via_status
payload_check(const via_json *payload, const struct jwt_kind *kind, struct via_claims *out,
              struct via_error *e)
{
    char audience[sizeof out->audience];

    if (!copy_text(via_json_member(payload, "aud"), audience, sizeof audience))
        return via_error_set(e, VIA_TOKEN_INVALID, "the token has no audience");
    if (strcmp(audience, kind->audience) != 0)
        return via_error_set(e, VIA_TOKEN_INVALID,
                             "the token's audience is %s, and its key signs for %s", audience,
                             kind->audience);
    if (!claims_read(payload, kind->use == VIA_KEY_GENERATION, out))
        return via_error_set(e, VIA_TOKEN_INVALID, "the token's claims are not as Via writes them");
    return VIA_OK;
}

static enum via_status
time_check(const struct via_claims *claims, int64_t now_s, struct via_error *e)
{
    char when[VIA_TIME_SIZE];

    if (claims->issued_s > now_s + JWT_LEEWAY_S || claims->not_before_s > now_s + JWT_LEEWAY_S)
        return via_error_set(e, VIA_TOKEN_INVALID,
                             "the token is not valid yet; compare the clocks");
    if (now_s < claims->expires_s)
        return VIA_OK;
    via_clock_format(claims->expires_s * 1000, when);
    return via_error_set(e, VIA_RUNTIME_IDENTITY_EXPIRED, "the token expired at %s", when);
}

enum via_status
via_jwt_verify(struct via_keyring *k, const char *token, size_t n, int64_t now_s,
               struct via_claims *out, struct via_error *e)
{
    const struct jwt_kind *kind;
    struct jwt_parts parts;
    enum via_status status;
    via_json *payload;
    char kid[VIA_ID_SIZE];

    *out = (struct via_claims){0};
    if (n == 0)
        return via_error_set(e, VIA_TOKEN_MISSING, "the request carries no token");
    if (n > VIA_TOKEN_SIZE)
        return via_error_set(e, VIA_TOKEN_INVALID, "the token is too long");
    if (!parts_split(token, n, &parts))
        return via_error_set(e, VIA_TOKEN_INVALID, "the token does not have three parts");
    if (!header_read(&parts, kid))
        return via_error_set(e, VIA_TOKEN_INVALID, "the token's header is not as Via writes it");
    kind = signature_kind(k, token, &parts, kid);
    if (!kind)
        return via_error_set(e, VIA_TOKEN_INVALID,
                             "the token's signature is of no key that is valid here");
    payload = part_parse(parts.payload, parts.payload_len);
    if (!payload)
        return via_error_set(e, VIA_TOKEN_INVALID, "the token's payload is malformed");
    status = payload_check(payload, kind, out, e);
    via_json_free(payload);
    if (status == VIA_OK)
        status = time_check(out, now_s, e);
    if (status == VIA_OK || status == VIA_RUNTIME_IDENTITY_EXPIRED)
        memcpy(out->kid, kid, sizeof kid);
    else
        *out = (struct via_claims){0};
    return status;
}
