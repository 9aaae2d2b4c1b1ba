/* keys.c: the host's keys: listed, rotated, retired. */
#include "cli/verbs.h"

#define KEY_COLUMNS "kid, use, state, created_at"

int
cli_keys_list(struct cli *cli)
{
    struct cli_statement st;
    struct cli_rows rows;

    cli_statement_init(&st, "SELECT " KEY_COLUMNS " FROM via_keys");
    if (!cli_option(cli, CLI_OPT_ALL))
        cli_statement_put(&st, " WHERE state <> 'retired'");
    cli_statement_put(&st, " ORDER BY use, kid");
    cli_query(cli, &st, &rows);
    cli_put_list(cli, &rows, "no keys yet: each is made when it is first needed", NULL);
    cli_rows_deinit(&rows);
    return 0;
}

/* Put what was done with a key, and release its row. */
static void
key_put(struct cli *cli, struct cli_rows *rows, const char *done)
{
    if (cli_tell(cli, rows))
        via_buf_printf(&cli->out, "%s key %s for %s\n", done, cli_rows_text(rows, 0, "kid"),
                       cli_rows_text(rows, 0, "use"));
    cli_rows_deinit(rows);
}

int
cli_keys_rotate(struct cli *cli)
{
    struct cli_statement st;
    struct cli_rows rows;

    cli_statement_init(&st, "INSERT INTO via_keys(use) VALUES(");
    cli_statement_text(&st, "", cli_operand(cli, "USE"));
    cli_statement_put(&st, ")");
    cli_run(cli, &st);
    cli_query_new(cli, "SELECT " KEY_COLUMNS " FROM via_keys", &rows);
    key_put(cli, &rows, "made");
    return 0;
}

int
cli_keys_retire(struct cli *cli)
{
    const char *kid = cli_operand(cli, "KID");
    struct cli_statement st;
    struct cli_rows rows;

    cli_statement_init(&st, "UPDATE via_keys SET state = 'retired' WHERE kid = ");
    cli_statement_text(&st, "", kid);
    cli_run(cli, &st);
    if (cli_changes(cli) == 0)
        cli_refuse(cli, VIA_KEY_NOT_FOUND, "there is no key %s", kid);
    cli_statement_init(&st, "SELECT " KEY_COLUMNS " FROM via_keys WHERE kid = ");
    cli_statement_text(&st, "", kid);
    cli_query(cli, &st, &rows);
    key_put(cli, &rows, "retired");
    return 0;
}
