/* doctor.c: what is wrong with this host, and mending what can be mended safely. */
#include "base/error.h"
#include "base/root.h"
#include "cli/mend.h"
#include "cli/remedy.h"
#include "cli/verbs.h"

#include <stdio.h>
#include <string.h>

#define FINDING_COLUMNS "code, severity, subject, reason, remediation, fixable"

/* Is it the state root itself that cannot be opened? Then its tables say nothing. */
static bool
root_is_closed(const struct cli *cli)
{
    switch (cli->error.status) {
    case VIA_STATE_UNAVAILABLE:
    case VIA_STATE_NEWER:
    case VIA_STATE_RESTORING:
    case VIA_STATE_CORRUPT:
    case VIA_AGENT_VERSION_MISMATCH:
        return true;
    default:
        return false;
    }
}

static void
member_put(struct via_buf *b, const char *before, const char *text)
{
    via_buf_puts(b, before);
    via_buf_put_json(b, text, strlen(text));
}

/* The one finding about a root that does not open, in place of the refusal. */
static void
root_put(struct cli *cli)
{
    struct via_error e = cli->error;
    const char *code = via_status_word(e.status);
    struct via_buf *b = &cli->out;
    struct via_buf line;
    char root[VIA_PATH_SIZE];

    via_error_clear(&cli->error);
    if (!via_root_path(root, sizeof root))
        (void)snprintf(root, sizeof root, "the state root");
    via_buf_init(&line);
    cli_remedy_put(cli, e.status, &line);
    if (cli_is_json(cli)) {
        member_put(b, "[{\"code\":", code);
        member_put(b, ",\"severity\":", "error");
        member_put(b, ",\"subject\":", root);
        member_put(b, ",\"reason\":", e.message);
        member_put(b, ",\"remediation\":", via_buf_text(&line));
        via_buf_puts(b, ",\"fixable\":false}]\n");
    } else {
        via_buf_printf(b, "error: %s: %s\n  %s\n  try: %s\n", code, root, e.message,
                       via_buf_text(&line));
    }
    via_buf_deinit(&line);
}

/* A finding is sentences: lines below each other read better than a table as wide as they are. */
static void
finding_put(struct cli *cli, const struct cli_rows *rows, size_t row)
{
    static const struct {
        const char *before;
        const char *column;
    } parts[] = {{"", "severity"},
                 {": ", "code"},
                 {": ", "subject"},
                 {"\n  ", "reason"},
                 {"\n  try: ", "remediation"}};
    struct via_buf *b = &cli->out;

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (cli_rows_text(rows, row, parts[i].column)) {
            via_buf_puts(b, parts[i].before);
            cli_rows_put_named(rows, row, parts[i].column, b);
        }
    if (cli_rows_integer(rows, row, "fixable")) {
        via_buf_puts(b, "\n  ");
        cli_remedy_put_line(cli, "via doctor --fix", b);
        via_buf_puts(b, " mends it");
    }
    via_buf_putc(b, '\n');
}

/* Does something want mending? What is only worth knowing does not. */
static bool
findings_matter(const struct cli_rows *rows)
{
    for (size_t i = 0; i < rows->count; i++)
        if (strcmp(cli_rows_text(rows, i, "severity"), "info") != 0)
            return true;
    return false;
}

int
cli_doctor(struct cli *cli)
{
    bool fix = cli_option(cli, CLI_OPT_FIX) != NULL;
    struct cli_statement st;
    struct cli_rows rows;
    int64_t fixed = 0;
    bool wrong, left = false;

    if (fix && cli_is_shown(cli)) {
        cli_statement_init(&st, "UPDATE via_findings SET fix = 1 WHERE fixable = 1");
        cli_run(cli, &st);
    } else if (fix) {
        left = !cli_mend(cli, &fixed);
        /* A damaged control plane takes no change. What is wrong with it is told all the same. */
        if (cli->error.status == VIA_STATE_CORRUPT)
            via_error_clear(&cli->error);
    }
    cli_statement_init(&st, "SELECT " FINDING_COLUMNS " FROM via_findings");
    cli_query(cli, &st, &rows);
    wrong = findings_matter(&rows) || left;
    if (cli_answers(cli) && fix && !cli_is_json(cli))
        (void)fprintf(stderr, "mended: %lld\n", (long long)fixed);
    if (root_is_closed(cli)) {
        root_put(cli);
        wrong = true;
    } else if (cli_is_json(cli) || rows.count == 0) {
        cli_put_list(cli, &rows, "nothing is wrong", NULL);
    } else if (cli_answers(cli)) {
        for (size_t i = 0; i < rows.count; i++)
            finding_put(cli, &rows, i);
    }
    cli_rows_deinit(&rows);
    return wrong;
}
