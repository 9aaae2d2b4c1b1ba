#include "cli/remedy.h"

#include "cli/verbs.h"

#include "base/root.h"

#include <string.h>

/* {app} {name} {binding} {from} {file}: as typed, else the word to fill in. {of}: " --app APP" when
 * it was typed. {on}: the same of --target.
 * {target}: the target that is meant, the default one too. {snapshot}: the newest one. {line}: the
 * whole command again. {unopened}: the same without its passphrase. {help}: its help. {folder}:
 * where FILE is. {state}: the state root. */
static const struct remedy {
    enum via_status status;
    const char *line;
} remedies[] = {
    {VIA_NAME_INVALID, "{help}"},
    {VIA_NAME_TAKEN, "via sql \"SELECT binding AS name FROM via_bindings WHERE app = '{app}' UNION "
                     "SELECT name FROM "
                     "via_env WHERE app = '{app}'\""},
    {VIA_ENV_NOT_FOUND, "via app env list {app}"},
    {VIA_SECRET_IN_SQL, "via app env set {app} --secret NAME{on}"},
    {VIA_STATE_INVALID, "via addon list"},
    {VIA_APP_NOT_FOUND, "via sql \"SELECT name FROM via_apps\""},
    {VIA_APP_IN_USE, "via addon list --app {app}"},
    {VIA_ADDON_EXISTS, "via addon status {name}{of}"},
    {VIA_ADDON_NOT_FOUND, "via addon list"},
    {VIA_ADDON_AMBIGUOUS, "{line} --app APP"},
    {VIA_ADDON_APP_MISMATCH, "via addon list --app {app}"},
    {VIA_ADDON_BOUND, "via addon unbind {app} {binding}{on}"},
    {VIA_ADDON_IN_USE, "vary app stop {app}{target}"},
    {VIA_ADDON_PROTECTED, "via addon set {name}{of} delete_protection=false"},
    {VIA_ADDON_ACTIVE, "{line} --drain"},
    {VIA_ADDON_BUSY, "via status"},
    {VIA_ADDON_FAILED_WITH_DATA,
     "via addon ensure sqlite {name} --app {app} --bind {binding}{on} --repair"},
    {VIA_ADDON_SUSPENDED, "via addon resume {name}{of}"},
    {VIA_TYPE_UNKNOWN, "via addon create sqlite {name}{of}"},
    {VIA_OPTION_UNKNOWN, "via addon set --help"},
    {VIA_OPTION_INVALID, "via addon set --help"},
    {VIA_BINDING_EXISTS, "via addon unbind {app} {binding}{on}"},
    {VIA_BINDING_NOT_FOUND,
     "via sql \"SELECT binding, target, addon FROM via_bindings WHERE app = '{app}'\""},
    {VIA_BINDING_AMBIGUOUS, "via addon unbind {app} BINDING{on}"},
    {VIA_RELEASE_NOT_FOUND,
     "via sql \"SELECT id, version, target FROM via_releases WHERE app = '{app}'\""},
    {VIA_DEPLOY_NOT_FOUND, "vary app deploy {app}{on}"},
    {VIA_DEPLOY_STOPPED, "vary app deploy {app}{on}"},
    {VIA_DEPLOY_SUPERSEDED, "vary app deploy {app}{on}"},
    {VIA_TARGET_REQUIRED, "{line} --target T"},
    {VIA_GENERATION_UNKNOWN, "via sql \"SELECT binding, generation, status FROM via_generations "
                             "WHERE app = '{app}'\""},
    {VIA_MANIFEST_INVALID, "vary app deploy {app}{on}"},
    {VIA_SOURCE_NOT_FOUND, "ls -l {from}"},
    {VIA_SOURCE_UNREADABLE, "ls -l {from}"},
    {VIA_SOURCE_NOT_A_FILE, "ls -l {from}"},
    {VIA_SOURCE_SYMLINK, "readlink -f {from}"},
    {VIA_SOURCE_NOT_A_DATABASE, "file {from}"},
    {VIA_SOURCE_CORRUPT, "sqlite3 {from} \"PRAGMA integrity_check\""},
    {VIA_SOURCE_HOT_JOURNAL, "sqlite3 {from} \"PRAGMA integrity_check\""},
    {VIA_SOURCE_BUSY, "fuser -v {from}"},
    {VIA_STATE_UNAVAILABLE, "sudo {line}"},
    {VIA_STATE_NEWER, "via --version"},
    {VIA_KEY_NOT_FOUND, "via keys list"},
    {VIA_KEY_ACTIVE, "via keys list"},
    {VIA_KEY_IN_USE, "via keys list"},
    {VIA_AUDIT_BROKEN, "via audit --json"},
    {VIA_STATE_CORRUPT, "ls -l {state}/backups"},
    {VIA_DISK_FULL, "df -h {state}"},
    {VIA_STORAGE_FULL, "df -h {state}"},
    {VIA_CONTROL_BUSY, "{line}"},
    {VIA_AGENT_NOT_RUNNING, "viad --state-dir {state}"},
    {VIA_AGENT_UNREACHABLE, "viad --state-dir {state}"},
    {VIA_AGENT_VERSION_MISMATCH, "via status"},
    {VIA_STORAGE_MISSING,
     "via addon ensure sqlite {name} --app {app} --bind {binding}{on} --repair"},
    {VIA_STORAGE_UNREADABLE, "via doctor --fix"},
    {VIA_STORAGE_READONLY, "via doctor --fix"},
    {VIA_STORAGE_CORRUPT, "via backup list"},
    {VIA_SNAPSHOT_NOT_FOUND,
     "via sql \"SELECT id, addon, app, state, created_at FROM via_snapshots\""},
    {VIA_SNAPSHOT_MISSING, "via doctor"},
    {VIA_SNAPSHOT_CORRUPT, "via addon snapshots {name}{of}"},
    {VIA_RESTORE_TIMEOUT, "{line} --force-after-timeout"},
    {VIA_PATH_INVALID, "ls -l {file}"},
    {VIA_PATH_UNWRITABLE, "ls -ld {folder}"},
    {VIA_BINDING_NOT_DEPLOYED, "vary app deploy {app}{on}"},
    {VIA_RUNTIME_NOT_RUNNING, "via run {app}{on} -- COMMAND"},
    {VIA_RUNTIME_IDENTITY_EXPIRED, "vary app repair {app}{target}"},
    {VIA_TOKEN_MISSING, "vary app repair {app}{target}"},
    {VIA_TOKEN_INVALID, "vary app repair {app}{target}"},
    {VIA_WORKLOAD_UNBOUND, "via run {app}{on} -- COMMAND"},
    {VIA_LAUNCHER_GONE, "via run {app}{on} -- COMMAND"},
    {VIA_BINDING_NOT_IN_RELEASE, "vary app deploy {app}{on}"},
    {VIA_GENERATION_REVOKED, "via addon rotate-credentials {name}{of} --binding {binding}{on}"},
    {VIA_ADDON_UNAVAILABLE, "via addon status {name}{of}"},
    {VIA_ADDON_BLOCKED, "via addon set {name}{of} block_reads=null block_writes=null"},
    {VIA_ADDON_DRAINING, "via status"},
    {VIA_BACKUP_UNREADABLE, "ls -l {file}"},
    {VIA_BACKUP_INVALID, "via backup list"},
    {VIA_BACKUP_UNTRUSTED, "via sql \"SELECT id, path, fingerprint FROM via_backups\""},
    {VIA_PASSPHRASE_REQUIRED, "{line} --passphrase-file FILE"},
    {VIA_PASSPHRASE_UNREADABLE, "ls -l {passphrase}"},
    {VIA_PASSPHRASE_WRONG, "{unopened} --passphrase-file FILE"},
    {VIA_STATE_NOT_EMPTY, "via backup restore {file} --state-dir DIR"},
    {VIA_STATE_RESTORING, "via backup restore {file} --state-dir {state}"},
    {VIA_RUN_AS_ROOT, "via run {app}{on} --user USER -- COMMAND"},
    {VIA_USER_UNKNOWN, "getent passwd"},
    {VIA_COMMAND_NOT_FOUND, "command -v {command}"},
    {VIA_CONFIG_UNREADABLE, "ls -ld {state}"},
};

static void
or_put(struct via_buf *b, const char *text, const char *otherwise)
{
    via_buf_puts(b, text && *text ? text : otherwise);
}

static void
flag_put(struct via_buf *b, const char *flag, const char *value)
{
    if (value && *value)
        via_buf_printf(b, " %s %s", flag, value);
}

/* The default target has to be said again only where it was typed. */
static void
target_put(struct via_buf *b, const char *typed, const char *found)
{
    if (typed && !*typed)
        via_buf_puts(b, " --target ''");
    else
        flag_put(b, "--target", typed ? typed : found);
}

static void
state_put(struct via_buf *b)
{
    char path[VIA_PATH_SIZE];

    via_buf_puts(b, via_root_path(path, sizeof path) ? path : "DIR");
}

/* What was typed, from the program's name on, without --json and the option `left_out`. */
static void
line_put(const struct cli *cli, int left_out, struct via_buf *b)
{
    const struct cli_args *a = &cli->args;

    via_buf_puts(b, a->program);
    for (size_t i = 0; i < a->word_count; i++)
        via_buf_printf(b, strchr(a->words[i], ' ') ? " \"%s\"" : " %s", a->words[i]);
    for (int i = 0; i < CLI_OPT_COUNT; i++) {
        if (!a->option[i] || i == CLI_OPT_JSON || i == left_out)
            continue;
        via_buf_printf(b, " --%s", cli_options[i].word);
        if (a->option[i][0])
            via_buf_printf(b, " %s", a->option[i]);
    }
    if (a->command)
        via_buf_puts(b, " -- COMMAND");
}

static void
folder_put(const char *file, struct via_buf *b)
{
    const char *slash = file ? strrchr(file, '/') : NULL;

    if (slash && slash > file)
        via_buf_put(b, file, (size_t)(slash - file));
    else
        via_buf_puts(b, slash ? "/" : ".");
}

static const char *
name_typed(const struct cli *cli)
{
    const char *name = cli_operand(cli, "NAME");

    return name ? name : cli_operand(cli, "ADDON_OR_BINDING");
}

static const char *
binding_typed(const struct cli *cli)
{
    const char *binding = cli_option(cli, CLI_OPT_BINDING);

    if (!binding)
        binding = cli_option(cli, CLI_OPT_BIND);
    if (!binding)
        binding = cli_operand(cli, "ADDON_OR_BINDING");
    return binding ? binding : cli->found_binding;
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

static void
word_put(const struct cli *cli, const char *word, size_t n, struct via_buf *b)
{
    const char *target = cli_option(cli, CLI_OPT_TARGET);
    const char *meant = target && *target ? target : "''";

    if (!target && cli->found_target[0])
        meant = cli->found_target;

#define IS(text) (n == sizeof(text) - 1 && memcmp(word, text, n) == 0)
    if (IS("app"))
        or_put(b, cli_app(cli) ? cli_app(cli) : cli->found_app, "APP");
    else if (IS("name"))
        or_put(b, name_typed(cli) ? name_typed(cli) : cli->found_addon, "NAME");
    else if (IS("binding"))
        or_put(b, binding_typed(cli), "BINDING");
    else if (IS("of"))
        flag_put(b, "--app", cli_app(cli));
    else if (IS("on"))
        target_put(b, target, cli->found_target);
    else if (IS("target"))
        via_buf_printf(b, " --target %s", meant);
    else if (IS("snapshot"))
        or_put(b, cli->found_snapshot, "ID");
    else if (IS("from"))
        or_put(b, cli_option(cli, CLI_OPT_FROM), "FILE");
    else if (IS("file"))
        or_put(b, cli_operand(cli, "FILE"), "FILE");
    else if (IS("passphrase"))
        or_put(b, cli_option(cli, CLI_OPT_PASSPHRASE_FILE), "FILE");
    else if (IS("folder"))
        folder_put(cli_operand(cli, "FILE"), b);
    else if (IS("command"))
        or_put(b, cli->args.command ? cli->args.command[0] : NULL, "COMMAND");
    else if (IS("state"))
        state_put(b);
    else if (IS("line"))
        line_put(cli, CLI_OPT_JSON, b);
    else if (IS("unopened"))
        line_put(cli, CLI_OPT_PASSPHRASE_FILE, b);
    else
        help_put(cli, b);
#undef IS
}

static void
template_put(const struct cli *cli, const char *line, struct via_buf *b)
{
    while (*line) {
        size_t plain = strcspn(line, "{");
        size_t word;

        via_buf_put(b, line, plain);
        line += plain;
        if (!*line)
            return;
        word = strcspn(++line, "}");
        word_put(cli, line, word, b);
        line += word + 1;
    }
}

static void
usage_put(const struct cli *cli, struct via_buf *b)
{
    const struct cli_args *a = &cli->args;

    if (a->verb)
        cli_usage_put(b, a->verb);
    else
        cli_usage_put_noun(b, cli_verbs, cli_verb_count, a->program, a->noun);
}

/* The line for `status` in this situation; NULL when there is none of its own. */
static const char *
line_of(const struct cli *cli, enum via_status status)
{
    bool restores = cli_option(cli, CLI_OPT_SNAPSHOT) != NULL;

    /* An empty database would be less than what a snapshot still has. */
    if ((status == VIA_STORAGE_MISSING || status == VIA_STORAGE_CORRUPT) &&
        cli->found_snapshot[0] && !restores)
        return "via addon restore {name} --app {app} --snapshot {snapshot} --drain";
    if (status == VIA_STATE_INVALID && restores)
        return "via addon snapshots {name}{of}";
    for (size_t i = 0; i < sizeof remedies / sizeof *remedies; i++)
        if (remedies[i].status == status)
            return remedies[i].line;
    return NULL;
}

void
cli_remedy_put(const struct cli *cli, enum via_status status, struct via_buf *b)
{
    const char *line = status == VIA_USAGE ? NULL : line_of(cli, status);

    if (line)
        template_put(cli, line, b);
    else if (status == VIA_USAGE)
        usage_put(cli, b);
    else
        help_put(cli, b);
}
