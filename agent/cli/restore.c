/* restore.c: a snapshot back in its place. */
#include "cli/addon.h"
#include "cli/verbs.h"

#define RESTORE_COLUMNS                                                                            \
    "id, addon, snapshot, state, phase, drain, restart_bound_apps, force_after_timeout, "          \
    "timeout_s, safety_snapshot, error, started_at, finished_at"

static void
restore_insert(struct cli *cli)
{
    static const struct {
        enum cli_option option;
        const char *column;
    } flags[] = {{CLI_OPT_DRAIN, ", drain"},
                 {CLI_OPT_RESTART_BOUND_APPS, ", restart_bound_apps"},
                 {CLI_OPT_FORCE_AFTER_TIMEOUT, ", force_after_timeout"}};
    int64_t timeout_s = cli_number(cli, CLI_OPT_TIMEOUT, 0, -1);
    struct cli_statement st;

    cli_statement_init(&st, "INSERT INTO via_restores");
    cli_addon_put_columns(cli, &st);
    cli_statement_put(&st, ", snapshot");
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (cli_option(cli, flags[i].option))
            cli_statement_put(&st, flags[i].column);
    if (timeout_s >= 0)
        cli_statement_put(&st, ", timeout_s");
    cli_addon_put_values(cli, &st);
    cli_statement_text(&st, ", ", cli_option(cli, CLI_OPT_SNAPSHOT));
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (cli_option(cli, flags[i].option))
            cli_statement_put(&st, ", 1");
    if (timeout_s >= 0)
        cli_statement_integer(&st, ", ", timeout_s);
    cli_statement_put(&st, ")");
    cli_run(cli, &st);
}

/* Running instances that no launcher restarts. */
static void
orphans_query(struct cli *cli, struct cli_rows *rows)
{
    struct cli_statement st;

    cli_statement_init(&st, "SELECT DISTINCT i.id, i.app, i.target, i.deploy, i.pid"
                            " FROM via_release_bindings AS r JOIN via_instances AS i"
                            " ON i.release = r.release");
    cli_addon_put_id(cli, &st, " WHERE r.addon_id = ");
    cli_statement_put(&st, " AND i.state = 'running' AND coalesce(i.launcher, '') <> 'alive'"
                           " ORDER BY i.id");
    cli_query(cli, &st, rows);
}

static void
restore_put(struct cli *cli, const struct cli_rows *restore, const struct cli_rows *orphans)
{
    struct via_buf *b = &cli->out;

    if (!cli_answers(cli) || restore->count == 0)
        return;
    if (cli_is_json(cli)) {
        via_buf_putc(b, '{');
        (void)cli_rows_put_members(restore, 0, NULL, false, b);
        if (cli_option(cli, CLI_OPT_RESTART_BOUND_APPS)) {
            via_buf_puts(b, ",\"to_restart\":");
            cli_rows_put_array(orphans, b);
        }
        via_buf_puts(b, "}\n");
        return;
    }
    via_buf_printf(b, "restored add-on %s from %s", cli_rows_text(restore, 0, "addon"),
                   cli_rows_text(restore, 0, "snapshot"));
    if (cli_rows_text(restore, 0, "safety_snapshot"))
        via_buf_printf(b, "; what was there is %s", cli_rows_text(restore, 0, "safety_snapshot"));
    via_buf_putc(b, '\n');
    if (cli_rows_text(restore, 0, "error"))
        via_buf_printf(b, "%s\n", cli_rows_text(restore, 0, "error"));
    if (cli_option(cli, CLI_OPT_RESTART_BOUND_APPS) && orphans->count > 0) {
        via_buf_puts(b, "restart these yourself, no launcher does:\n");
        cli_rows_put_table(orphans, b);
    }
}

int
cli_addon_restore(struct cli *cli)
{
    struct cli_rows restore, orphans;

    restore_insert(cli);
    cli_query_new(cli, "SELECT " RESTORE_COLUMNS " FROM via_restores", &restore);
    cli_rows_init(&orphans);
    if (cli_option(cli, CLI_OPT_RESTART_BOUND_APPS))
        orphans_query(cli, &orphans);
    restore_put(cli, &restore, &orphans);
    cli_rows_deinit(&orphans);
    cli_rows_deinit(&restore);
    return 0;
}
