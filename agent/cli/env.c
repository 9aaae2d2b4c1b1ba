/* env.c: an app's environment values: setting, listing, unsetting. */
#include "cli/secret.h"
#include "cli/verbs.h"

#include "base/error.h"
#include "identity/keys.h"

#include <stdio.h>
#include <string.h>

#define ENV_COLUMNS "app, target, name, value, secret, version, updated_at"

/* What was typed as NAME=VALUE; the name is copied, "" when it cannot be one. */
static const char *
pair_split(const char *word, char name[VIA_NAME_SIZE])
{
    const char *equals = strchr(word, '=');
    size_t n = equals ? (size_t)(equals - word) : 0;

    name[0] = '\0';
    if (n == 0 || n >= VIA_NAME_SIZE)
        return NULL;
    memcpy(name, word, n);
    name[n] = '\0';
    return equals + 1;
}

/* One statement, in a transaction with its neighbours. */
static void
env_exec(struct cli *cli, const char *text)
{
    struct cli_statement st;

    cli_statement_init(&st, text);
    cli_run(cli, &st);
}

/* Put "app = … AND target = … AND name = …". */
static void
env_put_match(const struct cli *cli, struct cli_statement *st, const char *name)
{
    cli_statement_text(st, " WHERE app = ", cli_app(cli));
    cli_statement_text(st, " AND target = ", cli_target(cli));
    cli_statement_text(st, " AND name = ", name);
}

/* -- set ------------------------------------------------------------------------- */

/* Refuse what is no assignment, before anything is read or asked for. The words are not repeated:
 * one of them may be a secret in the wrong place. */
static void
set_check(struct cli *cli, char **pairs, size_t count)
{
    const char *secret = cli_option(cli, CLI_OPT_SECRET);
    char name[VIA_NAME_SIZE];

    if (count == 0 && !secret)
        (void)via_error_set(&cli->error, VIA_USAGE, "give NAME=VALUE, or --secret NAME");
    if (secret && strchr(secret, '='))
        (void)via_error_set(&cli->error, VIA_USAGE,
                            "--secret takes the name alone; its value comes from stdin");
    for (size_t i = 0; i < count; i++)
        if (!pair_split(pairs[i], name))
            (void)via_error_set(&cli->error, VIA_USAGE, "value %zu is not written NAME=VALUE",
                                i + 1);
}

static void
set_insert(struct cli *cli, const char *name, const char *value, bool secret)
{
    struct cli_statement st;

    cli_statement_init(&st, "INSERT INTO via_env(app, target, name, secret, value) VALUES(");
    cli_statement_text(&st, "", cli_app(cli));
    cli_statement_text(&st, ", ", cli_target(cli));
    cli_statement_text(&st, ", ", name);
    cli_statement_integer(&st, ", ", secret);
    if (secret)
        cli_statement_secret(&st, ", ", name, value);
    else
        cli_statement_text(&st, ", ", value);
    cli_statement_put(&st, ")");
    cli_run(cli, &st);
}

/* Put the row as it is now: a JSON member of a list, or a line. */
static void
set_put(struct cli *cli, const char *name, bool first)
{
    struct cli_statement st;
    struct cli_rows rows;

    cli_statement_init(&st, "SELECT " ENV_COLUMNS " FROM via_env");
    env_put_match(cli, &st, name);
    cli_query(cli, &st, &rows);
    if (cli_answers(cli) && rows.count > 0 && cli_is_json(cli)) {
        via_buf_puts(&cli->out, first ? "{" : ",{");
        (void)cli_rows_put_members(&rows, 0, NULL, false, &cli->out);
        via_buf_putc(&cli->out, '}');
    } else if (cli_answers(cli) && rows.count > 0) {
        via_buf_printf(&cli->out, "set %s%s of app %s%s%s (version %lld)\n",
                       cli_rows_integer(&rows, 0, "secret") ? "secret " : "", name, cli_app(cli),
                       cli_target(cli)[0] ? " on " : "", cli_target(cli),
                       (long long)cli_rows_integer(&rows, 0, "version"));
    }
    cli_rows_deinit(&rows);
}

int
cli_env_set(struct cli *cli)
{
    size_t count = 0;
    char **pairs = cli_args_rest(&cli->args, "NAME=VALUE", &count);
    const char *secret = cli_option(cli, CLI_OPT_SECRET);
    bool json = cli_is_json(cli), several = count + (secret != NULL) > 1;
    char name[VIA_NAME_SIZE];
    char *value = NULL;

    set_check(cli, pairs, count);
    if (secret && cli_answers(cli))
        value = cli_secret_read(cli, secret);
    if (several)
        env_exec(cli, "BEGIN");
    for (size_t i = 0; i < count; i++)
        set_insert(cli, name, pair_split(pairs[i], name), false);
    if (secret && cli_ok(cli))
        set_insert(cli, secret, value, true);
    if (several)
        env_exec(cli, "COMMIT");
    via_guarded_free(value);
    if (json && cli_answers(cli))
        via_buf_putc(&cli->out, '[');
    for (size_t i = 0; i < count; i++)
        if (pair_split(pairs[i], name))
            set_put(cli, name, i == 0);
    if (secret)
        set_put(cli, secret, count == 0);
    if (json && cli_answers(cli))
        via_buf_puts(&cli->out, "]\n");
    return 0;
}

/* -- list, unset ----------------------------------------------------------------- */

int
cli_env_list(struct cli *cli)
{
    struct cli_statement st;
    struct cli_rows rows;

    cli_statement_init(&st, cli_is_json(cli)
                                ? "SELECT " ENV_COLUMNS " FROM via_env"
                                : "SELECT name, target, iif(secret, '(secret)', value) AS value, "
                                  "version, updated_at FROM via_env");
    cli_statement_text(&st, " WHERE app = ", cli_app(cli));
    if (cli_option(cli, CLI_OPT_TARGET))
        cli_statement_text(&st, " AND target = ", cli_target(cli));
    cli_statement_put(&st, " ORDER BY name, target");
    cli_query(cli, &st, &rows);
    cli_put_list(cli, &rows, "no values yet", "via app env set APP NAME=VALUE");
    cli_rows_deinit(&rows);
    return 0;
}

int
cli_env_unset(struct cli *cli)
{
    size_t count = 0;
    char **names = cli_args_rest(&cli->args, "NAME", &count);
    const char *target = cli_target(cli);
    struct cli_statement st;

    env_exec(cli, "BEGIN");
    for (size_t i = 0; i < count; i++) {
        cli_statement_init(&st, "DELETE FROM via_env");
        env_put_match(cli, &st, names[i]);
        cli_run(cli, &st);
        if (cli_changes(cli) == 0)
            cli_refuse(cli, VIA_ENV_NOT_FOUND, "app %s has no value %s%s%s; nothing was unset",
                       cli_app(cli), names[i], target[0] ? " on " : "", target);
    }
    env_exec(cli, "COMMIT");
    if (!cli_answers(cli))
        return 0;
    via_buf_puts(&cli->out, cli_is_json(cli) ? "{\"app\":" : "");
    if (cli_is_json(cli)) {
        via_buf_put_json(&cli->out, cli_app(cli), strlen(cli_app(cli)));
        via_buf_puts(&cli->out, ",\"target\":");
        via_buf_put_json(&cli->out, target, strlen(target));
        via_buf_puts(&cli->out, ",\"unset\":[");
    }
    for (size_t i = 0; i < count; i++) {
        if (cli_is_json(cli)) {
            via_buf_puts(&cli->out, i ? "," : "");
            via_buf_put_json(&cli->out, names[i], strlen(names[i]));
        } else {
            via_buf_printf(&cli->out, "unset %s of app %s%s%s\n", names[i], cli_app(cli),
                           target[0] ? " on " : "", target);
        }
    }
    via_buf_puts(&cli->out, cli_is_json(cli) ? "]}\n" : "");
    return 0;
}
