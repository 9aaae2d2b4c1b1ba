#include "cli/cli.h"

#include "cli/progress.h"
#include "cli/remedy.h"
#include "effects/effects.h"

#include "base/error.h"
#include "base/root.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* -- what was typed -------------------------------------------------------------- */

bool
cli_is_json(const struct cli *cli)
{
    return cli->args.option[CLI_OPT_JSON] != NULL;
}

bool
cli_is_shown(const struct cli *cli)
{
    return cli->args.option[CLI_OPT_SHOW_SQL] != NULL;
}

const char *
cli_option(const struct cli *cli, enum cli_option option)
{
    return cli->args.option[option];
}

const char *
cli_operand(const struct cli *cli, const char *name)
{
    return cli_args_operand(&cli->args, name);
}

const char *
cli_app(const struct cli *cli)
{
    const char *app = cli_operand(cli, "APP");

    return app ? app : cli_option(cli, CLI_OPT_APP);
}

const char *
cli_target(const struct cli *cli)
{
    const char *target = cli_option(cli, CLI_OPT_TARGET);

    return target ? target : "";
}

int64_t
cli_number(struct cli *cli, enum cli_option option, int64_t min, int64_t otherwise)
{
    const char *text = cli_option(cli, option);
    char *end;
    long long value;

    if (!text)
        return otherwise;
    errno = 0;
    value = strtoll(text, &end, 10);
    if (errno == 0 && end != text && *end == '\0' && isdigit((unsigned char)end[-1]) &&
        value >= min)
        return value;
    (void)via_error_set(&cli->error, VIA_USAGE, "--%s wants a whole number from %lld",
                        cli_options[option].word, (long long)min);
    return otherwise;
}

/* -- statements ------------------------------------------------------------------ */

/* "code: sentence", as the tables say it; anything else is SQLite's own sentence. */
static bool
error_parse(const char *text, struct via_error *e)
{
    size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz_");
    enum via_status status;

    if (n == 0 || strncmp(text + n, ": ", 2) != 0)
        return false;
    status = via_status_parse(text, n);
    if (status == VIA_INTERNAL_ERROR && strncmp(text, "internal_error", n) != 0)
        return false;
    (void)via_error_set(e, status, "%s", text + n + 2);
    return true;
}

static void
cli_take_error(struct cli *cli)
{
    const char *text = cli->sql.db ? sqlite3_errmsg(cli->sql.db) : "";

    if (!error_parse(text, &cli->error) && !error_parse(cli->sql.error.message, &cli->error))
        (void)via_error_set(&cli->error, cli->sql.error.status, "%s", cli->sql.error.message);
    (void)via_sql_take(&cli->sql, NULL);
}

static bool
cli_open(struct cli *cli)
{
    char *error = NULL;

    if (cli->opened)
        return true;
    via_sql_open(&cli->sql, ":memory:", SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    cli->opened = true;
    if (!via_sql_ok(&cli->sql)) {
        cli_take_error(cli);
    } else if ((sqlite3_via_init(cli->sql.db, &error, NULL) & 0xff) != SQLITE_OK && error &&
               !error_parse(error, &cli->error)) {
        (void)via_error_set(&cli->error, VIA_INTERNAL_ERROR, "%s", error);
    }
    sqlite3_free(error);
    if (!cli_ok(cli))
        cli_close(cli);
    return cli_ok(cli);
}

void
cli_close(struct cli *cli)
{
    if (cli->opened)
        via_sql_close(&cli->sql);
    cli->opened = false;
}

static void
cli_show(struct cli *cli, const struct cli_statement *st)
{
    cli_statement_render(st, &cli->out);
    via_buf_puts(&cli->out, ";\n");
}

/* Run, keeping rows when `rows` is not NULL. */
static void
cli_execute(struct cli *cli, const struct cli_statement *st, struct cli_rows *rows)
{
    sqlite3_stmt *q;

    if (!cli_ok(cli) || !cli_open(cli))
        return;
    via_effects_observe(cli_is_json(cli) ? NULL : cli_progress());
    q = cli_statement_prepare(st, &cli->sql);
    while (via_sql_row(&cli->sql, q))
        if (rows)
            cli_rows_add(rows, q);
    cli_progress_end();
    if (!via_sql_ok(&cli->sql))
        cli_take_error(cli);
    sqlite3_finalize(q);
}

/* The tables say a line to type for whoever finds the state root as they did. */
static void
cli_place_lines(struct cli *cli, struct cli_rows *rows)
{
    struct via_buf line;

    via_buf_init(&line);
    for (size_t i = 0; cli_option(cli, CLI_OPT_STATE_DIR) && i < rows->count; i++) {
        const char *said = cli_rows_text(rows, i, "remediation");

        if (!said)
            continue;
        cli_remedy_put_line(cli, said, &line);
        cli_rows_set_text(rows, i, "remediation", via_buf_text(&line));
        via_buf_reset(&line);
    }
    via_buf_deinit(&line);
}

bool
cli_query(struct cli *cli, struct cli_statement *st, struct cli_rows *rows)
{
    cli_rows_init(rows);
    if (cli_is_shown(cli) && cli_ok(cli))
        cli_show(cli, st);
    else
        cli_execute(cli, st, rows);
    cli_statement_deinit(st);
    cli_place_lines(cli, rows);
    if (rows->failed)
        (void)via_error_set(&cli->error, VIA_OUT_OF_MEMORY, "out of memory");
    return cli_ok(cli);
}

bool
cli_run(struct cli *cli, struct cli_statement *st)
{
    if (cli_is_shown(cli) && cli_ok(cli))
        cli_show(cli, st);
    else
        cli_execute(cli, st, NULL);
    cli_statement_deinit(st);
    return cli_ok(cli);
}

bool
cli_query_new(struct cli *cli, const char *select, struct cli_rows *rows)
{
    struct cli_statement st;

    cli_statement_init(&st, select);
    cli_statement_put(&st, " WHERE rowid = last_insert_rowid()");
    return cli_query(cli, &st, rows);
}

int64_t
cli_changes(struct cli *cli)
{
    if (cli_is_shown(cli))
        return 1;
    return cli->opened ? via_sql_changes(&cli->sql) : 0;
}

/* -- answers --------------------------------------------------------------------- */

bool
cli_ok(const struct cli *cli)
{
    return cli->error.status == VIA_OK;
}

bool
cli_answers(const struct cli *cli)
{
    return cli_ok(cli) && !cli_is_shown(cli);
}

void
cli_refuse(struct cli *cli, enum via_status status, const char *format, ...)
{
    va_list args;

    if (!cli_answers(cli))
        return;
    cli->error.status = status;
    va_start(args, format);
    (void)vsnprintf(cli->error.message, sizeof cli->error.message, format, args);
    va_end(args);
}

void
cli_put_list(struct cli *cli, const struct cli_rows *rows, const char *none, const char *line)
{
    struct via_buf placed;

    if (!cli_answers(cli))
        return;
    if (cli_is_json(cli)) {
        cli_rows_put_array(rows, &cli->out);
        via_buf_putc(&cli->out, '\n');
    } else if (rows->count == 0) {
        via_buf_init(&placed);
        cli_remedy_put_line(cli, line ? line : "", &placed);
        (void)fprintf(stderr, "%s%s%s\n", none, line ? "; try: " : "", via_buf_text(&placed));
        via_buf_deinit(&placed);
    } else {
        cli_rows_put_table(rows, &cli->out);
    }
}

bool
cli_tell(struct cli *cli, const struct cli_rows *rows)
{
    if (!cli_answers(cli) || rows->count == 0)
        return false;
    if (!cli_is_json(cli))
        return true;
    via_buf_putc(&cli->out, '{');
    (void)cli_rows_put_members(rows, 0, NULL, false, &cli->out);
    via_buf_puts(&cli->out, "}\n");
    return false;
}

void
cli_app_check(struct cli *cli)
{
    struct cli_statement st;
    struct cli_rows rows;

    cli_statement_init(&st, "SELECT name FROM via_apps");
    cli_statement_text(&st, " WHERE name = ", cli_app(cli));
    cli_query(cli, &st, &rows);
    if (cli_ok(cli) && rows.count == 0)
        cli_refuse(cli, VIA_APP_NOT_FOUND, "there is no app %s", cli_app(cli));
    cli_rows_deinit(&rows);
}
