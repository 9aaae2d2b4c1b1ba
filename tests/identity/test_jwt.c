/* The focus of this file is tokens: what Via signs it reads back, and nothing that differs from
 * it by a byte, a claim, a key or a second. */
#include "base/error.h"
#include "base/id.h"
#include "check.h"
#include "identity/codec.h"
#include "identity/jwt.h"
#include "scratch.h"

#define NOW 1700000000
#define GOOD_HEADER "{\"alg\":\"EdDSA\",\"kid\":\"%s\",\"typ\":\"JWT\"}"

static struct via_keyring *ring;
static char workload_kid[VIA_ID_SIZE], generation_kid[VIA_ID_SIZE];

static struct via_claims workload = {
    .audience = "via-config",
    .app = "tracker",
    .deploy = "dep_1",
    .release = "rel_1",
    .instance = "inst_1",
    .jti = "tok_1",
    .issued_s = NOW,
    .not_before_s = NOW,
    .expires_s = NOW + 900,
};

/* The payload of `workload`, as a hand writes it. */
#define PAYLOAD                                                                                    \
    "{\"iss\":\"via\",\"sub\":\"inst_1\",\"aud\":\"via-config\",\"app\":\"tracker\","              \
    "\"deploy\":\"dep_1\",\"release\":\"rel_1\",\"instance\":\"inst_1\",\"jti\":\"tok_1\","        \
    "\"iat\":1700000000,\"nbf\":1700000000,\"exp\":1700000900}"

static struct via_claims
generation_claims(void)
{
    struct via_claims c = workload;

    strcpy(c.audience, "via-addon");
    strcpy(c.binding, "DATABASE");
    c.generation = 3;
    c.mode = VIA_MODE_RW;
    return c;
}

static enum via_status
verify_at(const struct via_buf *token, int64_t now_s, struct via_claims *out)
{
    struct via_error e = {0};
    enum via_status status = via_jwt_verify(ring, token->data, token->len, now_s, out, &e);
    const char *signature = token->len > 20 ? token->data + token->len - 20 : "none";

    if (status != VIA_OK && (e.message[0] == '\0' || strstr(e.message, signature)))
        CHECK(false, "a refusal has a sentence without the token's material: %s", e.message);
    return status;
}

/* Sign exactly these texts with the key of `use`: what an attacker would need and cannot do,
 * so that the reader is tested behind the signature too. */
static void
craft(struct via_buf *out, enum via_key_use use, const char *header, const char *payload)
{
    struct via_error e = {0};
    uint8_t signature[64];
    char kid[VIA_ID_SIZE];

    via_buf_reset(out);
    via_base64url_put(out, header, strlen(header));
    via_buf_putc(out, '.');
    via_base64url_put(out, payload, strlen(payload));
    if (via_keyring_sign(ring, use, out->data, out->len, signature, kid, &e) != VIA_OK)
        exit(1);
    via_buf_putc(out, '.');
    via_base64url_put(out, signature, sizeof signature);
}

static void
check_header(const char *header_format, const char *what)
{
    struct via_claims out;
    struct via_buf token;
    char header[512];

    via_buf_init(&token);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(header, sizeof header, header_format, workload_kid);
#pragma GCC diagnostic pop
    craft(&token, VIA_KEY_WORKLOAD, header, PAYLOAD);
    CHECK(verify_at(&token, NOW, &out) == VIA_TOKEN_INVALID && out.app[0] == '\0',
          "header refused: %s", what);
    via_buf_deinit(&token);
}

static enum via_status
verify_payload(enum via_key_use use, const char *payload)
{
    const char *kid = use == VIA_KEY_WORKLOAD ? workload_kid : generation_kid;
    enum via_status status;
    struct via_claims out;
    struct via_buf token;
    char header[128];

    via_buf_init(&token);
    snprintf(header, sizeof header, GOOD_HEADER, kid);
    craft(&token, use, header, payload);
    status = verify_at(&token, NOW, &out);
    if (status == VIA_TOKEN_INVALID && (out.app[0] || out.expires_s))
        CHECK(false, "claims of an invalid token are not handed out");
    via_buf_deinit(&token);
    return status;
}

/* The good payload with `to` in the place of `from` is refused with `why`. */
static void
check_payload_as(enum via_status why, const char *from, const char *to, const char *what)
{
    const char *at = strstr(PAYLOAD, from);
    char payload[2048];

    if (!CHECK(at != NULL, "'%s' is in the payload", from))
        return;
    snprintf(payload, sizeof payload, "%.*s%s%s", (int)(at - PAYLOAD), PAYLOAD, to,
             at + strlen(from));
    CHECK(verify_payload(VIA_KEY_WORKLOAD, payload) == why, "payload refused: %s", what);
}

static void
check_payload(const char *from, const char *to, const char *what)
{
    check_payload_as(VIA_TOKEN_INVALID, from, to, what);
}

static void
test_round_trip(void)
{
    struct via_claims c = generation_claims(), out;
    struct via_error e = {0};
    struct via_buf token;

    via_buf_init(&token);
    CHECK(via_jwt_sign(ring, &workload, &token, &e) == VIA_OK && workload.kid[0],
          "a workload token is signed, and says with which key");
    CHECK(verify_at(&token, NOW, &out) == VIA_OK && strcmp(out.app, "tracker") == 0 &&
              strcmp(out.instance, "inst_1") == 0 && out.expires_s == NOW + 900 &&
              out.binding[0] == '\0' && out.generation == 0 && strcmp(out.kid, workload_kid) == 0,
          "and read back, kid included");
    via_buf_reset(&token);
    via_buf_puts(&token, "kept ");
    CHECK(via_jwt_sign(ring, &c, &token, &e) == VIA_OK && strncmp(token.data, "kept ", 5) == 0,
          "a generation token is appended");
    memmove(token.data, token.data + 5, token.len -= 5);
    CHECK(verify_at(&token, NOW, &out) == VIA_OK && strcmp(out.binding, "DATABASE") == 0 &&
              out.generation == 3 && out.mode == VIA_MODE_RW,
          "and read back with binding, generation and mode");
    c.mode = VIA_MODE_RO;
    via_buf_reset(&token);
    CHECK(via_jwt_sign(ring, &c, &token, &e) == VIA_OK && verify_at(&token, NOW, &out) == VIA_OK &&
              out.mode == VIA_MODE_RO,
          "a read-only one says so");
    CHECK(verify_payload(VIA_KEY_WORKLOAD, PAYLOAD) == VIA_OK,
          "the payload that the next tests change is good");
    via_buf_deinit(&token);
}

static void
test_sign_refuses(void)
{
    struct via_claims c = workload;
    struct via_error e = {0};
    struct via_buf token;

    via_buf_init(&token);
    strcpy(c.audience, "via-build");
    CHECK(via_jwt_sign(ring, &c, &token, &e) != VIA_OK, "no token is signed for via-build");
    c = workload;
    c.instance[0] = '\0';
    CHECK(via_jwt_sign(ring, &c, &token, NULL) != VIA_OK, "none without an instance");
    c = workload;
    c.expires_s = c.issued_s;
    CHECK(via_jwt_sign(ring, &c, &token, NULL) != VIA_OK, "none that is over as it begins");
    c = generation_claims();
    c.generation = 0;
    CHECK(via_jwt_sign(ring, &c, &token, NULL) != VIA_OK, "none of generation 0");
    CHECK(token.len == 0, "and nothing is written");
    via_buf_deinit(&token);
}

static void
test_times(void)
{
    struct via_claims out;
    struct via_error e = {0};
    struct via_buf token;

    via_buf_init(&token);
    if (via_jwt_sign(ring, &workload, &token, &e) != VIA_OK)
        return;
    CHECK(verify_at(&token, NOW + 899, &out) == VIA_OK, "valid to its last second");
    CHECK(verify_at(&token, NOW + 900, &out) == VIA_RUNTIME_IDENTITY_EXPIRED &&
              strcmp(out.instance, "inst_1") == 0 && strcmp(out.kid, workload_kid) == 0,
          "expired at exp, without leeway, and the claims are told for the audit");
    CHECK(verify_at(&token, NOW - 5, &out) == VIA_OK, "five seconds early is allowed");
    CHECK(verify_at(&token, NOW - 6, &out) == VIA_TOKEN_INVALID && !out.instance[0], "six are not");
    via_buf_deinit(&token);
    check_payload("\"nbf\":1700000000", "\"nbf\":1700000006", "nbf in the future");
    check_payload("\"iat\":1700000000", "\"iat\":1700000006", "iat in the future");
    /* A life that is over before it began is over, whatever else it is. */
    check_payload_as(VIA_RUNTIME_IDENTITY_EXPIRED, "\"exp\":1700000900", "\"exp\":1700000000",
                     "exp not after iat");
    check_payload("\"exp\":1700000900", "\"exp\":1700000900.0", "exp as a real");
    check_payload("\"exp\":1700000900", "\"exp\":1.7000009e9", "exp with an exponent");
    check_payload("\"exp\":1700000900", "\"exp\":\"1700000900\"", "exp as text");
    check_payload("\"exp\":1700000900", "\"exp\":null", "exp null");
    check_payload("\"exp\":1700000900", "\"exp\":9007199254740993", "exp beyond 2^53");
    check_payload("\"exp\":1700000900", "\"exp\":99999999999999999999", "exp beyond 64 bits");
    check_payload("\"iat\":1700000000", "\"iat\":-1", "a negative iat");
}

static void
test_headers(void)
{
    check_header("{\"alg\":\"none\",\"kid\":\"%s\",\"typ\":\"JWT\"}", "alg none");
    check_header("{\"alg\":\"None\",\"kid\":\"%s\",\"typ\":\"JWT\"}", "alg None");
    check_header("{\"alg\":\"nOnE\",\"kid\":\"%s\",\"typ\":\"JWT\"}", "alg nOnE");
    check_header("{\"alg\":\"\",\"kid\":\"%s\",\"typ\":\"JWT\"}", "alg empty");
    check_header("{\"alg\":\"HS256\",\"kid\":\"%s\",\"typ\":\"JWT\"}", "alg HS256");
    check_header("{\"alg\":\"RS256\",\"kid\":\"%s\",\"typ\":\"JWT\"}", "alg RS256");
    check_header("{\"alg\":\"eddsa\",\"kid\":\"%s\",\"typ\":\"JWT\"}", "alg in lower case");
    check_header("{\"alg\":\"EdDSA\\u0000\",\"kid\":\"%s\",\"typ\":\"JWT\"}", "alg with a NUL");
    check_header("{\"alg\":[\"EdDSA\"],\"kid\":\"%s\",\"typ\":\"JWT\"}", "alg as a list");
    check_header("{\"kid\":\"%s\",\"typ\":\"JWT\"}", "no alg");
    check_header("{\"alg\":\"EdDSA\",\"alg\":\"none\",\"kid\":\"%s\",\"typ\":\"JWT\"}", "two algs");
    check_header("{\"alg\":\"EdDSA\",\"kid\":\"%s\"}", "no typ");
    check_header("{\"alg\":\"EdDSA\",\"kid\":\"%s\",\"typ\":\"at+jwt\"}", "another typ");
    check_header("{\"alg\":\"EdDSA\",\"typ\":\"JWT\"}", "no kid");
    check_header("{\"alg\":\"EdDSA\",\"kid\":\"../keys/%s\",\"typ\":\"JWT\"}", "kid as a path");
    check_header("{\"alg\":\"EdDSA\",\"kid\":\"../../../../dev/null\",\"typ\":\"JWT\"}",
                 "kid out of the folder");
    check_header("{\"alg\":\"EdDSA\",\"kid\":\"%s' OR 1=1\",\"typ\":\"JWT\"}", "kid as SQL");
    check_header("{\"alg\":\"EdDSA\",\"kid\":\"%s\\u0000\",\"typ\":\"JWT\"}", "kid with a NUL");
    check_header("{\"alg\":\"EdDSA\",\"kid\":\"key_00000000000000000000000000\",\"typ\":\"JWT\"}",
                 "an unknown kid");
    check_header("{\"alg\":\"EdDSA\",\"kid\":\"%s\",\"typ\":\"JWT\",\"jwk\":{\"kty\":\"OKP\"}}",
                 "a key of its own (jwk)");
    check_header("{\"alg\":\"EdDSA\",\"kid\":\"%s\",\"typ\":\"JWT\",\"jku\":\"http://x/\"}", "jku");
    check_header("{\"alg\":\"EdDSA\",\"kid\":\"%s\",\"typ\":\"JWT\",\"x5u\":\"http://x/\"}", "x5u");
    check_header("{\"alg\":\"EdDSA\",\"kid\":\"%s\",\"typ\":\"JWT\",\"crit\":[\"b64\"]}", "crit");
    check_header("{\"alg\":\"EdDSA\",\"kid\":\"%s\",\"typ\":\"JWT\",\"zip\":\"DEF\"}", "zip");
    check_header(GOOD_HEADER "{}", "a second document");
    check_header("[\"EdDSA\",\"%s\",\"JWT\"]", "a list");
    check_header("\"%s\"", "a string");
    check_header("", "nothing");
}

static void
test_claims(void)
{
    check_payload("{\"iss\":\"via\"", "{\"iss\":\"via\",\"iss\":\"via\"", "a duplicate claim");
    check_payload("{\"iss\":\"via\"", "{\"iss\":\"via\",\"\\u0069ss\":\"via\"", "one in disguise");
    check_payload("{\"iss\":\"via\"", "{\"iss\":\"other\"", "another issuer");
    check_payload("{\"iss\":\"via\",", "{", "no issuer");
    check_payload("\"jti\":\"tok_1\",", "", "no jti");
    check_payload("\"jti\":\"tok_1\"", "\"jti\":\"\"", "an empty jti");
    check_payload("\"jti\":\"tok_1\"", "\"jti\":7", "jti as a number");
    check_payload("\"nbf\":1700000000,", "", "no nbf");
    check_payload("\"nbf\":1700000000", "\"nfb\":1700000000", "a misspelt claim");
    check_payload("\"app\":\"tracker\"", "\"app\":\"tracker\",\"admin\":true", "an extra claim");
    check_payload("\"app\":\"tracker\"", "\"app\":\"tracker\\u0000x\"", "a NUL in the app");
    check_payload("\"app\":\"tracker\"", "\"app\":[\"tracker\"]", "the app as a list");
    check_payload(
        "\"app\":\"tracker\"",
        "\"app\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"",
        "an app that is too long");
    check_payload("\"sub\":\"inst_1\"", "\"sub\":\"inst_2\"", "a subject other than the instance");
    check_payload("\"aud\":\"via-config\"", "\"aud\":[\"via-config\"]", "the audience as a list");
    check_payload("\"aud\":\"via-config\"", "\"aud\":\"via-build\"", "audience via-build");
    check_payload("\"aud\":\"via-config\"", "\"aud\":\"via-user\"", "audience via-user");
    check_payload("\"aud\":\"via-config\"", "\"aud\":\"\"", "an empty audience");
    check_payload("\"aud\":\"via-config\"", "\"aud\":\"via-addon\"",
                  "the other audience under the workload key");
    check_payload(PAYLOAD, PAYLOAD "{}", "a second document");
    check_payload(PAYLOAD, "null", "null");
    check_payload(PAYLOAD, "[]", "a list");
    check_payload(PAYLOAD, "", "nothing");
    CHECK(verify_payload(VIA_KEY_GENERATION, PAYLOAD) == VIA_TOKEN_INVALID,
          "payload refused: a workload token under the generation key");
}

#define GENERATION_PAYLOAD(rest)                                                                   \
    "{\"iss\":\"via\",\"sub\":\"inst_1\",\"aud\":\"via-addon\",\"app\":\"tracker\","               \
    "\"deploy\":\"dep_1\",\"release\":\"rel_1\",\"instance\":\"inst_1\",\"jti\":\"tok_1\","        \
    "\"iat\":1700000000,\"nbf\":1700000000,\"exp\":1700000900" rest "}"

static void
test_generation_claims(void)
{
    static const struct {
        const char *payload, *what;
    } bad[] = {
        {GENERATION_PAYLOAD(""), "nothing of the generation"},
        {GENERATION_PAYLOAD(",\"gen\":3,\"mode\":\"rw\""), "no binding"},
        {GENERATION_PAYLOAD(",\"binding\":\"DATABASE\",\"mode\":\"rw\""), "no generation"},
        {GENERATION_PAYLOAD(",\"binding\":\"DATABASE\",\"gen\":3"), "no mode"},
        {GENERATION_PAYLOAD(",\"binding\":\"DATABASE\",\"gen\":0,\"mode\":\"rw\""), "generation 0"},
        {GENERATION_PAYLOAD(",\"binding\":\"DATABASE\",\"gen\":-3,\"mode\":\"rw\""), "a negative"},
        {GENERATION_PAYLOAD(",\"binding\":\"DATABASE\",\"gen\":3.0,\"mode\":\"rw\""), "a real"},
        {GENERATION_PAYLOAD(",\"binding\":\"DATABASE\",\"gen\":3,\"mode\":\"rwx\""), "mode rwx"},
        {GENERATION_PAYLOAD(",\"binding\":\"DATABASE\",\"gen\":3,\"mode\":1"), "mode 1"},
        {GENERATION_PAYLOAD(",\"binding\":\"DATABASE\",\"gen\":3,\"mode\":\"rw\",\"x\":1"), "more"},
    };

    CHECK(verify_payload(
              VIA_KEY_GENERATION,
              GENERATION_PAYLOAD(",\"binding\":\"DATABASE\",\"gen\":3,\"mode\":\"rw\"")) == VIA_OK,
          "a generation payload by hand is good");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(verify_payload(VIA_KEY_GENERATION, bad[i].payload) == VIA_TOKEN_INVALID,
              "generation payload refused: %s", bad[i].what);
}

/* Check a token that was changed as text. */
static void
check_text(const char *token, size_t n, const char *what)
{
    struct via_error e = {0};
    struct via_claims out;

    CHECK(via_jwt_verify(ring, token, n, NOW, &out, &e) == VIA_TOKEN_INVALID && !out.app[0],
          "text refused: %s (%s)", what, e.message);
}

static void
test_text(void)
{
    static char text[VIA_TOKEN_SIZE + 100];
    struct via_claims out;
    struct via_error e = {0};
    struct via_buf token;
    const char *dot;
    bool all = true;
    size_t n;

    via_buf_init(&token);
    if (via_jwt_sign(ring, &workload, &token, &e) != VIA_OK)
        return;
    n = token.len;
    CHECK(via_jwt_verify(ring, "", 0, NOW, &out, &e) == VIA_TOKEN_MISSING, "no token is missing");
    via_error_clear(&e);

#define VARIANT(what, ...)                                                                         \
    do {                                                                                           \
        int len = snprintf(text, sizeof text, __VA_ARGS__);                                        \
        check_text(text, (size_t)len, what);                                                       \
    } while (0)
    dot = strrchr(token.data, '.');
    VARIANT("a trailing byte", "%sA", token.data);
    VARIANT("a trailing newline", "%s\n", token.data);
    VARIANT("padding", "%s==", token.data);
    VARIANT("a leading space", " %s", token.data);
    VARIANT("the word Bearer", "Bearer %s", token.data);
    VARIANT("a fourth part", "%s.", token.data);
    VARIANT("a fifth part", "%s.a.b", token.data);
    VARIANT("no signature", "%.*s.", (int)(dot - token.data), token.data);
    VARIANT("no third part", "%.*s", (int)(dot - token.data), token.data);
    VARIANT("a signature of 32 bytes, as HS256 has", "%.*s.%.43s", (int)(dot - token.data),
            token.data, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    VARIANT("only dots", "..");
    VARIANT("one dot", ".");
    VARIANT("a word", "token");
    /* 64 bytes leave four bits over in the last character: three quarters of it are spare. */
    memcpy(text, token.data, n + 1);
    text[n - 1] = text[n - 1] == 'Q' ? 'R' : (char)(text[n - 1] + 1);
    check_text(text, n, "non-zero trailing bits");
    memcpy(text, token.data, n);
    text[n] = '\0';
    check_text(text, n + 1, "a trailing NUL");
    memset(text, 'a', sizeof text);
    check_text(text, sizeof text, "more than a token's size");

    for (size_t i = 0; i < n; i++) {
        memcpy(text, token.data, n);
        text[i] = text[i] == 'A' ? 'B' : 'A';
        if (memcmp(text, token.data, n) != 0)
            all = all && via_jwt_verify(ring, text, n, NOW, &out, NULL) == VIA_TOKEN_INVALID;
    }
    CHECK(all, "a token with any one character changed is invalid");
    all = true;
    for (size_t i = 1; i < n; i++)
        all = all && via_jwt_verify(ring, token.data, i, NOW, &out, NULL) == VIA_TOKEN_INVALID;
    CHECK(all, "a token cut short anywhere is invalid");
    via_buf_deinit(&token);
}

/* A token of another host, with keys of its own. */
static void
test_foreign_key(const struct via_root *root)
{
    struct via_keyring *theirs;
    struct via_root other;
    struct via_claims out;
    struct via_error e = {0};
    struct via_buf token;
    char path[VIA_PATH_SIZE];

    via_buf_init(&token);
    via_root_join(root, "backups/other", path);
    via_root_set_path(path);
    if (via_root_open(&other, &e) != VIA_OK || via_keyring_new(&other, &theirs, &e) != VIA_OK)
        exit(1);
    CHECK(via_jwt_sign(theirs, &workload, &token, &e) == VIA_OK &&
              verify_at(&token, NOW, &out) == VIA_TOKEN_INVALID,
          "a token of another host is invalid");
    via_keyring_free(theirs);
    via_buf_deinit(&token);
}

int
main(void)
{
    struct via_error e = {0};
    struct via_root root;

    scratch_root(&root);
    if (via_keyring_new(&root, &ring, &e) != VIA_OK ||
        via_keyring_current(ring, VIA_KEY_WORKLOAD, workload_kid, &e) != VIA_OK ||
        via_keyring_current(ring, VIA_KEY_GENERATION, generation_kid, &e) != VIA_OK) {
        puts(e.message);
        return 1;
    }
    test_round_trip();
    test_sign_refuses();
    test_times();
    test_headers();
    test_claims();
    test_generation_claims();
    test_text();
    test_foreign_key(&root);
    via_keyring_free(ring);
    return check_end();
}
