/* doctor_audit.c: the audit against its signed heads, and record by record while it is not so long
 * that a look would not be one any more: via_audit_verify() reads any. */
#include "base/clock.h"
#include "control/chain.h"
#include "effects/doctor_look.h"

#include <stdio.h>
#include <string.h>

#define UNSIGNED_MS (10 * 60 * 1000) /* an agent signs each minute */
#define PRUNE_MS 10000
#define READ_RECORDS 200000 /* about a second's worth */

static void
look_broken(struct doctor *d, enum via_audit_stream stream, const struct via_mark *head)
{
    struct doctor_finding f;

    doctor_begin(&f, DOCTOR_AUDIT_BROKEN, via_stream_word(stream));
    doctor_say(&f,
               "the %s stream of the audit does not hold record %lld as it was signed at %s:"
               " records were cut off or rewritten",
               via_stream_word(stream), (long long)head->seq, head->at);
    doctor_advise(&f, "via audit verify");
    doctor_end(d, &f);
}

/* When the first record after the head was written, "" when there is none. */
static void
unsigned_since(struct doctor *d, const struct via_mark *head, char at[VIA_TIME_SIZE])
{
    sqlite3_stmt *q =
        via_sql_stmt(d->db, head->stream == VIA_STREAM_CONTROL
                                ? "SELECT at FROM main.audit WHERE seq > ?1 ORDER BY seq LIMIT 1"
                                : "SELECT at FROM rt.audit WHERE seq > ?1 ORDER BY seq LIMIT 1");

    at[0] = '\0';
    via_sql_bind_int(d->db, q, 1, head->seq);
    if (via_sql_row(d->db, q))
        via_sql_text(q, 0, at, VIA_TIME_SIZE);
    via_sql_end(d->db, q);
}

static void
look_unsigned(struct doctor *d, const struct via_mark *head)
{
    char at[VIA_TIME_SIZE], due[VIA_TIME_SIZE];
    struct doctor_finding f;

    via_clock_format(via_clock_now_ms() - UNSIGNED_MS, due);
    unsigned_since(d, head, at);
    if (!at[0] || strcmp(at, due) >= 0)
        return;
    doctor_begin(&f, DOCTOR_AUDIT_UNSIGNED, via_stream_word(head->stream));
    doctor_say(&f,
               "records of the %s stream since %s have no signed head: a cut would not show; the"
               " agent signs one each minute",
               via_stream_word(head->stream), at);
    f.fixable = head->seq == 0 || via_mark_holds(head, d->s->keys);
    doctor_advise(&f, f.fixable ? "via doctor --fix" : "via audit verify");
    doctor_end(d, &f);
}

/* What only reading shows: a record that was taken out of the middle, or altered. */
static void
look_records(struct doctor *d)
{
    struct via_verdict v = {0};
    struct via_error ignored = {0};
    struct doctor_finding f;

    if (via_sql_int(d->db,
                    "SELECT coalesce((SELECT max(seq) - min(seq) FROM main.audit), 0)"
                    " + coalesce((SELECT max(seq) - min(seq) FROM rt.audit), 0)",
                    0) > READ_RECORDS ||
        via_chain_verify(&d->s->root, d->s->keys, &v, &ignored) != VIA_OK || !v.broken[0] ||
        v.lost_kid[0]) /* then the key is what is missing, and said */
        return;
    doctor_begin(&f, DOCTOR_AUDIT_BROKEN, v.broken);
    doctor_say(&f, "the audit is not whole: record %s is missing, altered or out of its place",
               v.broken);
    doctor_advise(&f, "via audit verify");
    doctor_end(d, &f);
}

void
doctor_look_audit(struct doctor *d)
{
    struct via_mark head;
    bool is_continued = true;

    for (int i = 0; via_sql_ok(d->db) && i < VIA_STREAM_COUNT; i++) {
        if (via_chain_continues(d->db, (enum via_audit_stream)i, &head))
            look_unsigned(d, &head);
        else {
            look_broken(d, (enum via_audit_stream)i, &head);
            is_continued = false;
        }
    }
    if (is_continued && via_sql_ok(d->db))
        look_records(d);
}

enum via_status
doctor_mend_audit(struct via_store *s, const char *subject, struct via_error *e)
{
    (void)subject;
    if (via_chain_sign(s, e) == VIA_OK)
        via_ignore(via_chain_prune(s, PRUNE_MS, e));
    return e->status;
}
