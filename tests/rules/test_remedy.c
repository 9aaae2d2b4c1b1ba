/* The focus of this file is the line that mends a refusal: one for each situation, with every word
 * filled in and fit for a shell. */
#include "check.h"
#include "rules/remedy.h"

#include <string.h>

static const struct via_remedy_facts known = {
    .app = "api",
    .target = "prod",
    .addon = "app-db",
    .binding = "DATABASE",
    .addon_state = VIA_ADDON_IS_READY,
};

/* Check the line for `why` and the facts `f`. */
static void
check_line(const char *what, enum via_status why, struct via_remedy_facts f, const char *want)
{
    char line[VIA_REMEDY_SIZE];

    f.why = why;
    via_remedy_text(&f, line, sizeof line);
    CHECK(strcmp(line, want) == 0, "%s: %s", what, line);
}

static void
test_words(void)
{
    struct via_remedy_facts f = known;

    check_line("with a target", VIA_BINDING_NOT_DEPLOYED, f, "vary app deploy api --target prod");
    f.target = "";
    check_line("the default one", VIA_BINDING_NOT_DEPLOYED, f, "vary app deploy api");
    check_line("where it always is said", VIA_TOKEN_MISSING, f, "vary app repair api --target ''");
    f.target_said = true;
    check_line("where it was said", VIA_BINDING_NOT_DEPLOYED, f, "vary app deploy api --target ''");
    check_line("of nothing that is known", VIA_GENERATION_REVOKED, (struct via_remedy_facts){0},
               "via addon rotate-credentials NAME --binding BINDING");
    check_line("of a binding that is not known", VIA_BINDING_MISSING,
               (struct via_remedy_facts){.app = "api", .addon = "app-db"},
               "via addon bind api app-db --binding DATABASE");
    check_line("what only its help explains", VIA_NAME_INVALID,
               (struct via_remedy_facts){.help = "via addon create --help"},
               "via addon create --help");
    check_line("of what nobody typed", VIA_NAME_INVALID, known, "");
    check_line("of nothing wrong", VIA_OK, known, "");
}

static void
test_quotes(void)
{
    char line[VIA_REMEDY_SIZE];
    struct via_remedy_facts f = {.file = "/my files/it's.db",
                                 .state_dir = "/srv/via $HOME",
                                 .from = "a;b",
                                 .app = "a'\"$`\\b"};

    check_line("a path with blanks", VIA_PATH_INVALID, f, "ls -l '/my files/it'\\''s.db'");
    check_line("the folder it is in", VIA_PATH_UNWRITABLE, f, "ls -ld '/my files'");
    check_line("a state root", VIA_AGENT_NOT_RUNNING, f, "viad --state-dir '/srv/via $HOME'");
    check_line("two commands in a name", VIA_SOURCE_NOT_A_DATABASE, f, "file 'a;b'");
    check_line("a word inside a statement", VIA_BINDING_NOT_FOUND, f,
               "via sql \"SELECT binding, target, addon FROM via_bindings WHERE app = "
               "'a''\\\"\\$\\`\\\\b'\"");
    check_line("a full disk", VIA_DISK_FULL, f, "df -h '/srv/via $HOME'");
    f.writes_file = true;
    check_line("or another one", VIA_STORAGE_FULL, f, "df -h '/my files' '/srv/via $HOME'");
    f.file = "/x";
    check_line("a file of the top folder", VIA_PATH_UNWRITABLE, f, "ls -ld /");
    f.file = "x";
    check_line("a file of this folder", VIA_PATH_UNWRITABLE, f, "ls -ld .");
    f.why = VIA_PATH_INVALID;
    via_remedy_text(&f, line, strlen("ls -l x"));
    CHECK(!line[0], "without room for all of a line there is none");
}

static void
test_storage(void)
{
    struct via_remedy_facts f = known;

    check_line("missing", VIA_STORAGE_MISSING, f,
               "via addon ensure sqlite app-db --app api --bind DATABASE --target prod --repair");
    check_line("damaged", VIA_STORAGE_CORRUPT, f,
               "via addon shell app-db --app api .dump | sed 's/^ROLLBACK; -- due to "
               "errors$/COMMIT;/' | sqlite3 app-db.sqlite");
    f.obstacle = "/var/lib/via/addons/a b/data.sqlite";
    check_line("something in its place", VIA_STORAGE_UNREADABLE, f,
               "ls -ld '/var/lib/via/addons/a b/data.sqlite'");
    f.obstacle = NULL;
    check_line("unreadable", VIA_STORAGE_UNREADABLE, f, "via doctor --fix");
    f.is_unreadable = true;
    check_line("damaged, and nothing can be read", VIA_STORAGE_CORRUPT, f,
               "via addon destroy app-db --app api --force && via addon create sqlite app-db --app "
               "api --bind DATABASE --target prod");
    f.backup = "/srv/host 1.tar.zst";
    check_line("damaged, with a backup", VIA_STORAGE_CORRUPT, f,
               "via backup restore '/srv/host 1.tar.zst' --state-dir via-restored");
    check_line("missing, with a backup", VIA_STORAGE_MISSING, f,
               "via addon ensure sqlite app-db --app api --bind DATABASE --target prod --repair");
    f.backup_sealed = true;
    check_line("damaged, with a sealed one", VIA_STORAGE_CORRUPT, f,
               "via backup restore '/srv/host 1.tar.zst' --passphrase-file FILE --state-dir "
               "via-restored");
    f.snapshot = "snap_1";
    check_line("damaged, with a snapshot", VIA_STORAGE_CORRUPT, f,
               "via addon restore app-db --app api --snapshot snap_1 --drain");
    check_line("missing, with a snapshot", VIA_STORAGE_MISSING, f,
               "via addon restore app-db --app api --snapshot snap_1 --drain");
    check_line("a failed one with data", VIA_ADDON_FAILED_WITH_DATA, f,
               "via addon ensure sqlite app-db --app api --bind DATABASE --target prod --repair");
    f.restores = true;
    f.backup = NULL;
    f.is_unreadable = false;
    check_line("missing where that snapshot is restored", VIA_STORAGE_MISSING, f,
               "via addon ensure sqlite app-db --app api --bind DATABASE --target prod --repair");
    check_line("the control plane damaged", VIA_STATE_CORRUPT,
               (struct via_remedy_facts){.backup = "/s/backups/b.tar.zst"},
               "via backup restore /s/backups/b.tar.zst --state-dir via-restored");
    check_line("the same without a backup", VIA_STATE_CORRUPT, (struct via_remedy_facts){0},
               "via backup restore FILE --state-dir via-restored");
}

static void
test_conditions(void)
{
    struct via_remedy_facts f = known;

    check_line("an add-on that is unavailable", VIA_ADDON_UNAVAILABLE, f,
               "via addon status app-db --app api");
    f.addon_state = VIA_ADDON_IS_SUSPENDED;
    check_line("a suspended one", VIA_ADDON_UNAVAILABLE, f, "via addon resume app-db --app api");
    f.addon_state = VIA_ADDON_IS_DESTROYED;
    check_line("a destroyed one", VIA_ADDON_UNAVAILABLE, f, "vary app deploy api --target prod");
    f.addon = "";
    check_line("one that is not known", VIA_ADDON_UNAVAILABLE, f,
               "vary app deploy api --target prod");
    check_line("a generation that a token has", VIA_GENERATION_UNKNOWN, f,
               "vary app deploy api --target prod");
    f.names_generation = true;
    check_line("a generation that was typed", VIA_GENERATION_UNKNOWN, f,
               "via sql \"SELECT binding, generation, status FROM via_generations WHERE app = "
               "'api'\"");
    check_line("a write by a reader", VIA_READ_ONLY_BINDING, known,
               "via sql \"UPDATE via_bindings SET mode = 'rw' WHERE app = 'api' AND binding = "
               "'DATABASE'\" && vary app deploy api --target prod");
    check_line("a state for another step", VIA_STATE_INVALID, known, "via addon list");
    f.restores = true;
    f.addon = "app-db";
    check_line("a snapshot in a restore", VIA_STATE_INVALID, f,
               "via addon snapshots app-db --app api");
}

/* No row names a word that nothing stands for: that would leave a gap. */
static void
test_all(void)
{
    const struct via_remedy_facts full = {.app = "api",
                                          .target = "prod",
                                          .addon = "app-db",
                                          .binding = "DATABASE",
                                          .snapshot = "snap_1",
                                          .backup = "b",
                                          .line = "via addon list",
                                          .unopened = "via addon list",
                                          .unplaced = "via addon list",
                                          .help = "via addon list --help",
                                          .state_dir = "/s",
                                          .from = "f",
                                          .file = "f",
                                          .passphrase = "p",
                                          .command = "c"};
    char line[VIA_REMEDY_SIZE];
    struct via_remedy_facts f;

    for (int why = VIA_OK + 1; why < VIA_STATUS_COUNT; why++) {
        f = full;
        f.why = (enum via_status)why;
        via_remedy_text(&f, line, sizeof line);
        CHECK(line[0] && !strpbrk(line, "{}") && !strstr(line, "  ") &&
                  line[strlen(line) - 1] != ' ',
              "%s has a line without gaps: %s", via_status_word(f.why), line);
    }
}

int
main(void)
{
    test_words();
    test_quotes();
    test_storage();
    test_conditions();
    test_all();
    return check_end();
}
