#include "cli/run/run.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RENEW_MIN_MS 200
#define RETRY_MS 5000

/* -- registering ----------------------------------------------------------------- */

static void
copy_text(char *out, size_t size, const struct cli_rows *rows, const char *name)
{
    const char *text = cli_rows_text(rows, 0, name);

    (void)snprintf(out, size, "%s", text ? text : "");
}

/* Register with the newest deploy and learn which it is. */
static void
instance_register(struct run_instance *in, struct cli *cli)
{
    const char *target = cli_option(cli, CLI_OPT_TARGET);
    struct cli_statement st;
    struct cli_rows rows;

    cli_statement_init(&st, target ? "INSERT INTO via_instances(app, pid, target) VALUES("
                                   : "INSERT INTO via_instances(app, pid) VALUES(");
    cli_statement_text(&st, "", cli_app(cli));
    cli_statement_integer(&st, ", ", getpid());
    if (target)
        cli_statement_text(&st, ", ", target);
    cli_statement_put(&st, ")");
    cli_run(cli, &st);
    cli_statement_init(&st, "SELECT id, deploy, release, target FROM via_instances "
                            "WHERE rowid = last_insert_rowid()");
    cli_query(cli, &st, &rows);
    copy_text(in->id, sizeof in->id, &rows, "id");
    copy_text(in->deploy, sizeof in->deploy, &rows, "deploy");
    copy_text(in->release, sizeof in->release, &rows, "release");
    copy_text(in->target, sizeof in->target, &rows, "target");
    cli_rows_deinit(&rows);
    if (!in->id[0])
        cli_refuse(cli, VIA_INSTANCE_NOT_FOUND, "the instance is not there after registering");
}

/* From here on everybody can see that the instance has a launcher, and where its token is. */
static void
instance_claim(struct run_instance *in, struct cli *cli)
{
    struct cli_statement st;
    struct cli_rows rows;
    struct via_root root;
    char path[VIA_PATH_SIZE + 16];
    int64_t rid;

    cli_statement_init(&st, "SELECT rowid AS rid FROM via_instances WHERE ");
    cli_statement_text(&st, "id = ", in->id);
    cli_query(cli, &st, &rows);
    rid = cli_rows_integer(&rows, 0, "rid");
    cli_rows_deinit(&rows);
    if (cli_ok(cli) && via_root_open(&root, &cli->error) == VIA_OK &&
        via_lock_open(&in->lock, &root, &cli->error) == VIA_OK && !via_lock_try(&in->lock, rid))
        cli_refuse(cli, VIA_STATE_UNAVAILABLE, "run/locks cannot be locked");
    (void)snprintf(path, sizeof path, "%s/token", in->place.folder);
    cli_statement_init(&st, "UPDATE via_instances SET ");
    cli_statement_text(&st, "token_path = ", path);
    cli_statement_text(&st, " WHERE id = ", in->id);
    cli_run(cli, &st);
}

static void
instance_read_bindings(struct run_instance *in, struct cli *cli)
{
    struct cli_statement st;

    cli_statement_init(&st, "SELECT binding, type, mode FROM via_release_bindings WHERE release = "
                            "(SELECT release FROM via_instances "
                            "WHERE rowid = last_insert_rowid()) ORDER BY binding");
    cli_query(cli, &st, &in->bindings);
}

/* -- tokens ---------------------------------------------------------------------- */

/* Half of what is left of the token just minted is when it is due again. */
static void
token_note_expiry(struct run_instance *in, const char *expires_at)
{
    int64_t expires_ms, left_ms, at_ms;

    if (!expires_at || !via_clock_parse(expires_at, &expires_ms))
        return;
    left_ms = (expires_ms - via_clock_now_ms()) / 2;
    at_ms = via_clock_mono_ms() + (left_ms < RENEW_MIN_MS ? RENEW_MIN_MS : left_ms);
    if (at_ms < in->renew_at_ms)
        in->renew_at_ms = at_ms;
}

/* Mint one token, workload or of a binding, into the file `relative`. */
static void
token_mint(struct run_instance *in, struct cli *cli, const struct run_user *user,
           const char *binding, const char *relative)
{
    struct cli_statement st;
    struct cli_rows rows;

    cli_statement_init(&st, binding ? "INSERT INTO via_tokens(kind, binding, instance, path) "
                                      "VALUES('generation'"
                                    : "INSERT INTO via_tokens(kind, instance, path) "
                                      "VALUES('workload'");
    if (binding)
        cli_statement_text(&st, ", ", binding);
    cli_statement_text(&st, ", ", in->id);
    cli_statement_text(&st, ", ", in->place.mint);
    cli_statement_put(&st, ")");
    cli_run(cli, &st);
    cli_statement_init(&st, "SELECT expires_at FROM via_tokens WHERE rowid = last_insert_rowid()");
    cli_query(cli, &st, &rows);
    if (cli_ok(cli)) {
        token_note_expiry(in, cli_rows_text(&rows, 0, "expires_at"));
        via_ignore(run_place_take_token(&in->place, user, relative, &cli->error));
    }
    cli_rows_deinit(&rows);
}

static char *
instance_active(struct cli *cli)
{
    struct cli_statement st;
    struct cli_rows rows;
    const char *text;
    char *copy;

    cli_statement_init(&st, "SELECT group_concat(binding || ':' || generation) AS active "
                            "FROM via_generations WHERE status = 'active'");
    cli_statement_text(&st, " AND app = ", cli_app(cli));
    cli_query(cli, &st, &rows);
    text = cli_rows_text(&rows, 0, "active");
    copy = strdup(text ? text : "");
    cli_rows_deinit(&rows);
    return copy;
}

/* A binding whose generations are all revoked has no token now: take the old one away, let the
 * others live. Its first minting is a refusal like any other. */
static void
binding_mint(struct run_instance *in, struct cli *cli, const struct run_user *user,
             const char *binding)
{
    char relative[VIA_NAME_SIZE * 2];

    (void)snprintf(relative, sizeof relative, "bindings/%s/token", binding);
    token_mint(in, cli, user, binding, relative);
    if (cli->error.status != VIA_GENERATION_REVOKED)
        return;
    via_log(VIA_LOG_WARN, "binding %s has no active generation; rotate it to go on", binding);
    via_error_clear(&cli->error);
    via_ignore(run_place_put(&in->place, user, relative, "", 0, &cli->error));
}

bool
run_instance_renew(struct run_instance *in, struct cli *cli, const struct run_user *user)
{
    /* Read first: a rotation in between is then seen at the next look. */
    char *active = instance_active(cli);

    in->renew_at_ms = INT64_MAX;
    token_mint(in, cli, user, NULL, "token");
    for (size_t i = 0; cli_ok(cli) && i < in->bindings.count; i++)
        binding_mint(in, cli, user, cli_rows_text(&in->bindings, i, "binding"));
    if (cli_ok(cli)) {
        free(in->active);
        in->active = active;
        return true;
    }
    free(active);
    in->renew_at_ms = via_clock_mono_ms() + RETRY_MS;
    return false;
}

/* -- the folder ------------------------------------------------------------------ */

static void
binding_put(struct run_instance *in, struct cli *cli, const struct run_user *user,
            const char *binding, const char *file, const char *text)
{
    char relative[VIA_NAME_SIZE * 2];

    (void)snprintf(relative, sizeof relative, "bindings/%s/%s", binding, file);
    if (cli_ok(cli))
        via_ignore(run_place_put(&in->place, user, relative, text, strlen(text), &cli->error));
}

/* servicebinding.io: a folder a binding, a file a fact. */
static void
instance_put_bindings(struct run_instance *in, struct cli *cli, const struct run_user *user,
                      const char *url)
{
    bool is_http = strncmp(url, "http", 4) == 0;

    for (size_t i = 0; cli_ok(cli) && i < in->bindings.count; i++) {
        const char *binding = cli_rows_text(&in->bindings, i, "binding");
        const char *type = cli_rows_text(&in->bindings, i, "type");
        char uri[VIA_PATH_SIZE + VIA_NAME_SIZE];

        (void)snprintf(uri, sizeof uri, is_http ? "%s/%s/" : "%s", url, binding);
        binding_put(in, cli, user, binding, "type", type ? type : "sqlite");
        binding_put(in, cli, user, binding, "provider", "via");
        binding_put(in, cli, user, binding, "uri", uri);
    }
}

bool
run_instance_open(struct run_instance *in, struct cli *cli, const struct run_user *user,
                  const char *url)
{
    memset(in, 0, sizeof *in);
    in->lock.fd = -1;
    /* Registering supersedes the deploy that runs: whatever else can fail comes first. */
    if (cli_answers(cli))
        via_ignore(run_place_make(&in->place, user, &cli->error));
    instance_register(in, cli);
    instance_read_bindings(in, cli);
    if (!cli_answers(cli)) {
        run_instance_close(in, cli);
        return false;
    }
    if (run_place_give(&in->place, in->id, &cli->error) == VIA_OK)
        instance_claim(in, cli);
    if (cli_ok(cli))
        (void)run_instance_renew(in, cli, user);
    instance_put_bindings(in, cli, user, url);
    if (!cli_ok(cli))
        run_instance_close(in, cli);
    return cli_ok(cli);
}

/* -- later ----------------------------------------------------------------------- */

bool
run_instance_look(const struct run_instance *in, struct cli *cli, struct run_sight *out)
{
    struct cli_statement st;
    struct cli_rows rows;
    const char *active;

    memset(out, 0, sizeof *out);
    cli_statement_init(&st, "SELECT (SELECT id FROM via_deploys WHERE app = ");
    cli_statement_text(&st, "", cli_app(cli));
    cli_statement_text(&st, " AND target = ", in->target);
    cli_statement_put(&st, " AND state IN ('pending', 'running') ORDER BY id DESC LIMIT 1) "
                           "AS deploy, (SELECT group_concat(binding || ':' || generation) "
                           "FROM via_generations WHERE status = 'active'");
    cli_statement_text(&st, " AND app = ", cli_app(cli));
    cli_statement_text(
        &st, ") AS active, (SELECT restart_reason FROM via_instances WHERE id = ", in->id);
    cli_statement_put(&st, ") AS restart");
    if (cli_query(cli, &st, &rows)) {
        copy_text(out->deploy, sizeof out->deploy, &rows, "deploy");
        copy_text(out->restart, sizeof out->restart, &rows, "restart");
        active = cli_rows_text(&rows, 0, "active");
        out->stopped = !out->deploy[0];
        out->rotated = in->active && strcmp(active ? active : "", in->active) != 0;
    }
    cli_rows_deinit(&rows);
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
    run_place_remove(&in->place);
    cli_rows_deinit(&in->bindings);
    free(in->active);
    via_lock_close(&in->lock);
    memset(in, 0, sizeof *in);
    in->lock.fd = -1;
}
