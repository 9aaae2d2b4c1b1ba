/* keyfile.c: one key as a file: read, checked, written.
 *
 * Secrets live in guarded memory only; every copy made on the way is wiped. */
#include "identity/keyfile.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/id.h"
#include "base/io.h"
#include "base/json.h"
#include "identity/codec.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_FILE_MAX 4096

_Static_assert(crypto_sign_PUBLICKEYBYTES == 32, "an Ed25519 public key");
_Static_assert(crypto_sign_SECRETKEYBYTES == 64, "an Ed25519 seed and its public key");
_Static_assert(crypto_sign_SEEDBYTES == 32, "an Ed25519 seed");

static const char *const use_words[] = {
    [VIA_KEY_WORKLOAD] = "workload", [VIA_KEY_GENERATION] = "generation",
    [VIA_KEY_MANIFEST] = "manifest", [VIA_KEY_AUDIT] = "audit",
    [VIA_KEY_SEAL] = "seal",         [VIA_KEY_BACKUP] = "backup",
};

const char *
via_key_use_word(enum via_key_use use)
{
    return use_words[use];
}

bool
via_key_use_parse(const char *word, enum via_key_use *out)
{
    for (int i = 0; word && i < VIA_KEY_USES; i++) {
        if (strcmp(use_words[i], word) != 0)
            continue;
        *out = (enum via_key_use)i;
        return true;
    }
    return false;
}

void
via_keyfile_path(const struct via_root *root, const char *kid, char out[VIA_PATH_SIZE])
{
    char relative[VIA_ID_SIZE + 16];

    snprintf(relative, sizeof relative, "keys/%s.jwk", kid);
    via_root_join(root, relative, out);
}

bool
via_keyfile_kid(const char *name, char kid[VIA_ID_SIZE])
{
    size_t n = strlen(name);

    if (n < 5 || n - 4 >= VIA_ID_SIZE || strcmp(name + n - 4, ".jwk") != 0)
        return false;
    memcpy(kid, name, n - 4);
    kid[n - 4] = '\0';
    return via_id_is("key", kid);
}

void
via_key_free(struct via_key *key)
{
    if (!key)
        return;
    sodium_free(key->secret);
    free(key);
}

static struct via_key *
key_new(const char *kid)
{
    struct via_key *key = calloc(1, sizeof *key);

    if (!key)
        return NULL;
    snprintf(key->kid, sizeof key->kid, "%s", kid);
    key->secret = sodium_malloc(crypto_sign_SECRETKEYBYTES);
    if (!key->secret) {
        free(key);
        return NULL;
    }
    return key;
}

/* -- reading --------------------------------------------------------------------- */

/* Read the file into `text` when it may be believed; returns its length, or -1 with a sentence. */
static ssize_t
key_file_read(const struct via_root *root, int folder, const char *name, char *text,
              struct via_error *e)
{
    int fd = via_io_open(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
    ssize_t n = -1;
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0) {
        via_error_set_errno(e, VIA_KEY_UNAVAILABLE, errno, "keys/%s cannot be read", name);
    } else if (!S_ISREG(st.st_mode) || st.st_uid != root->uid || (st.st_mode & 077)) {
        via_error_set(e, VIA_KEY_UNAVAILABLE,
                      "keys/%s must be a regular file of the state root's owner with mode 0600",
                      name);
    } else if ((n = read(fd, text, KEY_FILE_MAX)) <= 0 || n == KEY_FILE_MAX) {
        via_error_set(e, VIA_KEY_UNAVAILABLE, "keys/%s cannot be read whole", name);
        n = -1;
    }
    if (fd >= 0)
        close(fd);
    return n;
}

static bool
member_is(const via_json *jwk, const char *name, const char *want)
{
    size_t n;
    const char *have = via_json_string(via_json_member(jwk, name), &n);

    return have && n == strlen(want) && memcmp(have, want, n) == 0;
}

/* Decode a 32-byte member. */
static bool
member_bytes(const via_json *jwk, const char *name, uint8_t out[32])
{
    size_t len, n;
    const char *text = via_json_string(via_json_member(jwk, name), &len);

    return text && via_base64url_decode(text, len, out, 32, &n) && n == 32;
}

/* The use of a JWK, or -1 when it is none of this room's. */
static int
jwk_use(const via_json *jwk)
{
    for (int i = 0; i < (int)(sizeof use_words / sizeof *use_words); i++) {
        if (member_is(jwk, "via_use", use_words[i]))
            return i;
    }
    return -1;
}

/* Fill the signing key `key` from its JWK. The public half is computed anew and compared: signing
 * with a public half that does not belong to the secret gives the secret away. */
static bool
jwk_read_signing(const via_json *jwk, struct via_key *key)
{
    uint8_t *seed = sodium_malloc(crypto_sign_SEEDBYTES);
    uint8_t x[crypto_sign_PUBLICKEYBYTES];
    bool good = seed && member_is(jwk, "kty", "OKP") && member_is(jwk, "crv", "Ed25519") &&
                member_is(jwk, "kid", key->kid) && member_bytes(jwk, "x", x) &&
                member_bytes(jwk, "d", seed);

    if (good) {
        crypto_sign_seed_keypair(key->public, key->secret, seed);
        good = sodium_memcmp(key->public, x, sizeof x) == 0;
    }
    sodium_free(seed);
    return good;
}

static bool
jwk_read(const via_json *jwk, struct via_key *key)
{
    if (key->use != VIA_KEY_SEAL)
        return jwk_read_signing(jwk, key);
    return member_is(jwk, "kty", "oct") && member_is(jwk, "kid", key->kid) &&
           member_bytes(jwk, "k", key->secret);
}

static void
member_wipe(const via_json *jwk, const char *name)
{
    size_t n;
    const char *text = via_json_string(via_json_member(jwk, name), &n);

    if (text)
        sodium_memzero((char *)text, n);
}

/* The parser copied the secret into plain memory; wipe it there before it is freed. */
static void
jwk_free(via_json *jwk)
{
    if (!jwk)
        return;
    member_wipe(jwk, "d");
    member_wipe(jwk, "k");
    via_json_free(jwk);
}

struct via_key *
via_keyfile_load(const struct via_root *root, int folder, const char *kid, struct via_error *e)
{
    char *text = sodium_malloc(KEY_FILE_MAX);
    struct via_key *key = key_new(kid), *loaded = NULL;
    char name[VIA_ID_SIZE + 8];
    const char *created;
    via_json *jwk = NULL;
    ssize_t n;

    snprintf(name, sizeof name, "%s.jwk", kid);
    if (!text || !key) {
        via_error_set(e, VIA_OUT_OF_MEMORY, "no memory is left to read keys/%s", name);
        goto done;
    }
    n = key_file_read(root, folder, name, text, e);
    if (n < 0)
        goto done;
    if (via_json_parse(text, (size_t)n, 4, &jwk, NULL) != VIA_OK ||
        via_json_type(jwk) != VIA_JSON_OBJECT || !via_json_member(jwk, "via_use")) {
        via_error_set(e, VIA_KEY_UNAVAILABLE, "keys/%s is no JWK of Via's", name);
        goto done;
    }
    if (jwk_use(jwk) < 0)
        goto done;
    key->use = (enum via_key_use)jwk_use(jwk);
    created = via_json_string(via_json_member(jwk, "created_at"), NULL);
    snprintf(key->created_at, sizeof key->created_at, "%s", created ? created : "");
    if (jwk_read(jwk, key))
        loaded = key;
    else
        via_error_set(e, VIA_KEY_UNAVAILABLE, "keys/%s is damaged", name);
done:
    jwk_free(jwk);
    sodium_free(text);
    if (!loaded)
        via_key_free(key);
    else
        sodium_mprotect_readonly(key->secret);
    return loaded;
}

/* -- writing --------------------------------------------------------------------- */

static void
jwk_put_member(struct via_buf *b, const char *name, const char *value)
{
    via_buf_printf(b, "%s\"%s\":\"%s\"", b->len > 0 ? "," : "{", name, value);
}

static void
jwk_put_bytes(struct via_buf *b, const char *name, const uint8_t bytes[32])
{
    via_buf_printf(b, ",\"%s\":\"", name);
    via_base64url_put(b, bytes, 32);
    via_buf_putc(b, '"');
}

static void
jwk_put_signing(struct via_buf *jwk, uint8_t *secret)
{
    uint8_t public[crypto_sign_PUBLICKEYBYTES];

    crypto_sign_keypair(public, secret);
    jwk_put_member(jwk, "kty", "OKP");
    jwk_put_member(jwk, "crv", "Ed25519");
    jwk_put_member(jwk, "use", "sig");
    jwk_put_member(jwk, "alg", "EdDSA");
    jwk_put_bytes(jwk, "x", public);
    jwk_put_bytes(jwk, "d", secret); /* the seed is the first half of libsodium's secret key */
}

static void
jwk_put_sealing(struct via_buf *jwk, uint8_t *secret)
{
    randombytes_buf(secret, crypto_aead_xchacha20poly1305_ietf_KEYBYTES);
    jwk_put_member(jwk, "kty", "oct");
    jwk_put_member(jwk, "use", "enc");
    jwk_put_bytes(jwk, "k", secret);
}

enum via_status
via_keyfile_make(const struct via_root *root, enum via_key_use use, const char *kid,
                 struct via_error *e)
{
    uint8_t *secret = sodium_malloc(crypto_sign_SECRETKEYBYTES);
    char path[VIA_PATH_SIZE], now[VIA_TIME_SIZE];
    enum via_status status;
    struct via_buf jwk;

    via_buf_init(&jwk);
    /* Room for all of it at once: a buffer that grows leaves copies of the secret behind. */
    if (!secret || !via_buf_reserve(&jwk, 1024)) {
        status = via_error_set(e, VIA_OUT_OF_MEMORY, "no memory is left to make a key");
        goto done;
    }
    via_clock_format(via_clock_now_ms(), now);
    if (use == VIA_KEY_SEAL)
        jwk_put_sealing(&jwk, secret);
    else
        jwk_put_signing(&jwk, secret);
    jwk_put_member(&jwk, "kid", kid);
    jwk_put_member(&jwk, "via_use", use_words[use]);
    jwk_put_member(&jwk, "created_at", now);
    via_buf_puts(&jwk, "}\n");

    via_keyfile_path(root, kid, path);
    status = via_fs_write_new(path, jwk.data, jwk.len, 0600, root, e);
    sodium_memzero(jwk.data, jwk.cap);
done:
    sodium_free(secret);
    via_buf_deinit(&jwk);
    return status;
}
