#include "control/chain.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/id.h"
#include "control/chain_walk.h"
#include "control/setting.h"

#include <stdio.h>
#include <string.h>

#define PRUNE_BATCH 1000

/* End a transaction: for good, unless something of it failed. Answers what the database said. */
static enum via_status
chain_commit(struct via_sql *db, struct via_error *e)
{
    enum via_status status;

    if (e->status == VIA_OK)
        via_sql_exec(db, "COMMIT");
    status = via_sql_take(db, e);
    if (!sqlite3_get_autocommit(db->db)) {
        via_sql_exec(db, "ROLLBACK");
        via_ignore(via_sql_take(db, NULL));
    }
    return status;
}

/* -- signing heads --------------------------------------------------------------- */

/* The last record up to `seq`: its seq and hash; 0 when there is none. */
static int64_t
stream_last(struct via_sql *db, enum via_audit_stream stream, int64_t seq, char hash[VIA_HASH_SIZE])
{
    sqlite3_stmt *q = via_sql_stmt(db, stream == VIA_STREAM_CONTROL
                                           ? "SELECT seq, hash FROM main.audit WHERE seq <= ?1"
                                             " ORDER BY seq DESC LIMIT 1"
                                           : "SELECT seq, hash FROM rt.audit WHERE seq <= ?1"
                                             " ORDER BY seq DESC LIMIT 1");
    int64_t found = 0;

    hash[0] = '\0';
    via_sql_bind_int(db, q, 1, seq);
    if (via_sql_row(db, q)) {
        found = sqlite3_column_int64(q, 0);
        via_sql_text(q, 1, hash, VIA_HASH_SIZE);
    }
    via_sql_end(db, q);
    return found;
}

/* Is the record that `head` names in the stream, or pruned from it? */
static bool
stream_holds(struct via_sql *db, const struct via_mark *head)
{
    char hash[VIA_HASH_SIZE];
    struct via_mark anchor;

    if (head->seq == 0)
        return true;
    if (stream_last(db, head->stream, head->seq, hash) == head->seq)
        return strcmp(hash, head->hash) == 0;
    via_mark_read(db, head->stream, true, &anchor);
    return head->seq > 0 && head->seq <= anchor.seq;
}

bool
via_chain_continues(struct via_sql *db, enum via_audit_stream stream, struct via_mark *head)
{
    via_mark_read(db, stream, false, head);
    return stream_holds(db, head);
}

static enum via_status
chain_is_broken(const struct via_mark *head, struct via_error *e)
{
    return via_error_set(e, VIA_AUDIT_BROKEN,
                         "the %s stream does not hold record %lld as it was signed",
                         via_stream_word(head->stream), (long long)head->seq);
}

/* The signature of `m` does not hold; who lost its key reads that, and not of a record. */
static enum via_status
mark_fails(const struct via_mark *m, struct via_keyring *keys, struct via_error *e)
{
    if (!via_id_is("key", m->kid) || via_keyring_has(keys, m->kid))
        return chain_is_broken(m, e);
    return via_error_set(
        e, VIA_AUDIT_BROKEN,
        "the %s stream is signed up to record %lld with keys/%s.jwk, which is gone",
        via_stream_word(m->stream), (long long)m->seq, m->kid);
}

/* May a new signature stand on this mark? `lost_kid` is of the key that was lost, or "". */
static bool
mark_carries(const struct via_mark *m, struct via_keyring *keys, const char *lost_kid)
{
    return (lost_kid[0] && strcmp(m->kid, lost_kid) == 0) || via_mark_holds(m, keys);
}

/* Bring one stream's head up to date in its database. `head` receives what is kept now. */
static enum via_status
head_sign(struct via_store *s, const char *lost_kid, const struct via_mark *file_head,
          struct via_mark *head, struct via_error *e)
{
    enum via_audit_stream stream = file_head->stream;
    struct via_sql *other = stream == VIA_STREAM_CONTROL ? &s->runtime : &s->write;
    struct via_mark next = {.stream = stream};
    char kid[VIA_ID_SIZE];

    via_sql_exec(&s->read, "BEGIN");
    if (!via_chain_continues(&s->read, stream, head))
        via_ignore(chain_is_broken(head, e));
    else if (!stream_holds(&s->read, file_head))
        via_ignore(chain_is_broken(file_head, e));
    next.seq = stream_last(&s->read, stream, INT64_MAX, next.hash);
    via_sql_exec(&s->read, "COMMIT");
    if (via_sql_take(&s->read, e) != VIA_OK || next.seq == 0 ||
        via_keyring_current(s->keys, VIA_KEY_AUDIT, kid, e) != VIA_OK)
        return e->status;
    if (head->seq > 0 && !mark_carries(head, s->keys, lost_kid))
        return mark_fails(head, s->keys, e);
    if (file_head->seq > 0 && !mark_carries(file_head, s->keys, lost_kid))
        return mark_fails(file_head, s->keys, e);
    if (strlen(next.hash) != 64 || strspn(next.hash, "0123456789abcdef") != 64)
        return chain_is_broken(&next, e);
    if (next.seq <= head->seq && strcmp(kid, head->kid) == 0)
        return VIA_OK;
    if (via_mark_sign(&next, s->keys, e) != VIA_OK)
        return e->status;
    via_mark_put(other, &next);
    if (via_sql_ok(other))
        *head = next;
    if (via_sql_take(other, e) == VIA_CONTROL_BUSY)
        via_error_clear(e);
    return e->status;
}

/* An anchor outlives the key that signed it: the next one signs it anew. Under the write lock, for
 * pruning moves the anchor. */
static void
anchor_sign(struct via_store *s, const char *lost_kid, enum via_audit_stream stream,
            struct via_error *e)
{
    struct via_sql *own = stream == VIA_STREAM_CONTROL ? &s->write : &s->runtime;
    struct via_mark anchor;
    char kid[VIA_ID_SIZE];

    via_mark_read(&s->read, stream, true, &anchor);
    if (via_sql_take(&s->read, e) != VIA_OK || anchor.seq == 0 ||
        via_keyring_current(s->keys, VIA_KEY_AUDIT, kid, e) != VIA_OK ||
        strcmp(kid, anchor.kid) == 0)
        return;
    via_sql_exec(own, "BEGIN IMMEDIATE");
    via_mark_read(&s->read, stream, true, &anchor);
    via_ignore(via_sql_take(&s->read, e));
    if (!mark_carries(&anchor, s->keys, lost_kid))
        via_ignore(mark_fails(&anchor, s->keys, e));
    else if (via_mark_sign(&anchor, s->keys, e) == VIA_OK)
        via_mark_put(own, &anchor);
    if (chain_commit(own, e) == VIA_CONTROL_BUSY)
        via_error_clear(e);
}

static enum via_status
chain_sign(struct via_store *s, const char *lost_kid, struct via_error *e)
{
    struct via_mark file[VIA_STREAM_COUNT];
    struct via_mark heads[VIA_STREAM_COUNT];
    bool moved = false;

    if (via_mark_file_read(&s->root, file, e) != VIA_OK)
        return e->status;
    memcpy(heads, file, sizeof heads);
    for (int i = 0; i < VIA_STREAM_COUNT; i++) {
        struct via_error why = {0};

        anchor_sign(s, lost_kid, (enum via_audit_stream)i, &why);
        if (why.status != VIA_OK || head_sign(s, lost_kid, &file[i], &heads[i], &why) != VIA_OK) {
            via_ignore(via_error_set(e, why.status, "%s", why.message));
            heads[i] = file[i];
        }
        if (heads[i].seq < file[i].seq) /* the database's was not written now */
            heads[i] = file[i];
        moved = moved || heads[i].seq != file[i].seq || strcmp(heads[i].kid, file[i].kid) != 0;
    }
    if (moved) {
        struct via_error why = {0};

        if (via_mark_file_write(&s->root, heads, &why) != VIA_OK && e->status == VIA_OK)
            *e = why;
    }
    return e->status;
}

enum via_status
via_chain_sign(struct via_store *s, struct via_error *e)
{
    return chain_sign(s, "", e);
}

enum via_status
via_chain_sign_anew(struct via_store *s, struct via_error *e)
{
    struct via_error why = {0};
    struct via_verdict v;

    if (chain_sign(s, "", &why) != VIA_AUDIT_BROKEN)
        return via_error_set(e, why.status, "%s", why.message);
    if (via_chain_verify(&s->root, s->keys, &v, e) != VIA_OK)
        return e->status;
    if (!v.lost_kid[0])
        return via_error_set(e, why.status, "%s", why.message);
    return chain_sign(s, v.lost_kid, e);
}

/* -- pruning --------------------------------------------------------------------- */

/* Walk along what is older than `before`, at most a batch, and leave the last record alone. */
static void
prune_walk(struct via_sql *db, struct via_walk *w, const char *before, struct via_error *e)
{
    int64_t last = via_sql_int(db, "SELECT max(seq) FROM main.audit", 0);
    sqlite3_stmt *q = via_sql_stmt(db, VIA_WALK_SELECT("main"));

    via_sql_bind_int(db, q, 1, INT64_MIN);
    via_sql_bind_int(db, q, 2, PRUNE_BATCH);
    while (via_sql_row(db, q) && sqlite3_column_int64(q, 0) < last) {
        const char *at = (const char *)sqlite3_column_text(q, 1);

        if (!at || strcmp(at, before) >= 0)
            break;
        if (!via_walk_step(w, q)) {
            via_ignore(via_error_set(e, VIA_AUDIT_BROKEN,
                                     "the %s stream is broken after record %lld, and is not pruned",
                                     via_stream_word(w->stream), (long long)w->seq));
            break;
        }
    }
    via_sql_end(db, q);
}

/* One batch, in one transaction on the stream's own database, main on `db`. *more: it was full. */
static enum via_status
prune_batch(struct via_store *s, struct via_sql *db, enum via_audit_stream stream,
            const char *before, bool *more, struct via_error *e)
{
    struct via_mark anchor, next = {.stream = stream, .anchor = true};
    struct via_walk w;
    sqlite3_stmt *q;

    *more = false;
    via_sql_exec(db, "BEGIN IMMEDIATE");
    if (!via_sql_ok(db))
        return via_sql_take(db, e);
    via_mark_read(&s->read, stream, true, &anchor);
    via_ignore(via_sql_take(&s->read, e));
    via_walk_begin(&w, stream, &anchor);
    if (anchor.seq != 0 && !via_mark_holds(&anchor, s->keys))
        via_ignore(mark_fails(&anchor, s->keys, e));
    if (e->status == VIA_OK)
        prune_walk(db, &w, before, e);
    if (e->status == VIA_OK && via_sql_ok(db) && w.seq > anchor.seq) {
        next.seq = w.seq;
        memcpy(next.hash, w.hash, sizeof next.hash);
        *more = w.seq - anchor.seq == PRUNE_BATCH;
        if (via_mark_sign(&next, s->keys, e) == VIA_OK) {
            via_mark_put(db, &next);
            q = via_sql_stmt(db, "DELETE FROM main.audit WHERE seq <= ?1");
            via_sql_bind_int(db, q, 1, next.seq);
            via_sql_run(db, q);
        }
    }
    via_buf_deinit(&w.text);
    via_ignore(chain_commit(db, e));
    return e->status;
}

enum via_status
via_chain_prune(struct via_store *s, int64_t budget_ms, struct via_error *e)
{
    int64_t keep_s = via_setting_int(&s->read, "audit_keep_s");
    char before[VIA_TIME_SIZE];

    if (via_sql_take(&s->read, e) != VIA_OK || keep_s == 0)
        return e->status;
    via_clock_format(via_clock_now_ms() - keep_s * 1000, before);
    for (int i = 0; i < VIA_STREAM_COUNT; i++) {
        struct via_sql *db = i == VIA_STREAM_CONTROL ? &s->write : &s->runtime;
        int64_t until_ms = via_clock_mono_ms() + budget_ms;
        struct via_error why = {0};
        bool more = true;

        while (more && via_clock_mono_ms() < until_ms)
            if (prune_batch(s, db, (enum via_audit_stream)i, before, &more, &why) != VIA_OK)
                break;
        if (why.status != VIA_OK && why.status != VIA_CONTROL_BUSY)
            via_ignore(via_error_set(e, why.status, "%s", why.message));
    }
    return e->status;
}
