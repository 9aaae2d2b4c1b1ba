/* ensure.c: `via addon ensure`: make what is missing, leave what is there, say how it stands.
 *
 * Each statement carries its own condition, so that it may be run again and again and by two at
 * once. Nothing that exists is changed to fit: a difference is a warning. */
#include "cli/addon.h"
#include "cli/readiness.h"
#include "cli/verbs.h"

#include "base/id.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define WAIT_MS 5000 /* for another process that is making the same add-on */
#define WAIT_STEP_MS 50

struct ensure {
    bool created;
    bool bound;
    bool repaired;
    struct cli_rows kept;    /* the log that a repair kept: a row or none */
    struct cli_rows binding; /* under the name that was asked for: one row or none */
    struct cli_readiness ready;
    char warning[VIA_MESSAGE_SIZE]; /* "": what is there is what was asked for */
};

/* -- making ---------------------------------------------------------------------- */

/* Make missing storage anew, or adopt the bytes that a failed provisioning left. */
static bool
ensure_repair(struct cli *cli)
{
    struct cli_statement st;

    cli_statement_init(&st, "UPDATE via_storage SET repair = 1 WHERE addon_id = "
                            "(SELECT id FROM via_addons WHERE ");
    cli_addon_put_match(cli, &st);
    cli_statement_put(&st, ") AND present = "
                           "(SELECT state = 'failed' FROM via_addons WHERE id = addon_id)");
    return cli_run(cli, &st) && cli_changes(cli) > 0;
}

/* What the repair found of the lost storage, and kept. */
static void
ensure_look_kept(struct cli *cli, struct ensure *e)
{
    struct cli_statement st;

    cli_statement_init(&st, "SELECT id FROM via_snapshots WHERE reason = 'repair'");
    cli_statement_text(&st, " AND addon_id = ", cli_rows_text(&e->ready.addon, 0, "id"));
    cli_statement_put(&st, " AND id = 'snap' || substr((SELECT max(id) FROM via_operations"
                           " WHERE kind = 'addon.repair'), 3)");
    cli_query(cli, &st, &e->kept);
}

/* A failed add-on is no obstacle: the table buries it, or refuses when it has bytes. */
static bool
ensure_create(struct cli *cli)
{
    const char *target = cli_option(cli, CLI_OPT_TARGET);
    struct cli_statement st;

    cli_statement_init(&st, "INSERT INTO via_addons(type, name, app, bind");
    cli_statement_put(&st, target ? ", target" : "");
    cli_statement_text(&st, ") SELECT ", cli_operand(cli, "TYPE"));
    cli_statement_text(&st, ", ", cli_operand(cli, "NAME"));
    cli_statement_text(&st, ", ", cli_app(cli));
    cli_statement_text(&st, ", ", cli_option(cli, CLI_OPT_BIND));
    if (target)
        cli_statement_text(&st, ", ", target);
    cli_statement_put(&st, " WHERE NOT EXISTS (SELECT 1 FROM via_addons WHERE ");
    cli_addon_put_match(cli, &st);
    cli_statement_put(&st, " AND state <> 'failed')");
    return cli_run(cli, &st) && cli_changes(cli) > 0;
}

static void
binding_put_match(const struct cli *cli, struct cli_statement *st)
{
    cli_statement_text(st, "app = ", cli_app(cli));
    cli_statement_text(st, " AND binding = ", cli_option(cli, CLI_OPT_BIND));
    cli_statement_text(st, " AND target = ", cli_target(cli));
}

/* Bind an add-on of the type that is asked for, unless the name is taken. */
static bool
ensure_bind(struct cli *cli)
{
    struct cli_statement st;

    cli_statement_init(&st, "INSERT INTO via_bindings(app, binding, target, addon) ");
    cli_statement_text(&st, "SELECT app, ", cli_option(cli, CLI_OPT_BIND));
    cli_statement_text(&st, ", ", cli_target(cli));
    cli_statement_put(&st, ", id FROM via_addons WHERE ");
    cli_addon_put_match(cli, &st);
    cli_statement_text(&st, " AND type = ", cli_operand(cli, "TYPE"));
    cli_statement_put(&st, " AND NOT EXISTS (SELECT 1 FROM via_bindings WHERE ");
    binding_put_match(cli, &st);
    cli_statement_put(&st, ")");
    return cli_run(cli, &st) && cli_changes(cli) > 0;
}

/* -- judging --------------------------------------------------------------------- */

/* Another process is making it: its end is what is asked about. */
static bool
ensure_is_being_made(const struct ensure *e)
{
    const char *state = cli_rows_text(&e->ready.addon, 0, "state");

    return state && strcmp(state, "provisioning") == 0;
}

static void
ensure_look(struct cli *cli, struct ensure *e)
{
    const struct timespec pause = {.tv_nsec = WAIT_STEP_MS * 1000L * 1000};
    struct cli_statement st;
    const char *app;

    cli_statement_init(&st, "SELECT addon, addon_id, mode FROM via_bindings WHERE ");
    binding_put_match(cli, &st);
    cli_query(cli, &st, &e->binding);
    cli_readiness_find(cli, false, &e->ready);
    for (int ms = 0; ms < WAIT_MS && ensure_is_being_made(e); ms += WAIT_STEP_MS) {
        (void)nanosleep(&pause, NULL);
        cli_readiness_deinit(&e->ready);
        cli_readiness_find(cli, false, &e->ready);
    }
    app = cli_rows_text(&e->ready.addon, 0, "app");
    if (!app)
        cli_refuse(cli, VIA_ADDON_NOT_FOUND, "there is no add-on %s for app %s",
                   cli_operand(cli, "NAME"), cli_app(cli));
    else if (strcmp(app, cli_app(cli)) != 0)
        cli_refuse(cli, VIA_ADDON_APP_MISMATCH, "add-on %s belongs to app %s, not to %s",
                   cli_operand(cli, "NAME"), app, cli_app(cli));
}

/* Say the first way in which what is there differs from what was asked for. */
static void
ensure_compare(const struct cli *cli, struct ensure *e)
{
    const char *bind = cli_option(cli, CLI_OPT_BIND);
    const char *type = cli_rows_text(&e->ready.addon, 0, "type");
    const char *id = cli_rows_text(&e->ready.addon, 0, "id");
    const char *bound_to = cli_rows_text(&e->binding, 0, "addon_id");
    const char *mode = cli_rows_text(&e->binding, 0, "mode");

    if (strcmp(type, cli_operand(cli, "TYPE")) != 0)
        (void)snprintf(e->warning, sizeof e->warning, "add-on %s is of type %s, not %s",
                       cli_operand(cli, "NAME"), type, cli_operand(cli, "TYPE"));
    else if (!bound_to)
        (void)snprintf(e->warning, sizeof e->warning, "binding %s has just been taken away", bind);
    else if (strcmp(bound_to, id) != 0)
        (void)snprintf(e->warning, sizeof e->warning,
                       "binding %s of app %s is bound to add-on %s, not to %s", bind, cli_app(cli),
                       cli_rows_text(&e->binding, 0, "addon"), cli_operand(cli, "NAME"));
    else if (strcmp(mode, "rw") != 0)
        (void)snprintf(e->warning, sizeof e->warning,
                       "binding %s exists with mode %s: the app may read and not write", bind,
                       mode);
}

/* An add-on that is bound to no name at all, for its name is another one's, waits for that. */
static void
ensure_check_name(struct cli *cli, const struct ensure *e)
{
    const char *blocking = cli_readiness_text(&e->ready, "blocking");

    if (e->binding.count > 0 && blocking && strcmp(blocking, "binding_missing") == 0)
        cli_refuse(cli, VIA_BINDING_EXISTS, "%s", e->warning);
}

/* Is it the app owner's turn, or nobody's? Everything else is what ensuring is about. */
static bool
ensure_is_done(const struct ensure *e)
{
    const char *owner = cli_readiness_text(&e->ready, "owner");

    return !owner || strcmp(owner, "app_owner") == 0;
}

/* -- answering ------------------------------------------------------------------- */

static void
flags_put(const struct ensure *e, struct via_buf *b)
{
    via_buf_printf(b, ",\"created\":%s,\"already_exists\":%s,\"changed\":%s,\"compatible\":%s",
                   e->created ? "true" : "false", e->created ? "false" : "true",
                   e->created || e->bound || e->repaired ? "true" : "false",
                   e->warning[0] ? "false" : "true");
    via_buf_puts(b, ",\"warning\":");
    if (e->warning[0])
        via_buf_put_json(b, e->warning, strlen(e->warning));
    else
        via_buf_puts(b, "null");
}

/* What could not be ensured has the members of a refusal too, but for its remediation, which
 * readiness has. */
static void
ensure_put_json(const struct ensure *e, struct via_buf *b)
{
    const char *code = cli_readiness_text(&e->ready, "blocking");
    const char *reason = cli_readiness_text(&e->ready, "reason");

    via_buf_putc(b, '{');
    cli_readiness_put_members(&e->ready, b);
    flags_put(e, b);
    if (!ensure_is_done(e)) {
        via_buf_puts(b, ",\"code\":");
        via_buf_put_json(b, code, strlen(code));
        via_buf_puts(b, ",\"message\":");
        via_buf_put_json(b, reason, strlen(reason));
    }
    via_buf_puts(b, "}\n");
}

static void
ensure_put(const struct cli *cli, const struct ensure *e, struct via_buf *b)
{
    const char *reason = cli_readiness_text(&e->ready, "reason");

    via_buf_printf(b, "add-on %s (%s) of app %s: %s", cli_rows_text(&e->ready.addon, 0, "name"),
                   cli_rows_text(&e->ready.addon, 0, "id"),
                   cli_rows_text(&e->ready.addon, 0, "app"),
                   e->created    ? "created"
                   : e->repaired ? "repaired"
                                 : "is there already");
    if (e->created || e->bound)
        via_buf_printf(b, ", bound as %s", cli_option(cli, CLI_OPT_BIND));
    via_buf_putc(b, '\n');
    if (!reason)
        via_buf_puts(b, "the app can use it\n");
    else if (ensure_is_done(e))
        via_buf_printf(b, "not in use yet: %s\nnext: %s\n", reason,
                       cli_readiness_text(&e->ready, "remediation"));
}

/* The lines on stderr, for people and logs. */
static void
ensure_complain(const struct ensure *e)
{
    if (e->warning[0])
        (void)fprintf(stderr, "warning: %s\n", e->warning);
    if (e->kept.count > 0)
        (void)fprintf(stderr,
                      "note: the log of the lost database file is kept in the add-on's snapshots/"
                      " as %s.damaged-wal\n",
                      cli_rows_text(&e->kept, 0, "id"));
    if (!ensure_is_done(e))
        (void)fprintf(stderr, "%s: %s\ntry: %s\n", cli_readiness_text(&e->ready, "blocking"),
                      cli_readiness_text(&e->ready, "reason"),
                      cli_readiness_text(&e->ready, "remediation"));
}

int
cli_addon_ensure(struct cli *cli)
{
    struct ensure e;
    int code = 0;

    memset(&e, 0, sizeof e);
    if (cli_option(cli, CLI_OPT_REPAIR))
        e.repaired = ensure_repair(cli);
    if (!via_id_is("addon", cli_operand(cli, "NAME")))
        e.created = ensure_create(cli);
    if (!e.created || cli_is_shown(cli))
        e.bound = ensure_bind(cli);
    ensure_look(cli, &e);
    if (cli_answers(cli)) {
        ensure_compare(cli, &e);
        ensure_check_name(cli, &e);
        if (e.repaired && !cli_is_shown(cli))
            ensure_look_kept(cli, &e);
    }
    if (cli_answers(cli)) {
        if (cli_is_json(cli))
            ensure_put_json(&e, &cli->out);
        else
            ensure_put(cli, &e, &cli->out);
        ensure_complain(&e);
        code = ensure_is_done(&e) ? 0 : 1;
    } else if (cli->error.status == VIA_BINDING_EXISTS) {
        /* Nothing was made, because the name is another add-on's. */
        via_buf_printf(&cli->more,
                       ",\"created\":false,\"already_exists\":%s,\"changed\":%s,"
                       "\"compatible\":false,\"warning\":",
                       e.ready.addon.count > 0 ? "true" : "false", e.repaired ? "true" : "false");
        via_buf_put_json(&cli->more, cli->error.message, strlen(cli->error.message));
    }
    cli_rows_deinit(&e.binding);
    cli_rows_deinit(&e.kept);
    cli_readiness_deinit(&e.ready);
    return code;
}
