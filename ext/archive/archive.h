/* archive.h: a host as one file: what is in it, and what makes it believable.
 *
 * A tar archive (POSIX pax) under zstd, which ordinary tools list and unpack. Its members, in this
 * order, each name once, each a plain file:
 *
 *     addons/<addon-id>/data.sqlite                  by id; and behind each
 *     addons/<addon-id>/snapshots/<snap-id>.sqlite   its snapshots, by id
 *     keys/<kid>.jwk, or sealed: keys.sealed
 *     runtime.db
 *     control-plane.db
 *     manifest.json                                  names, sizes and digests of all the others
 *
 * Behind the compressed stream stands the seal, in a frame that decompressors skip (RFC 8878,
 * 3.1.2): id, public key, and an Ed25519 signature of the BLAKE2b digest of every byte before it,
 * the manifest's among them. So whoever reads checks the seal before anything is parsed, and no
 * byte can change, be added or be missing unnoticed. Whose key it is, only its fingerprint tells:
 * BLAKE2b-256 of the public key, in lower-case hex.
 *
 * Knows nothing of state roots: callers bring bytes and take bytes. */
#ifndef VIA_ARCHIVE_ARCHIVE_H
#define VIA_ARCHIVE_ARCHIVE_H

#include "base/buf.h"
#include "identity/keys.h"
#include "via/model.h"

/* The newest form of the manifest: 2 says what was left out, and 1, where nothing was, is what
 * every Via reads. */
#define VIA_ARCHIVE_FORMAT 2
#define VIA_ARCHIVE_MANIFEST_MAX (64 << 20) /* bytes */
#define VIA_ARCHIVE_NAME_SIZE 128

/* What the manifest says besides the members. */
struct via_archive_head {
    char id[VIA_ID_SIZE];
    char created_at[VIA_TIME_SIZE];
    char host[256];
    int64_t control_schema;
    int64_t runtime_schema;
    bool sealed;
    int64_t absent;          /* how much was left out: */
    struct via_buf left_out; /* the elements of a JSON array, as via_left_out_put() writes them */
};

/* Something that the control plane in the archive has a row of, and the archive no bytes. */
struct via_left_out {
    char addon[VIA_ADDON_ROW_NAME_SIZE];
    char addon_id[VIA_ID_SIZE];
    char app[VIA_NAME_SIZE];
    char snapshot_id[VIA_ID_SIZE]; /* "": it is the add-on's content */
    char code[64];                 /* why: the word of a status */
};

/* Add it to what `head` says is left out: {"addon","addon_id","app"[,"snapshot"],"code"}. */
void via_left_out_put(struct via_archive_head *head, const struct via_left_out *l);

/* What the seal says, and the file as a whole. */
struct via_archive_seal {
    char id[VIA_ID_SIZE];
    char fingerprint[65];
    char digest[65]; /* BLAKE2b-256 of the whole file */
    int64_t size_bytes;
};

enum via_member_kind {
    VIA_MEMBER_ADDON,
    VIA_MEMBER_SNAPSHOT,
    VIA_MEMBER_KEY,
    VIA_MEMBER_SEALED_KEYS,
    VIA_MEMBER_RUNTIME,
    VIA_MEMBER_CONTROL,
    VIA_MEMBER_MANIFEST
};

struct via_member {
    enum via_member_kind kind;
    char name[VIA_ARCHIVE_NAME_SIZE];
    char addon_id[VIA_ID_SIZE];    /* of the first two */
    char snapshot_id[VIA_ID_SIZE]; /* of a snapshot */
    char kid[VIA_ID_SIZE];         /* of a key */
    int64_t size_bytes;
};

/* Name a member from its kind and ids. */
void via_member_name(struct via_member *m);

/* Understand a name; size_bytes is left alone. False when no member is called so. */
VIA_MUST_USE bool via_member_parse(const char *name, struct via_member *m);

/* -- writing ----------------------------------------------------------------------- */

struct via_archive_writer;

/* Begin an archive in the empty file `fd`, which is borrowed. `head` is copied; in it nothing is
 * left out yet. */
VIA_MUST_USE enum via_status via_archive_begin(int fd, const struct via_archive_head *head,
                                               struct via_archive_writer **out,
                                               struct via_error *e);

/* Called with the bytes that are behind: of a member that is written, of the file that is read;
 * false asks to stop. */
struct via_archive_tell {
    bool (*tell)(void *arg, int64_t bytes);
    void *arg;
};

/* Add member `m` (named by its kind and ids, size and name are filled in) from the file `fd` as a
 * whole, which does not change meanwhile. `tell` may be NULL. */
VIA_MUST_USE enum via_status via_archive_add_file(struct via_archive_writer *w,
                                                  struct via_member *m, int fd,
                                                  const struct via_archive_tell *tell,
                                                  struct via_error *e);
VIA_MUST_USE enum via_status via_archive_add_bytes(struct via_archive_writer *w,
                                                   struct via_member *m, const void *bytes,
                                                   size_t n, struct via_error *e);

/* The manifest is to say that this was left out. */
void via_archive_leave_out(struct via_archive_writer *w, const struct via_left_out *l);

/* What the manifest says so far. Borrowed. */
const struct via_archive_head *via_archive_get_head(const struct via_archive_writer *w);

/* Write manifest and seal, signed with the backup key of `keys`. Nothing is synced. */
VIA_MUST_USE enum via_status via_archive_end(struct via_archive_writer *w, struct via_keyring *keys,
                                             struct via_archive_seal *out, struct via_error *e);
void via_archive_free(struct via_archive_writer *w);

/* -- reading ------------------------------------------------------------------------ */

/* Read the file `fd` through and check its seal; with `fingerprint` (NULL: not asked) also whose
 * it is. VIA_BACKUP_INVALID, VIA_BACKUP_UNTRUSTED, VIA_IO_ERROR. */
VIA_MUST_USE enum via_status via_archive_check_seal(int fd, const char *fingerprint,
                                                    const struct via_archive_tell *tell,
                                                    struct via_archive_seal *out,
                                                    struct via_error *e);

/* Who takes the members. Anything but VIA_OK stops. No word of a member may be believed, in what it
 * is put to, before via_archive_read() has said VIA_OK of the whole. */
struct via_archive_taker {
    enum via_status (*begin)(void *arg, const struct via_member *m, struct via_error *e);
    enum via_status (*take)(void *arg, const struct via_member *m, const void *bytes, size_t n,
                            struct via_error *e);
    enum via_status (*end)(void *arg, const struct via_member *m, struct via_error *e);
    void *arg;
};

/* Read every member of the archive `fd`, whose seal was checked to be `seal`, and compare them with
 * the manifest, and the file once more with the seal. `tell` may be NULL. head->left_out is the
 * caller's to release, whatever the answer. VIA_BACKUP_INVALID, VIA_OPERATION_INTERRUPTED. */
VIA_MUST_USE enum via_status via_archive_read(int fd, const struct via_archive_seal *seal,
                                              const struct via_archive_taker *taker,
                                              const struct via_archive_tell *tell,
                                              struct via_archive_head *head, struct via_error *e);

#endif
