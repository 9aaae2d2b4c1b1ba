/* The focus of this file is forged tokens at the two doors of a live Via: the agent over HTTP and
 * the guarded VFS. The attacks are those of RFC 8725 and of the public lists; some hold a key they
 * should not have, so that what lies behind the signature is attacked too. After each of them the
 * good token must still open both doors. */
#include "check.h"
#include "identity/codec.h"
#include "identity/keys.h"
#include "live.h"

#include <ctype.h>
#include <sodium.h>
#include <time.h>

#define HEADER "{\"alg\":\"EdDSA\",\"kid\":\"$KID\",\"typ\":\"JWT\"}"
#define PAYLOAD                                                                                    \
    "{\"iss\":\"via\",\"sub\":\"$INSTANCE\",\"aud\":\"via-addon\",\"app\":\"api\","                \
    "\"deploy\":\"$DEPLOY\",\"release\":\"$RELEASE\",\"instance\":\"$INSTANCE\","                  \
    "\"jti\":\"tok_1\",\"iat\":$NOW,\"nbf\":$NOW,\"exp\":$LATER,\"binding\":\"DATABASE\","         \
    "\"gen\":1,\"mode\":\"rw\"}"

/* Who signs a forgery. */
enum signer {
    VIA_ITSELF, /* the generation key: an attacker would have had to steal it */
    WORKLOAD_KEY,
    MANIFEST_KEY,
    THIEF,    /* an Ed25519 key of the attacker's own */
    STRANGER, /* the generation key of another host */
    HMAC_RAW, /* HMAC-SHA256 with the public key as the secret, as bytes */
    HMAC_TEXT,
    NOBODY, /* an empty signature */
    COPY,   /* the signature of the good token */
    NOISE_32,
    NOISE_64,
    NOISE_114, /* as long as one of Ed448 */
};

static struct via_keyring *ring, *strange_ring;
static char good[VIA_TOKEN_SIZE], kid[VIA_ID_SIZE];
static unsigned char via_public[32], thief_public[32], thief_secret[64];
static struct live_http http = {.fd = -1};
static char token_path[VIA_PATH_SIZE];

/* -- the two doors -------------------------------------------------------------- */

static enum via_status
door_http(const char *token)
{
    if (!live_call(&http, "query", token, "", "SELECT count(*) FROM sqlite_schema"))
        return VIA_IO_ERROR;
    if (http.status == 200)
        return VIA_OK;
    return via_status_http(via_status_parse(http.code, strlen(http.code))) == http.status
               ? via_status_parse(http.code, strlen(http.code))
               : VIA_INTERNAL_ERROR;
}

/* What the guarded VFS says to `sql` with a file of these bytes as its token. */
static enum via_status
door_file(const char *token, size_t n, const char *sql)
{
    char uri[VIA_PATH_SIZE + 64];
    enum via_status refusal;
    sqlite3 *db = NULL;
    FILE *out = fopen(token_path, "we");
    int rc;

    if (!out || fwrite(token, 1, n, out) != n || fclose(out) != 0)
        live_die("the token file cannot be written");
    snprintf(uri, sizeof uri, "file:DATABASE?vfs=via&token_file=%s", token_path);
    via_vfs_clear_refusal();
    rc = sqlite3_open_v2(uri, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_URI, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
    refusal = via_vfs_refusal(NULL);
    sqlite3_close(db);
    if (rc == SQLITE_OK)
        return VIA_OK;
    return refusal == VIA_OK ? VIA_INTERNAL_ERROR : refusal;
}

static bool
good_still_passes(void)
{
    return door_http(good) == VIA_OK &&
           door_file(good, strlen(good), "SELECT count(*) FROM sqlite_schema") == VIA_OK;
}

/* Both doors give `want` for `token`, and the good token still opens them. */
static void
attack(const char *name, const char *token, enum via_status want)
{
    enum via_status by_http = door_http(token);
    enum via_status by_file = door_file(token, strlen(token), "SELECT count(*) FROM sqlite_schema");
    bool still = good_still_passes();

    CHECK(by_http == want && by_file == want && still, "%s: %d %s (http %s, file %s%s)", name,
          via_status_http(want), via_status_word(want), via_status_word(by_http),
          via_status_word(by_file), still ? "" : ", and the good token stopped working");
}

/* -- forging -------------------------------------------------------------------- */

static struct variable {
    const char *name;
    char value[1024];
} variables[] = {
    {"$KID", ""},        {"$INSTANCE", ""},     {"$DEPLOY", ""},    {"$RELEASE", ""},
    {"$NOW", ""},        {"$LATER", ""},        {"$PAST", ""},      {"$SOON", ""},
    {"$JWK", ""},        {"$MANIFEST_KID", ""}, {"$WORK_KID", ""},  {"$STRANGE_KID", ""},
    {"$X_INSTANCE", ""}, {"$X_DEPLOY", ""},     {"$X_RELEASE", ""}, {"$THIEF_FILE", ""},
};

static char *
variable(const char *name)
{
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++)
        if (strcmp(variables[i].name, name) == 0)
            return variables[i].value;
    live_die("no variable %s", name);
}

/* `pattern` with its variables filled in; an unknown one is a mistake of this file. */
static void
expand(const char *pattern, struct via_buf *out)
{
    while (*pattern) {
        size_t n = strcspn(pattern, "$");
        char name[32];

        via_buf_put(out, pattern, n);
        pattern += n;
        if (!*pattern)
            break;
        n = 1;
        while (isupper((unsigned char)pattern[n]) || pattern[n] == '_')
            n++;
        snprintf(name, sizeof name, "%.*s", (int)n, pattern);
        via_buf_puts(out, variable(name));
        pattern += n;
    }
}

/* `text` with its first `from` replaced; whole when `from` is NULL. */
static void
edit(const char *text, const char *from, const char *to, char out[8192])
{
    const char *at = from ? strstr(text, from) : NULL;

    if (from && !at)
        live_die("'%s' is not in %s", from, text);
    if (!from)
        snprintf(out, 8192, "%s", to ? to : text);
    else
        snprintf(out, 8192, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
}

static void
sign_hmac(const void *key, size_t key_len, const struct via_buf *text, unsigned char mac[32])
{
    crypto_auth_hmacsha256_state state;

    crypto_auth_hmacsha256_init(&state, key, key_len);
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)text->data, text->len);
    crypto_auth_hmacsha256_final(&state, mac);
}

/* The signature of `text`; returns its length. */
static size_t
sign(enum signer signer, const struct via_buf *text, unsigned char out[128])
{
    struct via_error e = {0};
    char by[VIA_ID_SIZE], public_text[64];
    enum via_status status = VIA_OK;
    size_t n;

    switch (signer) {
    case VIA_ITSELF:
        status = via_keyring_sign(ring, VIA_KEY_GENERATION, text->data, text->len, out, by, &e);
        break;
    case WORKLOAD_KEY:
        status = via_keyring_sign(ring, VIA_KEY_WORKLOAD, text->data, text->len, out, by, &e);
        break;
    case MANIFEST_KEY:
        status = via_keyring_sign(ring, VIA_KEY_MANIFEST, text->data, text->len, out, by, &e);
        break;
    case STRANGER:
        status =
            via_keyring_sign(strange_ring, VIA_KEY_GENERATION, text->data, text->len, out, by, &e);
        break;
    case THIEF:
        crypto_sign_detached(out, NULL, (const unsigned char *)text->data, text->len, thief_secret);
        break;
    case HMAC_RAW:
        sign_hmac(via_public, sizeof via_public, text, out);
        return 32;
    case HMAC_TEXT:
        sodium_bin2base64(public_text, sizeof public_text, via_public, sizeof via_public,
                          sodium_base64_VARIANT_URLSAFE_NO_PADDING);
        sign_hmac(public_text, strlen(public_text), text, out);
        return 32;
    case NOBODY:
        return 0;
    case COPY:
        if (!via_base64url_decode(strrchr(good, '.') + 1, strlen(strrchr(good, '.') + 1), out, 64,
                                  &n))
            live_die("the good token has no signature");
        return n;
    case NOISE_32:
    case NOISE_64:
    case NOISE_114:
        n = signer == NOISE_32 ? 32 : signer == NOISE_64 ? 64 : 114;
        randombytes_buf(out, n);
        return n;
    }
    if (status != VIA_OK)
        live_die("%s", e.message);
    return 64;
}

static void
forge(const char *header, const char *payload, enum signer signer, struct via_buf *out)
{
    unsigned char signature[128];
    struct via_buf text;
    size_t n;

    via_buf_init(&text);
    via_buf_reset(out);
    expand(header, &text);
    via_base64url_put(out, text.data ? text.data : "", text.len);
    via_buf_putc(out, '.');
    via_buf_reset(&text);
    expand(payload, &text);
    via_base64url_put(out, text.data ? text.data : "", text.len);
    n = sign(signer, out, signature);
    via_buf_putc(out, '.');
    via_base64url_put(out, signature, n);
    via_buf_deinit(&text);
}

static void
forge_and_attack(const char *name, const char *header, const char *payload, enum signer signer,
                 enum via_status want)
{
    struct via_buf token;

    via_buf_init(&token);
    forge(header, payload, signer, &token);
    attack(name, via_buf_text(&token), want);
    via_buf_deinit(&token);
}

/* -- headers -------------------------------------------------------------------- */

/* The header `to`, or the good one with `from` replaced. All are answered token_invalid. */
static const struct {
    const char *name, *from, *to;
    enum signer signer;
} headers[] = {
    {"alg none, no signature", "EdDSA", "none", NOBODY},
    {"alg None, no signature", "EdDSA", "None", NOBODY},
    {"alg NONE, no signature", "EdDSA", "NONE", NOBODY},
    {"alg nOnE, no signature", "EdDSA", "nOnE", NOBODY},
    {"alg none with the good signature", "EdDSA", "none", COPY},
    {"alg none, signed", "EdDSA", "none", VIA_ITSELF},
    {"alg empty, no signature", "EdDSA", "", NOBODY},
    {"alg EdDSA, no signature", NULL, NULL, NOBODY},
    {"alg HS256 with the public key's bytes", "EdDSA", "HS256", HMAC_RAW},
    {"alg HS256 with the public key's text", "EdDSA", "HS256", HMAC_TEXT},
    {"alg EdDSA with an HMAC of the public key", NULL, NULL, HMAC_RAW},
    {"alg HS512", "EdDSA", "HS512", NOISE_64},
    {"alg RS256", "EdDSA", "RS256", NOISE_114},
    {"alg PS256, Via's signature", "EdDSA", "PS256", VIA_ITSELF},
    {"alg ES256: another curve", "EdDSA", "ES256", NOISE_64},
    {"alg Ed448: another curve", "EdDSA", "Ed448", NOISE_114},
    {"alg EdDSA with a signature of Ed448's length", NULL, NULL, NOISE_114},
    {"alg Ed25519, the newer name", "EdDSA", "Ed25519", VIA_ITSELF},
    {"alg in lower case", "EdDSA", "eddsa", VIA_ITSELF},
    {"alg with a space", "EdDSA", "EdDSA ", VIA_ITSELF},
    {"alg null", "\"EdDSA\"", "null", VIA_ITSELF},
    {"alg as a list", "\"EdDSA\"", "[\"EdDSA\",\"none\"]", VIA_ITSELF},
    {"two algs", "\"alg\"", "\"alg\":\"none\",\"alg\"", VIA_ITSELF},
    {"two algs, one in disguise", "\"alg\"", "\"\\u0061lg\":\"none\",\"alg\"", VIA_ITSELF},
    {"Alg beside alg", "\"alg\"", "\"Alg\":\"none\",\"alg\"", VIA_ITSELF},
    {"the thief's key", NULL, NULL, THIEF},
    {"the thief's key embedded (jwk)", "\"typ\"", "\"jwk\":$JWK,\"typ\"", THIEF},
    {"the thief's key embedded, no kid", "\"kid\":\"$KID\"", "\"jwk\":$JWK", THIEF},
    {"jku", "\"typ\"", "\"jku\":\"http://127.0.0.1/jwks.json\",\"typ\"", THIEF},
    {"jku of a file", "\"typ\"", "\"jku\":\"file://$THIEF_FILE\",\"typ\"", THIEF},
    {"x5u", "\"typ\"", "\"x5u\":\"https://127.0.0.1/cert.pem\",\"typ\"", THIEF},
    {"x5c", "\"typ\"", "\"x5c\":[\"MIIB\"],\"typ\"", THIEF},
    {"x5t", "\"typ\"", "\"x5t\":\"AAAA\",\"typ\"", VIA_ITSELF},
    {"kid is a path to the thief's key", "$KID", "$THIEF_FILE", THIEF},
    {"kid climbs out of the folder", "$KID", "../../thief", THIEF},
    {"kid climbs to itself", "$KID", "../keys/$KID", VIA_ITSELF},
    {"kid with the file's ending", "$KID", "$KID.jwk", VIA_ITSELF},
    {"kid /dev/null", "$KID", "/dev/null", HMAC_RAW},
    {"kid as SQL", "$KID", "x' UNION SELECT 'AAAA' --", THIEF},
    {"kid as a command", "$KID", "$KID|/bin/true", VIA_ITSELF},
    {"kid with a NUL", "$KID", "$KID\\u0000", VIA_ITSELF},
    {"kid with a line feed", "$KID", "$KID\\n", VIA_ITSELF},
    {"kid empty", "$KID", "", VIA_ITSELF},
    {"kid as a number", "\"$KID\"", "1", VIA_ITSELF},
    {"kid as a list", "\"$KID\"", "[\"$KID\"]", VIA_ITSELF},
    {"kid that nobody knows", "$KID", "key_00000000000000000000000000", VIA_ITSELF},
    {"kid of the manifest key, which signs", "$KID", "$MANIFEST_KID", MANIFEST_KEY},
    {"kid of the workload key, which signs", "$KID", "$WORK_KID", WORKLOAD_KEY},
    {"kid of the workload key, signed by the right one", "$KID", "$WORK_KID", VIA_ITSELF},
    {"another host's key and kid", "$KID", "$STRANGE_KID", STRANGER},
    {"another host's key under our kid", NULL, NULL, STRANGER},
    {"crit", "\"typ\"", "\"crit\":[\"exp\"],\"exp\":1,\"typ\"", VIA_ITSELF},
    {"crit, empty", "\"typ\"", "\"crit\":[],\"typ\"", VIA_ITSELF},
    {"b64 false", "\"typ\"", "\"b64\":false,\"crit\":[\"b64\"],\"typ\"", VIA_ITSELF},
    {"zip", "\"typ\"", "\"zip\":\"DEF\",\"typ\"", VIA_ITSELF},
    {"enc: an encrypted token's header", "\"typ\"", "\"enc\":\"A128GCM\",\"typ\"", VIA_ITSELF},
    {"cty JWT: a token within", "\"typ\"", "\"cty\":\"JWT\",\"typ\"", VIA_ITSELF},
    {"a comment in the header", "{\"alg\"", "{/**/\"alg\"", VIA_ITSELF},
    {"an unknown member", "\"typ\"", "\"x\":1,\"typ\"", VIA_ITSELF},
    {"typ jwt", "JWT", "jwt", VIA_ITSELF},
    {"typ at+jwt", "JWT", "at+jwt", VIA_ITSELF},
    {"typ application/jwt", "JWT", "application/jwt", VIA_ITSELF},
    {"typ JOSE", "JWT", "JOSE", VIA_ITSELF},
    {"no typ", ",\"typ\":\"JWT\"", "", VIA_ITSELF},
    {"no alg", "\"alg\":\"EdDSA\",", "", VIA_ITSELF},
    {"no kid", "\"kid\":\"$KID\",", "", VIA_ITSELF},
    {"a header nested 60 deep", "\"typ\"",
     "\"x\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]"
     "]]]]"
     "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]],\"typ\"",
     VIA_ITSELF},
    {"a byte order mark", "{\"alg\"", "\xef\xbb\xbf{\"alg\"", VIA_ITSELF},
    {"a header that is a list", "{\"alg\":\"EdDSA\",\"kid\":\"$KID\",\"typ\":\"JWT\"}",
     "[\"EdDSA\",\"$KID\",\"JWT\"]", VIA_ITSELF},
    {"an empty header", "{\"alg\":\"EdDSA\",\"kid\":\"$KID\",\"typ\":\"JWT\"}", "", VIA_ITSELF},
};

static void
test_headers(void)
{
    char header[8192];

    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        edit(HEADER, headers[i].from, headers[i].to, header);
        forge_and_attack(headers[i].name, header, PAYLOAD, headers[i].signer, VIA_TOKEN_INVALID);
    }
}

/* -- claims, signed by Via's own key --------------------------------------------- */

static const struct {
    const char *name, *from, *to;
    enum via_status want;
} claims[] = {
    {"exp a second ago", "$LATER", "$PAST", VIA_RUNTIME_IDENTITY_EXPIRED},
    {"exp now", "$LATER", "$NOW", VIA_TOKEN_INVALID}, /* not after iat: nothing Via writes */
    {"exp with a fraction", "$LATER", "$LATER.5", VIA_TOKEN_INVALID},
    {"exp 1e30", "$LATER", "1e30", VIA_TOKEN_INVALID},
    {"exp beyond 2^53", "$LATER", "9007199254740993", VIA_TOKEN_INVALID},
    {"exp 2^63", "$LATER", "9223372036854775808", VIA_TOKEN_INVALID},
    {"exp 2^64 + an hour: wraps", "$LATER", "18446744073709555216", VIA_TOKEN_INVALID},
    {"exp of 400 digits", "$LATER",
     "1111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111"
     "1111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111"
     "1111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111"
     "1111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111",
     VIA_TOKEN_INVALID},
    {"exp -1", "$LATER", "-1", VIA_TOKEN_INVALID},
    {"exp -0", "$LATER", "-0", VIA_TOKEN_INVALID},
    {"exp Infinity", "$LATER", "Infinity", VIA_TOKEN_INVALID},
    {"exp NaN", "$LATER", "NaN", VIA_TOKEN_INVALID},
    {"exp in hexadecimal", "$LATER", "0x7fffffff", VIA_TOKEN_INVALID},
    {"exp with a leading zero", "$LATER", "0$LATER", VIA_TOKEN_INVALID},
    {"nbf in an hour", "\"nbf\":$NOW", "\"nbf\":$SOON", VIA_TOKEN_INVALID},
    {"iat in an hour", "\"iat\":$NOW", "\"iat\":$SOON", VIA_TOKEN_INVALID},
    {"nbf -1", "\"nbf\":$NOW", "\"nbf\":-1", VIA_TOKEN_INVALID},
    {"iat -9223372036854775808", "\"iat\":$NOW", "\"iat\":-9223372036854775808", VIA_TOKEN_INVALID},
    {"audience via-build", "via-addon", "via-build", VIA_TOKEN_INVALID},
    {"audience via-user", "via-addon", "via-user", VIA_TOKEN_INVALID},
    {"audience via-config under the generation key", "via-addon", "via-config", VIA_TOKEN_INVALID},
    {"audience in capitals", "via-addon", "VIA-ADDON", VIA_TOKEN_INVALID},
    {"audience with a tail", "via-addon", "via-addon ", VIA_TOKEN_INVALID},
    {"audience with a NUL", "via-addon", "via-addon\\u0000", VIA_TOKEN_INVALID},
    {"audiences, one of them right", "\"via-addon\"", "[\"via-addon\",\"via-user\"]",
     VIA_TOKEN_INVALID},
    {"another issuer", "\"iss\":\"via\"", "\"iss\":\"via.example\"", VIA_TOKEN_INVALID},
    {"a subject that is not the instance", "\"sub\":\"$INSTANCE\"", "\"sub\":\"$X_INSTANCE\"",
     VIA_TOKEN_INVALID},
    {"mode RW", "\"rw\"", "\"RW\"", VIA_TOKEN_INVALID},
    {"mode admin", "\"rw\"", "\"admin\"", VIA_TOKEN_INVALID},
    {"generation 0", "\"gen\":1", "\"gen\":0", VIA_TOKEN_INVALID},
    {"generation -1", "\"gen\":1", "\"gen\":-1", VIA_TOKEN_INVALID},
    {"generation 1.0", "\"gen\":1", "\"gen\":1.0", VIA_TOKEN_INVALID},
    {"generation 2^64 + 1: wraps", "\"gen\":1", "\"gen\":18446744073709551617", VIA_TOKEN_INVALID},
    {"a generation that never was", "\"gen\":1", "\"gen\":999", VIA_GENERATION_UNKNOWN},
    {"no binding's name", "DATABASE", "", VIA_TOKEN_INVALID},
    {"a binding as a pattern", "DATABASE", "%", VIA_BINDING_NOT_IN_RELEASE},
    {"a binding as a path", "DATABASE", "../DATABASE", VIA_BINDING_NOT_IN_RELEASE},
    {"a binding in small letters", "DATABASE", "database", VIA_BINDING_NOT_IN_RELEASE},
    {"a binding of another app", "DATABASE", "THEIRS", VIA_BINDING_NOT_IN_RELEASE},
    {"an app that is another one", "\"app\":\"api\"", "\"app\":\"other\"", VIA_WORKLOAD_UNBOUND},
    {"an app as SQL", "\"app\":\"api\"", "\"app\":\"' OR 1=1 --\"", VIA_WORKLOAD_UNBOUND},
    {"another app's deploy", "$DEPLOY", "$X_DEPLOY", VIA_WORKLOAD_UNBOUND},
    {"another app's release", "$RELEASE", "$X_RELEASE", VIA_WORKLOAD_UNBOUND},
    {"a deploy that is not", "$DEPLOY", "dep_00000000000000000000000000", VIA_WORKLOAD_UNBOUND},
    {"an extra claim", "\"app\"", "\"admin\":true,\"app\"", VIA_TOKEN_INVALID},
    {"a claim nested 30 deep", "\"app\"",
     "\"x\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]],\"app\"",
     VIA_TOKEN_INVALID},
    {"claims of no valid UTF-8", "tok_1", "tok_\xc3\x28", VIA_TOKEN_INVALID},
    {"an overlong slash", "tok_1", "tok_\xc0\xaf", VIA_TOKEN_INVALID},
    {"half a surrogate", "tok_1", "tok_\\ud800", VIA_TOKEN_INVALID},
    {"a trailing comma", "\"mode\":\"rw\"}", "\"mode\":\"rw\",}", VIA_TOKEN_INVALID},
    {"a second document", "\"mode\":\"rw\"}", "\"mode\":\"rw\"}{}", VIA_TOKEN_INVALID},
    {"a NUL after the document", "\"mode\":\"rw\"}", "\"mode\":\"rw\"}\x01", VIA_TOKEN_INVALID},
};

static void
test_claims(void)
{
    static const char *const odd[] = {"[]", "null", "\"\"", "1", "true", "", "{}", "{"};
    char payload[8192], name[64];

    for (size_t i = 0; i < sizeof claims / sizeof claims[0]; i++) {
        edit(PAYLOAD, claims[i].from, claims[i].to, payload);
        forge_and_attack(claims[i].name, HEADER, payload, VIA_ITSELF, claims[i].want);
    }
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        snprintf(name, sizeof name, "claims that are '%s'", odd[i]);
        forge_and_attack(name, HEADER, odd[i], VIA_ITSELF, VIA_TOKEN_INVALID);
    }
    forge_and_attack("another instance in every claim", HEADER,
                     "{\"iss\":\"via\",\"sub\":\"$X_INSTANCE\",\"aud\":\"via-addon\",\"app\":"
                     "\"api\",\"deploy\":\"$DEPLOY\",\"release\":\"$RELEASE\",\"instance\":"
                     "\"$X_INSTANCE\",\"jti\":\"t\",\"iat\":$NOW,\"nbf\":$NOW,\"exp\":$LATER,"
                     "\"binding\":\"DATABASE\",\"gen\":1,\"mode\":\"rw\"}",
                     VIA_ITSELF, VIA_WORKLOAD_UNBOUND);
}

/* Each claim: left out, twice, twice in disguise, and of every wrong type. */
static void
test_every_claim(void)
{
    static const char *const names[] = {"iss",     "sub", "aud",      "app", "deploy",
                                        "release", "jti", "instance", "iat", "nbf",
                                        "exp",     "gen", "binding",  "mode"};
    static const char *const wrong[] = {"null", "true", "1.5", "[]", "{}", "\"\"", "[1]", "\"5\""};
    char payload[8192], member[512], name[64], twice[2048];

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *at, *end;

        snprintf(name, sizeof name, "\"%s\":", names[i]);
        at = strstr(PAYLOAD, name);
        end = at + strcspn(at, ",}");
        snprintf(member, sizeof member, "%.*s%s", (int)(end - at), at, *end == ',' ? "," : "");
        edit(PAYLOAD, member, "", payload);
        if (*end == '}') /* the comma before it */
            payload[strlen(payload) - 2] = '}', payload[strlen(payload) - 1] = '\0';
        snprintf(name, sizeof name, "without %s", names[i]);
        forge_and_attack(name, HEADER, payload, VIA_ITSELF, VIA_TOKEN_INVALID);

        snprintf(member, sizeof member, "%.*s", (int)(end - at), at);
        snprintf(twice, sizeof twice, "%s,%s", member, member);
        edit(PAYLOAD, member, twice, payload);
        snprintf(name, sizeof name, "%s twice", names[i]);
        forge_and_attack(name, HEADER, payload, VIA_ITSELF, VIA_TOKEN_INVALID);

        snprintf(twice, sizeof twice, "%s,\"\\u00%02x%s", member, (unsigned)names[i][0],
                 member + 2);
        edit(PAYLOAD, member, twice, payload);
        snprintf(name, sizeof name, "%s twice, in disguise", names[i]);
        forge_and_attack(name, HEADER, payload, VIA_ITSELF, VIA_TOKEN_INVALID);

        for (size_t j = 0; j < sizeof wrong / sizeof wrong[0]; j++) {
            bool text_for_text = wrong[j][0] == '"' && wrong[j][1] != '"' && end[-1] == '"';

            if (text_for_text)
                continue; /* a text where there is one: test_claims */
            snprintf(twice, sizeof twice, "\"%s\":%s", names[i], wrong[j]);
            edit(PAYLOAD, member, twice, payload);
            snprintf(name, sizeof name, "%s as %s", names[i], wrong[j]);
            forge_and_attack(name, HEADER, payload, VIA_ITSELF, VIA_TOKEN_INVALID);
        }
    }
}

/* -- signatures ----------------------------------------------------------------- */

/* The good token under another signature of 64 bytes. */
static void
attack_signature(const char *name, const unsigned char signature[64])
{
    struct via_buf token;

    via_buf_init(&token);
    via_buf_put(&token, good, (size_t)(strrchr(good, '.') + 1 - good));
    via_base64url_put(&token, signature, 64);
    attack(name, via_buf_text(&token), VIA_TOKEN_INVALID);
    via_buf_deinit(&token);
}

/* S + L verifies where S does, for whoever forgets RFC 8032 section 5.1.7. */
static void
test_malleability(const unsigned char signature[64])
{
    static const unsigned char order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,
                                            0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
                                            0,    0,    0,    0,    0,    0,    0,    0,
                                            0,    0,    0,    0,    0,    0,    0,    0x10};
    unsigned char bent[64];
    unsigned carry = 0;

    memcpy(bent, signature, 64);
    for (int i = 0; i < 32; i++) {
        carry += (unsigned)bent[32 + i] + order[i];
        bent[32 + i] = (unsigned char)carry;
        carry >>= 8;
    }
    attack_signature("S + L", bent);
    memcpy(bent, signature, 64);
    bent[63] |= 0xe0;
    attack_signature("S with its three top bits set", bent);
    memcpy(bent, signature + 32, 32);
    memcpy(bent + 32, signature, 32);
    attack_signature("R and S exchanged", bent);
    memset(bent, 0, 64);
    attack_signature("all zero", bent);
    memset(bent, 0xff, 64);
    attack_signature("all ones", bent);
}

/* Points whose order divides eight, and their other encodings (y + p): as R with S = 0. */
static void
test_small_order(void)
{
    static const char *const points[] = {
        "0100000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "0100000000000000000000000000000000000000000000000000000000000080"};
    unsigned char signature[64] = {0};
    char name[64];

    for (size_t i = 0; i < sizeof points / sizeof points[0]; i++) {
        if (sodium_hex2bin(signature, 32, points[i], 64, NULL, NULL, NULL) != 0)
            live_die("a point is misspelt");
        snprintf(name, sizeof name, "a small-order R, %.4s…", points[i]);
        attack_signature(name, signature);
    }
}

/* -- the text ------------------------------------------------------------------- */

static void
test_text(void)
{
    static const char *const formats[] = {"%s=",
                                          "%s==",
                                          "%s.",
                                          ".%s",
                                          "%sA",
                                          "\"%s\"",
                                          "%s%%00",
                                          "%s,%1$s",
                                          "%s;%1$s",
                                          "%s %1$s",
                                          "Bearer %s",
                                          "%s#x",
                                          "%s?a=b",
                                          "%s/",
                                          "jwt:%s",
                                          "%s~",
                                          "%s....",
                                          "%s.a.b",
                                          "{\"t\":\"%s\"}",
                                          "%s%%20"};
    char text[2 * VIA_TOKEN_SIZE], name[64];
    const char *dot = strrchr(good, '.'), *first = strchr(good, '.');
    struct via_buf other;

    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-extra-args"
        snprintf(text, sizeof text, formats[i], good);
#pragma GCC diagnostic pop
        snprintf(name, sizeof name, "text: %s", formats[i]);
        attack(name, text, VIA_TOKEN_INVALID);
    }
    snprintf(text, sizeof text, "%.*s=%s", (int)(dot - good), good, dot);
    attack("text: padding before the last dot", text, VIA_TOKEN_INVALID);
    snprintf(text, sizeof text, "%.*s\t%s", (int)(dot - good), good, dot);
    attack("text: a tab inside", text, VIA_TOKEN_INVALID);
    snprintf(text, sizeof text, "%.*s%%2e%s", (int)(first - good), good, first + 1);
    attack("text: a dot as %2e", text, VIA_TOKEN_INVALID);
    snprintf(text, sizeof text, "%s", good);
    for (char *c = text; *c; c++)
        *c = *c == '-' ? '+' : *c == '_' ? '/' : *c;
    if (strcmp(text, good) == 0)
        snprintf(text, sizeof text, "+%s", good);
    attack("text: the other base64 alphabet", text, VIA_TOKEN_INVALID);
    snprintf(text, sizeof text, "%s", good);
    text[strlen(text) - 1] = text[strlen(text) - 1] == 'A'   ? 'B'
                             : text[strlen(text) - 1] == 'Q' ? 'R'
                             : text[strlen(text) - 1] == 'g' ? 'h'
                                                             : 'x';
    attack("text: spare bits in the last character", text, VIA_TOKEN_INVALID);
    for (size_t i = 0; good[i]; i++)
        text[i] = (char)toupper((unsigned char)good[i]);
    attack("text: in capitals", text, VIA_TOKEN_INVALID);
    memset(text, 'a', VIA_TOKEN_SIZE + 500);
    text[VIA_TOKEN_SIZE + 500] = '\0';
    attack("text: longer than any token", text, VIA_TOKEN_INVALID);
    attack("text: five parts, as an encrypted token has", "eyJhbGciOiJkaXIifQ..AAAA.AAAA.AAAA",
           VIA_TOKEN_INVALID);
    attack("text: JSON serialisation",
           "{\"protected\":\"e30\",\"payload\":\"e30\",\"signature\":\"AA\"}", VIA_TOKEN_INVALID);
    attack("text: a PASETO", "v4.public.e30", VIA_TOKEN_INVALID);

    /* The claims of one good token under the signature of another. */
    via_buf_init(&other);
    forge(HEADER, PAYLOAD, VIA_ITSELF, &other);
    snprintf(text, sizeof text, "%.*s%s", (int)(dot - good), good,
             strrchr(via_buf_text(&other), '.'));
    attack("text: another token's signature", text, VIA_TOKEN_INVALID);
    via_buf_deinit(&other);

    /* A header may not hold these; a file may. */
    snprintf(text, sizeof text, "%s\n", good);
    CHECK(door_file(text, strlen(text), "SELECT 1 FROM sqlite_schema") == VIA_OK,
          "a token file may end with a line feed");
    snprintf(text, sizeof text, "%.*s\n%s", (int)(dot - good), good, dot);
    CHECK(door_file(text, strlen(text), "SELECT 1 FROM sqlite_schema") == VIA_TOKEN_INVALID,
          "but not have one inside");
    snprintf(text, sizeof text, "%s", good);
    CHECK(door_file(text, strlen(text) + 1, "SELECT 1 FROM sqlite_schema") == VIA_TOKEN_INVALID,
          "nor a NUL at its end");
    CHECK(door_file("", 0, "SELECT 1 FROM sqlite_schema") == VIA_TOKEN_MISSING,
          "an empty file is no token");
}

/* Where a token may not be carried. */
static void
test_carriers(void)
{
    static const struct {
        const char *name, *format;
    } ways[] = {
        {"in the URL",
         "POST /v1/runtime/sql/query?access_token=%s HTTP/1.1\r\nHost: localhost\r\n"},
        {"in a cookie",
         "POST /v1/runtime/sql/query HTTP/1.1\r\nHost: localhost\r\nCookie: token=%s\r\n"},
        {"as Basic",
         "POST /v1/runtime/sql/query HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic %s\r\n"},
        {"as Proxy-Authorization", "POST /v1/runtime/sql/query HTTP/1.1\r\nHost: "
                                   "localhost\r\nProxy-Authorization: Bearer %s\r\n"},
        {"twice",
         "POST /v1/runtime/sql/query HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer x\r\n"
         "Authorization: Bearer %s\r\n"},
    };
    static const char body[] = "{\"sql\":\"SELECT 1\"}";
    char request[2 * VIA_TOKEN_SIZE];

    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        int n;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        n = snprintf(request, sizeof request, ways[i].format, good);
#pragma GCC diagnostic pop
        n += snprintf(request + n, sizeof request - (size_t)n, "Content-Length: %zu\r\n\r\n%s",
                      strlen(body), body);
        CHECK(live_exchange(&http, request, (size_t)n) &&
                  (http.status == 401 || http.status == 400) &&
                  (http.status == 400 || strcmp(http.code, "token_missing") == 0),
              "a token %s does not count (%d %s)", ways[i].name, http.status, http.code);
    }
}

/* -- tokens that were good ------------------------------------------------------- */

/* A workload token is not a generation token, and the other way round where it matters. */
static void
test_kinds(void)
{
    char workload[VIA_TOKEN_SIZE], theirs[VIA_TOKEN_SIZE];

    live_mint("workload", variable("$INSTANCE"), "", 600, workload);
    CHECK(door_file(workload, strlen(workload), "SELECT 1 FROM sqlite_schema") == VIA_TOKEN_INVALID,
          "the VFS takes no workload token");
    CHECK(live_call(&http, "query", workload, "DATABASE", "SELECT 1") && http.status == 200,
          "the agent does, with a binding");
    CHECK(live_call(&http, "query", workload, "", "SELECT 1") && http.status == 400 &&
              strcmp(http.code, "bad_request") == 0,
          "and not without one");
    CHECK(live_call(&http, "query", good, "OTHER", "SELECT 1") && http.status == 403 &&
              strcmp(http.code, "binding_not_in_release") == 0,
          "a generation token is for its own binding");
    live_mint("generation", variable("$X_INSTANCE"), "THEIRS", 600, theirs);
    CHECK(live_call(&http, "query", theirs, "DATABASE", "SELECT 1") && http.status == 403 &&
              strcmp(http.code, "binding_not_in_release") == 0,
          "another app's token does not open this one's binding");
    CHECK(door_file(theirs, strlen(theirs), "SELECT 1 FROM sqlite_schema") ==
              VIA_BINDING_NOT_IN_RELEASE,
          "nor at the VFS");
}

/* A token may narrow the mode of its binding and never widen it. */
static void
test_mode(void)
{
    struct via_buf token;
    char payload[8192];

    via_buf_init(&token);
    edit(PAYLOAD, "\"rw\"", "\"ro\"", payload);
    forge(HEADER, payload, VIA_ITSELF, &token);
    CHECK(live_call(&http, "execute", token.data, "", "CREATE TABLE m(a)") && http.status == 403 &&
              strcmp(http.code, "read_only_binding") == 0 &&
              door_file(token.data, token.len, "CREATE TABLE m(a)") != VIA_OK,
          "a token that says ro does not write to a binding that is rw");
    live_sql(
        "INSERT INTO via_bindings(app,binding,addon,mode) VALUES('api','LEDGER','api-db','ro');"
        "INSERT INTO via_deploys(app,target) VALUES('api','');"
        "INSERT INTO via_instances(app) VALUES('api')");
    snprintf(variable("$X_INSTANCE"), 64, "%s", variable("$INSTANCE"));
    strcpy(variable("$INSTANCE"),
           live_sql("SELECT id FROM via_instances WHERE rowid=last_insert_rowid()"));
    strcpy(variable("$DEPLOY"),
           live_sql("SELECT deploy FROM via_instances WHERE id=%Q", variable("$INSTANCE")));
    strcpy(variable("$RELEASE"),
           live_sql("SELECT release FROM via_instances WHERE id=%Q", variable("$INSTANCE")));
    edit(PAYLOAD, "DATABASE", "LEDGER", payload);
    forge(HEADER, payload, VIA_ITSELF, &token);
    CHECK(live_call(&http, "query", token.data, "", "SELECT 1") && http.status == 200 &&
              live_call(&http, "execute", token.data, "", "CREATE TABLE m(a)") &&
              http.status == 403 && strcmp(http.code, "read_only_binding") == 0,
          "one that says rw does not write to a binding that is ro");
    via_buf_deinit(&token);
}

/* What was good until an operator said otherwise. */
static void
test_replay(void)
{
    static const struct {
        const char *name, *sql;
        enum via_status want;
    } ends[] = {
        {"replayed after its generation was revoked",
         "UPDATE via_generations SET status='revoked' WHERE app='api' AND binding='DATABASE'",
         VIA_GENERATION_REVOKED},
        {"replayed after its lease ran out",
         "UPDATE via_instances SET lease_expires_at='2001-01-01T00:00:00.000Z' WHERE id=%Q",
         VIA_RUNTIME_IDENTITY_EXPIRED},
        {"replayed after its deploy was stopped",
         "UPDATE via_deploys SET state='stopped' WHERE id="
         "(SELECT deploy FROM via_instances WHERE id=%Q)",
         VIA_WORKLOAD_UNBOUND},
        {"replayed after its instance was stopped",
         "UPDATE via_instances SET state='stopped' WHERE id=%Q", VIA_WORKLOAD_UNBOUND},
    };

    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        char instance[64], token[VIA_TOKEN_SIZE];
        bool before;

        live_sql("INSERT INTO via_generations(app,binding) VALUES('api','DATABASE');"
                 "INSERT INTO via_deploys(app,target) VALUES('api','');"
                 "INSERT INTO via_instances(app) VALUES('api')");
        strcpy(instance, live_sql("SELECT id FROM via_instances WHERE rowid=last_insert_rowid()"));
        live_mint("generation", instance, "DATABASE", 600, token);
        before = door_http(token) == VIA_OK &&
                 door_file(token, strlen(token), "SELECT 1 FROM sqlite_schema") == VIA_OK;
        live_sql(ends[i].sql, instance);
        CHECK(before && door_http(token) == ends[i].want &&
                  door_file(token, strlen(token), "SELECT 1 FROM sqlite_schema") == ends[i].want,
              "a token %s: %d %s", ends[i].name, via_status_http(ends[i].want),
              via_status_word(ends[i].want));
    }
}

/* -- the scene ------------------------------------------------------------------ */

static void
read_public_key(void)
{
    char path[VIA_PATH_SIZE], relative[80], text[1024];
    const char *x;
    size_t n, length;
    FILE *in;

    snprintf(relative, sizeof relative, "keys/%s.jwk", kid);
    via_root_join(&live_root, relative, path);
    in = fopen(path, "re");
    if (!in)
        live_die("no key file");
    n = fread(text, 1, sizeof text - 1, in);
    text[n] = '\0';
    fclose(in);
    x = strstr(text, "\"x\":\"");
    if (!x || !via_base64url_decode(x + 5, strcspn(x + 5, "\""), via_public, 32, &length) ||
        length != 32)
        live_die("no public key in its file");
}

/* A key of the thief's own, in a file where a kid could lead. */
static void
make_thief(void)
{
    char text[64];
    FILE *out;

    crypto_sign_keypair(thief_public, thief_secret);
    sodium_bin2base64(text, sizeof text, thief_public, 32,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    snprintf(variable("$JWK"), 1024, "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"%s\"}", text);
    snprintf(variable("$THIEF_FILE"), 1024, "%s/thief", scratch_path);
    out = fopen(variable("$THIEF_FILE"), "we");
    if (!out || fputs(variable("$JWK"), out) < 0 || fclose(out) != 0)
        live_die("the thief has no file");
}

static void
make_stranger(void)
{
    struct via_error e = {0};
    struct via_root other;
    char path[VIA_PATH_SIZE];

    snprintf(path, sizeof path, "%s/elsewhere", scratch_path);
    via_root_set_path(path);
    if (via_root_open(&other, &e) != VIA_OK ||
        via_keyring_new(&other, &strange_ring, &e) != VIA_OK ||
        via_keyring_current(strange_ring, VIA_KEY_GENERATION, variable("$STRANGE_KID"), &e) !=
            VIA_OK)
        live_die("%s", e.message);
    via_root_set_path(live_root.path);
}

static void
make_scene(void)
{
    struct via_error e = {0};
    time_t now = time(NULL);

    live_sql(
        "INSERT INTO via_addons(type,name,app,bind) VALUES('sqlite','api-db','api','DATABASE');"
        "INSERT INTO via_addons(type,name,app,bind) VALUES('sqlite','o-db','other','THEIRS');"
        "INSERT INTO via_deploys(app,target) VALUES('other','');"
        "INSERT INTO via_instances(app) VALUES('other')");
    strcpy(variable("$X_INSTANCE"), live_sql("SELECT id FROM via_instances WHERE app='other'"));
    strcpy(variable("$X_DEPLOY"), live_sql("SELECT deploy FROM via_instances WHERE app='other'"));
    strcpy(variable("$X_RELEASE"), live_sql("SELECT release FROM via_instances WHERE app='other'"));
    live_sql("INSERT INTO via_deploys(app,target) VALUES('api','');"
             "INSERT INTO via_instances(app) VALUES('api')");
    strcpy(variable("$INSTANCE"), live_sql("SELECT id FROM via_instances WHERE app='api'"));
    strcpy(variable("$DEPLOY"), live_sql("SELECT deploy FROM via_instances WHERE app='api'"));
    strcpy(variable("$RELEASE"), live_sql("SELECT release FROM via_instances WHERE app='api'"));
    snprintf(variable("$NOW"), 32, "%lld", (long long)now - 60);
    snprintf(variable("$PAST"), 32, "%lld", (long long)now - 1);
    snprintf(variable("$LATER"), 32, "%lld", (long long)now + 600);
    snprintf(variable("$SOON"), 32, "%lld", (long long)now + 3600);
    if (via_keyring_new(&live_root, &ring, &e) != VIA_OK ||
        via_keyring_current(ring, VIA_KEY_GENERATION, kid, &e) != VIA_OK ||
        via_keyring_current(ring, VIA_KEY_WORKLOAD, variable("$WORK_KID"), &e) != VIA_OK ||
        via_keyring_current(ring, VIA_KEY_MANIFEST, variable("$MANIFEST_KID"), &e) != VIA_OK)
        live_die("%s", e.message);
    strcpy(variable("$KID"), kid);
    snprintf(token_path, sizeof token_path, "%s/token", scratch_path);
    live_mint("generation", variable("$INSTANCE"), "DATABASE", 600, good);
}

int
main(void)
{
    struct via_buf forged;
    unsigned char signature[64];
    size_t n;

    if (!via_identity_init())
        return 1;
    live_start();
    make_scene();
    make_thief();
    make_stranger();
    read_public_key();

    via_buf_init(&forged);
    forge(HEADER, PAYLOAD, VIA_ITSELF, &forged);
    CHECK(good_still_passes() && door_http(via_buf_text(&forged)) == VIA_OK &&
              door_file(forged.data, forged.len, "SELECT 1 FROM sqlite_schema") == VIA_OK,
          "the minted token and the one that the attacks start from open both doors");
    via_buf_deinit(&forged);
    test_headers();
    test_claims();
    test_every_claim();
    if (!via_base64url_decode(strrchr(good, '.') + 1, strlen(strrchr(good, '.') + 1), signature, 64,
                              &n))
        return 1;
    test_malleability(signature);
    test_small_order();
    test_text();
    test_carriers();
    test_kinds();
    test_mode();
    test_replay();
    via_keyring_free(ring);
    via_keyring_free(strange_ring);
    sqlite3_close(live_db);
    return check_end();
}
