/* keys.c: the ring of the host's keys, kept in step with the folder.
 *
 * Decides which key signs and which may verify; what a key file is, keyfile.c knows. */
#include "identity/keyfile.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/id.h"
#include "base/lock.h"
#include "identity/codec.h"

#include <dirent.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define KEY_LOOK_MS 1000   /* how often the folder is looked at */
#define KEY_SETTLE_MS 2000 /* a change younger than this may hide another of the same tick */

struct via_keyring {
    struct via_root root;
    struct via_key *keys;
    int64_t looked_ms; /* by the monotonic clock; 0: never */
    struct timespec mtime;
    bool settled;           /* mtime was old enough to be trusted */
    bool readable;          /* the folder opened */
    int files;              /* key files in it */
    struct via_error wrong; /* why a file of it was not believed */
};

static struct via_key *
keyring_find(const struct via_keyring *k, const char *kid)
{
    struct via_key *key = k->keys;

    while (key && strcmp(key->kid, kid) != 0)
        key = key->next;
    return key;
}

/* The newest key of `use`: ids sort by time. */
static struct via_key *
keyring_newest(const struct via_keyring *k, enum via_key_use use)
{
    struct via_key *newest = NULL;

    for (struct via_key *key = k->keys; key; key = key->next) {
        if (key->use == use && (!newest || strcmp(key->kid, newest->kid) > 0))
            newest = key;
    }
    return newest;
}

/* -- the folder ------------------------------------------------------------------ */

/* Forget the keys whose files are gone. */
static void
keyring_sweep(struct via_keyring *k)
{
    for (struct via_key **at = &k->keys; *at;) {
        struct via_key *key = *at;

        if (key->present) {
            at = &key->next;
            continue;
        }
        *at = key->next;
        via_key_free(key);
    }
}

static void
keyring_read(struct via_keyring *k, DIR *dir)
{
    struct dirent *entry;
    char kid[VIA_ID_SIZE];

    for (struct via_key *key = k->keys; key; key = key->next)
        key->present = false;
    while ((entry = readdir(dir)) != NULL) {
        struct via_key *key;

        if (!via_keyfile_kid(entry->d_name, kid))
            continue;
        k->files++;
        key = keyring_find(k, kid);
        if (!key) {
            key = via_keyfile_load(&k->root, dirfd(dir), kid, &k->wrong);
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

/* Could the last look not tell which keys there are? That passes, and says nothing of the files. */
static bool
keyring_is_blind(const struct via_keyring *k)
{
    return k->wrong.status == VIA_OVERLOADED || k->wrong.status == VIA_OUT_OF_MEMORY;
}

/* Before signing: a newer key signs from the moment its file is there. What is wrong with the
 * folder is looked at once a second. */
static void
keyring_follow(struct via_keyring *k)
{
    if (via_error_is_set(&k->wrong) && !keyring_is_blind(k))
        keyring_refresh(k);
    else if (keyring_is_behind(k))
        keyring_scan(k);
}

/* Find a key to verify with. One made by another process a moment ago has its file already, so it
 * is found at once, and one removed has none; a flood of made-up kids costs one lstat each and no
 * scan. */
static struct via_key *
keyring_look_for(struct via_keyring *k, const char *kid)
{
    char path[VIA_PATH_SIZE];
    struct via_key *key = keyring_find(k, kid);
    struct stat st;

    via_keyfile_path(&k->root, kid, path);
    if (lstat(path, &st) < 0)
        return NULL;
    if (key || !keyring_is_behind(k))
        return key;
    keyring_scan(k);
    return keyring_find(k, kid);
}

/* -- signing --------------------------------------------------------------------- */

/* With VIA_LOCK_KEYS held: make the key `kid` ("": a name of its own) of `use`, if it is wanted. */
static enum via_status
keyring_make_locked(struct via_keyring *k, enum via_key_use use, const char *kid,
                    struct via_error *e)
{
    char path[VIA_PATH_SIZE], own[VIA_ID_SIZE];
    enum via_status status;

    via_root_join(&k->root, "keys", path);
    status = via_fs_mkdir(path, 0700, &k->root, e);
    if (status != VIA_OK)
        return status;
    via_fs_sweep(path);
    keyring_scan(k);
    /* Whatever is wrong with a file may be wrong with the newest key: then none is made. */
    if (via_error_is_set(&k->wrong) || (kid[0] ? keyring_find(k, kid) : keyring_newest(k, use)))
        return VIA_OK;
    via_id_make("key", own);
    status = via_keyfile_make(&k->root, use, kid[0] ? kid : own, e);
    keyring_scan(k);
    return status;
}

/* Take VIA_LOCK_KEYS; via_lock_close() drops it. */
static enum via_status
keyring_lock(struct via_keyring *k, struct via_lock *lock, struct via_error *e)
{
    if (via_lock_open(lock, &k->root, e) != VIA_OK)
        return e->status;
    if (via_lock_take(lock, VIA_LOCK_KEYS))
        return VIA_OK;
    via_lock_close(lock);
    return via_error_set(e, VIA_KEY_UNAVAILABLE, "run/locks cannot be locked");
}

static enum via_status
keyring_make(struct via_keyring *k, enum via_key_use use, const char *kid, struct via_error *e)
{
    struct via_lock lock;
    enum via_status status = keyring_lock(k, &lock, e);

    if (status != VIA_OK)
        return status;
    status = keyring_make_locked(k, use, kid, e);
    via_lock_close(&lock);
    return status;
}

/* The key that signs for `use` now. */
static enum via_status
keyring_signer(struct via_keyring *k, enum via_key_use use, struct via_key **out,
               struct via_error *e)
{
    enum via_status status = VIA_OK;
    struct via_error why = {0};

    keyring_follow(k);
    *out = keyring_newest(k, use);
    if (!*out && !via_error_is_set(&k->wrong)) {
        status = keyring_make(k, use, "", &why);
        *out = keyring_newest(k, use);
    }
    if (status == VIA_DISK_FULL || status == VIA_OUT_OF_MEMORY || status == VIA_OVERLOADED)
        return via_error_set(e, status, "%s", why.message);
    if (status != VIA_OK)
        return via_error_set(e, VIA_KEY_UNAVAILABLE, "a %s key cannot be made: %.300s",
                             via_key_use_word(use), why.message);
    if (via_error_is_set(&k->wrong))
        return via_error_set(e, k->wrong.status, "%s", k->wrong.message);
    if (!*out)
        return via_error_set(e, VIA_KEY_UNAVAILABLE, "there is no %s key", via_key_use_word(use));
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
    for (struct via_key *key = k->keys; key; key = key->next)
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
via_keyring_prove(struct via_keyring *k, struct via_error *e)
{
    if (via_keyring_is_operator(k))
        return VIA_OK;
    if (keyring_is_blind(k))
        return via_error_set(e, k->wrong.status, "%s", k->wrong.message);
    return via_error_set(e, VIA_KEY_UNAVAILABLE,
                         "only who may read Via's keys opens as operator; try it with sudo");
}

enum via_status
via_keyring_sign(struct via_keyring *k, enum via_key_use use, const void *bytes, size_t n,
                 uint8_t signature[64], char kid[VIA_ID_SIZE], struct via_error *e)
{
    struct via_key *key;
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
    struct via_key *key = NULL;
    enum via_status status = keyring_signer(k, use, &key, e);

    if (key)
        memcpy(kid, key->kid, VIA_ID_SIZE);
    return status;
}

bool
via_keyring_verify(struct via_keyring *k, enum via_key_use use, const char *kid, const void *bytes,
                   size_t n, const uint8_t signature[64])
{
    struct via_key *key;

    if (!via_id_is("key", kid))
        return false;
    keyring_refresh(k);
    key = keyring_look_for(k, kid);
    if (!key || key->use != use)
        return false;
    return via_signature_holds(key->public, bytes, n, signature);
}

bool
via_signature_holds(const uint8_t public[32], const void *bytes, size_t n,
                    const uint8_t signature[64])
{
    /* Refuses keys and points of low order and signatures that are not canonical. */
    return crypto_sign_verify_detached(signature, bytes, n, public) == 0;
}

bool
via_keyring_public(struct via_keyring *k, const char *kid, uint8_t out[32])
{
    const struct via_key *key = keyring_look_for(k, kid);

    if (key && key->use == VIA_KEY_SEAL)
        return false;
    if (key)
        memcpy(out, key->public, sizeof key->public);
    return key != NULL;
}

bool
via_keyring_by_fingerprint(struct via_keyring *k, const char *fingerprint, char kid[VIA_ID_SIZE])
{
    char digest[65];

    keyring_follow(k);
    for (const struct via_key *key = k->keys; key; key = key->next) {
        if (key->use != VIA_KEY_BACKUP)
            continue;
        via_digest_hex(&(struct via_piece){key->public, sizeof key->public}, 1, digest);
        if (strcmp(digest, fingerprint) == 0) {
            memcpy(kid, key->kid, VIA_ID_SIZE);
            return true;
        }
    }
    return false;
}

/* -- changes ---------------------------------------------------------------------- */

enum via_status
via_keyring_each(struct via_keyring *k, void (*fn)(void *arg, const struct via_key_facts *key),
                 void *arg, struct via_error *e)
{
    struct via_key_facts facts;

    keyring_follow(k);
    if (keyring_is_blind(k))
        return via_error_set(e, k->wrong.status, "%s", k->wrong.message);
    for (const struct via_key *key = k->keys; key; key = key->next) {
        facts =
            (struct via_key_facts){.use = key->use, .active = keyring_newest(k, key->use) == key};
        memcpy(facts.kid, key->kid, sizeof facts.kid);
        memcpy(facts.created_at, key->created_at, sizeof facts.created_at);
        memcpy(facts.public, key->public, sizeof facts.public);
        fn(arg, &facts);
    }
    return VIA_OK;
}

void
via_keyring_next(struct via_keyring *k, enum via_key_use use, char kid[VIA_ID_SIZE])
{
    const struct via_key *newest;

    keyring_follow(k);
    newest = keyring_newest(k, use);
    if (newest)
        via_id_pass(newest->kid);
    via_id_make("key", kid);
}

enum via_status
via_keyring_add(struct via_keyring *k, enum via_key_use use, const char *kid, struct via_error *e)
{
    enum via_status status = keyring_make(k, use, kid, e);

    if (status != VIA_OK || keyring_find(k, kid))
        return status;
    return via_error_set(e, VIA_KEY_UNAVAILABLE, "%s", k->wrong.message);
}

enum via_status
via_keyring_remove(struct via_keyring *k, const char *kid, struct via_error *e)
{
    char path[VIA_PATH_SIZE];
    struct via_lock lock;

    if (!via_id_is("key", kid))
        return via_error_set(e, VIA_KEY_NOT_FOUND, "%.100s is the name of no key", kid);
    if (keyring_lock(k, &lock, e) != VIA_OK)
        return e->status;
    via_keyfile_path(&k->root, kid, path);
    if (via_fs_remove(path, e) == VIA_OK) {
        via_root_join(&k->root, "keys", path);
        via_ignore(via_fs_sync(path, e));
    }
    keyring_scan(k);
    via_lock_close(&lock);
    return e->status;
}

bool
via_keyring_has(struct via_keyring *k, const char *kid)
{
    return via_id_is("key", kid) && keyring_look_for(k, kid);
}

/* -- sealing --------------------------------------------------------------------- */

#define SEAL_NONCE crypto_aead_xchacha20poly1305_ietf_NPUBBYTES

_Static_assert(SEAL_NONCE + crypto_aead_xchacha20poly1305_ietf_ABYTES == VIA_SEAL_OVERHEAD,
               "a nonce and a tag");
_Static_assert(crypto_aead_xchacha20poly1305_ietf_KEYBYTES <= crypto_sign_SECRETKEYBYTES,
               "a key's memory holds a sealing key");

enum via_status
via_keyring_seal(struct via_keyring *k, const struct via_buf *context, const void *secret, size_t n,
                 struct via_buf *out, char kid[VIA_ID_SIZE], struct via_error *e)
{
    struct via_key *key;
    enum via_status status = keyring_signer(k, VIA_KEY_SEAL, &key, e);
    uint8_t *at;

    if (status != VIA_OK)
        return status;
    at = (uint8_t *)via_buf_reserve(out, n + VIA_SEAL_OVERHEAD);
    if (!at || context->failed)
        return via_error_set(e, VIA_OUT_OF_MEMORY, "no memory is left to seal a secret");
    randombytes_buf(at, SEAL_NONCE);
    crypto_aead_xchacha20poly1305_ietf_encrypt(at + SEAL_NONCE, NULL, secret, n,
                                               (const uint8_t *)context->data, context->len, NULL,
                                               at, key->secret);
    out->len += n + VIA_SEAL_OVERHEAD;
    memcpy(kid, key->kid, VIA_ID_SIZE);
    return VIA_OK;
}

bool
via_keyring_open(struct via_keyring *k, const char *kid, const struct via_buf *context,
                 const void *sealed, size_t n, void *out)
{
    const uint8_t *at = sealed;
    struct via_key *key;

    if (!via_id_is("key", kid) || n < VIA_SEAL_OVERHEAD || context->failed)
        return false;
    keyring_refresh(k);
    key = keyring_look_for(k, kid);
    return key && key->use == VIA_KEY_SEAL &&
           crypto_aead_xchacha20poly1305_ietf_decrypt(
               out, NULL, NULL, at + SEAL_NONCE, n - SEAL_NONCE, (const uint8_t *)context->data,
               context->len, at, key->secret) == 0;
}

void *
via_guarded_new(size_t n)
{
    return via_identity_init() ? sodium_malloc(n ? n : 1) : NULL;
}

void
via_guarded_free(void *p)
{
    sodium_free(p);
}
