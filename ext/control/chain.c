#include "control/chain.h"

#include "base/clock.h"
#include "base/error.h"
#include "control/audit.h"
#include "control/schema.h"
#include "control/setting.h"

#include <stdio.h>
#include <string.h>

#define PRUNE_BATCH 1000

/* -- a walk along a stream ------------------------------------------------------- */

/* How far a walk has come: the last record that was in its place. */
struct walk {
    enum via_audit_stream stream;
    int64_t seq;
    char hash[VIA_HASH_SIZE];
    struct via_buf text; /* of via_audit_hash */
};

static void
walk_begin(struct walk *w, enum via_audit_stream stream, const struct via_mark *anchor)
{
    *w = (struct walk){.stream = stream, .seq = anchor->seq};
    memcpy(w->hash, anchor->hash, sizeof w->hash);
    via_buf_init(&w->text);
}

static void
broken_put(char broken[VIA_BROKEN_SIZE], enum via_audit_stream stream, int64_t seq)
{
    (void)snprintf(broken, VIA_BROKEN_SIZE, "%s:%lld", via_stream_word(stream), (long long)seq);
}

/* The text of a column as it was hashed. False: it holds what Via never writes there. */
static bool
walk_text(sqlite3_stmt *q, int i, const char **out)
{
    int type = sqlite3_column_type(q, i);

    *out = NULL;
    if (type == SQLITE_NULL)
        return true;
    if (type != SQLITE_TEXT)
        return false;
    *out = (const char *)sqlite3_column_text(q, i);
    return *out && strlen(*out) == (size_t)sqlite3_column_bytes(q, i);
}

#define WALK_SELECT(schema)                                                                        \
    "SELECT seq, at, actor, action, outcome, app, deploy, instance, binding, reason,"              \
    " operation_id, prev_hash, hash, count FROM " schema                                           \
    ".audit WHERE seq >= ?1 ORDER BY seq LIMIT ?2"

/* Is the record at `q` (of WALK_SELECT) the next one? Then the walk has come to it. */
static bool
walk_step(struct walk *w, sqlite3_stmt *q)
{
    struct via_record r = {.count = sqlite3_column_int64(q, 13)};
    const char *previous;
    const char *hash;
    const char **const fields[] = {&r.at,     &r.actor,        &r.action,   &r.outcome,
                                   &r.app,    &r.deploy,       &r.instance, &r.binding,
                                   &r.reason, &r.operation_id, &previous,   &hash};
    char right[VIA_HASH_SIZE];
    bool plain = sqlite3_column_type(q, 13) == SQLITE_INTEGER;

    for (int i = 0; i < (int)(sizeof fields / sizeof *fields); i++)
        plain = walk_text(q, i + 1, fields[i]) && plain;
    if (!plain || sqlite3_column_int64(q, 0) != w->seq + 1 || !previous || !hash ||
        strcmp(previous, w->hash) != 0 ||
        !via_audit_hash(&r, w->seq + 1, w->hash, &w->text, right) || strcmp(hash, right) != 0)
        return false;
    w->seq++;
    memcpy(w->hash, right, sizeof w->hash);
    return true;
}

/* -- verifying ------------------------------------------------------------------- */

/* Does a head, wherever it was kept, disagree with the record that was just reached? */
static bool
heads_disagree(const struct walk *w, const struct via_mark *heads, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (heads[i].seq == w->seq && strcmp(heads[i].hash, w->hash) != 0)
            return true;
    return false;
}

/* What the walk to the end could not see: heads beyond it, and signatures that do not hold. */
static int64_t
heads_check(const struct walk *w, const struct via_mark *heads, size_t count,
            struct via_keyring *keys)
{
    int64_t broken = 0;

    for (size_t i = 0; i < count; i++) {
        int64_t at = 0;

        if (heads[i].seq > w->seq)
            at = w->seq + 1;
        else if (heads[i].seq != 0 && !via_mark_holds(&heads[i], keys))
            at = heads[i].seq > 0 ? heads[i].seq : 1;
        if (at > 0 && (broken == 0 || at < broken))
            broken = at;
    }
    return broken;
}

/* One stream, in one snapshot: its heads are read first, for the rows to be the newer ones. */
static void
stream_verify(struct via_sql *db, enum via_audit_stream stream, struct via_keyring *keys,
              const struct via_mark *file_head, char broken[VIA_BROKEN_SIZE])
{
    struct via_mark heads[2] = {[1] = *file_head};
    struct via_mark anchor;
    struct walk w;
    int64_t at = 0;
    sqlite3_stmt *q;

    via_sql_exec(db, "BEGIN");
    via_mark_read(db, stream, false, &heads[0]);
    via_mark_read(db, stream, true, &anchor);
    walk_begin(&w, stream, &anchor);
    if (anchor.seq != 0 && (anchor.seq < 0 || !via_mark_holds(&anchor, keys)))
        at = anchor.seq > 0 ? anchor.seq : 1;
    q = via_sql_stmt(db, stream == VIA_STREAM_CONTROL ? WALK_SELECT("main") : WALK_SELECT("rt"));
    via_sql_bind_int(db, q, 1, INT64_MIN); /* from the first that is there, whatever its number */
    via_sql_bind_int(db, q, 2, -1);
    while (at == 0 && via_sql_row(db, q)) {
        if (!walk_step(&w, q))
            at = w.seq + 1;
        else if (heads_disagree(&w, heads, 2))
            at = w.seq;
    }
    via_sql_end(db, q);
    if (at == 0)
        at = heads_check(&w, heads, 2, keys);
    via_sql_exec(db, "COMMIT");
    if (w.text.failed)
        via_sql_fail(db, VIA_OUT_OF_MEMORY, "out of memory");
    if (at != 0)
        broken_put(broken, stream, at);
    via_buf_deinit(&w.text);
}

enum via_status
via_chain_verify(const struct via_root *root, struct via_keyring *keys,
                 char broken[VIA_BROKEN_SIZE], struct via_error *e)
{
    struct via_mark heads[VIA_STREAM_COUNT];
    struct via_sql db = {0};

    broken[0] = '\0';
    if (via_mark_file_read(root, heads, e) != VIA_OK)
        return e->status;
    via_schema_open(&db, root, true, false);
    for (int i = 0; i < VIA_STREAM_COUNT && !broken[0]; i++)
        stream_verify(&db, (enum via_audit_stream)i, keys, &heads[i], broken);
    via_ignore(via_sql_take(&db, e));
    via_sql_close(&db);
    return e->status;
}

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

/* Bring one stream's head up to date in its database. `head` receives what is kept now. */
static enum via_status
head_sign(struct via_store *s, enum via_audit_stream stream, const struct via_mark *file_head,
          struct via_mark *head, struct via_error *e)
{
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
    if (head->seq > 0 && !via_mark_holds(head, s->keys))
        return chain_is_broken(head, e);
    if (file_head->seq > 0 && !via_mark_holds(file_head, s->keys))
        return chain_is_broken(file_head, e);
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
anchor_sign(struct via_store *s, enum via_audit_stream stream, struct via_error *e)
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
    if (!via_mark_holds(&anchor, s->keys))
        via_ignore(chain_is_broken(&anchor, e));
    else if (via_mark_sign(&anchor, s->keys, e) == VIA_OK)
        via_mark_put(own, &anchor);
    if (chain_commit(own, e) == VIA_CONTROL_BUSY)
        via_error_clear(e);
}

enum via_status
via_chain_sign(struct via_store *s, struct via_error *e)
{
    struct via_mark file[VIA_STREAM_COUNT];
    struct via_mark heads[VIA_STREAM_COUNT];
    bool moved = false;

    if (via_mark_file_read(&s->root, file, e) != VIA_OK)
        return e->status;
    memcpy(heads, file, sizeof heads);
    for (int i = 0; i < VIA_STREAM_COUNT; i++) {
        struct via_error why = {0};

        anchor_sign(s, (enum via_audit_stream)i, &why);
        if (why.status != VIA_OK ||
            head_sign(s, (enum via_audit_stream)i, &file[i], &heads[i], &why) != VIA_OK) {
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

/* -- pruning --------------------------------------------------------------------- */

/* Walk along what is older than `before`, at most a batch, and leave the last record alone. */
static void
prune_walk(struct via_sql *db, struct walk *w, const char *before, struct via_error *e)
{
    int64_t last = via_sql_int(db, "SELECT max(seq) FROM main.audit", 0);
    sqlite3_stmt *q = via_sql_stmt(db, WALK_SELECT("main"));

    via_sql_bind_int(db, q, 1, INT64_MIN);
    via_sql_bind_int(db, q, 2, PRUNE_BATCH);
    while (via_sql_row(db, q) && sqlite3_column_int64(q, 0) < last) {
        const char *at = (const char *)sqlite3_column_text(q, 1);

        if (!at || strcmp(at, before) >= 0)
            break;
        if (!walk_step(w, q)) {
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
    struct walk w;
    sqlite3_stmt *q;

    *more = false;
    via_sql_exec(db, "BEGIN IMMEDIATE");
    if (!via_sql_ok(db))
        return via_sql_take(db, e);
    via_mark_read(&s->read, stream, true, &anchor);
    via_ignore(via_sql_take(&s->read, e));
    walk_begin(&w, stream, &anchor);
    if (anchor.seq != 0 && !via_mark_holds(&anchor, s->keys))
        via_ignore(chain_is_broken(&anchor, e));
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
