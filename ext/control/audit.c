#include "control/audit.h"

#include "base/clock.h"
#include "control/store.h"
#include "identity/codec.h"

#include <string.h>

/* What is hashed: the hash before it, and a JSON array of the fields in the table's order. */
static void
record_write(struct via_buf *b, const struct via_record *r, int64_t seq)
{
    const char *const fields[] = {r->at,     r->actor,    r->action,  r->outcome, r->app,
                                  r->deploy, r->instance, r->binding, r->reason,  r->operation_id};

    via_buf_printf(b, "[%lld", (long long)seq);
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        via_buf_putc(b, ',');
        if (fields[i])
            via_buf_put_json(b, fields[i], strlen(fields[i]));
        else
            via_buf_puts(b, "null");
    }
    via_buf_printf(b, ",%lld]", (long long)r->count);
}

bool
via_audit_hash(const struct via_record *r, int64_t seq, const char *previous, struct via_buf *text,
               char hash[65])
{
    via_buf_reset(text);
    record_write(text, r, seq);
    if (!text->failed)
        via_digest_hex(
            (const struct via_piece[]){{previous, strlen(previous)}, {text->data, text->len}}, 2,
            hash);
    return !text->failed;
}

static void
audit_insert(struct via_sql *db, const struct via_record *r, int64_t seq, const char *previous,
             const char *hash)
{
    sqlite3_stmt *q = via_sql_stmt(
        db,
        "INSERT INTO main.audit(seq, at, actor, action, outcome, app, deploy, instance, binding,"
        " reason, count, operation_id, prev_hash, hash)"
        " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)");

    via_sql_bind_int(db, q, 1, seq);
    via_sql_bind_text(db, q, 2, r->at);
    via_sql_bind_text(db, q, 3, r->actor);
    via_sql_bind_text(db, q, 4, r->action);
    via_sql_bind_text(db, q, 5, r->outcome);
    via_sql_bind_text(db, q, 6, r->app);
    via_sql_bind_text(db, q, 7, r->deploy);
    via_sql_bind_text(db, q, 8, r->instance);
    via_sql_bind_text(db, q, 9, r->binding);
    via_sql_bind_text(db, q, 10, r->reason);
    via_sql_bind_int(db, q, 11, r->count);
    via_sql_bind_text(db, q, 12, r->operation_id);
    via_sql_bind_text(db, q, 13, previous);
    via_sql_bind_text(db, q, 14, hash);
    via_sql_run(db, q);
}

void
via_audit_put(struct via_sql *db, const struct via_record *record)
{
    struct via_record r = *record;
    char now[VIA_TIME_SIZE];
    char previous[65] = "";
    char hash[65];
    struct via_buf text;
    int64_t seq = 1;
    sqlite3_stmt *q;

    if (!r.at) {
        via_clock_format(via_clock_now_ms(), now);
        r.at = now;
    }
    if (r.count == 0)
        r.count = 1;
    q = via_sql_stmt(db, "SELECT seq, hash FROM main.audit ORDER BY seq DESC LIMIT 1");
    if (via_sql_row(db, q)) {
        seq = sqlite3_column_int64(q, 0) + 1;
        via_sql_text(q, 1, previous, sizeof previous);
    }
    via_sql_end(db, q);

    via_buf_init(&text);
    if (via_audit_hash(&r, seq, previous, &text, hash))
        audit_insert(db, &r, seq, previous, hash);
    else
        via_sql_fail(db, VIA_OUT_OF_MEMORY, "out of memory");
    via_buf_deinit(&text);
}

void
via_audit_control(struct via_store *s, const char *action, const char *app, const char *binding,
                  const char *reason, const char *operation_id)
{
    via_audit_put(&s->write, &(struct via_record){.at = s->now,
                                                  .actor = s->actor,
                                                  .action = action,
                                                  .outcome = "ok",
                                                  .app = app,
                                                  .binding = binding,
                                                  .reason = reason,
                                                  .operation_id = operation_id});
}

void
via_audit_runtime(struct via_store *s, const struct via_record *r)
{
    struct via_sql *db = &s->write;
    sqlite3_stmt *q = via_sql_stmt(db, "INSERT INTO temp.o_audit(at, actor, action, outcome, app,"
                                       " deploy, instance, binding, reason, count)"
                                       " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)");

    via_sql_bind_text(db, q, 1, r->at ? r->at : s->now);
    via_sql_bind_text(db, q, 2, r->actor ? r->actor : s->actor);
    via_sql_bind_text(db, q, 3, r->action);
    via_sql_bind_text(db, q, 4, r->outcome);
    via_sql_bind_text(db, q, 5, r->app);
    via_sql_bind_text(db, q, 6, r->deploy);
    via_sql_bind_text(db, q, 7, r->instance);
    via_sql_bind_text(db, q, 8, r->binding);
    via_sql_bind_text(db, q, 9, r->reason);
    via_sql_bind_int(db, q, 10, r->count ? r->count : 1);
    via_sql_run(db, q);
}
