/* snapshot.c: copies of an add-on: snapshots that Via keeps, and plain files that leave it. */
#include "cli/addon.h"
#include "cli/verbs.h"

#define SNAPSHOT_COLUMNS "id, addon, addon_id, app, state, size_bytes, digest, reason, created_at"
#define EXPORT_COLUMNS "id, addon, path, state, size_bytes, created_at"

/* Put what was `done`, `column` of it and its size, and release the row. */
static void
copy_put(struct cli *cli, struct cli_rows *rows, const char *done, const char *column)
{
    if (cli_tell(cli, rows)) {
        via_buf_printf(&cli->out, "%s of add-on %s: ", done, cli_rows_text(rows, 0, "addon"));
        cli_rows_put_named(rows, 0, column, &cli->out);
        if (cli_rows_text(rows, 0, "size_bytes")) {
            via_buf_puts(&cli->out, ", ");
            cli_rows_put_named(rows, 0, "size_bytes", &cli->out);
        }
        via_buf_putc(&cli->out, '\n');
    }
    cli_rows_deinit(rows);
}

int
cli_addon_snapshot(struct cli *cli)
{
    struct cli_statement st;
    struct cli_rows rows;

    cli_statement_init(&st, "INSERT INTO via_snapshots");
    cli_addon_put_columns(cli, &st);
    cli_addon_put_values(cli, &st);
    cli_statement_put(&st, ")");
    cli_run(cli, &st);
    cli_query_new(cli, "SELECT " SNAPSHOT_COLUMNS " FROM via_snapshots", &rows);
    copy_put(cli, &rows, "took a snapshot", "id");
    return 0;
}

int
cli_addon_snapshots(struct cli *cli)
{
    struct cli_statement st;
    struct cli_rows rows;
    struct via_buf line;
    char id[VIA_ID_SIZE];

    cli_addon_check(cli, id);
    cli_statement_init(&st, cli_is_json(cli) ? "SELECT " SNAPSHOT_COLUMNS " FROM via_snapshots"
                                             : "SELECT id, state, size_bytes, reason, created_at "
                                               "FROM via_snapshots");
    cli_addon_put_id(cli, &st, " WHERE addon_id = ");
    if (!cli_option(cli, CLI_OPT_ALL))
        cli_statement_put(&st, " AND state <> 'deleted'");
    cli_statement_put(&st, " ORDER BY id");
    cli_query(cli, &st, &rows);
    via_buf_init(&line);
    via_buf_printf(&line, "via addon snapshot %s%s%s", cli_operand(cli, "NAME"),
                   cli_app(cli) ? " --app " : "", cli_app(cli) ? cli_app(cli) : "");
    cli_put_list(cli, &rows, "no snapshots", via_buf_text(&line));
    via_buf_deinit(&line);
    cli_rows_deinit(&rows);
    return 0;
}

int
cli_addon_snapshot_delete(struct cli *cli)
{
    const char *id = cli_operand(cli, "ID");
    struct cli_statement st;
    struct cli_rows rows;

    cli_statement_init(&st, "DELETE FROM via_snapshots WHERE ");
    cli_statement_text(&st, "id = ", id);
    cli_run(cli, &st);
    if (cli_changes(cli) == 0)
        cli_refuse(cli, VIA_SNAPSHOT_NOT_FOUND, "there is no snapshot %s", id);
    cli_statement_init(&st, "SELECT " SNAPSHOT_COLUMNS " FROM via_snapshots WHERE ");
    cli_statement_text(&st, "id = ", id);
    cli_query(cli, &st, &rows);
    copy_put(cli, &rows, "deleted a snapshot", "id");
    return 0;
}

int
cli_addon_export(struct cli *cli)
{
    char path[VIA_PATH_SIZE];
    struct cli_statement st;
    struct cli_rows rows;

    cli_path_make_absolute(cli_operand(cli, "FILE"), path, sizeof path);
    cli_statement_init(&st, "INSERT INTO via_exports");
    cli_addon_put_columns(cli, &st);
    cli_statement_put(&st, ", path");
    cli_addon_put_values(cli, &st);
    cli_statement_text(&st, ", ", path);
    cli_statement_put(&st, ")");
    cli_run(cli, &st);
    cli_query_new(cli, "SELECT " EXPORT_COLUMNS " FROM via_exports", &rows);
    copy_put(cli, &rows, "wrote a copy", "path");
    return 0;
}
