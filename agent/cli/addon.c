/* addon.c: which add-on is meant, and making and listing them. */
#include "cli/addon.h"

#include "base/id.h"
#include "cli/verbs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* -- which add-on ---------------------------------------------------------------- */

void
cli_addon_put_match(const struct cli *cli, struct cli_statement *st)
{
    const char *name = cli_operand(cli, "NAME");
    const char *app = cli_option(cli, CLI_OPT_APP);

    cli_statement_text(st, via_id_is("addon", name) ? "id = " : "name = ", name);
    if (app)
        cli_statement_text(st, " AND app = ", app);
}

void
cli_addon_put_id(const struct cli *cli, struct cli_statement *st, const char *before)
{
    const char *name = cli_operand(cli, "NAME");

    if (via_id_is("addon", name)) {
        cli_statement_text(st, before, name);
        return;
    }
    cli_statement_put(st, before);
    cli_statement_put(st, "(SELECT id FROM via_addons WHERE ");
    cli_addon_put_match(cli, st);
    cli_statement_put(st, ")");
}

bool
cli_addon_check(struct cli *cli, char id[VIA_ID_SIZE])
{
    const char *name = cli_operand(cli, "NAME");
    const char *app = cli_option(cli, CLI_OPT_APP);
    struct cli_statement st;
    struct cli_rows rows;

    cli_statement_init(&st, "SELECT id, app FROM via_addons WHERE ");
    cli_addon_put_match(cli, &st);
    cli_query(cli, &st, &rows);
    if (rows.count == 0 && app)
        cli_refuse(cli, VIA_ADDON_NOT_FOUND, "there is no add-on %s for app %s", name, app);
    else if (rows.count == 0)
        cli_refuse(cli, VIA_ADDON_NOT_FOUND, "there is no add-on %s", name);
    else if (rows.count > 1)
        cli_refuse(cli, VIA_ADDON_AMBIGUOUS, "add-on %s exists for %s and %s; say which app", name,
                   cli_rows_text(&rows, 0, "app"), cli_rows_text(&rows, 1, "app"));
    if (rows.count == 1)
        (void)snprintf(cli->found_app, sizeof cli->found_app, "%s", cli_rows_text(&rows, 0, "app"));
    (void)snprintf(id, VIA_ID_SIZE, "%s", rows.count == 1 ? cli_rows_text(&rows, 0, "id") : "");
    cli_rows_deinit(&rows);
    return cli_ok(cli);
}

void
cli_addon_put_columns(const struct cli *cli, struct cli_statement *st)
{
    cli_statement_put(st, cli_app(cli) ? "(addon, app" : "(addon");
}

void
cli_addon_put_values(const struct cli *cli, struct cli_statement *st)
{
    cli_statement_text(st, ") VALUES(", cli_operand(cli, "NAME"));
    if (cli_app(cli))
        cli_statement_text(st, ", ", cli_app(cli));
}

void
cli_path_make_absolute(const char *path, char *out, size_t size)
{
    char *folder = *path == '/' || *path == '\0' ? NULL : getcwd(NULL, 0);

    (void)snprintf(out, size, "%s%s%s", folder ? folder : "", folder ? "/" : "", path);
    free(folder);
}

/* -- create ---------------------------------------------------------------------- */

/* Put the new add-on, and below the same braces its binding. */
static void
create_put(struct cli *cli, const struct cli_rows *addon, const struct cli_rows *binding)
{
    struct via_buf *b = &cli->out;

    if (cli_is_json(cli)) {
        via_buf_putc(b, '{');
        (void)cli_rows_put_members(addon, 0, NULL, false, b);
        if (binding->count > 0)
            (void)cli_rows_put_members(binding, 0, addon, true, b);
        via_buf_puts(b, "}\n");
        return;
    }
    via_buf_printf(b, "created add-on %s (%s) for app %s", cli_rows_text(addon, 0, "name"),
                   cli_rows_text(addon, 0, "id"), cli_rows_text(addon, 0, "app"));
    if (binding->count > 0)
        via_buf_printf(b, ", bound as %s", cli_rows_text(binding, 0, "binding"));
    via_buf_putc(b, '\n');
}

static void
create_insert(struct cli *cli)
{
    const char *from = cli_option(cli, CLI_OPT_FROM);
    const char *bind = cli_option(cli, CLI_OPT_BIND);
    const char *target = cli_option(cli, CLI_OPT_TARGET);
    char source[VIA_PATH_SIZE];
    struct cli_statement st;

    if (from)
        cli_path_make_absolute(from, source, sizeof source);
    cli_statement_init(&st, "INSERT INTO via_addons(type, name, app");
    cli_statement_put(&st, bind ? ", bind" : "");
    cli_statement_put(&st, bind && target ? ", target" : "");
    cli_statement_put(&st, from ? ", source" : "");
    cli_statement_text(&st, ") VALUES(", cli_operand(cli, "TYPE"));
    cli_statement_text(&st, ", ", cli_operand(cli, "NAME"));
    cli_statement_text(&st, ", ", cli_app(cli));
    if (bind)
        cli_statement_text(&st, ", ", bind);
    if (bind && target)
        cli_statement_text(&st, ", ", target);
    if (from)
        cli_statement_text(&st, ", ", source);
    cli_statement_put(&st, ")");
    cli_run(cli, &st);
}

int
cli_addon_create(struct cli *cli)
{
    const char *bind = cli_option(cli, CLI_OPT_BIND);
    struct cli_rows addon, binding;
    struct cli_statement st;

    create_insert(cli);
    cli_statement_init(&st, "SELECT " CLI_ADDON_COLUMNS " FROM via_addons WHERE ");
    cli_statement_text(&st, "name = ", cli_operand(cli, "NAME"));
    cli_statement_text(&st, " AND app = ", cli_app(cli));
    cli_query(cli, &st, &addon);
    cli_rows_init(&binding);
    if (bind) {
        cli_statement_init(
            &st, "SELECT binding, target, mode, generation, deployed FROM via_bindings WHERE ");
        cli_statement_text(&st, "app = ", cli_app(cli));
        cli_statement_text(&st, " AND binding = ", bind);
        cli_statement_text(&st, " AND target = ", cli_target(cli));
        cli_query(cli, &st, &binding);
    }
    if (cli_answers(cli) && addon.count > 0)
        create_put(cli, &addon, &binding);
    cli_rows_deinit(&addon);
    cli_rows_deinit(&binding);
    return 0;
}

/* -- list ------------------------------------------------------------------------ */

int
cli_addon_list(struct cli *cli)
{
    struct cli_statement st;
    struct cli_rows rows;

    cli_statement_init(&st, cli_is_json(cli)
                                ? "SELECT " CLI_ADDON_COLUMNS " FROM via_addons"
                                : "SELECT name, app, type, state, binding_count, size_bytes, id, "
                                  "created_at FROM via_addons");
    cli_statement_put(&st,
                      cli_option(cli, CLI_OPT_ALL) ? " WHERE 1" : " WHERE state <> 'destroyed'");
    if (cli_app(cli))
        cli_statement_text(&st, " AND app = ", cli_app(cli));
    cli_statement_put(&st, " ORDER BY app, name");
    cli_query(cli, &st, &rows);
    if (cli_app(cli) && cli_answers(cli) && rows.count == 0)
        cli_app_check(cli);
    cli_put_list(cli, &rows, "no add-ons yet", "via addon create sqlite NAME --app APP");
    cli_rows_deinit(&rows);
    return 0;
}
