/* audit.c: what was done and what was refused: listed, followed, verified. */
#include "base/clock.h"
#include "base/error.h"
#include "cli/verbs.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FOLLOW_MS 250

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

/* -- the list -------------------------------------------------------------------- */

static const char *
record_columns(const struct cli *cli)
{
    return cli_is_json(cli) ? "SELECT stream, seq, at, actor, action, outcome, app, deploy, "
                              "instance, binding, reason, count, operation_id, prev_hash, hash"
                            : "SELECT at, actor, action, outcome, app, binding, count, reason";
}

/* The records asked for, all streams in the order of time. `from` is "" without --since. */
static void
list_put(struct cli *cli, const char *from)
{
    struct cli_statement st;
    struct cli_rows rows;

    cli_statement_init(&st, record_columns(cli));
    cli_statement_put(&st, " FROM via_audit WHERE 1");
    if (from[0])
        cli_statement_text(&st, " AND at >= ", from);
    if (cli_app(cli))
        cli_statement_text(&st, " AND app = ", cli_app(cli));
    cli_statement_put(&st, " ORDER BY at, stream, seq");
    cli_query(cli, &st, &rows);
    cli_put_list(cli, &rows, "nothing is recorded", NULL);
    cli_rows_deinit(&rows);
}

/* -- following ------------------------------------------------------------------- */

static const char *const streams[] = {"control", "runtime"};
#define STREAM_COUNT (sizeof streams / sizeof *streams)

static volatile sig_atomic_t interrupted;

static void
on_interrupt(int signal)
{
    (void)signal;
    interrupted = 1;
}

/* Put one SELECT of what stands behind `after` in a stream, and not behind `until`. */
static void
follow_select(struct cli *cli, struct cli_statement *st, size_t i, int64_t after, int64_t until,
              const char *from)
{
    cli_statement_put(st, i ? " UNION ALL SELECT" : "SELECT");
    cli_statement_put(st, " stream, seq, at, actor, action, outcome, app, deploy, instance,"
                          " binding, reason, count, operation_id, prev_hash, hash FROM via_audit");
    cli_statement_text(st, " WHERE stream = ", streams[i]);
    cli_statement_integer(st, " AND seq > ", after);
    if (until < INT64_MAX)
        cli_statement_integer(st, " AND seq <= ", until);
    if (from[0])
        cli_statement_text(st, " AND at >= ", from);
    if (cli_app(cli))
        cli_statement_text(st, " AND app = ", cli_app(cli));
}

/* Where a stream is now: searched from its signed head on. */
static int64_t
follow_position(struct cli *cli, size_t i)
{
    struct cli_statement st;
    struct cli_rows rows;
    int64_t seq;

    cli_statement_init(&st, "SELECT max(seq) AS seq FROM via_audit WHERE stream = ");
    cli_statement_text(&st, "", streams[i]);
    cli_statement_text(&st,
                       " AND seq >= (SELECT ifnull(max(seq), 0) FROM via_audit_heads"
                       " WHERE stream = ",
                       streams[i]);
    cli_statement_put(&st, ")");
    cli_query(cli, &st, &rows);
    seq = cli_rows_integer(&rows, 0, "seq");
    cli_rows_deinit(&rows);
    return seq;
}

/* One record on one line. */
static void
follow_put(struct cli *cli, const struct cli_rows *rows, size_t row)
{
    static const struct {
        const char *name;
        size_t width;
    } cells[] = {{"at", 24},  {"actor", 16},   {"action", 16}, {"outcome", 7},
                 {"app", 12}, {"binding", 12}, {"count", 3},   {"reason", 0}};

    if (cli_is_json(cli)) {
        via_buf_putc(&cli->out, '{');
        (void)cli_rows_put_members(rows, row, NULL, false, &cli->out);
        via_buf_puts(&cli->out, "}\n");
        return;
    }
    for (size_t i = 0; i < sizeof cells / sizeof *cells; i++) {
        size_t from = cli->out.len;

        cli_rows_put_named(rows, row, cells[i].name, &cli->out);
        while (!cli->out.failed && cells[i].width && cli->out.len - from < cells[i].width)
            via_buf_putc(&cli->out, ' ');
        via_buf_puts(&cli->out, cells[i].width ? "  " : "\n");
    }
}

/* Put what came after `position`, which moves on. False: nobody reads any more, or an error. */
static bool
follow_round(struct cli *cli, int64_t position[STREAM_COUNT], const int64_t until[STREAM_COUNT],
             const char *from)
{
    struct cli_statement st;
    struct cli_rows rows;
    bool good;

    cli_statement_init(&st, "");
    for (size_t i = 0; i < STREAM_COUNT; i++)
        follow_select(cli, &st, i, position[i], until[i], from);
    cli_statement_put(&st, " ORDER BY at, stream, seq");
    cli_query(cli, &st, &rows);
    for (size_t r = 0; r < rows.count && cli_ok(cli); r++) {
        size_t i = strcmp(cli_rows_text(&rows, r, "stream"), streams[0]) != 0;
        int64_t seq = cli_rows_integer(&rows, r, "seq");

        position[i] = seq > position[i] ? seq : position[i];
        follow_put(cli, &rows, r);
    }
    cli_rows_deinit(&rows);
    if (cli_is_shown(cli) || !cli_ok(cli))
        return false;
    good = !cli->out.failed &&
           (cli->out.len == 0 || fwrite(cli->out.data, 1, cli->out.len, stdout) == cli->out.len);
    via_buf_reset(&cli->out);
    return fflush(stdout) == 0 && good;
}

/* Wait for the next look. False: interrupted, or whoever read is gone. */
static bool
follow_wait(void)
{
    struct pollfd out = {.fd = STDOUT_FILENO};

    return poll(&out, 1, FOLLOW_MS) == 0 && !interrupted;
}

/* What there is since `from`, then each record as it comes, until Ctrl-C. */
static void
follow(struct cli *cli, const char *from)
{
    static const int64_t endless[STREAM_COUNT] = {INT64_MAX, INT64_MAX};
    const struct sigaction action = {.sa_handler = on_interrupt};
    int64_t now[STREAM_COUNT] = {0}, position[STREAM_COUNT] = {0};
    bool more = true;

    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < STREAM_COUNT && !cli_is_shown(cli); i++)
        now[i] = follow_position(cli, i);
    if (from[0] && !cli_is_shown(cli))
        more = follow_round(cli, position, now, from);
    while (more && follow_round(cli, now, endless, ""))
        more = follow_wait();
}

int
cli_audit(struct cli *cli)
{
    const char *since = cli_option(cli, CLI_OPT_SINCE);
    char from[VIA_TIME_SIZE] = "";

    if (since && !since_parse(since, from))
        (void)via_error_set(&cli->error, VIA_USAGE,
                            "--since wants a time such as 2025-01-31T12:00:00Z, 2025-01-31 or 12h");
    if (cli_option(cli, CLI_OPT_FOLLOW))
        follow(cli, from);
    else
        list_put(cli, from);
    return 0;
}

/* -- verifying ------------------------------------------------------------------- */

/* Say why the audit does not hold from `broken` on. */
static void
broken_refuse(struct cli *cli, const char *broken)
{
    struct cli_statement st;
    struct cli_rows lost;
    const char *kid;

    cli_statement_init(&st, "SELECT via_audit_lost_key() AS kid");
    cli_query(cli, &st, &lost);
    kid = cli_rows_text(&lost, 0, "kid");
    if (kid)
        cli_refuse(cli, VIA_KEY_UNAVAILABLE,
                   "the audit is whole by its hashes, but the signature at %s cannot be verified:"
                   " keys/%s.jwk, which made it, is gone",
                   broken, kid);
    else
        cli_refuse(cli, VIA_AUDIT_BROKEN,
                   "the record %s is missing, altered or out of its place; those before it are"
                   " whole",
                   broken);
    cli_rows_deinit(&lost);
}

int
cli_audit_verify(struct cli *cli)
{
    struct cli_statement st;
    struct cli_rows verdict, heads;
    const char *broken;

    cli_statement_init(&st, "SELECT via_audit_verify() AS broken");
    cli_query(cli, &st, &verdict);
    broken = cli_rows_text(&verdict, 0, "broken");
    if (broken)
        broken_refuse(cli, broken);
    cli_rows_deinit(&verdict);
    cli_statement_init(&st, "SELECT stream, seq, hash, signed_at, kid, signature"
                            " FROM via_audit_heads");
    cli_query(cli, &st, &heads);
    if (cli_answers(cli) && cli_is_json(cli)) {
        via_buf_puts(&cli->out, "{\"broken\":null,\"heads\":");
        cli_rows_put_array(&heads, &cli->out);
        via_buf_puts(&cli->out, "}\n");
    } else if (cli_answers(cli)) {
        via_buf_puts(&cli->out, "the audit is whole\n");
        for (size_t r = 0; r < heads.count; r++)
            via_buf_printf(&cli->out, "head %s:%lld %s signed %s\n",
                           cli_rows_text(&heads, r, "stream"),
                           (long long)cli_rows_integer(&heads, r, "seq"),
                           cli_rows_text(&heads, r, "hash"), cli_rows_text(&heads, r, "signed_at"));
        if (heads.count == 0)
            (void)fprintf(stderr, "no head is signed yet: the agent signs one each minute\n");
    }
    cli_rows_deinit(&heads);
    return 0;
}
