#include "control/schedule.h"

#include "base/clock.h"
#include "control/options.h"
#include "control/snapshot.h"

#include <string.h>

/* More failures than this do not make it wait longer. */
#define FAILURES_MAX "16"

static int64_t
column_ms(sqlite3_stmt *q, int i)
{
    const char *text = (const char *)sqlite3_column_text(q, i);
    int64_t ms = 0;

    return text && via_clock_parse(text, &ms) ? ms : 0;
}

static bool
column_is(sqlite3_stmt *q, int i, const char *word)
{
    const char *text = (const char *)sqlite3_column_text(q, i);

    return text && strcmp(text, word) == 0;
}

static void
past_read(struct via_sql *db, const char *addon_id, struct via_schedule_past *out)
{
    sqlite3_stmt *q = via_sql_stmt(db, "SELECT state, created_at FROM main.snapshots"
                                       " WHERE addon_id = ?1 AND reason = '" VIA_SCHEDULE_REASON
                                       "' ORDER BY rid DESC LIMIT " FAILURES_MAX);

    memset(out, 0, sizeof *out);
    via_sql_bind_text(db, q, 1, addon_id);
    while (via_sql_row(db, q)) {
        if (out->begun_ms == 0) {
            out->begun_ms = column_ms(q, 1);
            out->pending = column_is(q, 0, "pending");
        }
        if (!column_is(q, 0, "failed"))
            break;
        out->failures++;
    }
    via_sql_end(db, q);
}

static int64_t
ready_read(struct via_sql *db, const char *addon_id)
{
    int64_t ms = 0;
    sqlite3_stmt *q = via_sql_stmt(db, "SELECT created_at FROM main.snapshots WHERE addon_id = ?1"
                                       " AND state = 'ready' ORDER BY rid DESC LIMIT 1");

    via_sql_bind_text(db, q, 1, addon_id);
    if (via_sql_row(db, q))
        ms = column_ms(q, 0);
    via_sql_end(db, q);
    return ms;
}

bool
via_scheduled_next(struct via_sql *db, int64_t after, struct via_scheduled *out)
{
    const char *options;
    bool found;
    sqlite3_stmt *q = via_sql_stmt(db, "SELECT rid, options, created_at FROM main.addons"
                                       " WHERE rid > ?1 AND instr(options, '\"snapshot_') > 0"
                                       " AND state = 'ready' ORDER BY rid LIMIT 1");

    memset(out, 0, sizeof *out);
    via_sql_bind_int(db, q, 1, after);
    found = via_sql_row(db, q);
    if (found) {
        out->addon.rid = sqlite3_column_int64(q, 0);
        options = (const char *)sqlite3_column_text(q, 1);
        via_options_schedule(options ? options : "{}", &out->plan);
        out->created_ms = column_ms(q, 2);
    }
    via_sql_end(db, q);
    if (!found || !via_addon_find_row(db, out->addon.rid, &out->addon))
        return false;
    past_read(db, out->addon.id, &out->past);
    out->ready_ms = ready_read(db, out->addon.id);
    return via_sql_ok(db);
}

bool
via_scheduled_is_overdue(const struct via_scheduled *a, int64_t now_ms)
{
    int64_t fresh_s = via_schedule_fresh_s(&a->plan);
    int64_t since_ms = a->ready_ms ? a->ready_ms : a->created_ms;

    return fresh_s > 0 && now_ms - since_ms > 1000 * fresh_s;
}

int
via_scheduled_drops(struct via_sql *db, const struct via_scheduled *a, int64_t now_ms,
                    int64_t *rids, int max)
{
    int64_t newer_own = 0, newer_ready = 0;
    int n = 0;
    sqlite3_stmt *q =
        via_sql_stmt(db, "SELECT rid, reason, created_at, id FROM main.snapshots"
                         " WHERE addon_id = ?1 AND state = 'ready' ORDER BY rid DESC");

    via_sql_bind_text(db, q, 1, a->addon.id);
    while (via_sql_row(db, q)) {
        bool own = column_is(q, 1, VIA_SCHEDULE_REASON);
        int64_t age_s = (now_ms - column_ms(q, 2)) / 1000;

        if (own && via_schedule_drops(&a->plan, newer_own, newer_ready, age_s) &&
            !via_snapshot_is_read(db, a->addon.id, (const char *)sqlite3_column_text(q, 3))) {
            /* The oldest come last: what does not fit makes room for them. */
            if (n == max)
                memmove(rids, rids + 1, (size_t)--n * sizeof *rids);
            rids[n++] = sqlite3_column_int64(q, 0);
        }
        newer_own += own;
        newer_ready++;
    }
    via_sql_end(db, q);
    for (int i = 0; i < n / 2; i++) {
        int64_t swapped = rids[i];

        rids[i] = rids[n - 1 - i];
        rids[n - 1 - i] = swapped;
    }
    return n;
}
