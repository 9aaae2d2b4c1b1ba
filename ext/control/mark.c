#include "control/mark.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/json.h"
#include "identity/codec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FILE_NAME "audit-head.json"
#define FILE_MAX 4096
#define SIGNATURE_BYTES 64

const char *
via_stream_word(enum via_audit_stream stream)
{
    return stream == VIA_STREAM_CONTROL ? "control" : "runtime";
}

static const char *
mark_kind(const struct via_mark *m)
{
    return m->anchor ? "anchor" : "head";
}

/* -- signing --------------------------------------------------------------------- */

/* What is signed. Everything in it is Via's own and needs no escape, or the signature fails. */
static int
mark_write(const struct via_mark *m, char *out, size_t size)
{
    return snprintf(out, size, "[\"via-audit\",\"%s\",\"%s\",%lld,\"%s\",\"%s\"]", mark_kind(m),
                    via_stream_word(m->stream), (long long)m->seq, m->hash, m->at);
}

enum via_status
via_mark_sign(struct via_mark *m, struct via_keyring *keys, struct via_error *e)
{
    uint8_t signature[SIGNATURE_BYTES];
    struct via_buf encoded;
    char text[256];
    int n;

    via_clock_format(via_clock_now_ms(), m->at);
    n = mark_write(m, text, sizeof text);
    if (via_keyring_sign(keys, VIA_KEY_AUDIT, text, (size_t)n, signature, m->kid, e) != VIA_OK)
        return e->status;
    via_buf_init(&encoded);
    via_base64url_put(&encoded, signature, sizeof signature);
    (void)snprintf(m->signature, sizeof m->signature, "%s", via_buf_text(&encoded));
    if (encoded.failed)
        via_ignore(via_error_set(e, VIA_OUT_OF_MEMORY, "out of memory"));
    via_buf_deinit(&encoded);
    return e->status;
}

bool
via_mark_holds(const struct via_mark *m, struct via_keyring *keys)
{
    uint8_t signature[SIGNATURE_BYTES];
    char text[256];
    size_t n = 0;

    return via_base64url_decode(m->signature, strlen(m->signature), signature, sizeof signature,
                                &n) &&
           n == sizeof signature &&
           via_keyring_verify(keys, VIA_KEY_AUDIT, m->kid, text,
                              (size_t)mark_write(m, text, sizeof text), signature);
}

/* -- in the databases ------------------------------------------------------------ */

#define SELECT_MARK(schema)                                                                        \
    "SELECT seq, hash, at, kid, signature FROM " schema                                            \
    ".audit_marks WHERE stream = ?1 AND kind = ?2"

void
via_mark_read(struct via_sql *db, enum via_audit_stream stream, bool anchor, struct via_mark *m)
{
    bool in_control = (stream == VIA_STREAM_CONTROL) == anchor;
    sqlite3_stmt *q = via_sql_stmt(db, in_control ? SELECT_MARK("main") : SELECT_MARK("rt"));

    *m = (struct via_mark){.stream = stream, .anchor = anchor};
    via_sql_bind_text(db, q, 1, via_stream_word(stream));
    via_sql_bind_text(db, q, 2, mark_kind(m));
    if (via_sql_row(db, q)) {
        m->seq = sqlite3_column_int64(q, 0);
        via_sql_text(q, 1, m->hash, sizeof m->hash);
        via_sql_text(q, 2, m->at, sizeof m->at);
        via_sql_text(q, 3, m->kid, sizeof m->kid);
        via_sql_text(q, 4, m->signature, sizeof m->signature);
    }
    via_sql_end(db, q);
}

void
via_mark_put(struct via_sql *db, const struct via_mark *m)
{
    sqlite3_stmt *q =
        via_sql_stmt(db, "INSERT OR REPLACE INTO main.audit_marks(stream, kind, seq, hash, at,"
                         " kid, signature) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)");

    via_sql_bind_text(db, q, 1, via_stream_word(m->stream));
    via_sql_bind_text(db, q, 2, mark_kind(m));
    via_sql_bind_int(db, q, 3, m->seq);
    via_sql_bind_text(db, q, 4, m->hash);
    via_sql_bind_text(db, q, 5, m->at);
    via_sql_bind_text(db, q, 6, m->kid);
    via_sql_bind_text(db, q, 7, m->signature);
    via_sql_run(db, q);
}

/* -- in the file ----------------------------------------------------------------- */

static void
member_read(const via_json *object, const char *name, char *out, size_t size)
{
    const char *text = via_json_string(via_json_member(object, name), NULL);

    (void)snprintf(out, size, "%s", text ? text : "");
}

static void
head_read(const via_json *doc, enum via_audit_stream stream, struct via_mark *m)
{
    const via_json *object = via_json_member(doc, via_stream_word(stream));
    const via_json *seq = object ? via_json_member(object, "seq") : NULL;

    *m = (struct via_mark){.stream = stream};
    if (!seq || via_json_type(seq) != VIA_JSON_INTEGER)
        return;
    m->seq = via_json_integer(seq);
    member_read(object, "hash", m->hash, sizeof m->hash);
    member_read(object, "at", m->at, sizeof m->at);
    member_read(object, "kid", m->kid, sizeof m->kid);
    member_read(object, "signature", m->signature, sizeof m->signature);
}

enum via_status
via_mark_file_read(const struct via_root *root, struct via_mark heads[VIA_STREAM_COUNT],
                   struct via_error *e)
{
    char path[VIA_PATH_SIZE];
    via_json *doc = NULL;
    char *text = NULL;
    struct stat st;
    size_t n = 0;

    for (int i = 0; i < VIA_STREAM_COUNT; i++)
        heads[i] = (struct via_mark){.stream = (enum via_audit_stream)i};
    via_root_join(root, FILE_NAME, path);
    if (lstat(path, &st) < 0)
        return VIA_OK;
    if (via_fs_read(path, FILE_MAX, &text, &n, e) != VIA_OK)
        return e->status;
    if (via_json_parse(text, n, 4, &doc, NULL) != VIA_OK || via_json_type(doc) != VIA_JSON_OBJECT)
        via_ignore(via_error_set(e, VIA_STATE_CORRUPT, FILE_NAME " is not as Via writes it"));
    for (int i = 0; e->status == VIA_OK && i < VIA_STREAM_COUNT; i++)
        head_read(doc, (enum via_audit_stream)i, &heads[i]);
    via_json_free(doc);
    free(text);
    return e->status;
}

enum via_status
via_mark_file_write(const struct via_root *root, const struct via_mark heads[VIA_STREAM_COUNT],
                    struct via_error *e)
{
    char path[VIA_PATH_SIZE];
    struct via_buf b;

    via_buf_init(&b);
    for (int i = 0; i < VIA_STREAM_COUNT; i++) {
        const struct via_mark *m = &heads[i];

        if (m->seq > 0)
            via_buf_printf(&b,
                           "%s\"%s\":{\"seq\":%lld,\"hash\":\"%s\",\"at\":\"%s\",\"kid\":\"%s\","
                           "\"signature\":\"%s\"}",
                           b.len ? ",\n " : "{", via_stream_word(m->stream), (long long)m->seq,
                           m->hash, m->at, m->kid, m->signature);
    }
    via_buf_puts(&b, b.len ? "}\n" : "{}\n");
    via_root_join(root, FILE_NAME, path);
    if (b.failed)
        via_ignore(via_error_set(e, VIA_OUT_OF_MEMORY, "out of memory"));
    else
        via_ignore(via_fs_write(path, b.data, b.len, 0600, root, e));
    via_buf_deinit(&b);
    return e->status;
}
