/* seal.c: the last bytes of an archive, and reading a file through to them. */
#include "archive/member.h"

#include "base/error.h"
#include "base/id.h"
#include "base/io.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEAL_LENGTH (sizeof(struct via_archive_frame) - 8)

_Static_assert(sizeof(struct via_archive_frame) == 8 + 8 + VIA_ID_SIZE + 32 + 64, "no padding");

static const uint8_t seal_frame[8] = {0x50, 0x2a, 0x4d, 0x18, SEAL_LENGTH, 0, 0, 0};
static const char seal_magic[8] = "viaseal1";

void
via_archive_seal_begin(struct via_archive_frame *seal, const char *id)
{
    memset(seal, 0, sizeof *seal);
    memcpy(seal->frame, seal_frame, sizeof seal->frame);
    memcpy(seal->magic, seal_magic, sizeof seal->magic);
    memcpy(seal->id, id, strnlen(id, sizeof seal->id - 1));
}

bool
via_archive_seal_is(const struct via_archive_frame *seal)
{
    return memcmp(seal->frame, seal_frame, sizeof seal->frame) == 0 &&
           memcmp(seal->magic, seal_magic, sizeof seal->magic) == 0 &&
           seal->id[sizeof seal->id - 1] == '\0' && via_id_is("backup", seal->id);
}

void
via_archive_seal_put_signed(const struct via_archive_frame *seal, const char *digest,
                            struct via_buf *out)
{
    via_buf_puts(out, "via backup 1\n");
    via_buf_put(out, seal->id, sizeof seal->id);
    via_buf_puts(out, digest);
}

/* Hash the first `length` bytes. */
static enum via_status
seal_digest(int fd, int64_t length, struct via_digest *d, const struct via_archive_tell *tell,
            struct via_error *e)
{
    char *chunk = malloc(ARCHIVE_CHUNK);
    enum via_status status = VIA_OK;

    if (!chunk)
        return via_error_set(e, VIA_OUT_OF_MEMORY, "out of memory");
    for (int64_t at = 0; at < length && status == VIA_OK;) {
        size_t want = length - at < ARCHIVE_CHUNK ? (size_t)(length - at) : ARCHIVE_CHUNK;
        int64_t got = via_io_get(fd, chunk, want, at);

        if (got < 0)
            status = via_error_set_errno(e, VIA_IO_ERROR, errno, "the backup cannot be read");
        else if ((size_t)got != want)
            status = via_error_set(e, VIA_BACKUP_INVALID, "the backup was cut short meanwhile");
        else if (tell && !tell->tell(tell->arg, at + got))
            status = via_error_set(e, VIA_OPERATION_INTERRUPTED, "reading was stopped");
        else
            via_digest_put(d, chunk, want);
        at += got;
    }
    free(chunk);
    return status;
}

static bool
seal_holds(const struct via_archive_frame *seal, const char *digest)
{
    struct via_buf text;
    bool holds;

    via_buf_init(&text);
    via_archive_seal_put_signed(seal, digest, &text);
    holds = !text.failed && via_signature_holds(seal->public, text.data, text.len, seal->signature);
    via_buf_deinit(&text);
    return holds;
}

enum via_status
via_archive_check_seal(int fd, const char *fingerprint, const struct via_archive_tell *tell,
                       struct via_archive_seal *out, struct via_error *e)
{
    struct via_archive_frame seal = {0};
    struct via_digest d, whole;
    char digest[65];
    struct stat st;

    memset(out, 0, sizeof *out);
    if (!via_identity_init())
        return via_error_set(e, VIA_INTERNAL_ERROR, "the crypto library cannot run here");
    if (fstat(fd, &st) < 0)
        return via_error_set_errno(e, VIA_IO_ERROR, errno, "the backup cannot be read");
    out->size_bytes = st.st_size;
    if (st.st_size < (int64_t)sizeof seal ||
        via_io_get(fd, &seal, sizeof seal, st.st_size - (int64_t)sizeof seal) !=
            (int64_t)sizeof seal ||
        !via_archive_seal_is(&seal))
        return via_error_set(e, VIA_BACKUP_INVALID,
                             "this is no backup of Via's, or its end is missing or altered");
    via_digest_hex(&(struct via_piece){seal.public, sizeof seal.public}, 1, out->fingerprint);
    if (fingerprint && strcmp(fingerprint, out->fingerprint) != 0)
        return via_error_set(e, VIA_BACKUP_UNTRUSTED,
                             "it was signed by another key, whose fingerprint is %s",
                             out->fingerprint);
    via_digest_begin(&d);
    if (seal_digest(fd, st.st_size - (int64_t)sizeof seal, &d, tell, e) != VIA_OK)
        return e->status;
    whole = d;
    via_digest_end(&d, digest);
    if (!seal_holds(&seal, digest))
        return via_error_set(e, VIA_BACKUP_INVALID,
                             "the backup was altered: its signature does not hold");
    via_digest_put(&whole, &seal, sizeof seal);
    via_digest_end(&whole, out->digest);
    memcpy(out->id, seal.id, sizeof out->id);
    return VIA_OK;
}
