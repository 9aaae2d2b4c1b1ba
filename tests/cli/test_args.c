/* The focus of this file is the grammar of the command line: words, options and suggestions. */
#include "check.h"
#include "cli/args.h"

#include <string.h>

#define BIT CLI_BIT

static const struct cli_verb verbs[] = {
    {"via", "addon", "create", "TYPE NAME", BIT(APP), BIT(BIND), "", "", NULL},
    {"via", "addon", "set", "NAME KEY=VALUE...", 0, 0, "", "", NULL},
    {"via", NULL, "run", "APP -- COMMAND...", 0, BIT(USER), "", "", NULL},
    {"via", NULL, "sql", "[STATEMENT]", 0, 0, "", "", NULL},
    {"vary", "app", "stop", "APP", 0, 0, "", "", NULL},
};
#define VERB_COUNT (sizeof verbs / sizeof *verbs)

static struct cli_args args;
static struct via_buf problem;

/* Parse the words up to NULL; what was parsed before is released. */
static bool
parse(const char *const *words)
{
    char *argv[16];
    int argc = 0;

    cli_args_deinit(&args);
    via_buf_reset(&problem);
    while (words[argc]) {
        argv[argc] = (char *)words[argc];
        argc++;
    }
    argv[argc] = NULL;
    return cli_args_parse(&args, verbs, VERB_COUNT, argc, argv, &problem);
}

#define PARSE(...) parse((const char *const[]){__VA_ARGS__, NULL})
#define SAYS(text) (strstr(via_buf_text(&problem), text) != NULL)

static bool
is(const char *text, const char *wanted)
{
    return text && strcmp(text, wanted) == 0;
}

static void
test_words(void)
{
    size_t count;

    CHECK(PARSE("/usr/bin/via", "addon", "create", "sqlite", "db", "--app", "api"),
          "operands and a required option are taken");
    CHECK(is(cli_args_operand(&args, "TYPE"), "sqlite") &&
              is(cli_args_operand(&args, "NAME"), "db") && is(args.option[CLI_OPT_APP], "api"),
          "operands go by the names of the verb's row");
    CHECK(PARSE("via", "--app=api", "addon", "--json", "create", "sqlite", "db"),
          "options may stand anywhere, and take = for their value");
    CHECK(PARSE("via", "addon", "set", "db", "a=1", "b=2") &&
              cli_args_rest(&args, "KEY=VALUE", &count) && count == 2,
          "a repeated operand takes all words that follow");
    CHECK(PARSE("via", "sql"), "an optional operand may be left out");
    CHECK(PARSE("via", "sql", "--", "-- a comment") &&
              is(cli_args_operand(&args, "STATEMENT"), "-- a comment"),
          "behind -- an operand may begin with a dash");
    CHECK(PARSE("via", "run", "api", "--", "ls", "--json") && !args.option[CLI_OPT_JSON] &&
              is(args.command[1], "--json"),
          "behind -- everything belongs to the command");
    CHECK(PARSE("via", "addon", "create", "sqlite", "db", "--app", "api", "--bind=") &&
              is(args.option[CLI_OPT_BIND], ""),
          "an empty value is a value");
}

static void
test_wrong(void)
{
    CHECK(!PARSE("via") && SAYS("no command"), "nothing is wrong usage");
    CHECK(!PARSE("via", "addon") && SAYS("wants a command"), "a noun alone wants a verb");
    CHECK(!PARSE("via", "addon", "creat", "x") && SAYS("did you mean via addon create"),
          "the nearest verb is suggested");
    CHECK(!PARSE("via", "adon", "create") && SAYS("did you mean via addon"),
          "the nearest noun is suggested");
    CHECK(!PARSE("via", "app", "stop") && SAYS("did you mean vary app"),
          "a noun of the other program is pointed at");
    CHECK(!PARSE("via", "addon", "xyzzyxyzzy") && !SAYS("did you mean"),
          "nothing near is not suggested");
    CHECK(!PARSE("via", "addon", "create", "sqlite") && SAYS("NAME is missing") == false &&
              SAYS("--app APP is missing"),
          "a missing required option is named");
    CHECK(!PARSE("via", "addon", "create", "sqlite", "--app", "api") && SAYS("NAME is missing"),
          "a missing operand is named");
    CHECK(!PARSE("via", "addon", "create", "sqlite", "a", "b", "--app", "api") &&
              SAYS("b is one word too many"),
          "a word too many is named");
    CHECK(!PARSE("via", "addon", "create", "sqlite", "a", "--app", "api", "--bnd", "X") &&
              SAYS("did you mean --bind"),
          "the nearest option of the verb is suggested");
    CHECK(!PARSE("via", "sql", "--bind", "X") && SAYS("unknown option --bind"),
          "an option of another verb is refused");
    CHECK(!PARSE("via", "sql", "--app") && SAYS("--app wants APP"), "a value is not forgotten");
    CHECK(!PARSE("via", "sql", "--json=1") && SAYS("takes no value"), "a flag takes no value");
    CHECK(!PARSE("via", "sql", "--app", "a", "--app", "b") && SAYS("twice"),
          "an option with a value is given once");
    CHECK(!PARSE("via", "run", "api") && SAYS("behind --"), "run wants its command behind --");
    CHECK(!PARSE("via", "run", "api", "ls") && SAYS("one word too many"),
          "a command without -- is not guessed");
    CHECK(!PARSE("via", "addon", "creat", "--help") && args.option[CLI_OPT_HELP],
          "help is seen even in wrong usage");
}

static void
test_usage(void)
{
    struct via_buf b;

    via_buf_init(&b);
    cli_usage_put(&b, &verbs[0]);
    CHECK(is(via_buf_text(&b), "via addon create TYPE NAME --app APP [--bind BINDING]"),
          "the usage line follows from the row");
    via_buf_reset(&b);
    cli_usage_put(&b, &verbs[2]);
    CHECK(is(via_buf_text(&b), "via run APP [--user U] -- COMMAND..."),
          "the command stands last in the usage line");
    via_buf_reset(&b);
    cli_usage_put_noun(&b, verbs, VERB_COUNT, "via", "addon");
    CHECK(is(via_buf_text(&b), "via addon create|set"), "a noun's usage lists its verbs");
    via_buf_deinit(&b);
}

int
main(void)
{
    via_buf_init(&problem);
    test_words();
    test_wrong();
    test_usage();
    cli_args_deinit(&args);
    via_buf_deinit(&problem);
    return check_end();
}
