/* app.c: deploying and stopping an app. */
#include "cli/verbs.h"

#define DEPLOY_COLUMNS "id, app, release, target, state, reason, created_at, finished_at"

int
cli_app_deploy(struct cli *cli)
{
    const char *target = cli_option(cli, CLI_OPT_TARGET);
    const char *artifact = cli_option(cli, CLI_OPT_ARTIFACT);
    const char *release = cli_option(cli, CLI_OPT_RELEASE);
    struct cli_statement st;
    struct cli_rows rows;

    cli_statement_init(&st, "INSERT INTO via_deploys(app");
    cli_statement_put(&st, target ? ", target" : "");
    cli_statement_put(&st, artifact ? ", artifact" : "");
    cli_statement_put(&st, release ? ", release" : "");
    cli_statement_text(&st, ") VALUES(", cli_app(cli));
    if (target)
        cli_statement_text(&st, ", ", target);
    if (artifact)
        cli_statement_text(&st, ", ", artifact);
    if (release)
        cli_statement_text(&st, ", ", release);
    cli_statement_put(&st, ")");
    cli_run(cli, &st);
    cli_query_new(cli, "SELECT " DEPLOY_COLUMNS " FROM via_deploys", &rows);
    if (cli_tell(cli, &rows)) {
        const char *landed = cli_rows_text(&rows, 0, "target");

        via_buf_printf(&cli->out, "deployed %s of app %s%s%s (%s): %s\n",
                       cli_rows_text(&rows, 0, "release"), cli_app(cli), *landed ? " on " : "",
                       landed, cli_rows_text(&rows, 0, "id"), cli_rows_text(&rows, 0, "state"));
    }
    cli_rows_deinit(&rows);
    return 0;
}

/* Put the deploys of the app (on the target that was given) that are not over. */
static void
stop_put_where(const struct cli *cli, struct cli_statement *st)
{
    cli_statement_text(st, " WHERE app = ", cli_app(cli));
    if (cli_option(cli, CLI_OPT_TARGET))
        cli_statement_text(st, " AND target = ", cli_target(cli));
    cli_statement_put(st, " AND state IN ('pending', 'running')");
}

int
cli_app_stop(struct cli *cli)
{
    struct cli_statement st;
    struct cli_rows targets, rows;

    cli_statement_init(&st, "SELECT DISTINCT target FROM via_deploys");
    stop_put_where(cli, &st);
    cli_query(cli, &st, &targets);
    if (targets.count == 0)
        cli_refuse(cli, VIA_DEPLOY_NOT_FOUND, "app %s has no deploy%s%s that could be stopped",
                   cli_app(cli), cli_option(cli, CLI_OPT_TARGET) ? " on " : "", cli_target(cli));
    if (targets.count > 1)
        cli_refuse(cli, VIA_TARGET_REQUIRED, "app %s runs on several targets; say which",
                   cli_app(cli));
    cli_rows_deinit(&targets);
    cli_statement_init(&st, "SELECT " DEPLOY_COLUMNS " FROM via_deploys");
    stop_put_where(cli, &st);
    cli_statement_put(&st, " ORDER BY id DESC LIMIT 1");
    cli_query(cli, &st, &targets);
    cli_statement_init(&st, "UPDATE via_deploys SET state = 'stopped'");
    stop_put_where(cli, &st);
    cli_run(cli, &st);
    if (cli_answers(cli)) {
        cli_statement_init(&st, "SELECT " DEPLOY_COLUMNS " FROM via_deploys WHERE ");
        cli_statement_text(&st, "id = ", cli_rows_text(&targets, 0, "id"));
        cli_query(cli, &st, &rows);
        if (cli_tell(cli, &rows))
            via_buf_printf(&cli->out, "stopped %s of app %s\n", cli_rows_text(&rows, 0, "id"),
                           cli_app(cli));
        cli_rows_deinit(&rows);
    }
    cli_rows_deinit(&targets);
    return 0;
}
