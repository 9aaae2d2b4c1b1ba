/* chain_verify.c: reading the whole audit: what does not hold, and whether it is a record or only a
 * key that is gone. */
#include "base/error.h"
#include "base/id.h"
#include "control/chain.h"
#include "control/chain_walk.h"
#include "control/schema.h"

#include <stdio.h>
#include <string.h>

static void
broken_put(char broken[VIA_BROKEN_SIZE], enum via_audit_stream stream, int64_t seq)
{
    (void)snprintf(broken, VIA_BROKEN_SIZE, "%s:%lld", via_stream_word(stream), (long long)seq);
}

/* Does a head, wherever it was kept, disagree with the record that was just reached? */
static bool
heads_disagree(const struct via_walk *w, const struct via_mark *heads, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (heads[i].seq == w->seq && strcmp(heads[i].hash, w->hash) != 0)
            return true;
    return false;
}

/* What a mark is worth by its signature. */
enum worth { MARK_HOLDS, MARK_LOST, MARK_FALSE };

/* The key of a mark is lost when it has no file, and audit-head.json was signed with it too: who
 * can write the databases alone may put any name there, and is not to be believed for it. */
static enum worth
mark_worth(const struct via_mark *m, const struct via_mark files[VIA_STREAM_COUNT],
           struct via_keyring *keys)
{
    bool is_known = false;

    if (m->seq > 0 && via_mark_holds(m, keys))
        return MARK_HOLDS;
    for (int i = 0; i < VIA_STREAM_COUNT; i++)
        is_known = is_known || (files[i].seq > 0 && strcmp(files[i].kid, m->kid) == 0);
    return m->seq > 0 && is_known && via_id_is("key", m->kid) && !via_keyring_has(keys, m->kid)
               ? MARK_LOST
               : MARK_FALSE;
}

/* What keeps a stream from being whole, 0 for nothing: a record, or a mark that nothing verifies
 * while every record stands. */
struct fault {
    int64_t at;
    int64_t lost_at;
    char lost_kid[VIA_ID_SIZE];
};

static void
fault_add(struct fault *f, int64_t at)
{
    if (f->at == 0 || at < f->at)
        f->at = at;
}

/* Judge the signature of `m`. */
static void
fault_add_mark(struct fault *f, const struct via_mark *m,
               const struct via_mark files[VIA_STREAM_COUNT], struct via_keyring *keys)
{
    enum worth worth = mark_worth(m, files, keys);

    if (worth == MARK_FALSE)
        fault_add(f, m->seq > 0 ? m->seq : 1);
    if (worth != MARK_LOST || (f->lost_at > 0 && f->lost_at <= m->seq))
        return;
    f->lost_at = m->seq;
    memcpy(f->lost_kid, m->kid, sizeof f->lost_kid);
}

/* What the walk to the end could not see: heads beyond it, and signatures that do not hold. */
static void
heads_check(const struct via_walk *w, const struct via_mark *heads, size_t count,
            const struct via_mark files[VIA_STREAM_COUNT], struct via_keyring *keys,
            struct fault *f)
{
    for (size_t i = 0; i < count; i++) {
        if (heads[i].seq > w->seq)
            fault_add(f, w->seq + 1);
        else if (heads[i].seq != 0)
            fault_add_mark(f, &heads[i], files, keys);
    }
}

/* One stream, in one snapshot: its heads are read first, for the rows to be the newer ones. */
static void
stream_verify(struct via_sql *db, enum via_audit_stream stream, struct via_keyring *keys,
              const struct via_mark files[VIA_STREAM_COUNT], struct fault *f)
{
    struct via_mark heads[2] = {[1] = files[stream]};
    struct via_mark anchor;
    struct via_walk w;
    sqlite3_stmt *q;

    *f = (struct fault){0};
    via_sql_exec(db, "BEGIN");
    via_mark_read(db, stream, false, &heads[0]);
    via_mark_read(db, stream, true, &anchor);
    via_walk_begin(&w, stream, &anchor);
    if (anchor.seq != 0)
        fault_add_mark(f, &anchor, files, keys);
    q = via_sql_stmt(db, stream == VIA_STREAM_CONTROL ? VIA_WALK_SELECT("main")
                                                      : VIA_WALK_SELECT("rt"));
    via_sql_bind_int(db, q, 1, INT64_MIN); /* from the first that is there, whatever its number */
    via_sql_bind_int(db, q, 2, -1);
    while (f->at == 0 && via_sql_row(db, q)) {
        if (!via_walk_step(&w, q))
            fault_add(f, w.seq + 1);
        else if (heads_disagree(&w, heads, 2))
            fault_add(f, w.seq);
    }
    via_sql_end(db, q);
    if (f->at == 0)
        heads_check(&w, heads, 2, files, keys, f);
    via_sql_exec(db, "COMMIT");
    if (w.text.failed)
        via_sql_fail(db, VIA_OUT_OF_MEMORY, "out of memory");
    via_buf_deinit(&w.text);
}

/* A record that does not hold is worse than a key that is lost, in whichever stream. */
static void
verdict_add(struct via_verdict *v, enum via_audit_stream stream, const struct fault *f)
{
    if (f->at > 0) {
        broken_put(v->broken, stream, f->at);
        v->lost_kid[0] = '\0';
    } else if (f->lost_at > 0 && !v->broken[0]) {
        broken_put(v->broken, stream, f->lost_at);
        memcpy(v->lost_kid, f->lost_kid, sizeof v->lost_kid);
    }
}

enum via_status
via_chain_verify(const struct via_root *root, struct via_keyring *keys, struct via_verdict *v,
                 struct via_error *e)
{
    struct via_mark files[VIA_STREAM_COUNT];
    struct via_sql db = {0};
    struct fault f = {0};

    *v = (struct via_verdict){0};
    if (via_mark_file_read(root, files, e) != VIA_OK)
        return e->status;
    via_schema_open(&db, root, true, false);
    for (int i = 0; i < VIA_STREAM_COUNT && f.at == 0; i++) {
        stream_verify(&db, (enum via_audit_stream)i, keys, files, &f);
        verdict_add(v, (enum via_audit_stream)i, &f);
    }
    via_ignore(via_sql_take(&db, e));
    via_sql_close(&db);
    return e->status;
}
