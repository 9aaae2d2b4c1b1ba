/* args.c: from argv to a verb, its operands and its options. */
#include "cli/args.h"

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
    uint32_t allowed = CLI_EVERYWHERE;
    char text[SUGGEST_LENGTH + 2];
    const char *nearest = NULL;

    if (a->verb)
        allowed |= a->verb->required | a->verb->optional;
    for (int i = 0; i < CLI_OPT_COUNT; i++)
        if (allowed & (UINT32_C(1) << i))
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
    if (!equals && *i + 1 >= argc)
        return via_buf_printf(problem, "--%s wants %s", word, cli_options[option].value), false;
    a->option[option] = equals ? equals + 1 : argv[++*i];
    return true;
}

/* Every option belongs to the verb, and none that it needs is missing. */
static bool
options_check(const struct cli_args *a, struct via_buf *problem)
{
    uint32_t allowed = CLI_EVERYWHERE | a->verb->required | a->verb->optional;

    for (int i = 0; i < CLI_OPT_COUNT; i++) {
        uint32_t bit = UINT32_C(1) << i;

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

/* Is the first word a noun of this program's table? */
static bool
noun_is(const struct cli_args *a, const struct cli_verb *verb)
{
    return verb->noun && strcmp(verb->program, a->program) == 0 &&
           strcmp(verb->noun, a->words[0]) == 0;
}

/* Say that nothing is called so, with the nearest; across both programs when none here. */
static void
verb_unknown(const struct cli_args *a, const struct cli_verb *verbs, size_t count, bool noun_known,
             struct via_buf *problem)
{
    const char *word = a->words[noun_known ? 1 : 0];
    const char *words[64];
    size_t n = 0;
    const char *nearest;

    for (size_t i = 0; i < count && n < 64; i++) {
        if (noun_known ? noun_is(a, &verbs[i]) : strcmp(verbs[i].program, a->program) == 0)
            words[n++] = noun_known || !verbs[i].noun ? verbs[i].name : verbs[i].noun;
    }
    nearest = cli_args_nearest(word, words, n);
    if (noun_known)
        via_buf_printf(problem, "%s %s has no command %s", a->program, a->words[0], word);
    else
        via_buf_printf(problem, "%s has no command %s", a->program, word);
    for (size_t i = 0; !nearest && i < count; i++)
        if (verbs[i].noun && strcmp(verbs[i].noun, word) == 0) {
            via_buf_printf(problem, "; did you mean %s %s", verbs[i].program, word);
            return;
        }
    if (nearest)
        via_buf_printf(problem, "; did you mean %s%s%s %s", a->program, noun_known ? " " : "",
                       noun_known ? a->words[0] : "", nearest);
}

static bool
verb_find(struct cli_args *a, const struct cli_verb *verbs, size_t count, struct via_buf *problem)
{
    bool noun_known = false;

    if (!a->words[0]) /* NULL ends them */
        return via_buf_puts(problem, "no command is given"), false;
    for (size_t i = 0; i < count; i++) {
        const struct cli_verb *v = &verbs[i];

        noun_known |= noun_is(a, v);
        if (strcmp(v->program, a->program) != 0)
            continue;
        if (!v->noun && strcmp(v->name, a->words[0]) == 0) {
            a->verb = v;
            a->first_operand = 1;
            return true;
        }
        if (noun_is(a, v) && a->word_count > 1 && strcmp(v->name, a->words[1]) == 0) {
            a->verb = v;
            a->first_operand = 2;
            return true;
        }
    }
    if (noun_known && a->word_count == 1)
        via_buf_printf(problem, "%s %s wants a command", a->program, a->words[0]);
    else
        verb_unknown(a, verbs, count, noun_known, problem);
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
