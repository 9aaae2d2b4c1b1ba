/* appmend.c: `vary app smoke`: a read of each database as the instances would make it; `vary app
 * repair`: tokens minted again where they were. */
#include "base/error.h"
#include "base/fs.h"
#include "base/root.h"
#include "cli/appstate.h"
#include "cli/identity.h"
#include "cli/run/run.h"
#include "cli/verbs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SMOKE_TTL_S 60

static bool
instance_is(const struct cli_appstate *s, size_t row, const char *column, const char *word)
{
    const char *text = cli_rows_text(&s->instances, row, column);

    return text && strcmp(text, word) == 0;
}

/* -- smoke ----------------------------------------------------------------------- */

/* An instance without a launcher keeps its token where nobody knows: one of this binding, for this
 * read alone, stands for it. */
static void
smoke_mint(struct cli *cli, const char *instance, const char *binding, const char *path)
{
    struct cli_statement st;

    cli_statement_init(&st, "INSERT INTO via_tokens(kind, binding, instance, path, ttl_s) "
                            "VALUES('generation'");
    cli_statement_text(&st, ", ", binding);
    cli_statement_text(&st, ", ", instance);
    cli_statement_text(&st, ", ", path);
    cli_statement_integer(&st, ", ", SMOKE_TTL_S);
    cli_statement_put(&st, ")");
    cli_run(cli, &st);
}

/* The token of the instance: its own file's, else one made now. The caller frees *token. */
static enum via_status
smoke_token(struct cli *cli, const struct cli_appstate *s, size_t row, const char *binding,
            char **token, struct via_error *e)
{
    const char *path = cli_rows_text(&s->instances, row, "token_path");
    char own[VIA_PATH_SIZE], name[64];
    struct via_root root;
    size_t n = 0;

    if (path)
        return via_fs_read(path, VIA_TOKEN_SIZE, token, &n, e);
    if (via_root_open(&root, e) != VIA_OK)
        return e->status;
    (void)snprintf(name, sizeof name, "run/smoke-%ld.token", (long)getpid());
    via_root_join(&root, name, own);
    smoke_mint(cli, cli_rows_text(&s->instances, row, "id"), binding, own);
    if (!cli_ok(cli)) {
        *e = cli->error;
        via_error_clear(&cli->error);
    } else {
        via_ignore(via_fs_read(own, VIA_TOKEN_SIZE, token, &n, e));
    }
    via_ignore(via_fs_remove(own, NULL));
    return e->status;
}

static enum via_status
smoke_read(struct cli *cli, const struct cli_appstate *s, size_t row, const char *binding,
           struct via_error *e)
{
    char *token = NULL;

    if (smoke_token(cli, s, row, binding, &token, e) == VIA_OK && token) {
        token[strcspn(token, "\r\n")] = '\0';
        via_ignore(cli_agent_read(&s->agent, token, binding, e));
    }
    if (token)
        explicit_bzero(token, strlen(token));
    free(token);
    return e->status;
}

/* What was read, into `tried`; the first refusal becomes the answer. */
static void
smoke_instance(struct cli *cli, const struct cli_appstate *s, size_t row, struct via_buf *tried,
               struct via_error *first)
{
    for (size_t i = 0; i < s->bindings.count; i++) {
        const char *binding = cli_rows_text(&s->bindings, i, "binding");
        const char *addon = cli_rows_text(&s->bindings, i, "addon");
        struct via_error e = {0};

        if (strcmp(cli_rows_text(&s->bindings, i, "state"), "not deployed") == 0)
            continue;
        via_ignore(smoke_read(cli, s, row, binding, &e));
        via_buf_printf(tried, "%s{\"instance\":\"%s\",\"binding\":\"%s\",\"ok\":%s,\"code\":",
                       tried->len ? ",\n" : "", cli_rows_text(&s->instances, row, "id"), binding,
                       e.status == VIA_OK ? "true" : "false");
        via_buf_printf(tried, e.status == VIA_OK ? "null}" : "\"%s\"}", via_status_word(e.status));
        if (e.status == VIA_OK || first->status != VIA_OK)
            continue;
        *first = e;
        (void)snprintf(cli->found_binding, sizeof cli->found_binding, "%s", binding);
        (void)snprintf(cli->found_addon, sizeof cli->found_addon, "%s", addon ? addon : "");
        (void)snprintf(cli->found_id, sizeof cli->found_id, "%s",
                       cli_rows_text(&s->bindings, i, "addon_id"));
    }
}

/* What would make a read mean little: no agent, no deploy, nobody who runs, nobody's token. */
static const struct cli_finding *
smoke_obstacle(const struct cli_appstate *s)
{
    for (size_t i = 0; i < s->count; i++)
        switch (s->findings[i].status) {
        case VIA_AGENT_NOT_RUNNING:
        case VIA_AGENT_UNREACHABLE:
        case VIA_RUNTIME_NOT_RUNNING:
        case VIA_RUNTIME_IDENTITY_EXPIRED:
        case VIA_MANIFEST_INVALID:
            return &s->findings[i];
        case VIA_BINDING_NOT_DEPLOYED:
            if (strcmp(s->findings[i].subject, s->app) == 0)
                return &s->findings[i];
            break;
        default:
            break;
        }
    return NULL;
}

static void
smoke_put(struct cli *cli, const struct cli_appstate *s, const struct via_buf *tried,
          const struct via_error *first)
{
    struct via_buf *b = first->status == VIA_OK ? &cli->out : &cli->more;

    if (cli_is_json(cli)) {
        via_buf_printf(b, first->status == VIA_OK ? "{\"app\":\"%s\"" : ",\"app\":\"%s\"", s->app);
        via_buf_printf(b, ",\"target\":\"%s\",\"ok\":%s,\"reads\":[%s]", s->target,
                       first->status == VIA_OK ? "true" : "false", via_buf_text(tried));
        via_buf_puts(b, first->status == VIA_OK ? "}\n" : "");
    } else if (first->status == VIA_OK) {
        via_buf_printf(&cli->out, "app %s reads each of its databases\n", s->app);
    }
    cli_refuse(cli, first->status, "%s: %s", cli->found_binding, first->message);
}

int
cli_app_smoke(struct cli *cli)
{
    const struct cli_finding *obstacle;
    struct via_error first = {0};
    struct cli_appstate s;
    struct via_buf tried;

    via_buf_init(&tried);
    cli_appstate_find(cli, &s);
    obstacle = smoke_obstacle(&s);
    if (obstacle) {
        cli_refuse(cli, obstacle->status, "%s", obstacle->reason);
    } else if (cli_is_shown(cli)) {
        smoke_mint(cli, "INSTANCE", "BINDING", "FILE");
    } else if (cli_ok(cli)) {
        for (size_t i = 0; i < s.instances.count; i++)
            if (instance_is(&s, i, "state", "running"))
                smoke_instance(cli, &s, i, &tried, &first);
        smoke_put(cli, &s, &tried, &first);
    }
    via_buf_deinit(&tried);
    cli_appstate_deinit(&s);
    return 0;
}

/* -- repair ---------------------------------------------------------------------- */

/* Whose folder it is: its files are touched with that user's rights. */
static enum via_status
repair_user(const char *folder, struct run_user *user, struct via_error *e)
{
    struct stat st;
    char uid[32];

    if (lstat(folder, &st) < 0 || !S_ISDIR(st.st_mode))
        return via_error_set(e, VIA_CONFIG_UNREADABLE, "the folder %s is gone", folder);
    (void)snprintf(uid, sizeof uid, "%lu", (unsigned long)st.st_uid);
    return run_user_find(uid, user, e);
}

/* Mint where the tokens were, which renews the lease too. */
static void
repair_instance(struct cli *cli, const struct cli_appstate *s, size_t row)
{
    const char *path = cli_rows_text(&s->instances, row, "token_path");
    char folder[VIA_PATH_SIZE];
    struct run_instance in;
    struct cli_statement st;
    struct run_place place;
    struct run_user user;

    run_instance_init(&in);
    run_place_init(&place, &user);
    (void)snprintf(in.id, sizeof in.id, "%s", cli_rows_text(&s->instances, row, "id"));
    (void)snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(path, '/') - path), path);
    cli_statement_init(&st, "SELECT binding FROM via_release_bindings WHERE ");
    cli_statement_text(&st, "release = ", cli_rows_text(&s->instances, row, "release"));
    cli_query(cli, &st, &in.bindings);
    if (cli_ok(cli) && repair_user(folder, &user, &cli->error) == VIA_OK &&
        run_place_visit(&place, folder, &cli->error) == VIA_OK)
        (void)run_token_renew(&in, cli, &place);
    run_place_remove(&place);
    cli_rows_deinit(&in.bindings);
    free(in.active);
}

/* An instance that was stopped is over, but its launcher may live: it registers another and starts
 * its command anew. True when there was one, and it has, or 5 s are over. */
static bool
repair_revive(struct cli *cli, struct cli_appstate *s)
{
    const char *deploy = cli_rows_text(&s->deploy, 0, "id");
    const struct timespec step = {.tv_nsec = 100000000};
    struct cli_statement st;

    cli_statement_init(&st, "UPDATE via_instances SET restart_reason = 'repair' WHERE ");
    cli_statement_text(&st, "deploy = ", deploy);
    cli_statement_put(&st, " AND state = 'stopped' AND launcher = 'alive'");
    cli_run(cli, &st);
    if (!cli_answers(cli) || cli_changes(cli) == 0)
        return false;
    for (int i = 0; cli_ok(cli) && s->instances.count == 0 && i < 50; i++) {
        (void)nanosleep(&step, NULL);
        cli_rows_deinit(&s->instances);
        cli_appstate_instances(cli, s->target, deploy, &s->instances);
    }
    return true;
}

static void
repair_put(struct cli *cli, const struct cli_appstate *s)
{
    struct cli_rows rows;

    cli_appstate_instances(cli, s->target, cli_rows_text(&s->deploy, 0, "id"), &rows);
    if (cli_answers(cli) && cli_is_json(cli)) {
        via_buf_printf(&cli->out, "{\"app\":\"%s\",\"target\":\"%s\",\"instances\":", s->app,
                       s->target);
        cli_rows_put_array(&rows, &cli->out);
        via_buf_puts(&cli->out, "}\n");
    } else if (cli_answers(cli)) {
        for (size_t i = 0; i < rows.count; i++)
            via_buf_printf(&cli->out, "%s: lease until %s, token %s\n",
                           cli_rows_text(&rows, i, "id"),
                           cli_rows_text(&rows, i, "lease_expires_at"),
                           cli_identity_word(cli_identity_of(&rows, i)));
    }
    cli_rows_deinit(&rows);
}

int
cli_app_repair(struct cli *cli)
{
    struct cli_appstate s;
    size_t repaired = 0;

    cli_appstate_find(cli, &s);
    if (s.instances.count == 0 && repair_revive(cli, &s) && s.instances.count > 0) {
        repair_put(cli, &s);
        cli_appstate_deinit(&s);
        return 0;
    }
    if (s.instances.count == 0)
        cli_refuse(cli, VIA_RUNTIME_NOT_RUNNING, "no instance of app %s is running on target '%s'",
                   s.app, s.target);
    for (size_t i = 0; cli_ok(cli) && i < s.instances.count; i++)
        if (instance_is(&s, i, "launcher", "alive")) {
            repair_instance(cli, &s, i);
            repaired++;
        }
    if (repaired == 0)
        cli_refuse(cli, VIA_LAUNCHER_GONE,
                   "no launcher looks after the instances of app %s on target '%s'; nobody would"
                   " renew what is minted now",
                   s.app, s.target);
    if (cli_is_shown(cli)) {
        struct cli_statement st;

        cli_statement_init(&st, "INSERT INTO via_tokens(kind, instance, path) VALUES('workload', "
                                "'INSTANCE', 'FILE')");
        cli_run(cli, &st);
    }
    repair_put(cli, &s);
    cli_appstate_deinit(&s);
    return 0;
}
