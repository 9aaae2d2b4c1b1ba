#include "cli/appstate.h"

#include "cli/identity.h"
#include "cli/remedy.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* -- the target ------------------------------------------------------------------ */

static void
target_refuse(struct cli *cli, const struct cli_rows *targets)
{
    struct via_buf names;

    via_buf_init(&names);
    for (size_t i = 0; i < targets->count; i++)
        via_buf_printf(&names, "%s'%s'", i ? ", " : "", cli_rows_text(targets, i, "target"));
    cli_refuse(cli, VIA_TARGET_REQUIRED, "app %s is deployed on several targets, %s; say which",
               cli_app(cli), via_buf_text(&names));
    via_buf_deinit(&names);
}

void
cli_appstate_target(struct cli *cli, char target[VIA_NAME_SIZE])
{
    const char *typed = cli_option(cli, CLI_OPT_TARGET);
    struct cli_statement st;
    struct cli_rows rows;
    const char *only;

    cli_app_check(cli);
    (void)snprintf(target, VIA_NAME_SIZE, "%s", typed ? typed : "");
    if (!typed) {
        cli_statement_init(&st, "SELECT DISTINCT target FROM via_deploys");
        cli_statement_text(&st, " WHERE app = ", cli_app(cli));
        cli_statement_put(&st, " AND (state IN ('pending', 'running') OR NOT EXISTS "
                               "(SELECT 1 FROM via_deploys WHERE ");
        cli_statement_text(&st, "app = ", cli_app(cli));
        cli_statement_put(&st, " AND state IN ('pending', 'running'))) ORDER BY target");
        cli_query(cli, &st, &rows);
        if (rows.count > 1)
            target_refuse(cli, &rows);
        only = cli_rows_text(&rows, 0, "target");
        (void)snprintf(target, VIA_NAME_SIZE, "%s", only ? only : "");
        cli_rows_deinit(&rows);
    }
    (void)snprintf(cli->found_target, sizeof cli->found_target, "%s", target);
}

/* -- rows ------------------------------------------------------------------------ */

static void
deploy_find(struct cli *cli, struct cli_appstate *s)
{
    struct cli_statement st;

    cli_statement_init(&st, "SELECT id, release, state, reason, created_at, finished_at "
                            "FROM via_deploys");
    cli_statement_text(&st, " WHERE app = ", s->app);
    cli_statement_text(&st, " AND target = ", s->target);
    cli_statement_put(&st, " ORDER BY state = 'running' DESC, state = 'pending' DESC, id DESC "
                           "LIMIT 1");
    cli_query(cli, &st, &s->deploy);
    cli_statement_init(&st, "SELECT id, version, artifact, manifest_ok, created_at "
                            "FROM via_releases");
    cli_statement_text(&st, " WHERE id = ", cli_rows_text(&s->deploy, 0, "release"));
    cli_query(cli, &st, &s->release);
}

void
cli_appstate_instances(struct cli *cli, const char *target, const char *deploy,
                       struct cli_rows *out)
{
    struct cli_statement st;

    cli_statement_init(
        &st, "SELECT i.id, i.pid, i.state, i.launcher, i.deploy, i.release, i.started_at, "
             "i.lease_expires_at, i.token_path, (SELECT t.expires_at FROM via_tokens AS t "
             "WHERE t.instance = i.id AND t.kind = 'workload' ORDER BY t.rowid DESC LIMIT 1) "
             "AS token_expires_at FROM via_instances AS i");
    cli_statement_text(&st, " WHERE i.app = ", cli_app(cli));
    cli_statement_text(&st, " AND i.target = ", target);
    cli_statement_text(&st,
                       " AND (i.state = 'running' OR i.state = 'expired' AND i.deploy = ", deploy);
    /* The last one that lives is asked: rather one that somebody looks after. */
    cli_statement_put(&st, ") ORDER BY i.launcher IS NOT 'gone', i.id");
    cli_query(cli, &st, out);
}

/* What was released, beside what a release made now would take; and what it would take besides. */
static void
bindings_find(struct cli *cli, struct cli_appstate *s)
{
    const char *release = cli_rows_text(&s->deploy, 0, "release");
    struct cli_statement st;

    cli_statement_init(
        &st, "SELECT r.binding, a.name AS addon, r.addon_id, r.type, r.mode, "
             "r.generation AS released_generation, (SELECT max(g.generation) FROM "
             "via_generations AS g WHERE g.addon_id = r.addon_id AND g.binding = r.binding "
             "AND g.status = 'active') AS generation, coalesce((SELECT iif(b.addon_id = "
             "r.addon_id AND b.mode = r.mode, 'deployed', 'drifted') FROM via_bindings AS b "
             "WHERE b.binding = r.binding");
    cli_statement_text(&st, " AND b.app = ", s->app);
    cli_statement_text(&st, " AND b.target IN ('', ", s->target);
    cli_statement_put(&st, ") ORDER BY b.target DESC LIMIT 1), 'unbound') AS state FROM "
                           "via_release_bindings AS r JOIN via_addons AS a ON a.id = r.addon_id");
    cli_statement_text(&st, " WHERE r.release = ", release);
    cli_statement_put(&st, " UNION ALL SELECT b.binding, b.addon, b.addon_id, (SELECT type FROM "
                           "via_addons WHERE id = b.addon_id), b.mode, NULL, b.generation, "
                           "'not deployed' FROM via_bindings AS b");
    cli_statement_text(&st, " WHERE b.app = ", s->app);
    cli_statement_text(&st,
                       " AND b.target = (SELECT max(c.target) FROM via_bindings AS c WHERE "
                       "c.app = b.app AND c.binding = b.binding AND c.target IN ('', ",
                       s->target);
    cli_statement_put(&st, ")) AND NOT EXISTS (SELECT 1 FROM via_release_bindings AS r "
                           "WHERE r.binding = b.binding");
    cli_statement_text(&st, " AND r.release = ", release);
    cli_statement_put(&st, ") ORDER BY 1");
    cli_query(cli, &st, &s->bindings);
}

/* -- instances ------------------------------------------------------------------- */

static bool
instance_is(const struct cli_rows *instances, size_t row, const char *column, const char *word)
{
    const char *text = cli_rows_text(instances, row, column);

    return text && strcmp(text, word) == 0;
}

bool
cli_appstate_live(const struct cli_appstate *s, size_t *row)
{
    for (size_t i = s->instances.count; i-- > 0;)
        if (instance_is(&s->instances, i, "state", "running") &&
            cli_identity_of(&s->instances, i) == CLI_IDENTITY_OK) {
            *row = i;
            return true;
        }
    return false;
}

/* -- findings -------------------------------------------------------------------- */

/* Add a finding about `subject`, with the line of its code. */
VIA_PRINTF(5, 6)
static void
finding_add(struct cli *cli, struct cli_appstate *s, enum via_status status, const char *subject,
            const char *format, ...)
{
    struct cli_finding *f;
    struct via_buf line;
    va_list args;

    if (s->count == CLI_FINDINGS_MAX)
        return;
    f = &s->findings[s->count++];
    f->status = status;
    (void)snprintf(f->subject, sizeof f->subject, "%s", subject ? subject : "");
    va_start(args, format);
    (void)vsnprintf(f->reason, sizeof f->reason, format, args);
    va_end(args);
    via_buf_init(&line);
    cli_remedy_put(cli, status, &line);
    f->remediation = strdup(via_buf_text(&line));
    via_buf_deinit(&line);
}

/* Add what a table says of the binding at hand, in its words: code, gate, reason, remediation.
 * False when `st`, which is released, finds nothing. */
static bool
finding_query(struct cli *cli, struct cli_appstate *s, struct cli_statement *st)
{
    struct cli_finding *f;
    struct cli_rows rows;
    const char *code, *line;
    bool found;

    cli_query(cli, st, &rows);
    code = cli_rows_text(&rows, 0, "code");
    line = cli_rows_text(&rows, 0, "remediation");
    found = code != NULL;
    if (found && s->count < CLI_FINDINGS_MAX) {
        f = &s->findings[s->count++];
        f->status = via_status_parse(code, strlen(code));
        (void)snprintf(f->subject, sizeof f->subject, "%s", cli->found_binding);
        (void)snprintf(f->gate, sizeof f->gate, "%s", cli_rows_text(&rows, 0, "gate"));
        (void)snprintf(f->reason, sizeof f->reason, "%s", cli_rows_text(&rows, 0, "reason"));
        f->remediation = strdup(line ? line : "");
    }
    cli_rows_deinit(&rows);
    return found;
}

static void
judge_deploy(struct cli *cli, struct cli_appstate *s)
{
    const char *state = cli_rows_text(&s->deploy, 0, "state");

    if (!state)
        finding_add(cli, s, VIA_BINDING_NOT_DEPLOYED, s->app,
                    "app %s was never deployed on target '%s'", s->app, s->target);
    else if (strcmp(state, "running") != 0 && strcmp(state, "pending") != 0)
        finding_add(cli, s, VIA_BINDING_NOT_DEPLOYED, s->app,
                    "the newest deploy of app %s on target '%s' is %s", s->app, s->target, state);
    else if (!cli_rows_integer(&s->release, 0, "manifest_ok"))
        finding_add(cli, s, VIA_MANIFEST_INVALID, cli_rows_text(&s->release, 0, "id"),
                    "the manifest of release %s does not match its signature",
                    cli_rows_text(&s->release, 0, "id"));
}

/* One that was killed and left behind matters only while nobody does its work. */
static bool
instance_matters(const struct cli_appstate *s, size_t row, bool others_live)
{
    return !others_live || instance_is(&s->instances, row, "state", "running") ||
           instance_is(&s->instances, row, "launcher", "alive");
}

static void
judge_instances(struct cli *cli, struct cli_appstate *s)
{
    size_t live;
    bool others_live = cli_appstate_live(s, &live);

    if (s->instances.count == 0)
        finding_add(cli, s, VIA_RUNTIME_NOT_RUNNING, s->app,
                    "no instance of app %s is running on target '%s'", s->app, s->target);
    for (size_t i = 0; i < s->instances.count; i++) {
        enum cli_identity identity = cli_identity_of(&s->instances, i);
        const char *id = cli_rows_text(&s->instances, i, "id");

        if (identity != CLI_IDENTITY_OK && instance_matters(s, i, others_live))
            finding_add(cli, s, VIA_RUNTIME_IDENTITY_EXPIRED, id,
                        identity == CLI_IDENTITY_MISSING
                            ? "the runtime token of instance %s is missing"
                            : "the runtime token or the lease of instance %s has run out",
                        id);
    }
}

/* What ails the add-on itself, as its readiness has it. */
static bool
judge_addon(struct cli *cli, struct cli_appstate *s, size_t row)
{
    struct cli_statement st;

    cli_statement_init(&st, "SELECT blocking AS code, 'add-on' AS gate, reason, remediation "
                            "FROM via_readiness");
    cli_statement_text(&st, " WHERE addon_id = ", cli_rows_text(&s->bindings, row, "addon_id"));
    cli_statement_put(&st, " AND NOT (metadata_ready AND storage_ready) LIMIT 1");
    return finding_query(cli, s, &st);
}

/* Which gate refuses the newest live instance what the binding's mode promises. */
static void
judge_gates(struct cli *cli, struct cli_appstate *s, size_t row, const char *instance)
{
    const char *mode = cli_rows_text(&s->bindings, row, "mode");
    struct cli_statement st;

    cli_statement_init(&st, "SELECT code, gate, reason, remediation FROM via_gates");
    cli_statement_text(&st, " WHERE instance = ", instance);
    cli_statement_text(&st, " AND binding = ", cli->found_binding);
    cli_statement_text(&st,
                       " AND operation = ", mode && strcmp(mode, "rw") == 0 ? "write" : "read");
    cli_statement_put(&st, " AND verdict = 'fail'");
    (void)finding_query(cli, s, &st);
}

static void
judge_binding(struct cli *cli, struct cli_appstate *s, size_t row)
{
    const char *state = cli_rows_text(&s->bindings, row, "state");
    const char *addon = cli_rows_text(&s->bindings, row, "addon");
    bool released = strcmp(state, "not deployed") != 0;
    size_t live;

    (void)snprintf(cli->found_binding, sizeof cli->found_binding, "%s",
                   cli_rows_text(&s->bindings, row, "binding"));
    (void)snprintf(cli->found_addon, sizeof cli->found_addon, "%s", addon ? addon : "");
    if (!released)
        finding_add(cli, s, VIA_BINDING_NOT_DEPLOYED, cli->found_binding,
                    "no deploy of app %s claims binding %s yet", s->app, cli->found_binding);
    else if (strcmp(state, "drifted") == 0)
        finding_add(cli, s, VIA_BINDING_NOT_DEPLOYED, cli->found_binding,
                    "binding %s was changed since it was deployed", cli->found_binding);
    if (!judge_addon(cli, s, row) && released && cli_appstate_live(s, &live))
        judge_gates(cli, s, row, cli_rows_text(&s->instances, live, "id"));
}

/* -- all of it ------------------------------------------------------------------- */

void
cli_appstate_find(struct cli *cli, struct cli_appstate *s)
{
    struct via_error e = {0};

    memset(s, 0, sizeof *s);
    s->app = cli_app(cli);
    cli_appstate_target(cli, s->target);
    deploy_find(cli, s);
    cli_appstate_instances(cli, s->target, cli_rows_text(&s->deploy, 0, "id"), &s->instances);
    bindings_find(cli, s);
    if (!cli_answers(cli))
        return;
    if (cli_agent_find(&s->agent, &e) == VIA_OK)
        via_ignore(cli_agent_check(&s->agent, &e));
    if (e.status != VIA_OK)
        finding_add(cli, s, e.status, s->app, "%s", e.message);
    judge_deploy(cli, s);
    judge_instances(cli, s);
    for (size_t i = 0; i < s->bindings.count; i++)
        judge_binding(cli, s, i);
}

void
cli_appstate_deinit(struct cli_appstate *s)
{
    cli_rows_deinit(&s->deploy);
    cli_rows_deinit(&s->release);
    cli_rows_deinit(&s->instances);
    cli_rows_deinit(&s->bindings);
    for (size_t i = 0; i < s->count; i++)
        free(s->findings[i].remediation);
}
