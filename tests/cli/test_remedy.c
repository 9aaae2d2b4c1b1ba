/* The focus of this file is that a line to type can be typed: the command line understands each of
 * them, and after --state-dir each goes to the same state root. */
#include "check.h"
#include "cli/remedy.h"
#include "cli/verbs.h"
#include "rules/remedy.h"

#include <stdlib.h>
#include <string.h>
#include <wordexp.h>

#define ROOT "/my root"

/* Does the command line understand the command that is the `n` bytes at `text`, and with which
 * --state-dir (NULL: none)? What is no command of ours is understood. */
static bool
is_understood(const char *text, size_t n, char *root, size_t size, struct via_buf *problem)
{
    char command[VIA_REMEDY_SIZE];
    struct cli_args args = {0};
    wordexp_t words;
    char **argv;
    bool understood;

    (void)snprintf(command, sizeof command, "%.*s", (int)n, text);
    if (wordexp(command, &words, WRDE_NOCMD) != 0)
        return false;
    argv = words.we_wordv + (strcmp(words.we_wordv[0], "sudo") == 0);
    root[0] = '\0';
    understood = true;
    if (strcmp(argv[0], "via") == 0 || strcmp(argv[0], "vary") == 0) {
        understood = cli_args_parse(&args, cli_verbs, cli_verb_count,
                                    (int)(words.we_wordc - (size_t)(argv - words.we_wordv)), argv,
                                    problem) ||
                     args.option[CLI_OPT_HELP] || args.option[CLI_OPT_VERSION];
        if (args.option[CLI_OPT_HELP] || args.option[CLI_OPT_VERSION])
            (void)snprintf(root, size, "%s", "not needed");
        else if (args.option[CLI_OPT_STATE_DIR])
            (void)snprintf(root, size, "%s", args.option[CLI_OPT_STATE_DIR]);
        cli_args_deinit(&args);
    } else {
        (void)snprintf(root, size, "%s", "not needed");
    }
    wordfree(&words);
    return understood;
}

/* Check every command of the line that the command line says for `why`. */
static void
check_status(struct cli *cli, enum via_status why)
{
    struct via_buf line, problem;
    char root[VIA_PATH_SIZE];
    const char *at, *end;
    bool wrong = false;

    via_buf_init(&line);
    via_buf_init(&problem);
    cli_remedy_put(cli, why, &line);
    for (at = via_buf_text(&line); at && !wrong; at = end) {
        end = strstr(at, " && ");
        if (!end)
            end = strstr(at, " | ");
        wrong = !is_understood(at, end ? (size_t)(end - at) : strlen(at), root, sizeof root,
                               &problem) ||
                !root[0];
        if (end)
            end += strspn(end, " &|");
    }
    CHECK(!wrong, "%s: %s%s", via_status_word(why), via_buf_text(&line), via_buf_text(&problem));
    via_buf_deinit(&line);
    via_buf_deinit(&problem);
}

/* Every code that `words` can end in, or all. */
static void
check_typed(const char *const *words, const enum via_status *some)
{
    char *argv[16];
    int argc = 0;
    struct via_buf problem;
    struct cli cli;

    memset(&cli, 0, sizeof cli);
    via_buf_init(&problem);
    for (; words[argc]; argc++)
        argv[argc] = (char *)words[argc];
    argv[argc] = NULL;
    CHECK(cli_args_parse(&cli.args, cli_verbs, cli_verb_count, argc, argv, &problem),
          "%s %s is typed%s", words[1], words[2], via_buf_text(&problem));
    for (int why = VIA_OK + 1; !some && why < VIA_STATUS_COUNT; why++)
        if (why != VIA_USAGE && why != VIA_PASSPHRASE_REQUIRED && why != VIA_PASSPHRASE_WRONG &&
            why != VIA_BACKUP_UNTRUSTED) /* reads an archive, and no state root */
            check_status(&cli, (enum via_status)why);
    for (; some && *some != VIA_OK; some++)
        check_status(&cli, *some);
    cli_args_deinit(&cli.args);
    via_buf_deinit(&problem);
}

static void
check_placed(const char *const *words, const char *line, const char *want)
{
    char *argv[16];
    int argc = 0;
    struct via_buf out;
    struct cli cli;

    memset(&cli, 0, sizeof cli);
    via_buf_init(&out);
    for (; words[argc]; argc++)
        argv[argc] = (char *)words[argc];
    argv[argc] = NULL;
    via_ignore(cli_args_parse(&cli.args, cli_verbs, cli_verb_count, argc, argv, &out));
    cli_remedy_put_line(&cli, line, &out);
    CHECK(strcmp(via_buf_text(&out), want) == 0, "placed: %s", via_buf_text(&out));
    cli_args_deinit(&cli.args);
    via_buf_deinit(&out);
}

#define TYPED(...)                                                                                 \
    (const char *const[])                                                                          \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }

int
main(void)
{
    /* An option that every other verb takes too, so that {line} may be given more. */
    check_typed(
        TYPED("via", "addon", "restore", "my db", "--snapshot", "snap_1", "--state-dir", ROOT),
        NULL);
    check_typed(TYPED("vary", "app", "status", "api", "--target", "", "--state-dir", ROOT),
                (const enum via_status[]){VIA_RUNTIME_IDENTITY_EXPIRED, VIA_MANIFEST_INVALID,
                                          VIA_CONTROL_BUSY, VIA_OK});
    check_typed(TYPED("via", "backup", "restore", "host 1.tar", "--state-dir", ROOT,
                      "--passphrase-file", "p"),
                (const enum via_status[]){VIA_PASSPHRASE_WRONG, VIA_STATE_NOT_EMPTY,
                                          VIA_STATE_RESTORING, VIA_BACKUP_UNREADABLE, VIA_OK});
    check_typed(TYPED("via", "backup", "verify", "host 1.tar", "--state-dir", ROOT),
                (const enum via_status[]){VIA_PASSPHRASE_REQUIRED, VIA_OK});

    check_placed(TYPED("via", "status", "--state-dir", "s"), "via run api -- COMMAND",
                 "via --state-dir s run api -- COMMAND");
    check_placed(TYPED("via", "status", "--state-dir", "s"), "via sql \"x\" && vary app deploy api",
                 "via --state-dir s sql \"x\" && vary --state-dir s app deploy api");
    check_placed(TYPED("via", "status", "--state-dir", "s"), "via backup restore f --state-dir d",
                 "via backup restore f --state-dir d");
    check_placed(TYPED("via", "backup", "restore", "f", "--state-dir", "s"), "via backup verify f",
                 "via backup verify f");
    check_placed(TYPED("via", "status", "--state-dir", "s"), "viad --state-dir d",
                 "viad --state-dir d");
    check_placed(TYPED("via", "status", "--state-dir", "s"), "kill 1", "kill 1");
    setenv("VIA_STATE_DIR", ROOT, 1);
    check_placed(TYPED("via", "status"), "via doctor", "via doctor");
    check_placed(TYPED("via", "status"), "sudo via status",
                 "sudo via --state-dir '" ROOT "' status");
    check_placed(TYPED("via", "status", "--state-dir", "s"), "sudo via status",
                 "sudo via --state-dir s status");
    unsetenv("VIA_STATE_DIR");
    check_placed(TYPED("via", "status"), "sudo via status", "sudo via status");
    return check_end();
}
