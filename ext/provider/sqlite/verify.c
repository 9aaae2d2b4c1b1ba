/* verify.c: PRAGMA quick_check, as far as it looks at pages; PRAGMA integrity_check of what comes
 * from elsewhere.
 *
 * The program of quick_check begins with one instruction, IntegrityCk, that walks all trees and the
 * free list; what follows decodes every row of every table, three times as long where rows are
 * small. So the program is stopped once that instruction is behind it; how many steps it took
 * proves that it is. Where SQLite's program has another shape, or the handler is called inside that
 * instruction (it is not in 3.40), the program runs to its end. */
#include "provider/sqlite/verify.h"

#include "base/error.h"
#include "provider/sqlite/pin.h"
#include "provider/sqlite/source.h"

#include <stdatomic.h>
#include <string.h>

#define VERIFY_TEXT "PRAGMA main.quick_check(1)"
#define VERIFY_AT_MOST 8       /* the address of IntegrityCk: no room for a loop before it */
#define VERIFY_STEPS_MAX 10000 /* of what leads to it */
#define VERIFY_TELL_MS 250
#define VERIFY_STEPS_AFTER 1000 /* more than it takes to say what IntegrityCk has found */

/* -- the work ------------------------------------------------------------------------ */

/* After how many steps the pages are behind the program, and what is wrong with them is told; 0
 * when it is not the program that is known. */
static int
verify_steps(struct via_sql *sql)
{
    sqlite3_stmt *q = via_sql_stmt(sql, "EXPLAIN " VERIFY_TEXT);
    int at = 0, body = 0, count = 0;

    for (; via_sql_row(sql, q); count++) {
        const char *opcode = (const char *)sqlite3_column_text(q, 1);

        if (opcode && strcmp(opcode, "Init") == 0)
            body = sqlite3_column_int(q, 3); /* the preamble comes after the rest */
        if (opcode && strcmp(opcode, "IntegrityCk") == 0)
            at = at == 0 ? count : VERIFY_STEPS_MAX;
    }
    via_sql_end(sql, q);
    return at > 0 && at <= VERIFY_AT_MOST && body > at && count - body + at < VERIFY_STEPS_MAX
               ? count - body + at + VERIFY_STEPS_AFTER
               : 0;
}

static int
verify_stop_program(void *arg)
{
    (void)arg;
    return 1;
}

/* Is every page proved to be sound? False when not, and when it could not be seen in this way. */
static bool
verify_pages(struct via_sql *sql)
{
    int steps = verify_steps(sql);
    char answer[8] = "";
    sqlite3_stmt *q;
    bool is_sound;

    if (steps == 0) {
        (void)via_sql_take(sql, NULL);
        return false;
    }
    sqlite3_progress_handler(sql->db, steps, verify_stop_program, NULL);
    q = via_sql_stmt(sql, VERIFY_TEXT);
    if (via_sql_row(sql, q))
        via_sql_text(q, 0, answer, sizeof answer);
    is_sound =
        via_sql_ok(sql) ? strcmp(answer, "ok") == 0 : sqlite3_errcode(sql->db) == SQLITE_INTERRUPT;
    via_sql_end(sql, q);
    is_sound = is_sound && sqlite3_stmt_status(q, SQLITE_STMTSTATUS_VM_STEP, 0) >= steps;
    sqlite3_progress_handler(sql->db, 0, NULL, NULL);
    (void)via_sql_take(sql, NULL);
    return is_sound;
}

static void
verify_run(void *arg, bool is_aside)
{
    struct via_verify *v = arg;

    v->watch.may_give_way = is_aside;
    /* It is there, and ours: that it cannot be opened says nothing of what is in it. */
    if (v->sql.error.status == VIA_STATE_UNAVAILABLE)
        via_ignore(via_error_set(&v->why, VIA_IO_ERROR, "the copy cannot be opened"));
    else if (via_content_outcome(&v->sql, &v->why) != VIA_OK)
        return;
    else if (v->is_foreign)
        via_ignore(via_content_check(&v->sql, false, NULL, &v->why));
    /* What does not hold is looked at again, for the words. */
    else if (!verify_pages(&v->sql) && !atomic_load(&v->is_stopped))
        via_ignore(via_content_check(&v->sql, true, NULL, &v->why));
}

/* -- its owner ----------------------------------------------------------------------- */

void
via_verify_begin(struct via_verify *v, const char *path, bool is_foreign, struct via_growth *growth)
{
    memset(v, 0, sizeof *v);
    v->is_foreign = is_foreign;
    if (is_foreign) /* a connection that may not write knows of no CHECK */
        via_sql_open(&v->sql, path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW);
    else
        via_sqlite_open_frozen(&v->sql, path);
    via_sql_exec(&v->sql, "PRAGMA cell_size_check = ON");
    if (is_foreign) /* each row is looked up in every index */
        via_sql_exec(&v->sql, "PRAGMA cache_size = -32768");
    via_watch_begin(&v->watch, &v->sql, !is_foreign, growth, NULL);
    via_task_begin(&v->task, verify_run, v);
}

/* Ask it to stop early; again, for what has just begun does not hear it. */
static void
verify_stop(struct via_verify *v)
{
    atomic_store(&v->is_stopped, true);
    if (v->sql.db)
        sqlite3_interrupt(v->sql.db);
}

void
via_verify_attend(struct via_verify *v, struct via_follow *follow,
                  const struct via_progress *progress)
{
    int percent, followed;
    bool is_over;

    do {
        percent = via_watch_percent(&v->watch);
        followed = follow ? via_follow_percent(follow) : 100;
        if (!via_progress_tell(progress, followed < percent ? followed : percent)) {
            verify_stop(v);
            if (follow)
                via_growth_give_up(follow->growth);
        }
        is_over = via_task_wait(&v->task, VERIFY_TELL_MS);
        if (is_over && follow)
            is_over = via_follow_wait(follow, VERIFY_TELL_MS);
    } while (!is_over);
}

enum via_status
via_verify_end(struct via_verify *v, struct via_error *e)
{
    via_task_end(&v->task);
    via_watch_end(&v->watch);
    via_sql_close(&v->sql);
    if (atomic_load(&v->is_stopped))
        return via_error_set(e, VIA_OPERATION_INTERRUPTED, "the copy was stopped");
    return v->why.status == VIA_OK ? VIA_OK : via_error_set(e, v->why.status, "%s", v->why.message);
}
