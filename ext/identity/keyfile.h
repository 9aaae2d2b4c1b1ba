/* keyfile.h: one key as a file keys/<kid>.jwk (RFC 7517, 8037). For keys.c, and for whoever looks
 * for damage.
 *
 * A file is believed only when it is a regular file of the root's owner that nobody else
 * may read, and says of itself what its name says. */
#ifndef VIA_IDENTITY_KEYFILE_H
#define VIA_IDENTITY_KEYFILE_H

#include "identity/keys.h"

struct via_key {
    struct via_key *next;
    char kid[VIA_ID_SIZE];
    enum via_key_use use;
    bool present; /* for the ring: seen in the scan under way */
    char created_at[VIA_TIME_SIZE];
    uint8_t public[32]; /* of a signing key */
    uint8_t *secret;    /* 64 bytes as libsodium has them, or 32 that seal; guarded, read-only */
};

void via_key_free(struct via_key *key);

/* The kid of the file name `name`. False when it is none: nothing else is made part of a path. */
bool via_keyfile_kid(const char *name, char kid[VIA_ID_SIZE]);

/* The path of keys/<kid>.jwk. `kid` has been checked. */
void via_keyfile_path(const struct via_root *root, const char *kid, char out[VIA_PATH_SIZE]);

/* Load <kid>.jwk from the open directory `folder`. NULL with an error, or without one for a key
 * whose use is not this room's. The caller frees the result. */
struct via_key *via_keyfile_load(const struct via_root *root, int folder, const char *kid,
                                 struct via_error *e);

/* Make a fresh key of `use`, called `kid`, and write its file. */
VIA_MUST_USE enum via_status via_keyfile_make(const struct via_root *root, enum via_key_use use,
                                              const char *kid, struct via_error *e);

#endif
