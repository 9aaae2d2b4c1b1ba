/* audit.c: what was done and what was refused. */
#include "base/clock.h"
#include "base/error.h"
#include "cli/verbs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How many milliseconds a unit letter counts; 0 for none. */
static int64_t
unit_ms(char unit)
{
    switch (unit) {
    case 's':
        return 1000;
    case 'm':
        return 60 * 1000;
    case 'h':
        return 3600 * 1000;
    case 'd':
        return 86400 * 1000;
    default:
        return 0;
    }
}

/* Read --since into contract time: contract time itself, a date, or how long ago. */
static bool
since_parse(const char *text, char out[VIA_TIME_SIZE])
{
    char full[VIA_TIME_SIZE];
    int64_t at_ms;
    char *end;
    long long n = strtoll(text, &end, 10);

    if (end != text && n >= 0 && n < 100000 && unit_ms(*end) && end[1] == '\0') {
        via_clock_format(via_clock_now_ms() - n * unit_ms(*end), out);
        return true;
    }
    (void)snprintf(full, sizeof full, strlen(text) == 10 ? "%sT00:00:00Z" : "%s", text);
    if (strlen(text) >= sizeof full || !via_clock_parse(full, &at_ms))
        return false;
    via_clock_format(at_ms, out);
    return true;
}

int
cli_audit(struct cli *cli)
{
    const char *since = cli_option(cli, CLI_OPT_SINCE);
    char from[VIA_TIME_SIZE] = "";
    struct cli_statement st;
    struct cli_rows rows;

    if (since && !since_parse(since, from))
        (void)via_error_set(&cli->error, VIA_USAGE,
                            "--since wants a time such as 2025-01-31T12:00:00Z, 2025-01-31 or 12h");
    cli_statement_init(&st, cli_is_json(cli)
                                ? "SELECT stream, seq, at, actor, action, outcome, app, deploy, "
                                  "instance, binding, reason, count, operation_id, prev_hash, hash"
                                : "SELECT at, actor, action, outcome, app, binding, count, reason");
    cli_statement_put(&st, " FROM via_audit WHERE 1");
    if (since)
        cli_statement_text(&st, " AND at >= ", from);
    if (cli_app(cli))
        cli_statement_text(&st, " AND app = ", cli_app(cli));
    cli_statement_put(&st, " ORDER BY at, stream, seq");
    cli_query(cli, &st, &rows);
    cli_put_list(cli, &rows, "nothing is recorded");
    cli_rows_deinit(&rows);
    return 0;
}
