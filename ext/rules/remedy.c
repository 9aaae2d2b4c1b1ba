/* remedy.c: which line for which situation, and what its words stand for.
 *
 * {app} {name} {binding} {snapshot} {backup} {from} {file} {passphrase} {command} {state} {agent}:
 * what is known, else the word to fill in. {bind}: the binding, else the usual one. {app_sql}
 * {binding_sql}: literals of a statement in double quotes. {of}: " --app APP" when the app is
 * known. {on}: " --target T", where it has to be said; {target}: wherever. {folder}: where FILE is.
 * {obstacle}: what is in the place of a database.
 * {line} {rest} {unopened} {unplaced} {help}: see remedy.h. */
#include "rules/remedy.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define RESTORE "via addon restore {name}{of} --snapshot {snapshot} --drain"
#define REPAIR "via addon ensure sqlite {name} --app {app} --bind {bind}{on} --repair"
#define DEPLOY "vary app deploy {app}{on}"
#define MINT "vary app repair {app}{target}"
#define START "via run {app}{on} -- COMMAND"
#define STATUS "via addon status {name}{of}"
#define ELSEWHERE "--state-dir via-restored" /* a new folder: nothing is overwritten */

/* -- what is the case ------------------------------------------------------------- */

static bool
is_known(const char *text)
{
    return text && *text;
}

/* An empty database would be less than what a snapshot still has. */
static bool
has_snapshot(const struct via_remedy_facts *f)
{
    return is_known(f->snapshot) && !f->restores;
}

static bool
has_backup(const struct via_remedy_facts *f)
{
    return is_known(f->backup);
}

static bool
has_sealed_backup(const struct via_remedy_facts *f)
{
    return has_backup(f) && f->backup_sealed;
}

static bool
names_snapshot(const struct via_remedy_facts *f)
{
    return f->restores && is_known(f->snapshot);
}

static bool
is_unreadable(const struct via_remedy_facts *f)
{
    return f->is_unreadable;
}

static bool
is_gone(const struct via_remedy_facts *f)
{
    return !is_known(f->addon) || f->addon_state == VIA_ADDON_IS_DESTROYED;
}

static bool
is_suspended(const struct via_remedy_facts *f)
{
    return f->addon_state == VIA_ADDON_IS_SUSPENDED;
}

static bool
restores(const struct via_remedy_facts *f)
{
    return f->restores;
}

static bool
writes_file(const struct via_remedy_facts *f)
{
    return f->writes_file && is_known(f->file);
}

static bool
has_obstacle(const struct via_remedy_facts *f)
{
    return is_known(f->obstacle);
}

static bool
is_unbound(const struct via_remedy_facts *f)
{
    return f->is_unbound;
}

static bool
is_deploy_over(const struct via_remedy_facts *f)
{
    return f->is_deploy_over;
}

static bool
has_agent(const struct via_remedy_facts *f)
{
    return is_known(f->agent);
}

static bool
names_generation(const struct via_remedy_facts *f)
{
    return f->names_generation;
}

/* -- the lines -------------------------------------------------------------------- */

/* Of those for a status the first counts whose condition holds; NULL always does. */
static const struct remedy {
    enum via_status why;
    bool (*when)(const struct via_remedy_facts *f);
    const char *line;
} remedies[] = {
    {VIA_NAME_TAKEN, NULL,
     "via sql \"SELECT binding AS name FROM via_bindings WHERE app = {app_sql} UNION SELECT name "
     "FROM via_env WHERE app = {app_sql}\""},
    {VIA_STATE_INVALID, restores, "via addon snapshots {name}{of}"},
    {VIA_STATE_INVALID, NULL, "via addon list"},
    {VIA_APP_NOT_FOUND, NULL, "via sql \"SELECT name FROM via_apps\""},
    {VIA_APP_IN_USE, NULL, "via addon list --app {app}"},
    {VIA_ADDON_EXISTS, NULL, STATUS},
    {VIA_ADDON_NOT_FOUND, NULL, "via addon list"},
    {VIA_ADDON_AMBIGUOUS, NULL, "{line} --app APP"},
    {VIA_ADDON_APP_MISMATCH, NULL, "via addon list --app {app}"},
    {VIA_ADDON_BOUND, NULL, "via addon unbind {app} {binding}{on}"},
    {VIA_ADDON_IN_USE, NULL, "vary app stop {app}{target}"},
    {VIA_ADDON_PROTECTED, NULL, "via addon set {name}{of} delete_protection=false"},
    {VIA_ADDON_ACTIVE, NULL, "{line} --drain"},
    {VIA_ADDON_BUSY, NULL, "via status"},
    {VIA_ADDON_FAILED_WITH_DATA, NULL, REPAIR},
    {VIA_ADDON_SUSPENDED, NULL, "via addon resume {name}{of}"},
    {VIA_TYPE_UNKNOWN, NULL, "via addon create sqlite {name} --app {app}"},
    {VIA_OPTION_UNKNOWN, NULL, "via addon set --help"},
    {VIA_OPTION_INVALID, NULL, "via addon set --help"},
    {VIA_BINDING_EXISTS, NULL, "via addon unbind {app} {binding}{on}"},
    {VIA_BINDING_NOT_FOUND, NULL,
     "via sql \"SELECT binding, target, addon FROM via_bindings WHERE app = {app_sql}\""},
    {VIA_BINDING_AMBIGUOUS, NULL, "via addon unbind {app} BINDING{on}"},
    {VIA_RELEASE_NOT_FOUND, NULL,
     "via sql \"SELECT id, version, target FROM via_releases WHERE app = {app_sql}\""},
    {VIA_DEPLOY_NOT_FOUND, NULL, DEPLOY},
    {VIA_DEPLOY_STOPPED, NULL, DEPLOY},
    {VIA_DEPLOY_SUPERSEDED, NULL, DEPLOY},
    {VIA_TARGET_REQUIRED, NULL, "{line} --target T{rest}"},
    {VIA_PATH_INVALID, NULL, "ls -l {file}"},
    {VIA_PATH_UNWRITABLE, NULL, "ls -ld {folder}"},
    {VIA_ENV_NOT_FOUND, NULL, "via app env list {app}"},
    {VIA_SECRET_IN_SQL, NULL, "via app env set {app} --secret NAME{on}"},

    /* importing an existing database */
    {VIA_SOURCE_NOT_FOUND, NULL, "ls -l {from}"},
    {VIA_SOURCE_UNREADABLE, NULL, "ls -l {from}"},
    {VIA_SOURCE_NOT_A_FILE, NULL, "ls -l {from}"},
    {VIA_SOURCE_SYMLINK, NULL, "readlink -f {from}"},
    {VIA_SOURCE_NOT_A_DATABASE, NULL, "file {from}"},
    {VIA_SOURCE_CORRUPT, NULL, "sqlite3 {from} \"PRAGMA integrity_check\""},
    {VIA_SOURCE_HOT_JOURNAL, NULL, "sqlite3 {from} \"PRAGMA integrity_check\""},
    {VIA_SOURCE_BUSY, NULL, "fuser -v {from}"},

    /* the state root, its files and its processes */
    {VIA_STATE_UNAVAILABLE, NULL, "sudo {line}{rest}"},
    {VIA_STATE_NEWER, NULL, "via --version"},
    {VIA_STATE_CORRUPT, NULL, "via backup restore {backup} " ELSEWHERE},
    {VIA_KEY_UNAVAILABLE, NULL, "via doctor"},
    {VIA_AUDIT_BROKEN, NULL, "via audit --json"},
    {VIA_DISK_FULL, writes_file, "df -h {folder} {state}"},
    {VIA_DISK_FULL, NULL, "df -h {state}"},
    {VIA_CONTROL_BUSY, NULL, "{line}{rest}"},
    {VIA_AGENT_VERSION_MISMATCH, NULL, "via status"},
    {VIA_AGENT_NOT_RUNNING, NULL, "viad --state-dir {state}"},
    /* What does not answer does not end when it is asked to; nothing is lost when it is killed. */
    {VIA_AGENT_UNREACHABLE, has_agent, "kill -KILL {agent} && sleep 1 && viad --state-dir {state}"},
    {VIA_AGENT_UNREACHABLE, NULL, "viad --state-dir {state}"},
    {VIA_KEY_NOT_FOUND, NULL, "via keys list"},
    {VIA_KEY_ACTIVE, NULL, "via keys list"},
    {VIA_KEY_IN_USE, NULL, "via keys list"},
    {VIA_STORAGE_MISSING, has_snapshot, RESTORE},
    {VIA_STORAGE_MISSING, NULL, REPAIR},
    {VIA_STORAGE_UNREADABLE, has_obstacle, "ls -ld {obstacle}"}, /* it is somebody's */
    {VIA_STORAGE_UNREADABLE, NULL, "via doctor --fix"},
    {VIA_STORAGE_CORRUPT, has_snapshot, RESTORE},
    {VIA_STORAGE_CORRUPT, has_sealed_backup,
     "via backup restore {backup} --passphrase-file FILE " ELSEWHERE},
    {VIA_STORAGE_CORRUPT, has_backup, "via backup restore {backup} " ELSEWHERE},
    {VIA_STORAGE_CORRUPT, is_unreadable,
     "via addon destroy {name}{of} --force && via addon create sqlite {name} --app {app} --bind "
     "{bind}{on}"},
    /* The shell reads round what is damaged, and ends such a script with a rollback. */
    {VIA_STORAGE_CORRUPT, NULL,
     "via addon shell {name}{of} .dump | sed 's/^ROLLBACK; -- due to errors$/COMMIT;/' | "
     "sqlite3 {name}.sqlite"},
    {VIA_STORAGE_READONLY, NULL, "via doctor --fix"},
    {VIA_STORAGE_FULL, writes_file, "df -h {folder} {state}"},
    {VIA_STORAGE_FULL, NULL, "df -h {state}"},
    {VIA_SNAPSHOT_NOT_FOUND, NULL,
     "via sql \"SELECT id, addon, app, state, created_at FROM via_snapshots\""},
    {VIA_SNAPSHOT_MISSING, NULL, "via doctor"},
    {VIA_SNAPSHOT_CORRUPT, names_snapshot, "via addon snapshot-delete {snapshot}"},
    {VIA_SNAPSHOT_CORRUPT, NULL, "via addon snapshots {name}{of}"},
    {VIA_BACKUP_UNREADABLE, NULL, "ls -l {file}"},
    {VIA_BACKUP_INVALID, NULL, "ls -l {folder}"}, /* another one */
    /* It prints whose the archive is, and makes no state root, in which it could not be restored.
     */
    {VIA_BACKUP_UNTRUSTED, NULL, "via backup verify {file}"},
    {VIA_PASSPHRASE_REQUIRED, NULL, "{line} --passphrase-file FILE"},
    {VIA_PASSPHRASE_UNREADABLE, NULL, "ls -l {passphrase}"},
    {VIA_PASSPHRASE_WRONG, NULL, "{unopened} --passphrase-file FILE"},
    {VIA_STATE_NOT_EMPTY, NULL, "{unplaced} --state-dir DIR"},
    {VIA_STATE_RESTORING, NULL, "via backup restore {file} --state-dir {state}"},
    {VIA_RESTORE_TIMEOUT, NULL, "{line} --force-after-timeout"},

    /* readiness */
    {VIA_METADATA_MISSING, NULL, "via addon create sqlite {name} --app {app}"},
    {VIA_BINDING_MISSING, NULL, "via addon bind {app} {name} --binding {bind}"},
    {VIA_BINDING_NOT_DEPLOYED, NULL, DEPLOY},
    {VIA_RUNTIME_NOT_RUNNING, NULL, START},

    /* the gates */
    {VIA_TOKEN_MISSING, NULL, MINT},
    {VIA_TOKEN_INVALID, NULL, MINT},
    {VIA_RUNTIME_IDENTITY_EXPIRED, NULL, MINT},
    {VIA_WORKLOAD_UNBOUND, is_deploy_over, DEPLOY},
    {VIA_WORKLOAD_UNBOUND, NULL, START},
    {VIA_MANIFEST_INVALID, NULL, DEPLOY},
    {VIA_BINDING_NOT_IN_RELEASE, NULL, DEPLOY},
    {VIA_GENERATION_REVOKED, is_unbound,
     "via addon bind {app} {name} --binding {binding}{on} && " DEPLOY},
    {VIA_GENERATION_REVOKED, NULL,
     "via addon rotate-credentials {name}{of} --binding {binding}{on}"},
    {VIA_GENERATION_UNKNOWN, names_generation,
     "via sql \"SELECT binding, generation, status FROM via_generations WHERE app = {app_sql}\""},
    {VIA_GENERATION_UNKNOWN, NULL, DEPLOY},
    {VIA_ADDON_UNAVAILABLE, is_gone, DEPLOY},
    {VIA_ADDON_UNAVAILABLE, is_suspended, "via addon resume {name}{of}"},
    {VIA_ADDON_UNAVAILABLE, NULL, STATUS},
    {VIA_READ_ONLY_BINDING, NULL,
     "via sql \"UPDATE via_bindings SET mode = 'rw' WHERE app = {app_sql} AND binding = "
     "{binding_sql}\" && " DEPLOY},
    {VIA_ADDON_BLOCKED, NULL,
     "via addon set {name}{of} block_reads=null block_writes=null "
     "block_reason=null"},
    {VIA_ADDON_DRAINING, NULL, "via status"},

    /* the launcher */
    {VIA_RUN_AS_ROOT, NULL, "via run {app}{on} --user USER -- COMMAND"},
    {VIA_USER_UNKNOWN, NULL, "getent passwd"},
    {VIA_COMMAND_NOT_FOUND, NULL, "command -v {command}"},
    {VIA_LAUNCHER_GONE, NULL, START},
    {VIA_CONFIG_UNREADABLE, NULL, "ls -ld {state}"},
};

/* -- their words ------------------------------------------------------------------ */

/* A literal inside the double quotes of a shell. */
static void
literal_put(struct via_buf *b, const char *text)
{
    struct via_buf literal;

    via_buf_init(&literal);
    via_buf_put_sql(&literal, text);
    for (const char *p = via_buf_text(&literal); *p; p++) {
        if (strchr("\"\\$`", *p))
            via_buf_putc(b, '\\');
        via_buf_putc(b, *p);
    }
    via_buf_deinit(&literal);
}

static void
app_put(const struct via_remedy_facts *f, struct via_buf *b)
{
    if (!is_known(f->app))
        return;
    via_buf_puts(b, " --app ");
    via_buf_put_word(b, f->app);
}

static void
target_put(const struct via_remedy_facts *f, bool always, struct via_buf *b)
{
    if (!is_known(f->target) && !f->target_said && !always)
        return;
    via_buf_puts(b, " --target ");
    via_buf_put_word(b, f->target ? f->target : "");
}

static void
folder_put(const char *file, struct via_buf *b)
{
    const char *slash = file ? strrchr(file, '/') : NULL;
    char folder[VIA_PATH_SIZE];

    (void)snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - file) : 0,
                   slash ? file : "");
    via_buf_put_word(b, folder[0] ? folder : slash ? "/" : ".");
}

/* The words that stand for one text each. */
static const struct slot {
    const char *word;
    size_t at; /* of the fact */
    const char *otherwise;
    enum { AS_WORD, AS_IS, AS_LITERAL } how;
} slots[] = {
#define FACT(name) offsetof(struct via_remedy_facts, name)
    {"app", FACT(app), "APP", AS_WORD},
    {"app_sql", FACT(app), "APP", AS_LITERAL},
    {"name", FACT(addon), "NAME", AS_WORD},
    {"binding", FACT(binding), "BINDING", AS_WORD},
    {"binding_sql", FACT(binding), "BINDING", AS_LITERAL},
    {"bind", FACT(binding), "DATABASE", AS_WORD},
    {"snapshot", FACT(snapshot), "ID", AS_WORD},
    {"backup", FACT(backup), "FILE", AS_WORD},
    {"obstacle", FACT(obstacle), "FILE", AS_WORD},
    {"state", FACT(state_dir), "DIR", AS_WORD},
    {"agent", FACT(agent), "PID", AS_WORD},
    {"from", FACT(from), "FILE", AS_WORD},
    {"file", FACT(file), "FILE", AS_WORD},
    {"passphrase", FACT(passphrase), "FILE", AS_WORD},
    {"command", FACT(command), "COMMAND", AS_WORD},
    {"line", FACT(line), "", AS_IS},
    {"rest", FACT(rest), "", AS_IS},
    {"unopened", FACT(unopened), "", AS_IS},
    {"unplaced", FACT(unplaced), "", AS_IS},
    {"help", FACT(help), "", AS_IS},
#undef FACT
};

static void
slot_put(const struct via_remedy_facts *f, const struct slot *slot, struct via_buf *b)
{
    const char *text = *(const char *const *)((const char *)f + slot->at);

    if (!is_known(text))
        text = slot->otherwise;
    if (slot->how == AS_IS)
        via_buf_puts(b, text);
    else if (slot->how == AS_LITERAL)
        literal_put(b, text);
    else
        via_buf_put_word(b, text);
}

static void
word_put(const struct via_remedy_facts *f, const char *word, size_t n, struct via_buf *b)
{
#define IS(text) (n == strlen(text) && memcmp(word, text, n) == 0)
    if (IS("of"))
        app_put(f, b);
    else if (IS("on") || IS("target"))
        target_put(f, IS("target"), b);
    else if (IS("folder"))
        folder_put(f->file, b);
    for (size_t i = 0; i < sizeof slots / sizeof *slots; i++)
        if (IS(slots[i].word))
            slot_put(f, &slots[i], b);
#undef IS
}

static void
line_put(const struct via_remedy_facts *f, const char *line, struct via_buf *b)
{
    while (*line) {
        size_t plain = strcspn(line, "{");
        size_t word;

        via_buf_put(b, line, plain);
        line += plain;
        if (!*line)
            return;
        word = strcspn(++line, "}");
        word_put(f, line, word, b);
        line += word + 1;
    }
}

void
via_remedy_put(const struct via_remedy_facts *f, struct via_buf *b)
{
    for (size_t i = 0; i < sizeof remedies / sizeof *remedies; i++)
        if (remedies[i].why == f->why && (!remedies[i].when || remedies[i].when(f))) {
            line_put(f, remedies[i].line, b);
            return;
        }
    if (f->why != VIA_OK)
        line_put(f, "{help}", b);
}

void
via_remedy_text(const struct via_remedy_facts *f, char *out, size_t size)
{
    struct via_buf b;

    via_buf_init(&b);
    via_remedy_put(f, &b);
    /* Half a line is worse than none. */
    (void)snprintf(out, size, "%s", b.len < size ? via_buf_text(&b) : "");
    via_buf_deinit(&b);
}
