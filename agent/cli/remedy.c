#include "cli/remedy.h"

#include "cli/addon.h"
#include "cli/agentfile.h"
#include "cli/verbs.h"

#include "base/id.h"
#include "base/root.h"
#include "rules/remedy.h"

#include <dirent.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* -- what is found ----------------------------------------------------------------- */

static void
id_put(const struct cli *cli, struct cli_statement *st, const char *before)
{
    if (cli->found_id[0])
        cli_statement_text(st, before, cli->found_id);
    else
        cli_addon_put_id(cli, st, before);
}

/* Run `st` and keep what its first row has of what lines name. */
static void
look_run(struct cli *cli, struct cli_statement *st)
{
    const struct {
        const char *column;
        char *out;
        size_t size;
    } kept[] = {
        {"app", cli->found_app, sizeof cli->found_app},
        {"addon", cli->found_addon, sizeof cli->found_addon},
        {"binding", cli->found_binding, sizeof cli->found_binding},
        {"target", cli->found_target, sizeof cli->found_target},
        {"snapshot", cli->found_snapshot, sizeof cli->found_snapshot},
        {"backup", cli->found_backup, sizeof cli->found_backup},
        {"obstacle", cli->found_obstacle, sizeof cli->found_obstacle},
    };
    struct cli_rows rows;

    cli_query(cli, st, &rows);
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        const char *text = cli_rows_text(&rows, 0, kept[i].column);

        if (text)
            (void)snprintf(kept[i].out, kept[i].size, "%s", text);
    }
    cli->found_sealed = cli_rows_integer(&rows, 0, "backup_sealed") != 0;
    cli->found_unreadable = cli_rows_integer(&rows, 0, "unreadable") != 0;
    if (cli_rows_text(&rows, 0, "state"))
        via_ignore(via_addon_state_parse(cli_rows_text(&rows, 0, "state"), &cli->found_state));
    cli_rows_deinit(&rows);
}

/* Under which name and target the add-on is bound, and what it could come back from. */
static void
look_at_addon(struct cli *cli)
{
    struct cli_statement st;

    cli_statement_init(&st, "SELECT app, addon, binding, target, snapshot, backup, backup_sealed, "
                            "unreadable, obstacle FROM via_readiness");
    id_put(cli, &st, " WHERE addon_id = ");
    if (cli->found_binding[0])
        cli_statement_text(&st, " AND binding = ", cli->found_binding);
    cli_statement_put(&st, " ORDER BY binding, target LIMIT 1");
    look_run(cli, &st);
}

/* Which deploy claims it, so that its target can be said. */
static void
look_at_use(struct cli *cli)
{
    struct cli_statement st;

    cli_statement_init(&st, "SELECT d.app, d.target FROM via_release_bindings AS r"
                            " JOIN via_deploys AS d ON d.release = r.release");
    id_put(cli, &st, " WHERE r.addon_id = ");
    cli_statement_put(&st, " AND d.state IN ('pending', 'running') ORDER BY d.id LIMIT 1");
    look_run(cli, &st);
}

static void
look_at_state(struct cli *cli)
{
    struct cli_statement st;

    cli_statement_init(&st, "SELECT app, name AS addon, state FROM via_addons");
    id_put(cli, &st, " WHERE id = ");
    look_run(cli, &st);
}

void
cli_remedy_look(struct cli *cli)
{
    struct via_error refused = cli->error;

    if (!cli_operand(cli, "NAME") && !cli->found_id[0])
        return;
    memset(&cli->error, 0, sizeof cli->error);
    switch (refused.status) {
    case VIA_STORAGE_MISSING:
    case VIA_STORAGE_CORRUPT:
    case VIA_STORAGE_UNREADABLE:
    case VIA_ADDON_BOUND:
        look_at_addon(cli);
        break;
    case VIA_ADDON_IN_USE:
        look_at_use(cli);
        break;
    case VIA_ADDON_UNAVAILABLE:
        look_at_state(cli);
        break;
    default:
        break;
    }
    cli->error = refused;
}

/* The newest archive in the state root's own folder, where the control plane cannot be asked: ids
 * sort by time. "" when there is none. */
static void
backup_look(char out[VIA_PATH_SIZE])
{
    char root[VIA_PATH_SIZE - 128], folder[VIA_PATH_SIZE];
    char id[VIA_ID_SIZE], newest[VIA_ID_SIZE] = "";
    const struct dirent *entry;
    DIR *dir;

    out[0] = '\0';
    if (!via_root_path(root, sizeof root))
        return;
    (void)snprintf(folder, sizeof folder, "%s/backups", root);
    dir = opendir(folder);
    while (dir && (entry = readdir(dir)) != NULL) {
        (void)snprintf(id, sizeof id, "%.*s", (int)strcspn(entry->d_name, "."), entry->d_name);
        if (via_id_is("backup", id) && strcmp(entry->d_name + strlen(id), ".tar.zst") == 0 &&
            strcmp(id, newest) > 0)
            memcpy(newest, id, sizeof newest);
    }
    if (newest[0])
        (void)snprintf(out, VIA_PATH_SIZE, "%s/backups/%s.tar.zst", root, newest);
    if (dir)
        (void)closedir(dir);
}

/* -- what was typed ---------------------------------------------------------------- */

/* What was typed, from the program's name on, without --json and the option `left_out`. */
static void
typed_put(const struct cli *cli, int left_out, struct via_buf *b)
{
    const struct cli_args *a = &cli->args;

    via_buf_puts(b, a->program);
    for (size_t i = 0; i < a->word_count; i++) {
        via_buf_putc(b, ' ');
        via_buf_put_word(b, a->words[i]);
    }
    for (int i = 0; i < CLI_OPT_COUNT; i++) {
        if (!a->option[i] || i == CLI_OPT_JSON || i == left_out)
            continue;
        via_buf_printf(b, " --%s", cli_options[i].word);
        if (!cli_options[i].value || (cli_options[i].value[0] == '[' && !a->option[i][0]))
            continue;
        via_buf_putc(b, ' ');
        via_buf_put_word(b, a->option[i]);
    }
}

static void
help_put(const struct cli *cli, struct via_buf *b)
{
    const struct cli_verb *verb = cli->args.verb;

    via_buf_puts(b, cli->args.program);
    if (verb)
        via_buf_printf(b, "%s%s %s", verb->noun ? " " : "", verb->noun ? verb->noun : "",
                       verb->name);
    via_buf_puts(b, " --help");
}

/* The first text that there is. */
static const char *
first_of(const char *a, const char *b, const char *c)
{
    if (a && *a)
        return a;
    return b && *b ? b : c;
}

static const char *
binding_of(const struct cli *cli)
{
    return first_of(cli_option(cli, CLI_OPT_BINDING), cli_option(cli, CLI_OPT_BIND),
                    first_of(cli_operand(cli, "ADDON_OR_BINDING"), cli->found_binding, NULL));
}

/* Is FILE something that this verb makes? */
static bool
file_is_written(const struct cli *cli)
{
    const struct cli_verb *verb = cli->args.verb;

    return verb && (verb->run == cli_backup_create || verb->run == cli_addon_export) &&
           cli_operand(cli, "FILE");
}

static void
facts_find(const struct cli *cli, enum via_status status, struct via_remedy_facts *f)
{
    const char *target = cli_option(cli, CLI_OPT_TARGET);

    *f = (struct via_remedy_facts){
        .why = status,
        .app = first_of(cli_app(cli), cli->found_app, NULL),
        .target = target ? target : cli->found_target,
        .target_said = target != NULL,
        .addon = first_of(cli->found_addon, cli_operand(cli, "NAME"),
                          cli_operand(cli, "ADDON_OR_BINDING")),
        .binding = binding_of(cli),
        .addon_state = cli->found_state,
        .snapshot = first_of(cli_option(cli, CLI_OPT_SNAPSHOT), cli->found_snapshot, NULL),
        .backup = cli->found_backup,
        .backup_sealed = cli->found_sealed,
        .is_unreadable = cli->found_unreadable,
        .obstacle = cli->found_obstacle,
        .from = cli_option(cli, CLI_OPT_FROM),
        .file = first_of(cli_operand(cli, "FILE"), cli_option(cli, CLI_OPT_ENV_FILE),
                         cli_option(cli, CLI_OPT_TOKEN_DIR)),
        .writes_file = file_is_written(cli),
        .passphrase = cli_option(cli, CLI_OPT_PASSPHRASE_FILE),
        .rest = cli->args.command ? " -- COMMAND" : NULL,
        .command = cli->args.command ? cli->args.command[0] : NULL,
        .restores = cli_option(cli, CLI_OPT_SNAPSHOT) != NULL || cli->found_is_snapshot,
        .names_generation = cli_option(cli, CLI_OPT_GENERATION) != NULL,
    };
}

/* -- the line ---------------------------------------------------------------------- */

static void
usage_put(const struct cli *cli, struct via_buf *b)
{
    const struct cli_args *a = &cli->args;

    if (a->verb)
        cli_usage_put(b, a->verb);
    else
        cli_usage_put_noun(b, cli_verbs, cli_verb_count, a->program, a->noun);
}

void
cli_remedy_put(const struct cli *cli, enum via_status status, struct via_buf *b)
{
    enum { LINE, UNOPENED, UNPLACED, HELP, REMEDY, TEXTS };
    char state[VIA_PATH_SIZE], backup[VIA_PATH_SIZE], pid[24];
    struct cli_agent agent;
    struct via_buf texts[TEXTS] = {0};
    struct via_remedy_facts f;

    if (status == VIA_USAGE) {
        usage_put(cli, b);
        return;
    }
    facts_find(cli, status, &f);
    typed_put(cli, CLI_OPT_JSON, &texts[LINE]);
    typed_put(cli, CLI_OPT_PASSPHRASE_FILE, &texts[UNOPENED]);
    typed_put(cli, CLI_OPT_STATE_DIR, &texts[UNPLACED]);
    help_put(cli, &texts[HELP]);
    f.line = via_buf_text(&texts[LINE]);
    f.unopened = via_buf_text(&texts[UNOPENED]);
    f.unplaced = via_buf_text(&texts[UNPLACED]);
    f.help = via_buf_text(&texts[HELP]);
    if (via_root_path(state, sizeof state))
        f.state_dir = state;
    if (status == VIA_STATE_CORRUPT) {
        backup_look(backup);
        f.backup = backup;
    }
    if (status == VIA_AGENT_UNREACHABLE && cli_agent_find(&agent, NULL) == VIA_OK) {
        (void)snprintf(pid, sizeof pid, "%lld", (long long)agent.pid);
        f.agent = pid;
    }
    via_remedy_put(&f, &texts[REMEDY]);
    cli_remedy_put_line(cli, via_buf_text(&texts[REMEDY]), b);
    for (int i = 0; i < TEXTS; i++)
        via_buf_deinit(&texts[i]);
}

void
cli_remedy_put_left_out(struct cli *cli, enum via_status status, const char *addon_id,
                        const char *snapshot_id, struct via_buf *b)
{
    struct via_error before = cli->error;

    cli->found_app[0] = cli->found_addon[0] = cli->found_binding[0] = cli->found_target[0] = '\0';
    cli->found_snapshot[0] = cli->found_backup[0] = '\0';
    (void)snprintf(cli->found_id, sizeof cli->found_id, "%s", addon_id);
    look_at_state(cli);
    look_at_addon(cli);
    cli->error = before;
    cli->found_is_snapshot = snapshot_id != NULL;
    if (snapshot_id)
        (void)snprintf(cli->found_snapshot, sizeof cli->found_snapshot, "%s", snapshot_id);
    cli_remedy_put(cli, status, b);
    cli->found_is_snapshot = false;
}

static bool
says(const char *command, size_t n, const char *option)
{
    return memmem(command, n, option, strlen(option)) != NULL;
}

/* One command of a line. What sudo starts does not see VIA_STATE_DIR either. */
static void
command_put(const struct cli *cli, const char *command, size_t n, struct via_buf *b)
{
    bool sudo = strncmp(command, "sudo ", 5) == 0;
    const char *program = command + (sudo ? 5 : 0);
    size_t name = strcspn(program, " ");
    bool ours = (name == 3 && strncmp(program, "via", 3) == 0) ||
                (name == 4 && strncmp(program, "vary", 4) == 0);
    /* It reads a file; the root that was typed may be one that is not to be yet. */
    bool is_rootless = strncmp(program, "via backup verify ", strlen("via backup verify ")) == 0;
    const char *root = cli_option(cli, CLI_OPT_STATE_DIR);
    size_t head = (size_t)(program - command) + name;

    if (!root && sudo)
        root = getenv("VIA_STATE_DIR");
    if (!root || !ours || says(command, n, " --state-dir ") || says(command, n, " --help") ||
        says(command, n, " --version") || is_rootless) {
        via_buf_put(b, command, n);
        return;
    }
    via_buf_put(b, command, head);
    via_buf_puts(b, " --state-dir ");
    via_buf_put_word(b, root);
    via_buf_put(b, command + head, n - head);
}

void
cli_remedy_put_line(const struct cli *cli, const char *line, struct via_buf *b)
{
    const char *end;

    for (; (end = strstr(line, " && ")) != NULL; line = end + strlen(" && ")) {
        command_put(cli, line, (size_t)(end - line), b);
        via_buf_puts(b, " && ");
    }
    command_put(cli, line, strlen(line), b);
}
