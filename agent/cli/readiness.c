/* readiness.c: `via addon status`: can the app use it, and if not, who mends what. */
#include "cli/readiness.h"

#include "cli/addon.h"
#include "cli/verbs.h"

#include <string.h>

#define READINESS_COLUMNS                                                                          \
    "app, binding, target, metadata_ready, storage_ready, binding_ready, runtime_ready, "          \
    "usable_by_app, blocking, owner, reason, remediation"

/* What a gate refuses an instance that runs, of all that its binding's mode promises. */
#define REFUSAL                                                                                    \
    "SELECT g.gate || ' gate: ' || g.code || ': ' || g.reason FROM via_instances AS i "            \
    "JOIN via_release_bindings AS b ON b.release = i.release JOIN via_gates AS g "                 \
    "ON g.instance = i.id AND g.binding = b.binding AND g.operation = "                            \
    "iif(b.mode = 'rw', 'write', 'read') WHERE i.app = r.app AND i.state = 'running' "             \
    "AND b.binding = r.binding AND b.addon_id = r.addon_id AND g.verdict = 'fail' "                \
    "ORDER BY i.id DESC LIMIT 1"

/* An add-on that is destroyed, or not bound on the target that was named: no app can use it there,
 * which is said as of any other. */
static void
readiness_find_none(struct cli *cli, struct cli_rows *out)
{
    struct cli_statement st;

    cli_statement_init(&st, "SELECT app, NULL AS binding");
    cli_statement_text(&st, ", ", cli_target(cli));
    cli_statement_put(&st,
                      " AS target, coalesce((SELECT max(metadata_ready) FROM via_readiness WHERE "
                      "addon_id = a.id), 0) AS metadata_ready, coalesce((SELECT max(storage_ready) "
                      "FROM via_readiness WHERE addon_id = a.id), 0) AS storage_ready, "
                      "0 AS binding_ready, 0 AS runtime_ready, 0 AS usable_by_app, "
                      "iif(state = 'destroyed', 'metadata_missing', 'binding_missing') AS blocking,"
                      " 'operator' AS owner, 'add-on ' || name || iif(state = 'destroyed', "
                      "' is destroyed', ' is bound to no name on this target') AS reason, "
                      "iif(state = 'destroyed', 'via addon list', 'via addon bind ' || app || ' ' "
                      "|| name || ' --binding DATABASE'");
    if (cli_target(cli)[0])
        cli_statement_text(&st, " || ' --target ' || ", cli_target(cli));
    cli_statement_put(&st, ") AS remediation, NULL AS refusal FROM via_addons AS a");
    cli_addon_put_id(cli, &st, " WHERE id = ");
    cli_query(cli, &st, out);
}

void
cli_readiness_find(struct cli *cli, bool on_target, struct cli_readiness *out)
{
    struct cli_statement st;

    cli_statement_init(&st, "SELECT " CLI_ADDON_COLUMNS " FROM via_addons");
    cli_addon_put_id(cli, &st, " WHERE id = ");
    cli_query(cli, &st, &out->addon);
    cli_statement_init(&st, "SELECT " READINESS_COLUMNS ", (" REFUSAL ") AS refusal "
                            "FROM via_readiness AS r");
    cli_addon_put_id(cli, &st, " WHERE addon_id = ");
    if (on_target)
        cli_statement_text(&st, " AND target = ", cli_target(cli));
    cli_statement_put(&st, " ORDER BY binding, target");
    cli_query(cli, &st, &out->bindings);
    if (out->bindings.count == 0 && cli_answers(cli)) {
        cli_rows_deinit(&out->bindings);
        readiness_find_none(cli, &out->bindings);
    }
}

void
cli_readiness_deinit(struct cli_readiness *r)
{
    cli_rows_deinit(&r->addon);
    cli_rows_deinit(&r->bindings);
}

size_t
cli_readiness_first(const struct cli_readiness *r)
{
    for (size_t i = 0; i < r->bindings.count; i++)
        if (!cli_rows_integer(&r->bindings, i, "usable_by_app"))
            return i;
    return 0;
}

const char *
cli_readiness_text(const struct cli_readiness *r, const char *column)
{
    return cli_rows_text(&r->bindings, cli_readiness_first(r), column);
}

void
cli_readiness_put_members(const struct cli_readiness *r, struct via_buf *b)
{
    const struct cli_rows *ready = &r->bindings;

    (void)cli_rows_put_members(&r->addon, 0, NULL, false, b);
    if (ready->count > 0)
        (void)cli_rows_put_members(ready, cli_readiness_first(r), &r->addon, true, b);
    via_buf_puts(b, ",\"bindings\":[");
    for (size_t i = 0, n = 0; i < ready->count; i++) {
        if (!cli_rows_text(ready, i, "binding"))
            continue;
        via_buf_puts(b, n++ ? ",{" : "{");
        (void)cli_rows_put_members(ready, i, NULL, false, b);
        via_buf_putc(b, '}');
    }
    via_buf_putc(b, ']');
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
readiness_put(struct cli *cli, const struct cli_readiness *r)
{
    struct via_buf *b = &cli->out;

    via_buf_printf(b, "add-on %s of app %s\n", cli_rows_text(&r->addon, 0, "name"),
                   cli_rows_text(&r->addon, 0, "app"));
    row_put(&r->addon, 0, b);
    for (size_t i = 0; i < r->bindings.count; i++) {
        const char *binding = cli_rows_text(&r->bindings, i, "binding");

        via_buf_printf(b, "%s%s\n", binding ? "binding " : "not bound", binding ? binding : "");
        row_put(&r->bindings, i, b);
    }
}

int
cli_addon_status(struct cli *cli)
{
    struct cli_readiness r;
    char id[VIA_ID_SIZE];

    cli_addon_check(cli, id);
    cli_readiness_find(cli, cli_option(cli, CLI_OPT_TARGET) != NULL, &r);
    if (cli_answers(cli) && r.addon.count > 0 && cli_is_json(cli)) {
        via_buf_putc(&cli->out, '{');
        cli_readiness_put_members(&r, &cli->out);
        via_buf_puts(&cli->out, "}\n");
    } else if (cli_answers(cli) && r.addon.count > 0) {
        readiness_put(cli, &r);
    }
    cli_readiness_deinit(&r);
    return 0;
}
