/* writer.c: members in, one file out. */
#include "archive/member.h"

#include "base/error.h"
#include "base/io.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct via_archive_writer {
    struct via_archive_stream out;
    struct archive *archive;
    struct archive_entry *entry;
    char *chunk;
    struct via_buf list; /* the manifest's entries */
    struct via_archive_head head;
};

static la_ssize_t
stream_put(struct archive *a, void *arg, const void *bytes, size_t n)
{
    struct via_archive_stream *s = arg;

    if (via_io_put(s->fd, bytes, n) < 0) {
        s->err = errno;
        archive_set_error(a, errno, "the archive cannot be written");
        return -1;
    }
    via_digest_put(&s->digest, bytes, n);
    s->at += (int64_t)n;
    return (la_ssize_t)n;
}

static enum via_status
writer_fail(const struct via_archive_writer *w, struct via_error *e)
{
    int err = w->out.err ? w->out.err : archive_errno(w->archive);

    return via_error_set_errno(e, VIA_IO_ERROR, err > 0 ? err : EIO,
                               "the backup cannot be written");
}

enum via_status
via_archive_begin(int fd, const struct via_archive_head *head, struct via_archive_writer **out,
                  struct via_error *e)
{
    struct via_archive_writer *w = calloc(1, sizeof *w);

    *out = w;
    if (w) {
        w->head = *head;
        w->head.absent = 0;
        via_buf_init(&w->head.left_out);
        w->out.fd = fd;
        w->chunk = malloc(ARCHIVE_CHUNK);
        w->archive = archive_write_new();
        w->entry = archive_entry_new();
    }
    if (!w || !w->chunk || !w->archive || !w->entry)
        return via_error_set(e, VIA_OUT_OF_MEMORY, "out of memory");
    via_digest_begin(&w->out.digest);
    /* No filling up of the last block: the seal is to stand right behind. */
    if (archive_write_add_filter_zstd(w->archive) != ARCHIVE_OK ||
        archive_write_set_format_pax_restricted(w->archive) != ARCHIVE_OK ||
        archive_write_set_bytes_per_block(w->archive, ARCHIVE_CHUNK) != ARCHIVE_OK ||
        archive_write_set_bytes_in_last_block(w->archive, 1) != ARCHIVE_OK ||
        archive_write_open(w->archive, &w->out, NULL, stream_put, NULL) != ARCHIVE_OK)
        return writer_fail(w, e);
    return VIA_OK;
}

void
via_archive_free(struct via_archive_writer *w)
{
    if (!w)
        return;
    archive_entry_free(w->entry);
    if (w->archive) {
        (void)archive_write_fail(w->archive); /* what is not ended is not to be ended here */
        (void)archive_write_free(w->archive);
    }
    via_buf_deinit(&w->list);
    via_buf_deinit(&w->head.left_out);
    free(w->chunk);
    free(w);
}

static enum via_status
member_begin(struct via_archive_writer *w, struct via_member *m, struct via_error *e)
{
    via_member_name(m);
    archive_entry_clear(w->entry);
    archive_entry_set_pathname(w->entry, m->name);
    archive_entry_set_filetype(w->entry, AE_IFREG);
    archive_entry_set_perm(w->entry, 0600);
    archive_entry_set_size(w->entry, m->size_bytes);
    if (archive_write_header(w->archive, w->entry) != ARCHIVE_OK)
        return writer_fail(w, e);
    return VIA_OK;
}

static enum via_status
member_put(struct via_archive_writer *w, const void *bytes, size_t n, struct via_error *e)
{
    return n == 0 || archive_write_data(w->archive, bytes, n) == (la_ssize_t)n ? VIA_OK
                                                                               : writer_fail(w, e);
}

static enum via_status
member_end(struct via_archive_writer *w, const struct via_member *m, struct via_digest *d,
           struct via_error *e)
{
    char digest[65];

    via_digest_end(d, digest);
    via_archive_put_entry(&w->list, m, digest);
    if (w->list.failed || w->list.len > VIA_ARCHIVE_MANIFEST_MAX / 2)
        return via_error_set(e, VIA_OUT_OF_MEMORY, "the backup has too many members");
    return VIA_OK;
}

enum via_status
via_archive_add_file(struct via_archive_writer *w, struct via_member *m, int fd,
                     const struct via_archive_tell *tell, struct via_error *e)
{
    struct via_digest d;
    struct stat st;

    if (fstat(fd, &st) < 0)
        return via_error_set_errno(e, VIA_IO_ERROR, errno, "a file for the backup cannot be read");
    m->size_bytes = st.st_size;
    if (member_begin(w, m, e) != VIA_OK)
        return e->status;
    via_digest_begin(&d);
    for (int64_t at = 0; at < m->size_bytes;) {
        int64_t got = via_io_get(fd, w->chunk, ARCHIVE_CHUNK, at);

        if (got <= 0 || at + got > m->size_bytes)
            return via_error_set(e, VIA_IO_ERROR, "a file changed while it was backed up");
        via_digest_put(&d, w->chunk, (size_t)got);
        if (member_put(w, w->chunk, (size_t)got, e) != VIA_OK)
            return e->status;
        at += got;
        if (tell && !tell->tell(tell->arg, at))
            return via_error_set(e, VIA_OPERATION_INTERRUPTED, "the backup was stopped");
    }
    return member_end(w, m, &d, e);
}

enum via_status
via_archive_add_bytes(struct via_archive_writer *w, struct via_member *m, const void *bytes,
                      size_t n, struct via_error *e)
{
    struct via_digest d;

    m->size_bytes = (int64_t)n;
    if (member_begin(w, m, e) != VIA_OK || member_put(w, bytes, n, e) != VIA_OK)
        return e->status;
    via_digest_begin(&d);
    via_digest_put(&d, bytes, n);
    return member_end(w, m, &d, e);
}

void
via_archive_leave_out(struct via_archive_writer *w, const struct via_left_out *l)
{
    via_left_out_put(&w->head, l);
}

const struct via_archive_head *
via_archive_get_head(const struct via_archive_writer *w)
{
    return &w->head;
}

static enum via_status
writer_put_manifest(struct via_archive_writer *w, struct via_error *e)
{
    struct via_member m = {.kind = VIA_MEMBER_MANIFEST};
    enum via_status status;
    struct via_buf text;

    via_buf_init(&text);
    via_archive_put_manifest(&text, &w->head, &w->list);
    m.size_bytes = (int64_t)text.len;
    if (text.failed)
        status = via_error_set(e, VIA_OUT_OF_MEMORY, "out of memory");
    else if ((status = member_begin(w, &m, e)) == VIA_OK)
        status = member_put(w, text.data, text.len, e);
    via_buf_deinit(&text);
    return status;
}

/* Sign what was written, and put the signature behind it. */
static enum via_status
writer_put_seal(struct via_archive_writer *w, struct via_keyring *keys,
                struct via_archive_seal *out, struct via_error *e)
{
    struct via_digest whole = w->out.digest;
    struct via_archive_frame seal;
    char digest[65], kid[VIA_ID_SIZE];
    struct via_buf text;
    enum via_status status;

    via_buf_init(&text);
    via_archive_seal_begin(&seal, w->head.id);
    via_digest_end(&w->out.digest, digest);
    via_archive_seal_put_signed(&seal, digest, &text);
    if (text.failed)
        status = via_error_set(e, VIA_OUT_OF_MEMORY, "out of memory");
    else
        status =
            via_keyring_sign(keys, VIA_KEY_BACKUP, text.data, text.len, seal.signature, kid, e);
    via_buf_deinit(&text);
    if (status != VIA_OK)
        return status;
    if (!via_keyring_public(keys, kid, seal.public))
        return via_error_set(e, VIA_KEY_UNAVAILABLE, "the backup key went away");
    if (via_io_put(w->out.fd, &seal, sizeof seal) < 0)
        return via_error_set_errno(e, VIA_IO_ERROR, errno, "the backup cannot be written");
    via_digest_put(&whole, &seal, sizeof seal);
    via_digest_end(&whole, out->digest);
    via_digest_hex(&(struct via_piece){seal.public, sizeof seal.public}, 1, out->fingerprint);
    memcpy(out->id, seal.id, sizeof out->id);
    out->size_bytes = w->out.at + (int64_t)sizeof seal;
    return VIA_OK;
}

enum via_status
via_archive_end(struct via_archive_writer *w, struct via_keyring *keys,
                struct via_archive_seal *out, struct via_error *e)
{
    if (writer_put_manifest(w, e) != VIA_OK)
        return e->status;
    if (archive_write_close(w->archive) != ARCHIVE_OK)
        return writer_fail(w, e);
    return writer_put_seal(w, keys, out, e);
}
