#include "cli/run/run.h"

#include "base/error.h"
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void
run_instance_init(struct run_instance *in)
{
    memset(in, 0, sizeof *in);
    in->lock.fd = -1;
}

static void
copy_text(char *out, size_t size, const struct cli_rows *rows, const char *name)
{
    const char *text = cli_rows_text(rows, 0, name);

    (void)snprintf(out, size, "%s", text ? text : "");
}

/* -- registering ----------------------------------------------------------------- */

static void
statement_run(struct cli *cli, const char *text)
{
    struct cli_statement st;

    cli_statement_init(&st, text);
    cli_run(cli, &st);
}

static void
instance_insert(struct cli *cli, const struct run_place *place)
{
    const char *target = cli_option(cli, CLI_OPT_TARGET);
    char token[VIA_PATH_SIZE + 16];
    struct cli_statement st;

    (void)snprintf(token, sizeof token, "%s/token", place->folder);
    cli_statement_init(&st, "INSERT INTO via_instances(app, pid, token_path");
    cli_statement_put(&st, target ? ", target" : "");
    cli_statement_text(&st, ") VALUES(", cli_app(cli));
    cli_statement_integer(&st, ", ", getpid());
    cli_statement_text(&st, ", ", token);
    if (target)
        cli_statement_text(&st, ", ", target);
    cli_statement_put(&st, ")");
    cli_run(cli, &st);
}

/* Learn what was registered, and hold its byte before anybody else sees the row. */
static void
instance_claim(struct run_instance *in, struct cli *cli)
{
    struct cli_statement st;
    struct cli_rows rows;
    struct via_root root;

    cli_statement_init(&st, "SELECT rowid AS rid, id, deploy, release, target FROM via_instances "
                            "WHERE rowid = last_insert_rowid()");
    cli_query(cli, &st, &rows);
    copy_text(in->id, sizeof in->id, &rows, "id");
    copy_text(in->deploy, sizeof in->deploy, &rows, "deploy");
    copy_text(in->release, sizeof in->release, &rows, "release");
    copy_text(in->target, sizeof in->target, &rows, "target");
    if (!in->id[0])
        cli_refuse(cli, VIA_INSTANCE_NOT_FOUND, "the instance is not there after registering");
    if (cli_answers(cli) && via_root_open(&root, &cli->error) == VIA_OK &&
        via_lock_open(&in->lock, &root, &cli->error) == VIA_OK &&
        !via_lock_try(&in->lock, cli_rows_integer(&rows, 0, "rid")))
        cli_refuse(cli, VIA_STATE_UNAVAILABLE, "run/locks cannot be locked");
    cli_rows_deinit(&rows);
}

/* Out of the signed text, which was verified just now, and not of the rows made for searching. */
static void
instance_read_bindings(struct run_instance *in, struct cli *cli)
{
    struct cli_statement st;

    cli_statement_init(&st, "SELECT b.value ->> 'binding' AS binding, b.value ->> 'type' AS type, "
                            "b.value ->> 'mode' AS mode "
                            "FROM via_releases AS r, json_each(r.manifest, '$.bindings') AS b ");
    cli_statement_text(&st, "WHERE r.id = ", in->release);
    cli_query(cli, &st, &in->bindings);
}

bool
run_instance_register(struct run_instance *in, struct cli *cli, const struct run_place *place)
{
    run_instance_init(in);
    statement_run(cli, "BEGIN");
    instance_insert(cli, place);
    instance_claim(in, cli);
    instance_read_bindings(in, cli);
    statement_run(cli, "COMMIT");
    in->staged = true;
    if (cli_answers(cli))
        return true;
    in->id[0] = '\0'; /* rolled back with the connection */
    cli_close(cli);
    run_instance_close(in, cli);
    return false;
}

/* -- its files ------------------------------------------------------------------- */

static void
binding_put(const struct run_instance *in, struct cli *cli, const struct run_place *place,
            const char *binding, const char *file, const char *text)
{
    char relative[VIA_NAME_SIZE * 2];

    (void)snprintf(relative, sizeof relative, "%sbindings/%s/%s", in->staged ? "next/" : "",
                   binding, file);
    if (cli_ok(cli))
        via_ignore(run_place_put(place, relative, text, strlen(text), &cli->error));
}

/* servicebinding.io: a folder a binding, a file a fact. */
static void
instance_put_bindings(const struct run_instance *in, struct cli *cli, const struct run_place *place,
                      const char *url)
{
    bool is_http = strncmp(url, "http", 4) == 0;

    for (size_t i = 0; cli_ok(cli) && i < in->bindings.count; i++) {
        const char *binding = cli_rows_text(&in->bindings, i, "binding");
        const char *type = cli_rows_text(&in->bindings, i, "type");
        char uri[VIA_PATH_SIZE + VIA_NAME_SIZE];

        (void)snprintf(uri, sizeof uri, is_http ? "%s/%s/" : "%s", url, binding);
        binding_put(in, cli, place, binding, "type", type ? type : "sqlite");
        binding_put(in, cli, place, binding, "provider", "via");
        binding_put(in, cli, place, binding, "uri", uri);
    }
}

bool
run_instance_equip(struct run_instance *in, struct cli *cli, const struct run_place *place,
                   const char *url)
{
    if (run_place_give_room(place, &cli->error) != VIA_OK || !run_token_renew(in, cli, place))
        return false;
    instance_put_bindings(in, cli, place, url);
    in->equipped = cli_ok(cli);
    return in->equipped;
}

enum via_status
run_instance_publish(struct run_instance *in, const struct run_place *place, struct via_error *e)
{
    enum via_status status = run_place_publish(place, e);

    if (status == VIA_OK)
        in->staged = false;
    return status;
}

/* -- later ----------------------------------------------------------------------- */

bool
run_instance_look(const struct run_instance *in, struct cli *cli, struct run_sight *out)
{
    struct cli_statement st;
    struct cli_rows rows;
    char *active;

    memset(out, 0, sizeof *out);
    cli_statement_init(&st, "SELECT (SELECT id FROM via_deploys WHERE app = ");
    cli_statement_text(&st, "", cli_app(cli));
    cli_statement_text(&st, " AND target = ", in->target);
    cli_statement_put(&st, " AND state IN ('pending', 'running') ORDER BY id DESC LIMIT 1) "
                           "AS deploy, i.restart_reason AS restart, i.state AS state "
                           "FROM via_instances AS i");
    cli_statement_text(&st, " WHERE i.id = ", in->id);
    if (cli_query(cli, &st, &rows)) {
        copy_text(out->deploy, sizeof out->deploy, &rows, "deploy");
        copy_text(out->restart, sizeof out->restart, &rows, "restart");
        out->stopped = !out->deploy[0];
        out->instance_stopped = !cli_rows_text(&rows, 0, "state") ||
                                strcmp(cli_rows_text(&rows, 0, "state"), "stopped") == 0;
    }
    cli_rows_deinit(&rows);
    active = run_token_active(in, cli);
    out->rotated = in->active && active && strcmp(active, in->active) != 0;
    free(active);
    active = run_token_keys(cli);
    out->rotated = out->rotated || (in->keys && active && strcmp(active, in->keys) != 0);
    free(active);
    out->outdated = run_token_is_outdated(in, cli);
    return cli_ok(cli);
}

void
run_instance_close(struct run_instance *in, struct cli *cli)
{
    struct via_error kept = cli->error;
    struct cli_statement st;

    if (in->id[0]) {
        via_error_clear(&cli->error);
        cli_statement_init(&st, "UPDATE via_instances SET state = 'stopped' WHERE ");
        cli_statement_text(&st, "id = ", in->id);
        if (!cli_run(cli, &st))
            via_log(VIA_LOG_WARN, "the instance could not be stopped: %s", cli->error.message);
        cli->error = kept;
    }
    run_token_forget(in);
    cli_rows_deinit(&in->bindings);
    free(in->active);
    free(in->keys);
    via_lock_close(&in->lock);
    run_instance_init(in);
}
