/* cli.h: one run of `via` or `vary`: what was typed, the connection, the answer.
 *
 * The first error wins and everything after it does nothing, so a verb reads straight
 * down: build a statement, run it, put what it answered. With --show-sql statements are
 * printed and not run, and answers are empty; a verb must not take that for a refusal,
 * which is why refusals go through cli_refuse(). */
#ifndef VIA_CLI_CLI_H
#define VIA_CLI_CLI_H

#include "cli/args.h"
#include "cli/rows.h"
#include "cli/statement.h"
#include "rules/lifecycle.h"
#include "via/model.h"

struct cli {
    struct cli_args args;
    struct via_sql sql;
    bool opened;
    struct via_error error;
    struct via_buf out;  /* what goes to stdout */
    struct via_buf more; /* JSON members of a refusal besides its own; ",…" each */
    /* Of the add-on that was looked up, for the next command; "" and false until then. */
    char found_app[VIA_NAME_SIZE];
    char found_addon[VIA_ADDON_ROW_NAME_SIZE];
    char found_id[VIA_ID_SIZE];
    char found_binding[VIA_NAME_SIZE];
    char found_target[VIA_NAME_SIZE];
    enum via_addon_state found_state;
    char found_snapshot[VIA_ID_SIZE]; /* its newest, */
    bool found_is_snapshot;           /* or the one that it is about */
    char found_backup[VIA_PATH_SIZE]; /* of the host, with it */
    char found_obstacle[VIA_PATH_SIZE];
    bool found_sealed;     /* that one's keys are */
    bool found_unreadable; /* its bytes are no database */
};

/* -- what was typed; all borrowed ------------------------------------------------ */

bool cli_is_json(const struct cli *cli);
bool cli_is_shown(const struct cli *cli);                              /* --show-sql */
const char *cli_option(const struct cli *cli, enum cli_option option); /* NULL: not given */
const char *cli_operand(const struct cli *cli, const char *name);
const char *cli_app(const struct cli *cli);    /* operand APP, else --app, else NULL */
const char *cli_target(const struct cli *cli); /* --target, else "" */

/* Refuse with VIA_APP_NOT_FOUND when that app was never registered. */
void cli_app_check(struct cli *cli);

/* A whole number of at least `min`, else VIA_USAGE; `otherwise` when the option is not given. */
int64_t cli_number(struct cli *cli, enum cli_option option, int64_t min, int64_t otherwise);

/* -- statements ------------------------------------------------------------------ */

/* Run `st` (or print it) and release it. False once an error is set. */
bool cli_run(struct cli *cli, struct cli_statement *st);

/* As cli_run, keeping the rows in `rows`, which is initialised here and released by the caller.
 * Lines to type among them name the state root that was typed. */
bool cli_query(struct cli *cli, struct cli_statement *st, struct cli_rows *rows);

/* As cli_query, for the row that was just inserted: `select` has columns and table alone. */
bool cli_query_new(struct cli *cli, const char *select, struct cli_rows *rows);

/* Rows changed by the last statement; 1 with --show-sql. */
int64_t cli_changes(struct cli *cli);

/* Close the connection, for a fork or the end; the next statement opens it again. */
void cli_close(struct cli *cli);

/* -- answers --------------------------------------------------------------------- */

/* Set the error, unless one is set or statements are only shown. */
void cli_refuse(struct cli *cli, enum via_status status, const char *format, ...) VIA_PRINTF(3, 4);
bool cli_ok(const struct cli *cli);

/* May a verb put its answer: no error, and not only showing? */
bool cli_answers(const struct cli *cli);

/* Put all rows: a JSON array, or a table, or for no rows the sentence `none` on stderr, with a line
 * to type unless that is NULL. */
void cli_put_list(struct cli *cli, const struct cli_rows *rows, const char *none, const char *line);

/* Put the one row of an answer as a JSON object. True when people are to be told of it instead;
 * false when there is nothing more to say, after a refusal too. */
bool cli_tell(struct cli *cli, const struct cli_rows *rows);

#endif
