/* reader.c: one file in, members out, each in its place or none. */
#include "archive/member.h"

#include "base/error.h"
#include "base/io.h"
#include "base/json.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reader {
    struct via_archive_stream in;
    const struct via_archive_tell *tell;
    bool is_stopped;
    struct archive *archive;
    const struct via_archive_taker *taker;
    char *chunk;
    struct via_buf list;     /* entries of what was read */
    struct via_buf manifest; /* its text */
    struct via_member last;  /* the member before; no name: none yet */
    bool seen[VIA_MEMBER_MANIFEST + 1];
};

static la_ssize_t
stream_get(struct archive *a, void *arg, const void **bytes)
{
    struct reader *r = arg;
    struct via_archive_stream *s = &r->in;
    size_t want = s->limit - s->at < ARCHIVE_CHUNK ? (size_t)(s->limit - s->at) : ARCHIVE_CHUNK;
    int64_t got = via_io_get(s->fd, s->chunk, want, s->at);

    if (got < 0) {
        s->err = errno;
        archive_set_error(a, errno, "the archive cannot be read");
        return -1;
    }
    via_digest_put(&s->digest, s->chunk, (size_t)got);
    s->at += got;
    *bytes = s->chunk;
    if (r->tell && !r->tell->tell(r->tell->arg, s->at)) {
        r->is_stopped = true;
        archive_set_error(a, EINTR, "reading was stopped");
        return -1;
    }
    return (la_ssize_t)got;
}

static enum via_status
fail_invalid(struct via_error *e, const char *what)
{
    return via_error_set(e, VIA_BACKUP_INVALID, "the backup does not hold together: %s", what);
}

static enum via_status
reader_fail(const struct reader *r, struct via_error *e)
{
    if (r->in.err)
        return via_error_set_errno(e, VIA_IO_ERROR, r->in.err, "the backup cannot be read");
    if (r->is_stopped)
        return via_error_set(e, VIA_OPERATION_INTERRUPTED, "reading was stopped");
    if (archive_errno(r->archive) == ENOMEM)
        return via_error_set(e, VIA_OUT_OF_MEMORY, "out of memory");
    return fail_invalid(e, "its archive cannot be read through");
}

/* -- one member ---------------------------------------------------------------------- */

/* Keys come sealed or not, in the same place. */
static int
member_rank(const struct via_member *m)
{
    static const int ranks[] = {0, 0, 1, 2, 3, 4, 5};

    return ranks[m->kind];
}

/* Is it a plain file, known by name, behind the one before, and once? */
static enum via_status
member_understand(struct reader *r, struct archive_entry *entry, struct via_member *m,
                  struct via_error *e)
{
    const char *name = archive_entry_pathname(entry);
    int before = r->last.name[0] ? member_rank(&r->last) : -1;

    if (!name || !via_member_parse(name, m))
        return fail_invalid(e, "it has a member that belongs to none");
    if (archive_entry_filetype(entry) != AE_IFREG || archive_entry_hardlink(entry) ||
        archive_entry_symlink(entry) || !archive_entry_size_is_set(entry) ||
        archive_entry_sparse_count(entry) > 0)
        return fail_invalid(e, "it has a member that is no plain file");
    m->size_bytes = archive_entry_size(entry);
    if (member_rank(m) < before || (member_rank(m) == before && strcmp(m->name, r->last.name) <= 0))
        return fail_invalid(e, "its members are not in order");
    r->last = *m;
    r->seen[m->kind] = true;
    return VIA_OK;
}

static enum via_status
manifest_take(struct reader *r, const void *bytes, size_t n, struct via_error *e)
{
    if (r->manifest.len + n > VIA_ARCHIVE_MANIFEST_MAX)
        return fail_invalid(e, "its manifest is too long");
    via_buf_put(&r->manifest, bytes, n);
    return r->manifest.failed ? via_error_set(e, VIA_OUT_OF_MEMORY, "out of memory") : VIA_OK;
}

static enum via_status
member_take(struct reader *r, const struct via_member *m, struct via_error *e)
{
    bool is_manifest = m->kind == VIA_MEMBER_MANIFEST;
    const struct via_archive_taker *t = r->taker;
    struct via_digest d;
    int64_t left = m->size_bytes;
    char digest[65];
    la_ssize_t got;

    if (!is_manifest && t->begin(t->arg, m, e) != VIA_OK)
        return e->status;
    via_digest_begin(&d);
    while ((got = archive_read_data(r->archive, r->chunk, ARCHIVE_CHUNK)) > 0) {
        left -= got;
        via_digest_put(&d, r->chunk, (size_t)got);
        if ((is_manifest ? manifest_take(r, r->chunk, (size_t)got, e)
                         : t->take(t->arg, m, r->chunk, (size_t)got, e)) != VIA_OK)
            return e->status;
    }
    if (got < 0)
        return reader_fail(r, e);
    if (left != 0)
        return fail_invalid(e, "a member is not as long as it says");
    if (is_manifest)
        return VIA_OK;
    via_digest_end(&d, digest);
    via_archive_put_entry(&r->list, m, digest);
    if (r->list.failed || r->list.len > VIA_ARCHIVE_MANIFEST_MAX)
        return fail_invalid(e, "it has too many members");
    return t->end(t->arg, m, e);
}

/* -- the whole ------------------------------------------------------------------------ */

static void
head_text(const via_json *doc, const char *key, char *out, size_t size)
{
    const char *text = via_json_string(via_json_member(doc, key), NULL);

    (void)snprintf(out, size, "%s", text ? text : "");
}

static void
head_left_out(const via_json *list, struct via_archive_head *head)
{
    for (size_t i = 0; i < via_json_count(list); i++) {
        const via_json *each = via_json_at(list, i);
        struct via_left_out l;

        head_text(each, "addon", l.addon, sizeof l.addon);
        head_text(each, "addon_id", l.addon_id, sizeof l.addon_id);
        head_text(each, "app", l.app, sizeof l.app);
        head_text(each, "snapshot", l.snapshot_id, sizeof l.snapshot_id);
        head_text(each, "code", l.code, sizeof l.code);
        via_left_out_put(head, &l);
    }
}

/* Fill `head` from the manifest; then the manifest must be what a writer makes of that head and of
 * the members that were read. */
static enum via_status
manifest_check(struct reader *r, const struct via_archive_seal *seal, struct via_archive_head *head,
               struct via_error *e)
{
    const via_json *schema;
    struct via_buf expected;
    via_json *doc = NULL;
    int64_t format = 0;
    bool same = false;

    if (via_json_parse(via_buf_text(&r->manifest), r->manifest.len, 8, &doc, NULL) == VIA_OK) {
        schema = via_json_member(doc, "schema");
        format = via_json_integer(via_json_member(doc, "format"));
        head_text(doc, "id", head->id, sizeof head->id);
        head_text(doc, "created_at", head->created_at, sizeof head->created_at);
        head_text(doc, "host", head->host, sizeof head->host);
        head->control_schema = via_json_integer(via_json_member(schema, "control"));
        head->runtime_schema = via_json_integer(via_json_member(schema, "runtime"));
        head->sealed = via_json_type(via_json_member(doc, "sealed")) == VIA_JSON_TRUE;
        head_left_out(via_json_member(doc, "left_out"), head);
    }
    via_json_free(doc);
    if (format > VIA_ARCHIVE_FORMAT)
        return via_error_set(e, VIA_STATE_NEWER,
                             "a newer Via wrote this backup (format %lld); run that version",
                             (long long)format);
    via_buf_init(&expected);
    via_archive_put_manifest(&expected, head, &r->list);
    same = !expected.failed && expected.len == r->manifest.len &&
           memcmp(expected.data, r->manifest.data, expected.len) == 0;
    via_buf_deinit(&expected);
    if (!same || strcmp(head->id, seal->id) != 0)
        return fail_invalid(e, "its manifest does not say what is in it");
    if (head->sealed != r->seen[VIA_MEMBER_SEALED_KEYS] ||
        (head->sealed && r->seen[VIA_MEMBER_KEY]))
        return fail_invalid(e, "its manifest does not say how its keys are kept");
    return VIA_OK;
}

/* The rest of the file, which holds no member, and all of it once more against the seal. */
static enum via_status
reader_finish(struct reader *r, const struct via_archive_seal *seal, struct via_error *e)
{
    const void *bytes;
    struct via_archive_frame last;
    char digest[65];

    while (r->in.at < r->in.limit && stream_get(r->archive, r, &bytes) > 0)
        ;
    if (r->in.err || r->is_stopped)
        return reader_fail(r, e);
    if (r->in.at != r->in.limit ||
        via_io_get(r->in.fd, &last, sizeof last, r->in.limit) != (int64_t)sizeof last)
        return fail_invalid(e, "it changed while it was read");
    via_digest_put(&r->in.digest, &last, sizeof last);
    via_digest_end(&r->in.digest, digest);
    return strcmp(digest, seal->digest) == 0 ? VIA_OK
                                             : fail_invalid(e, "it changed while it was read");
}

static enum via_status
reader_run(struct reader *r, const struct via_archive_seal *seal, struct via_archive_head *head,
           struct via_error *e)
{
    struct archive_entry *entry;
    struct via_member m = {0};
    int rc;

    while ((rc = archive_read_next_header(r->archive, &entry)) == ARCHIVE_OK)
        if (member_understand(r, entry, &m, e) != VIA_OK || member_take(r, &m, e) != VIA_OK)
            return e->status;
    if (rc != ARCHIVE_EOF)
        return reader_fail(r, e);
    if (!r->seen[VIA_MEMBER_CONTROL] || !r->seen[VIA_MEMBER_RUNTIME] ||
        !r->seen[VIA_MEMBER_MANIFEST])
        return fail_invalid(e, "a member that it needs is missing");
    if (manifest_check(r, seal, head, e) != VIA_OK)
        return e->status;
    return reader_finish(r, seal, e);
}

enum via_status
via_archive_read(int fd, const struct via_archive_seal *seal, const struct via_archive_taker *taker,
                 const struct via_archive_tell *tell, struct via_archive_head *head,
                 struct via_error *e)
{
    struct reader r = {.taker = taker, .tell = tell};
    enum via_status status;

    memset(head, 0, sizeof *head);
    r.in.fd = fd;
    r.in.limit = seal->size_bytes - (int64_t)sizeof(struct via_archive_frame);
    r.in.chunk = malloc(ARCHIVE_CHUNK);
    r.chunk = malloc(ARCHIVE_CHUNK);
    r.archive = archive_read_new();
    via_digest_begin(&r.in.digest);
    if (!r.in.chunk || !r.chunk || !r.archive)
        status = via_error_set(e, VIA_OUT_OF_MEMORY, "out of memory");
    else if (archive_read_support_filter_zstd(r.archive) != ARCHIVE_OK ||
             archive_read_support_format_tar(r.archive) != ARCHIVE_OK ||
             archive_read_open(r.archive, &r, NULL, stream_get, NULL) != ARCHIVE_OK)
        status = reader_fail(&r, e);
    else
        status = reader_run(&r, seal, head, e);
    if (r.archive)
        (void)archive_read_free(r.archive);
    via_buf_deinit(&r.list);
    via_buf_deinit(&r.manifest);
    free(r.in.chunk);
    free(r.chunk);
    return status;
}
