/* member.h: what writer and reader share: the manifest's text and the seal's bytes.
 *
 * For this room alone. */
#ifndef VIA_ARCHIVE_MEMBER_H
#define VIA_ARCHIVE_MEMBER_H

#include "archive/archive.h"
#include "identity/codec.h"

#include <stdint.h>

#define ARCHIVE_CHUNK (128 << 10) /* bytes read or written at a time */

/* A file that is written from its start to its end, hashed on the way. */
struct via_archive_stream {
    struct via_digest digest;
    int64_t at;    /* bytes so far */
    int64_t limit; /* for reading: bytes that are hashed and given */
    char *chunk;   /* of ARCHIVE_CHUNK bytes, for reading */
    int fd;
    int err; /* errno of the failure */
};

/* Append one member's entry to the manifest's list. */
void via_archive_put_entry(struct via_buf *list, const struct via_member *m, const char *digest);

/* Write the manifest: the same bytes for the same facts. */
void via_archive_put_manifest(struct via_buf *out, const struct via_archive_head *head,
                              const struct via_buf *list);

/* The frame behind the compressed stream. */
struct via_archive_frame {
    uint8_t frame[8]; /* RFC 8878, 3.1.2: magic number and length, little endian */
    char magic[8];
    char id[VIA_ID_SIZE]; /* filled up with zeros */
    uint8_t public[32];
    uint8_t signature[64];
};

void via_archive_seal_begin(struct via_archive_frame *seal, const char *id);
bool via_archive_seal_is(const struct via_archive_frame *seal);

/* What the signature is of. */
void via_archive_seal_put_signed(const struct via_archive_frame *seal, const char *digest,
                                 struct via_buf *out);

#endif
