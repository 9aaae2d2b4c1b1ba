/* keys.h: the host's keys: made on first use, one file each, separate by use.
 *
 * keys/<kid>.jwk is an RFC 8037 OKP key, or the `oct` one that seals, with the member
 * "via_use". The newest key of a use signs or seals; every key of that use verifies or
 * opens. Secret halves live in guarded memory and are wiped. A keyring is not shared
 * between threads. */
#ifndef VIA_IDENTITY_KEYS_H
#define VIA_IDENTITY_KEYS_H

#include "base/buf.h"
#include "base/root.h"

#include <stddef.h>
#include <stdint.h>

enum via_key_use {
    VIA_KEY_WORKLOAD,
    VIA_KEY_GENERATION,
    VIA_KEY_MANIFEST,
    VIA_KEY_AUDIT,
    VIA_KEY_SEAL, /* secrets at rest; signs nothing */
    VIA_KEY_BACKUP
};
#define VIA_KEY_USES (VIA_KEY_BACKUP + 1)

/* The word of `use`, as "via_use" has it, and back. */
const char *via_key_use_word(enum via_key_use use);
VIA_MUST_USE bool via_key_use_parse(const char *word, enum via_key_use *out);

struct via_keyring;

/* Open the keys of `root`. Reads nothing yet. The caller frees *out. */
VIA_MUST_USE enum via_status via_keyring_new(const struct via_root *root, struct via_keyring **out,
                                             struct via_error *e);
void via_keyring_free(struct via_keyring *k);

/* Can this process read the private keys? (The operator's proof.) */
bool via_keyring_is_operator(struct via_keyring *k);

/* The same, with a reason: VIA_KEY_UNAVAILABLE; or, when it cannot be told, VIA_OVERLOADED,
 * VIA_OUT_OF_MEMORY. */
VIA_MUST_USE enum via_status via_keyring_prove(struct via_keyring *k, struct via_error *e);

/* Sign with the newest key of `use`, making one when there is none (under VIA_LOCK_KEYS).
 * `kid` receives its name. VIA_KEY_UNAVAILABLE, VIA_DISK_FULL, VIA_OVERLOADED, VIA_OUT_OF_MEMORY.
 */
VIA_MUST_USE enum via_status via_keyring_sign(struct via_keyring *k, enum via_key_use use,
                                              const void *bytes, size_t n, uint8_t signature[64],
                                              char kid[VIA_ID_SIZE], struct via_error *e);

/* The kid that via_keyring_sign would use now, making the key when there is none. */
VIA_MUST_USE enum via_status via_keyring_current(struct via_keyring *k, enum via_key_use use,
                                                 char kid[VIA_ID_SIZE], struct via_error *e);

/* The public half of the key `kid`, for those who have no ring. False when it is not known. */
VIA_MUST_USE bool via_keyring_public(struct via_keyring *k, const char *kid, uint8_t out[32]);

/* The backup key whose public half has this fingerprint (BLAKE2b-256, lower-case hex). False when
 * there is none. */
VIA_MUST_USE bool via_keyring_by_fingerprint(struct via_keyring *k, const char *fingerprint,
                                             char kid[VIA_ID_SIZE]);

/* Does `signature` of `bytes` hold under this public key? Whose it is, the caller decides. */
VIA_MUST_USE bool via_signature_holds(const uint8_t public[32], const void *bytes, size_t n,
                                      const uint8_t signature[64]);

/* What is known of a key. */
struct via_key_facts {
    char kid[VIA_ID_SIZE];
    enum via_key_use use;
    bool active; /* the newest of its use: the one that signs or seals */
    char created_at[VIA_TIME_SIZE];
    uint8_t public[32]; /* of a signing key */
};

/* Visit every key that is there now, in no order; a file that is no sound key is passed over.
 * VIA_OVERLOADED, VIA_OUT_OF_MEMORY: it cannot be told which there are, and none is visited. */
VIA_MUST_USE enum via_status
via_keyring_each(struct via_keyring *k, void (*fn)(void *arg, const struct via_key_facts *key),
                 void *arg, struct via_error *e);

/* A kid for a key of `use` to be added: it sorts after those there are. */
void via_keyring_next(struct via_keyring *k, enum via_key_use use, char kid[VIA_ID_SIZE]);

/* Add a fresh key of `use` called `kid`; when that is there already, all is well. The newest of a
 * use signs from then on, in every process. */
VIA_MUST_USE enum via_status via_keyring_add(struct via_keyring *k, enum via_key_use use,
                                             const char *kid, struct via_error *e);

/* Remove the key `kid`, private half and all: nothing verifies or opens with it any more, in any
 * process. Fine when it is gone. */
VIA_MUST_USE enum via_status via_keyring_remove(struct via_keyring *k, const char *kid,
                                                struct via_error *e);

/* Is the key `kid` there now? */
VIA_MUST_USE bool via_keyring_has(struct via_keyring *k, const char *kid);

/* Does `signature` of `bytes` hold under the key `kid` of exactly this use? Unknown or
 * malformed kids are false; a kid not seen yet is looked for in the folder, at most
 * once a second. */
VIA_MUST_USE bool via_keyring_verify(struct via_keyring *k, enum via_key_use use, const char *kid,
                                     const void *bytes, size_t n, const uint8_t signature[64]);

/* Seal the `n` bytes at `secret` with the newest seal key, so that they open only together with
 * `context`, which says whose they are (XChaCha20-Poly1305, the context as additional data).
 * Appends the sealed bytes to `out`; `kid` receives the key's name. */
VIA_MUST_USE enum via_status via_keyring_seal(struct via_keyring *k, const struct via_buf *context,
                                              const void *secret, size_t n, struct via_buf *out,
                                              char kid[VIA_ID_SIZE], struct via_error *e);

/* What is longer in the sealed form: the nonce and the tag. */
#define VIA_SEAL_OVERHEAD 40

/* Open what was sealed; `out` takes n - VIA_SEAL_OVERHEAD bytes. False: the key is gone, or the
 * bytes or their context are not what was sealed. */
VIA_MUST_USE bool via_keyring_open(struct via_keyring *k, const char *kid,
                                   const struct via_buf *context, const void *sealed, size_t n,
                                   void *out);

/* Memory for secrets: locked, left out of core dumps, between guard pages; wiped when freed. NULL:
 * no memory. free(NULL) is fine. */
void *via_guarded_new(size_t n);
void via_guarded_free(void *p);

#endif
