/* keys.c: the host's keys, one file each, kept in step with the folder.
 *
 * Owns the secret halves, in guarded memory. A key file is believed only when it is a
 * regular file of the root's owner that nobody else may read, and says of itself what
 * its name says. */
#include "identity/keys.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/id.h"
#include "base/json.h"
#include "base/lock.h"
#include "identity/codec.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_FILE_MAX 4096
#define KEY_LOOK_MS 1000   /* how often the folder is looked at */
#define KEY_SETTLE_MS 2000 /* a change younger than this may hide another of the same tick */

struct key {
    struct key *next;
    char kid[VIA_ID_SIZE];
    enum via_key_use use;
    bool present; /* seen in the scan under way */
    uint8_t public[crypto_sign_PUBLICKEYBYTES];
    uint8_t *secret; /* crypto_sign_SECRETKEYBYTES, from sodium_malloc */
};

struct via_keyring {
    struct via_root root;
    struct key *keys;
    int64_t looked_ms; /* by the monotonic clock; 0: never */
    struct timespec mtime;
    bool settled;           /* mtime was old enough to be trusted */
    bool readable;          /* the folder opened */
    int files;              /* key files in it */
    struct via_error wrong; /* why a file of it was not believed */
};

static const char *const use_words[] = {
    [VIA_KEY_WORKLOAD] = "workload",
    [VIA_KEY_GENERATION] = "generation",
    [VIA_KEY_MANIFEST] = "manifest",
    [VIA_KEY_AUDIT] = "audit",
};

static void
key_free(struct key *key)
{
    if (!key)
        return;
    sodium_free(key->secret);
    free(key);
}

static struct key *
key_new(const char *kid)
{
    struct key *key = calloc(1, sizeof *key);

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

static struct key *
keyring_find(const struct via_keyring *k, const char *kid)
{
    struct key *key = k->keys;

    while (key && strcmp(key->kid, kid) != 0)
        key = key->next;
    return key;
}

/* The newest key of `use`: ids sort by time. */
static struct key *
keyring_newest(const struct via_keyring *k, enum via_key_use use)
{
    struct key *newest = NULL;

    for (struct key *key = k->keys; key; key = key->next) {
        if (key->use == use && (!newest || strcmp(key->kid, newest->kid) > 0))
            newest = key;
    }
    return newest;
}

/* -- one key file ---------------------------------------------------------------- */

/* Read the file into `text` when it may be believed; returns its length, or -1 with a sentence. */
static ssize_t
key_file_read(const struct via_keyring *k, int folder, const char *name, char *text,
              struct via_error *e)
{
    int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    ssize_t n = -1;
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0) {
        via_error_set_errno(e, VIA_KEY_UNAVAILABLE, errno, "keys/%s cannot be read", name);
    } else if (!S_ISREG(st.st_mode) || st.st_uid != k->root.uid || (st.st_mode & 077)) {
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

/* Fill `key` from its JWK. The public half is computed anew and compared: signing with a
 * public half that does not belong to the secret gives the secret away. */
static bool
jwk_read(const via_json *jwk, struct key *key)
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

/* The parser copied the secret into plain memory; wipe it there before it is freed. */
static void
jwk_free(via_json *jwk)
{
    size_t n;
    const char *d = jwk ? via_json_string(via_json_member(jwk, "d"), &n) : NULL;

    if (d)
        sodium_memzero((char *)d, n);
    if (jwk)
        via_json_free(jwk);
}

/* Load keys/<kid>.jwk. NULL with an error, or without one for a use that is not this room's. */
static struct key *
key_load(const struct via_keyring *k, int folder, const char *kid, struct via_error *e)
{
    char *text = sodium_malloc(KEY_FILE_MAX);
    struct key *key = key_new(kid), *loaded = NULL;
    char name[VIA_ID_SIZE + 8];
    via_json *jwk = NULL;
    ssize_t n;

    snprintf(name, sizeof name, "%s.jwk", kid);
    if (!text || !key) {
        via_error_set(e, VIA_OUT_OF_MEMORY, "no memory is left to read keys/%s", name);
        goto done;
    }
    n = key_file_read(k, folder, name, text, e);
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
    if (jwk_read(jwk, key))
        loaded = key;
    else
        via_error_set(e, VIA_KEY_UNAVAILABLE, "keys/%s is damaged", name);
done:
    jwk_free(jwk);
    sodium_free(text);
    if (!loaded)
        key_free(key);
    else
        sodium_mprotect_readonly(key->secret);
    return loaded;
}

/* -- the folder ------------------------------------------------------------------ */

/* The kid of a file name, or false: nothing else ever becomes part of a path. */
static bool
kid_from_name(const char *name, char kid[VIA_ID_SIZE])
{
    size_t n = strlen(name);

    if (n < 5 || n - 4 >= VIA_ID_SIZE || strcmp(name + n - 4, ".jwk") != 0)
        return false;
    memcpy(kid, name, n - 4);
    kid[n - 4] = '\0';
    return via_id_is("key", kid);
}

/* Forget the keys whose files are gone. */
static void
keyring_sweep(struct via_keyring *k)
{
    for (struct key **at = &k->keys; *at;) {
        struct key *key = *at;

        if (key->present) {
            at = &key->next;
            continue;
        }
        *at = key->next;
        key_free(key);
    }
}

static void
keyring_read(struct via_keyring *k, DIR *dir)
{
    struct dirent *entry;
    char kid[VIA_ID_SIZE];

    for (struct key *key = k->keys; key; key = key->next)
        key->present = false;
    while ((entry = readdir(dir)) != NULL) {
        struct key *key;

        if (!kid_from_name(entry->d_name, kid))
            continue;
        k->files++;
        key = keyring_find(k, kid);
        if (!key) {
            key = key_load(k, dirfd(dir), kid, &k->wrong);
            if (!key)
                continue;
            key->next = k->keys;
            k->keys = key;
        }
        key->present = true;
    }
    keyring_sweep(k);
}

/* Bring the ring in step with the folder, whatever its time of change says. */
static void
keyring_scan(struct via_keyring *k)
{
    char path[VIA_PATH_SIZE];
    struct stat st;
    DIR *dir;

    via_root_join(&k->root, "keys", path);
    dir = opendir(path);
    k->readable = dir != NULL;
    k->files = 0;
    k->settled = false;
    via_error_clear(&k->wrong);
    if (!dir || fstat(dirfd(dir), &st) < 0) {
        if (errno != ENOENT)
            via_error_set_errno(&k->wrong, VIA_KEY_UNAVAILABLE, errno, "keys/ cannot be read");
    } else if (st.st_uid != k->root.uid || (st.st_mode & 022)) {
        via_error_set(&k->wrong, VIA_KEY_UNAVAILABLE,
                      "keys/ must be a folder of the state root's owner with mode 0700");
        k->readable = false;
    } else {
        k->mtime = st.st_mtim;
        k->settled = via_clock_now_ms() - (int64_t)st.st_mtim.tv_sec * 1000 > KEY_SETTLE_MS;
        keyring_read(k, dir);
    }
    if (dir)
        closedir(dir);
    k->looked_ms = via_clock_mono_ms();
}

/* May the folder hold something else than what was scanned? */
static bool
keyring_is_behind(const struct via_keyring *k)
{
    char path[VIA_PATH_SIZE];
    struct stat st;

    if (!k->looked_ms || !k->settled || !k->readable || via_error_is_set(&k->wrong))
        return true;
    via_root_join(&k->root, "keys", path);
    return stat(path, &st) < 0 || st.st_mtim.tv_sec != k->mtime.tv_sec ||
           st.st_mtim.tv_nsec != k->mtime.tv_nsec;
}

/* Scan when the folder may have changed since, looking at most once a second. */
static void
keyring_refresh(struct via_keyring *k)
{
    if (k->looked_ms && via_clock_mono_ms() - k->looked_ms < KEY_LOOK_MS)
        return;
    if (keyring_is_behind(k))
        keyring_scan(k);
    k->looked_ms = via_clock_mono_ms();
}

/* Find a key to verify with. One made by another process a moment ago has its file already, so
 * it is found at once; a flood of made-up kids costs one lstat each and no scan. */
static struct key *
keyring_look_for(struct via_keyring *k, const char *kid)
{
    char relative[VIA_ID_SIZE + 16], path[VIA_PATH_SIZE];
    struct key *key = keyring_find(k, kid);
    struct stat st;

    if (key)
        return key;
    snprintf(relative, sizeof relative, "keys/%s.jwk", kid);
    via_root_join(&k->root, relative, path);
    if (lstat(path, &st) < 0 || !keyring_is_behind(k))
        return NULL;
    keyring_scan(k);
    return keyring_find(k, kid);
}

/* -- making ---------------------------------------------------------------------- */

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

/* Write a fresh key of `use` as keys/<kid>.jwk. */
static enum via_status
key_make(const struct via_keyring *k, enum via_key_use use, struct via_error *e)
{
    uint8_t public[crypto_sign_PUBLICKEYBYTES];
    uint8_t *secret = sodium_malloc(crypto_sign_SECRETKEYBYTES);
    char kid[VIA_ID_SIZE], relative[VIA_ID_SIZE + 16], path[VIA_PATH_SIZE], now[VIA_TIME_SIZE];
    enum via_status status;
    struct via_buf jwk;

    via_buf_init(&jwk);
    /* Room for all of it at once: a buffer that grows leaves copies of the secret behind. */
    if (!secret || !via_buf_reserve(&jwk, 1024)) {
        status = via_error_set(e, VIA_OUT_OF_MEMORY, "no memory is left to make a key");
        goto done;
    }
    via_id_make("key", kid);
    via_clock_format(via_clock_now_ms(), now);
    crypto_sign_keypair(public, secret);

    jwk_put_member(&jwk, "kty", "OKP");
    jwk_put_member(&jwk, "crv", "Ed25519");
    jwk_put_member(&jwk, "kid", kid);
    jwk_put_member(&jwk, "use", "sig");
    jwk_put_member(&jwk, "alg", "EdDSA");
    jwk_put_bytes(&jwk, "x", public);
    jwk_put_bytes(&jwk, "d", secret); /* the seed is the first half of libsodium's secret key */
    jwk_put_member(&jwk, "via_use", use_words[use]);
    jwk_put_member(&jwk, "created_at", now);
    via_buf_puts(&jwk, "}\n");

    snprintf(relative, sizeof relative, "keys/%s.jwk", kid);
    via_root_join(&k->root, relative, path);
    status = via_fs_write_new(path, jwk.data, jwk.len, 0600, &k->root, e);
    sodium_memzero(jwk.data, jwk.cap);
done:
    sodium_free(secret);
    via_buf_deinit(&jwk);
    return status;
}

/* Make the first key of `use`, unless another process was quicker. */
static enum via_status
keyring_make(struct via_keyring *k, enum via_key_use use, struct via_error *e)
{
    char path[VIA_PATH_SIZE];
    struct via_lock lock;
    enum via_status status = via_lock_open(&lock, &k->root, e);

    if (status != VIA_OK)
        return status;
    if (!via_lock_take(&lock, VIA_LOCK_KEYS)) {
        status = via_error_set(e, VIA_KEY_UNAVAILABLE, "run/locks cannot be locked");
        goto done;
    }
    via_root_join(&k->root, "keys", path);
    status = via_fs_mkdir(path, 0700, &k->root, e);
    if (status != VIA_OK)
        goto done;
    keyring_scan(k);
    /* Whatever is wrong with a file may be wrong with the newest key: then none is made. */
    if (via_error_is_set(&k->wrong) || keyring_newest(k, use))
        goto done;
    status = key_make(k, use, e);
    keyring_scan(k);
done:
    via_lock_close(&lock);
    return status;
}

/* The key that signs for `use` now. */
static enum via_status
keyring_signer(struct via_keyring *k, enum via_key_use use, struct key **out, struct via_error *e)
{
    enum via_status status = VIA_OK;
    struct via_error why = {0};

    keyring_refresh(k);
    *out = keyring_newest(k, use);
    if (!*out && !via_error_is_set(&k->wrong)) {
        status = keyring_make(k, use, &why);
        *out = keyring_newest(k, use);
    }
    if (status == VIA_DISK_FULL || status == VIA_OUT_OF_MEMORY)
        return via_error_set(e, status, "%s", why.message);
    if (status != VIA_OK)
        return via_error_set(e, VIA_KEY_UNAVAILABLE, "a %s key cannot be made: %.300s",
                             use_words[use], why.message);
    if (via_error_is_set(&k->wrong))
        return via_error_set(e, k->wrong.status, "%s", k->wrong.message);
    if (!*out)
        return via_error_set(e, VIA_KEY_UNAVAILABLE, "there is no %s key", use_words[use]);
    return VIA_OK;
}

/* -- the ring -------------------------------------------------------------------- */

enum via_status
via_keyring_new(const struct via_root *root, struct via_keyring **out, struct via_error *e)
{
    *out = NULL;
    if (!via_identity_init())
        return via_error_set(e, VIA_INTERNAL_ERROR, "the crypto library cannot run here");
    *out = calloc(1, sizeof **out);
    if (!*out)
        return via_error_set(e, VIA_OUT_OF_MEMORY, "no memory is left for the keys");
    (*out)->root = *root;
    return VIA_OK;
}

void
via_keyring_free(struct via_keyring *k)
{
    if (!k)
        return;
    for (struct key *key = k->keys; key; key = key->next)
        key->present = false;
    keyring_sweep(k);
    free(k);
}

bool
via_keyring_is_operator(struct via_keyring *k)
{
    keyring_refresh(k);
    return k->readable && (k->files == 0 || k->keys);
}

enum via_status
via_keyring_sign(struct via_keyring *k, enum via_key_use use, const void *bytes, size_t n,
                 uint8_t signature[64], char kid[VIA_ID_SIZE], struct via_error *e)
{
    struct key *key;
    enum via_status status = keyring_signer(k, use, &key, e);

    if (status != VIA_OK)
        return status;
    crypto_sign_detached(signature, NULL, bytes, n, key->secret);
    memcpy(kid, key->kid, VIA_ID_SIZE);
    return VIA_OK;
}

enum via_status
via_keyring_current(struct via_keyring *k, enum via_key_use use, char kid[VIA_ID_SIZE],
                    struct via_error *e)
{
    struct key *key;
    enum via_status status = keyring_signer(k, use, &key, e);

    if (status == VIA_OK)
        memcpy(kid, key->kid, VIA_ID_SIZE);
    return status;
}

bool
via_keyring_verify(struct via_keyring *k, enum via_key_use use, const char *kid, const void *bytes,
                   size_t n, const uint8_t signature[64])
{
    struct key *key;

    if (!via_id_is("key", kid))
        return false;
    keyring_refresh(k);
    key = keyring_look_for(k, kid);
    if (!key || key->use != use)
        return false;
    /* Refuses keys and points of low order and signatures that are not canonical. */
    return crypto_sign_verify_detached(signature, bytes, n, key->public) == 0;
}
