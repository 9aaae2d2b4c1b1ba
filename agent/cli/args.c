/* args.c: from argv to a verb, its operands and its options. */
#include "cli/args.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SUGGEST_LENGTH 24 /* longer words are not guessed at */

const struct cli_option_spec cli_options[CLI_OPT_COUNT] = {
#define CLI_OPTION_SPEC(name, word, value, help) {word, value, help},
    CLI_OPTION_TABLE(CLI_OPTION_SPEC)
#undef CLI_OPTION_SPEC
};

/* -- options --------------------------------------------------------------------- */

static int
option_find(const char *word, size_t n)
{
    for (int i = 0; i < CLI_OPT_COUNT; i++)
        if (strlen(cli_options[i].word) == n && memcmp(cli_options[i].word, word, n) == 0)
            return i;
    return -1;
}

/* Say that `word` (without "--") is no option of this verb, and which one is near. */
static void
option_unknown(const struct cli_args *a, const char *word, size_t n, struct via_buf *problem)
{
    const char *words[CLI_OPT_COUNT];
    size_t count = 0;
    uint64_t allowed = CLI_EVERYWHERE;
    char text[SUGGEST_LENGTH + 2];
    const char *nearest = NULL;

    if (a->verb)
        allowed |= a->verb->required | a->verb->optional;
    for (int i = 0; i < CLI_OPT_COUNT; i++)
        if (allowed & (UINT64_C(1) << i))
            words[count++] = cli_options[i].word;
    if (n < sizeof text) {
        memcpy(text, word, n);
        text[n] = '\0';
        nearest = cli_args_nearest(text, words, count);
    }
    via_buf_printf(problem, "unknown option --%.*s", (int)n, word);
    if (nearest)
        via_buf_printf(problem, "; did you mean --%s", nearest);
}

/* Is `word` one of the words that "[A|B]" lists? */
static bool
choice_is(const char *choices, const char *word)
{
    size_t n = strlen(word);

    for (const char *p = choices + 1; *p; p += strcspn(p, "|]") + 1)
        if (strcspn(p, "|]") == n && memcmp(p, word, n) == 0)
            return true;
    return false;
}

/* The option at argv[*i] may have one of a few words behind it, or nothing. */
static bool
option_take_choice(struct cli_args *a, int option, const char *given, char *next, int *i,
                   struct via_buf *problem)
{
    const char *choices = cli_options[option].value;

    if (given && !choice_is(choices, given))
        return via_buf_printf(problem, "--%s wants one of %s", cli_options[option].word, choices),
               false;
    if (!given && next && choice_is(choices, next)) {
        given = next;
        ++*i;
    }
    a->option[option] = given ? given : "";
    return true;
}

/* Take the option at argv[*i]; moves *i over its value. False: `problem` says why. */
static bool
option_take(struct cli_args *a, int argc, char **argv, int *i, struct via_buf *problem)
{
    const char *word = argv[*i] + 2;
    const char *equals = strchr(word, '=');
    size_t n = equals ? (size_t)(equals - word) : strlen(word);
    int option = option_find(word, n);

    if (option < 0)
        return option_unknown(a, word, n, problem), false;
    if (!cli_options[option].value) {
        if (equals)
            return via_buf_printf(problem, "--%.*s takes no value", (int)n, word), false;
        a->option[option] = "";
        return true;
    }
    if (a->option[option])
        return via_buf_printf(problem, "--%.*s is given twice", (int)n, word), false;
    if (cli_options[option].value[0] == '[')
        return option_take_choice(a, option, equals ? equals + 1 : NULL,
                                  *i + 1 < argc ? argv[*i + 1] : NULL, i, problem);
    if (!equals && *i + 1 >= argc)
        return via_buf_printf(problem, "--%s wants %s", word, cli_options[option].value), false;
    a->option[option] = equals ? equals + 1 : argv[++*i];
    return true;
}

/* Every option belongs to the verb, and none that it needs is missing. */
static bool
options_check(const struct cli_args *a, struct via_buf *problem)
{
    uint64_t allowed = CLI_EVERYWHERE | a->verb->required | a->verb->optional;

    for (int i = 0; i < CLI_OPT_COUNT; i++) {
        uint64_t bit = UINT64_C(1) << i;

        if (a->option[i] && !(allowed & bit)) {
            option_unknown(a, cli_options[i].word, strlen(cli_options[i].word), problem);
            return false;
        }
        if (!a->option[i] && (a->verb->required & bit)) {
            via_buf_printf(problem, "--%s %s is missing", cli_options[i].word,
                           cli_options[i].value);
            return false;
        }
    }
    return true;
}

/* -- operands -------------------------------------------------------------------- */

struct operand {
    const char *name;
    size_t length;
    bool optional;
    bool repeated;
};

/* Read the next operand of a verb's row; moves *row. False at its end and at "--". */
static bool
operand_next(const char **row, struct operand *out)
{
    const char *p = *row;

    while (*p == ' ')
        p++;
    if (!*p || strncmp(p, "--", 2) == 0)
        return false;
    out->optional = *p == '[';
    if (out->optional)
        p++;
    out->name = p;
    out->length = strcspn(p, " .]");
    p += out->length;
    out->repeated = strncmp(p, "...", 3) == 0;
    *row = p + strcspn(p, " ");
    return true;
}

bool
cli_verb_operand(const struct cli_verb *verb, size_t index, char *out, size_t size)
{
    const char *row = verb->operands;
    struct operand o = {0};

    while (operand_next(&row, &o))
        if (o.repeated || index-- == 0) {
            (void)snprintf(out, size, "%.*s", (int)o.length, o.name);
            return true;
        }
    return false;
}

static bool
verb_takes_command(const struct cli_verb *verb)
{
    return strstr(verb->operands, "-- ") != NULL;
}

static bool
operands_check(struct cli_args *a, struct via_buf *problem)
{
    const char *row = a->verb->operands;
    size_t left = a->word_count - a->first_operand;
    struct operand o;

    while (operand_next(&row, &o)) {
        if (left == 0 && !o.optional) {
            via_buf_printf(problem, "%.*s is missing", (int)o.length, o.name);
            return false;
        }
        left = o.repeated ? 0 : left - (left > 0);
    }
    if (left > 0) {
        via_buf_printf(problem, "%s is one word too many", a->words[a->word_count - left]);
        return false;
    }
    if (verb_takes_command(a->verb) && (!a->command || !a->command[0])) {
        via_buf_puts(problem, "the command is missing; it stands behind --");
        return false;
    }
    return true;
}

char **
cli_args_rest(const struct cli_args *a, const char *name, size_t *count)
{
    const char *row = a->verb ? a->verb->operands : "";
    struct operand o;

    *count = 0;
    for (size_t i = a->first_operand; i < a->word_count && operand_next(&row, &o); i++)
        if (strlen(name) == o.length && memcmp(name, o.name, o.length) == 0) {
            *count = a->word_count - i;
            return a->words + i;
        }
    return NULL;
}

const char *
cli_args_operand(const struct cli_args *a, const char *name)
{
    size_t count;
    char **rest = cli_args_rest(a, name, &count);

    return rest ? rest[0] : NULL;
}

/* -- verbs ----------------------------------------------------------------------- */

/* How many of the words are the verb's noun, which may be several: "app env". 0: they are not. */
static size_t
noun_length(const struct cli_args *a, const struct cli_verb *verb)
{
    const char *noun = verb->noun;
    size_t n = 0;

    if (!noun || strcmp(verb->program, a->program) != 0)
        return 0;
    while (n < a->word_count) {
        size_t len = strcspn(noun, " ");

        if (strlen(a->words[n]) != len || memcmp(a->words[n], noun, len) != 0)
            return 0;
        n++;
        if (!noun[len])
            return n;
        noun += len + 1;
    }
    return 0;
}

/* The noun, of whatever program, that is `word` or begins with it. */
static const struct cli_verb *
noun_like(const char *program, const struct cli_verb *verbs, size_t count, const char *word)
{
    size_t n = strlen(word);
    const struct cli_verb *found = NULL;

    for (size_t i = 0; i < count; i++)
        if (verbs[i].noun && strncmp(verbs[i].noun, word, n) == 0 &&
            strchr(" ", verbs[i].noun[n]) && (!found || strcmp(verbs[i].program, program) == 0))
            found = &verbs[i];
    return found;
}

/* Say that nothing is called so, with the nearest; across both programs when none here. */
static void
verb_unknown(const struct cli_args *a, const struct cli_verb *verbs, size_t count,
             size_t noun_words, struct via_buf *problem)
{
    const char *word = a->words[noun_words];
    const struct cli_verb *like = noun_words ? NULL : noun_like(a->program, verbs, count, word);
    const char *words[64] = {NULL};
    size_t n = 0;
    const char *nearest;

    for (size_t i = 0; i < count && n < 64; i++) {
        if (noun_words ? noun_length(a, &verbs[i]) > 0 : strcmp(verbs[i].program, a->program) == 0)
            words[n++] = noun_words || !verbs[i].noun ? verbs[i].name : verbs[i].noun;
    }
    nearest = cli_args_nearest(word, words, n);
    via_buf_printf(problem, "%s%s%s has no command %s", a->program, noun_words ? " " : "",
                   noun_words ? a->noun : "", word);
    if (like)
        via_buf_printf(problem, "; did you mean %s %s", like->program, like->noun);
    else if (nearest)
        via_buf_printf(problem, "; did you mean %s%s%s %s", a->program, noun_words ? " " : "",
                       noun_words ? a->noun : "", nearest);
}

static bool
verb_find(struct cli_args *a, const struct cli_verb *verbs, size_t count, struct via_buf *problem)
{
    size_t noun_words = 0;

    if (!a->words[0]) /* NULL ends them */
        return via_buf_puts(problem, "no command is given"), false;
    for (size_t i = 0; i < count; i++) {
        const struct cli_verb *v = &verbs[i];
        size_t n = noun_length(a, v);

        if (n > 0) {
            noun_words = n;
            a->noun = v->noun;
        }
        if (strcmp(v->program, a->program) != 0 || (v->noun && n == 0))
            continue;
        if (a->word_count > n && strcmp(v->name, a->words[n]) == 0) {
            a->verb = v;
            a->first_operand = n + 1;
            return true;
        }
    }
    if (noun_words && a->word_count == noun_words)
        via_buf_printf(problem, "%s %s wants a command", a->program, a->noun);
    else
        verb_unknown(a, verbs, count, noun_words, problem);
    return false;
}

/* Sort argv into words and options; the first mistake is told, the rest is still sorted. */
static bool
args_collect(struct cli_args *a, int argc, char **argv, struct via_buf *problem)
{
    bool good = true;
    struct via_buf later;

    via_buf_init(&later);
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--") == 0) {
            a->command = argv + i + 1;
            break;
        }
        if (strcmp(argv[i], "-h") == 0) {
            a->option[CLI_OPT_HELP] = "";
        } else if (argv[i][0] == '-' && argv[i][1] == '-') {
            via_buf_reset(&later);
            if (!option_take(a, argc, argv, &i, &later) && good) {
                good = false;
                via_buf_puts(problem, via_buf_text(&later));
            }
        } else {
            a->words[a->word_count++] = argv[i];
        }
    }
    via_buf_deinit(&later);
    return good;
}

/* Behind "--" of a verb without a command stand operands that begin with "-". */
static void
args_append_command(struct cli_args *a)
{
    if (!a->command || verb_takes_command(a->verb))
        return;
    for (char **word = a->command; *word; word++)
        a->words[a->word_count++] = *word;
    a->command = NULL;
}

bool
cli_args_parse(struct cli_args *a, const struct cli_verb *verbs, size_t verb_count, int argc,
               char **argv, struct via_buf *problem)
{
    const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
    struct via_buf first;

    via_buf_init(&first);
    memset(a, 0, sizeof *a);
    a->program = argc > 0 && strcmp(slash ? slash + 1 : argv[0], "vary") == 0 ? "vary" : "via";
    a->words = calloc((size_t)argc + 1, sizeof *a->words);
    if (!a->words)
        return via_buf_puts(problem, "out of memory"), false;
    if (!args_collect(a, argc, argv, &first)) {
        /* The verb decides which options are near: find it, then say what is wrong. */
        (void)verb_find(a, verbs, verb_count, &first);
        via_buf_deinit(&first);
        a->word_count = 0;
        memset(a->option, 0, sizeof a->option);
        return args_collect(a, argc, argv, problem);
    }
    if (!verb_find(a, verbs, verb_count, problem))
        return false;
    args_append_command(a);
    a->understood = options_check(a, problem) && operands_check(a, problem);
    return a->understood;
}

void
cli_args_deinit(struct cli_args *a)
{
    free(a->words);
    a->words = NULL;
}
