/* bind.c: bindings and the generations of their credentials. */
#include "cli/addon.h"

#include "cli/verbs.h"

#include <string.h>

#define BINDING_COLUMNS                                                                            \
    "app, binding, target, addon, addon_id, mode, generation, deployed, created_at"

int
cli_addon_bind(struct cli *cli)
{
    const char *binding = cli_option(cli, CLI_OPT_BINDING);
    struct cli_statement st;
    struct cli_rows rows;

    cli_statement_init(&st, "INSERT INTO via_bindings(app, binding, target, addon, mode) VALUES(");
    cli_statement_text(&st, "", cli_app(cli));
    cli_statement_text(&st, ", ", binding);
    cli_statement_text(&st, ", ", cli_target(cli));
    cli_statement_text(&st, ", ", cli_operand(cli, "NAME"));
    cli_statement_text(&st, ", ", cli_option(cli, CLI_OPT_READ_ONLY) ? "ro" : "rw");
    cli_statement_put(&st, ")");
    cli_run(cli, &st);
    /* By its key: binding what is bound already inserts nothing. */
    cli_statement_init(&st, "SELECT " BINDING_COLUMNS " FROM via_bindings WHERE ");
    cli_statement_text(&st, "app = ", cli_app(cli));
    cli_statement_text(&st, " AND binding = ", binding);
    cli_statement_text(&st, " AND target = ", cli_target(cli));
    cli_query(cli, &st, &rows);
    if (cli_tell(cli, &rows))
        via_buf_printf(&cli->out, "bound add-on %s to app %s as %s (%s)%s%s; deploy to use it\n",
                       cli_rows_text(&rows, 0, "addon"), cli_app(cli), binding,
                       cli_rows_text(&rows, 0, "mode"), *cli_target(cli) ? " on " : "",
                       cli_target(cli));
    cli_rows_deinit(&rows);
    return 0;
}

/* -- unbind ---------------------------------------------------------------------- */

/* The bindings of the app on the target that the word may mean. */
static void
unbind_put_scope(const struct cli *cli, struct cli_statement *st)
{
    cli_statement_text(st, "FROM via_bindings WHERE app = ", cli_app(cli));
    cli_statement_text(st, " AND target = ", cli_target(cli));
}

/* Find what goes into `found`, one row, released by the caller; refuse unless the word is a
 * binding, or an add-on under exactly one. */
static void
unbind_check(struct cli *cli, struct cli_rows *found)
{
    const char *word = cli_operand(cli, "ADDON_OR_BINDING");
    struct cli_statement st;

    cli_statement_init(&st, "SELECT " BINDING_COLUMNS " ");
    unbind_put_scope(cli, &st);
    cli_statement_text(&st, " AND (binding = ", word);
    cli_statement_text(&st, " OR addon = ", word);
    cli_statement_text(&st, " OR addon_id = ", word);
    cli_statement_put(&st, ")");
    /* A binding's name goes before an add-on's. */
    cli_statement_text(&st, " ORDER BY binding <> ", word);
    cli_query(cli, &st, found);
    if (found->count == 0)
        cli_refuse(cli, VIA_BINDING_NOT_FOUND, "app %s has no binding or bound add-on %s%s%s",
                   cli_app(cli), word, *cli_target(cli) ? " on " : "", cli_target(cli));
    else if (found->count > 1 && strcmp(cli_rows_text(found, 0, "binding"), word) != 0)
        cli_refuse(cli, VIA_BINDING_AMBIGUOUS, "add-on %s is bound as %s and %s; name the binding",
                   word, cli_rows_text(found, 0, "binding"), cli_rows_text(found, 1, "binding"));
}

int
cli_addon_unbind(struct cli *cli)
{
    const char *word = cli_operand(cli, "ADDON_OR_BINDING");
    struct cli_statement st;
    struct cli_rows found;

    unbind_check(cli, &found);
    cli_statement_init(&st, "DELETE ");
    unbind_put_scope(cli, &st);
    cli_statement_put(&st, " AND binding = coalesce((SELECT binding ");
    unbind_put_scope(cli, &st);
    cli_statement_text(&st, " AND binding = ", word);
    cli_statement_put(&st, "), (SELECT binding ");
    unbind_put_scope(cli, &st);
    cli_statement_text(&st, " AND (addon = ", word);
    cli_statement_text(&st, " OR addon_id = ", word);
    cli_statement_put(&st, ")))");
    cli_run(cli, &st);
    if (cli_changes(cli) == 0)
        cli_refuse(cli, VIA_BINDING_NOT_FOUND, "app %s has no binding %s any more", cli_app(cli),
                   word);
    if (cli_tell(cli, &found))
        via_buf_printf(&cli->out, "unbound %s from app %s; running deploys keep it\n",
                       cli_rows_text(&found, 0, "binding"), cli_app(cli));
    cli_rows_deinit(&found);
    return 0;
}

/* -- generations ----------------------------------------------------------------- */

/* Put " WHERE addon_id = … AND binding = … AND target = …". */
static void
generation_put_where(const struct cli *cli, struct cli_statement *st)
{
    cli_addon_put_id(cli, st, " WHERE addon_id = ");
    cli_statement_text(st, " AND binding = ", cli_option(cli, CLI_OPT_BINDING));
    cli_statement_text(st, " AND target = ", cli_target(cli));
}

/* Put a generation, never its material, and release the row. */
static void
generation_put(struct cli *cli, struct cli_rows *rows)
{
    if (cli_tell(cli, rows))
        via_buf_printf(&cli->out, "generation %lld of %s of app %s is %s (%s)\n",
                       (long long)cli_rows_integer(rows, 0, "generation"),
                       cli_rows_text(rows, 0, "binding"), cli_rows_text(rows, 0, "app"),
                       cli_rows_text(rows, 0, "status"), cli_rows_text(rows, 0, "operation_id"));
    cli_rows_deinit(rows);
}

#define GENERATION_COLUMNS                                                                         \
    "app, binding, target, addon_id, generation, status, created_at, expires_at, revoked_at, "     \
    "operation_id"

int
cli_addon_rotate(struct cli *cli)
{
    bool graced = cli_option(cli, CLI_OPT_GRACE) != NULL;
    int64_t grace_s = cli_number(cli, CLI_OPT_GRACE, 0, 0);
    struct cli_statement st;
    struct cli_rows rows;
    char id[VIA_ID_SIZE];

    cli_addon_check(cli, id);
    cli_statement_init(&st, "INSERT INTO via_generations(app, binding, target");
    cli_statement_put(&st, graced ? ", grace_s" : "");
    cli_statement_put(&st, ") SELECT app, binding, target");
    if (graced)
        cli_statement_integer(&st, ", ", grace_s);
    cli_statement_put(&st, " FROM via_bindings");
    generation_put_where(cli, &st);
    cli_run(cli, &st);
    if (cli_changes(cli) == 0)
        cli_refuse(cli, VIA_BINDING_NOT_FOUND, "add-on %s is not bound as %s",
                   cli_operand(cli, "NAME"), cli_option(cli, CLI_OPT_BINDING));
    cli_query_new(cli, "SELECT " GENERATION_COLUMNS " FROM via_generations", &rows);
    generation_put(cli, &rows);
    return 0;
}

int
cli_addon_revoke(struct cli *cli)
{
    int64_t generation = cli_number(cli, CLI_OPT_GENERATION, 1, 0);
    struct cli_statement st;
    struct cli_rows rows;
    char id[VIA_ID_SIZE];

    cli_addon_check(cli, id);
    cli_statement_init(&st, "UPDATE via_generations SET status = 'revoked'");
    generation_put_where(cli, &st);
    cli_statement_integer(&st, " AND generation = ", generation);
    cli_run(cli, &st);
    if (cli_changes(cli) == 0)
        cli_refuse(cli, VIA_GENERATION_UNKNOWN, "binding %s of add-on %s has no generation %lld",
                   cli_option(cli, CLI_OPT_BINDING), cli_operand(cli, "NAME"),
                   (long long)generation);
    cli_statement_init(&st, "SELECT " GENERATION_COLUMNS " FROM via_generations");
    generation_put_where(cli, &st);
    cli_statement_integer(&st, " AND generation = ", generation);
    cli_query(cli, &st, &rows);
    generation_put(cli, &rows);
    return 0;
}
