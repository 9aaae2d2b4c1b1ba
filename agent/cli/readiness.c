/* readiness.c: `via addon status`: can the app use it, and if not, who mends what. */
#include "cli/addon.h"

#include "cli/verbs.h"

#include <string.h>

#define READINESS_COLUMNS                                                                          \
    "app, binding, target, metadata_ready, storage_ready, binding_ready, runtime_ready, "          \
    "usable_by_app, blocking, owner, reason, remediation"

/* The binding that decides: the first that blocks, else the first. */
static size_t
readiness_first(const struct cli_rows *ready)
{
    for (size_t i = 0; i < ready->count; i++)
        if (!cli_rows_integer(ready, i, "usable_by_app"))
            return i;
    return 0;
}

static void
readiness_put_json(struct cli *cli, const struct cli_rows *addon, const struct cli_rows *ready)
{
    struct via_buf *b = &cli->out;

    via_buf_putc(b, '{');
    (void)cli_rows_put_members(addon, 0, NULL, false, b);
    if (ready->count > 0)
        (void)cli_rows_put_members(ready, readiness_first(ready), addon, true, b);
    via_buf_puts(b, ",\"bindings\":[");
    for (size_t i = 0, n = 0; i < ready->count; i++) {
        if (!cli_rows_text(ready, i, "binding"))
            continue;
        via_buf_puts(b, n++ ? ",{" : "{");
        (void)cli_rows_put_members(ready, i, NULL, false, b);
        via_buf_putc(b, '}');
    }
    via_buf_puts(b, "]}\n");
}

/* One line a column: "  storage ready   yes". */
static void
row_put(const struct cli_rows *rows, size_t row, struct via_buf *b)
{
    for (size_t i = 0; i < rows->columns; i++) {
        size_t n = strlen(rows->names[i]);

        via_buf_puts(b, "  ");
        for (size_t k = 0; k < n; k++)
            via_buf_putc(b, rows->names[i][k] == '_' ? ' ' : rows->names[i][k]);
        for (; n < 16; n++)
            via_buf_putc(b, ' ');
        cli_rows_put_cell(rows, row, i, b);
        via_buf_putc(b, '\n');
    }
}

static void
readiness_put(struct cli *cli, const struct cli_rows *addon, const struct cli_rows *ready)
{
    struct via_buf *b = &cli->out;

    via_buf_printf(b, "add-on %s of app %s\n", cli_rows_text(addon, 0, "name"),
                   cli_rows_text(addon, 0, "app"));
    row_put(addon, 0, b);
    for (size_t i = 0; i < ready->count; i++) {
        const char *binding = cli_rows_text(ready, i, "binding");

        via_buf_printf(b, "%s%s\n", binding ? "binding " : "not bound", binding ? binding : "");
        row_put(ready, i, b);
    }
}

int
cli_addon_status(struct cli *cli)
{
    struct cli_rows addon, ready;
    struct cli_statement st;
    char id[VIA_ID_SIZE];

    cli_addon_check(cli, id);
    cli_statement_init(&st, "SELECT " CLI_ADDON_COLUMNS " FROM via_addons");
    cli_addon_put_id(cli, &st, " WHERE id = ");
    cli_query(cli, &st, &addon);
    cli_statement_init(&st, "SELECT " READINESS_COLUMNS " FROM via_readiness");
    cli_addon_put_id(cli, &st, " WHERE addon_id = ");
    if (cli_option(cli, CLI_OPT_TARGET))
        cli_statement_text(&st, " AND target = ", cli_target(cli));
    cli_statement_put(&st, " ORDER BY binding, target");
    cli_query(cli, &st, &ready);
    if (cli_answers(cli) && addon.count > 0 && cli_is_json(cli))
        readiness_put_json(cli, &addon, &ready);
    else if (cli_answers(cli) && addon.count > 0)
        readiness_put(cli, &addon, &ready);
    cli_rows_deinit(&addon);
    cli_rows_deinit(&ready);
    return 0;
}
