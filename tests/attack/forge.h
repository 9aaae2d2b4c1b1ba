/* forge.h: forged tokens and the two doors of a live Via that they are tried at: the agent over
 * HTTP and the guarded VFS. Some forgeries are signed by a key that an attacker should not have, so
 * that what lies behind the signature is attacked too. After each of them the good token must still
 * open both doors. */
#ifndef VIA_TESTS_FORGE_H
#define VIA_TESTS_FORGE_H

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

static inline enum via_status
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
static inline enum via_status
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

static inline bool
good_still_passes(void)
{
    return door_http(good) == VIA_OK &&
           door_file(good, strlen(good), "SELECT count(*) FROM sqlite_schema") == VIA_OK;
}

/* Both doors give `want` for `token`, and the good token still opens them. */
static inline void
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

static inline char *
variable(const char *name)
{
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++)
        if (strcmp(variables[i].name, name) == 0)
            return variables[i].value;
    live_die("no variable %s", name);
}

/* `pattern` with its variables filled in; an unknown one is a mistake of this file. */
static inline void
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
static inline void
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

static inline void
sign_hmac(const void *key, size_t key_len, const struct via_buf *text, unsigned char mac[32])
{
    crypto_auth_hmacsha256_state state;

    crypto_auth_hmacsha256_init(&state, key, key_len);
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)text->data, text->len);
    crypto_auth_hmacsha256_final(&state, mac);
}

/* The signature of `text`; returns its length. */
static inline size_t
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

static inline void
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

static inline void
forge_and_attack(const char *name, const char *header, const char *payload, enum signer signer,
                 enum via_status want)
{
    struct via_buf token;

    via_buf_init(&token);
    forge(header, payload, signer, &token);
    attack(name, via_buf_text(&token), want);
    via_buf_deinit(&token);
}

/* -- the scene ------------------------------------------------------------------ */

static inline void
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
static inline void
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

static inline void
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

static inline void
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

/* A live Via and everything that the attacks start from. */
static inline void
forge_start(void)
{
    struct via_buf forged;

    if (!via_identity_init())
        live_die("libsodium does not start");
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
}

static inline int
forge_end(void)
{
    via_keyring_free(ring);
    via_keyring_free(strange_ring);
    sqlite3_close(live_db);
    return check_end();
}

#endif
