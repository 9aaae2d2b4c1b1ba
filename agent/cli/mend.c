/* mend.c: `via doctor --fix`: every finding on its own.
 *
 * One statement mends all that is fixable, but the first that fails ends it, and those after it
 * are on record as not carried out. So it is run again without what failed; and once more with that
 * when something else was mended meanwhile, which may have been in its way. */
#include "cli/mend.h"

#include "base/error.h"
#include "effects/doctor.h"

#include <stdio.h>
#include <string.h>

#define PASSES_MAX 8 /* each mends what the one before brought to light */

#define OF_THIS_RUN "FROM via_operations WHERE kind = 'doctor.fix' AND rowid > "

struct mending {
    struct cli *cli;
    int64_t since; /* the newest operation that was looked at */
    int64_t mended;
    struct via_buf failed; /* subjects that are passed over: "a","b" */
    struct via_buf told;   /* why, a line each */
    bool moved;            /* something was mended after something failed */
};

/* Count what was mended since the last time. */
static bool
mending_count(struct mending *m)
{
    struct cli_statement st;
    struct cli_rows rows;
    int64_t done;

    cli_statement_init(&st, "SELECT max(rowid) AS newest, sum(state = 'done') AS done ");
    cli_statement_integer(&st, OF_THIS_RUN, m->since);
    if (cli_query(m->cli, &st, &rows) && cli_rows_text(&rows, 0, "newest")) {
        m->since = cli_rows_integer(&rows, 0, "newest");
        done = cli_rows_integer(&rows, 0, "done");
        m->mended += done;
        m->moved = m->moved || (done > 0 && m->failed.len > 0);
    }
    cli_rows_deinit(&rows);
    return cli_ok(m->cli);
}

/* `why` is of the first that failed: pass it over from now on. False when there is none, and
 * nothing can be mended. */
static bool
mending_pass_over(struct mending *m, const struct via_error *why)
{
    struct cli_statement st;
    struct cli_rows rows;
    const char *subject;

    cli_statement_init(&st, "SELECT subject ");
    cli_statement_integer(&st, OF_THIS_RUN, m->since);
    cli_statement_put(&st, " AND state = 'failed' ORDER BY rowid LIMIT 1");
    cli_query(m->cli, &st, &rows);
    subject = cli_rows_text(&rows, 0, "subject");
    if (subject) {
        via_buf_puts(&m->failed, m->failed.len ? "," : "");
        via_buf_put_json(&m->failed, subject, strlen(subject));
        via_buf_printf(&m->told, "%s: %s\n", via_status_word(why->status), why->message);
    }
    cli_rows_deinit(&rows);
    if (!subject)
        m->cli->error = *why;
    return subject && mending_count(m);
}

/* Run the statement once. *changed: it mended something, or it is to be run without what failed. */
static bool
mending_step(struct mending *m, bool *changed)
{
    struct via_error why;
    struct via_buf list;
    struct cli_statement st;

    via_buf_init(&list);
    cli_statement_init(&st, "UPDATE via_findings SET fix = 1 WHERE fixable = 1");
    if (m->failed.len) {
        via_buf_printf(&list, "[%s]", via_buf_text(&m->failed));
        cli_statement_text(&st, " AND subject NOT IN (SELECT value FROM json_each(",
                           via_buf_text(&list));
        cli_statement_put(&st, "))");
    }
    cli_run(m->cli, &st);
    via_buf_deinit(&list);
    why = m->cli->error;
    via_error_clear(&m->cli->error);
    *changed = why.status != VIA_OK || cli_changes(m->cli) > 0;
    return why.status == VIA_OK ? mending_count(m) : mending_pass_over(m, &why);
}

/* Mend until nothing is left but what failed. */
static bool
mending_pass(struct mending *m)
{
    bool changed = true;
    int rounds = 0;

    m->moved = false;
    via_buf_reset(&m->failed);
    via_buf_reset(&m->told);
    while (changed && rounds < PASSES_MAX) {
        size_t failed = m->failed.len;

        if (!mending_step(m, &changed))
            return false;
        rounds += m->failed.len == failed; /* what is passed over grows less and less */
    }
    return true;
}

bool
cli_mend(struct cli *cli, int64_t *mended)
{
    struct mending m = {.cli = cli};
    bool all;

    *mended = via_doctor_admit();
    via_buf_init(&m.failed);
    via_buf_init(&m.told);
    if (mending_count(&m))
        m.mended = 0; /* of earlier runs */
    for (int i = 0; i < PASSES_MAX && cli_ok(cli) && mending_pass(&m) && m.moved; i++) {
    }
    *mended += m.mended;
    all = m.told.len == 0;
    (void)fputs(via_buf_text(&m.told), stderr);
    via_buf_deinit(&m.failed);
    via_buf_deinit(&m.told);
    return all;
}
