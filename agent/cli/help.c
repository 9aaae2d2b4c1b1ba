/* help.c: usage lines and help, derived from the table of verbs. */
#include "cli/args.h"

#include <string.h>

static void
option_put(struct via_buf *b, int option)
{
    via_buf_printf(b, "--%s", cli_options[option].word);
    if (cli_options[option].value)
        via_buf_printf(b, " %s", cli_options[option].value);
}

static void
usage_put_options(struct via_buf *b, uint64_t which, const char *before, const char *after)
{
    for (int i = 0; i < CLI_OPT_COUNT; i++) {
        if (!(which & (UINT64_C(1) << i)))
            continue;
        via_buf_puts(b, before);
        option_put(b, i);
        via_buf_puts(b, after);
    }
}

void
cli_usage_put(struct via_buf *b, const struct cli_verb *verb)
{
    const char *command = strstr(verb->operands, "-- ");
    size_t before = command ? (size_t)(command - verb->operands) : strlen(verb->operands);

    while (before > 0 && verb->operands[before - 1] == ' ')
        before--;
    via_buf_printf(b, "%s%s%s %s%s%.*s", verb->program, verb->noun ? " " : "",
                   verb->noun ? verb->noun : "", verb->name, before ? " " : "", (int)before,
                   verb->operands);
    usage_put_options(b, verb->required, " ", "");
    usage_put_options(b, verb->optional & ~verb->required, " [", "]");
    if (command)
        via_buf_printf(b, " %s", command);
}

static void
options_put(struct via_buf *b, uint64_t which)
{
    for (int i = 0; i < CLI_OPT_COUNT; i++) {
        size_t from = b->len;

        if (!(which & (UINT64_C(1) << i)))
            continue;
        via_buf_puts(b, "  ");
        option_put(b, i);
        while (!b->failed && b->len - from < 24)
            via_buf_putc(b, ' ');
        via_buf_printf(b, " %s\n", cli_options[i].help);
    }
}

void
cli_help_verb(struct via_buf *b, const struct cli_verb *verb)
{
    uint64_t own = (verb->required | verb->optional);

    via_buf_puts(b, "usage: ");
    cli_usage_put(b, verb);
    via_buf_printf(b, "\n\n%s\n\n", verb->summary);
    if (own) {
        via_buf_puts(b, "options:\n");
        options_put(b, own);
        via_buf_putc(b, '\n');
    }
    via_buf_puts(b, "everywhere:\n");
    options_put(b, CLI_EVERYWHERE & ~own);
    via_buf_printf(b, "\nexample:\n  %s\n", verb->example);
}

/* Is `noun` one of the program's? NULL and strangers are not. */
static bool
noun_is_known(const struct cli_verb *verbs, size_t verb_count, const char *program,
              const char *noun)
{
    for (size_t i = 0; noun && i < verb_count; i++)
        if (strcmp(verbs[i].program, program) == 0 && verbs[i].noun &&
            strcmp(verbs[i].noun, noun) == 0)
            return true;
    return false;
}

void
cli_usage_put_noun(struct via_buf *b, const struct cli_verb *verbs, size_t verb_count,
                   const char *program, const char *noun)
{
    const char *last = "";
    bool known = noun_is_known(verbs, verb_count, program, noun);

    via_buf_printf(b, "%s%s%s ", program, known ? " " : "", known ? noun : "");
    for (size_t i = 0; i < verb_count; i++) {
        const char *word = known || !verbs[i].noun ? verbs[i].name : verbs[i].noun;

        if (strcmp(verbs[i].program, program) != 0 || strcmp(word, last) == 0)
            continue;
        if (known && (!verbs[i].noun || strcmp(verbs[i].noun, noun) != 0))
            continue;
        via_buf_printf(b, "%s%s", *last ? "|" : "", word);
        last = word;
    }
}

void
cli_help_all(struct via_buf *b, const struct cli_verb *verbs, size_t verb_count,
             const char *program, const char *noun)
{
    const char *first = NULL;

    if (!noun_is_known(verbs, verb_count, program, noun))
        noun = NULL;
    via_buf_puts(b, "usage:\n");
    for (size_t i = 0; i < verb_count; i++) {
        if (strcmp(verbs[i].program, program) != 0)
            continue;
        if (noun && (!verbs[i].noun || strcmp(verbs[i].noun, noun) != 0))
            continue;
        first = first ? first : verbs[i].example;
        via_buf_puts(b, "  ");
        cli_usage_put(b, &verbs[i]);
        via_buf_putc(b, '\n');
    }
    via_buf_puts(b, "\neverywhere:\n");
    options_put(b, CLI_EVERYWHERE);
    if (first)
        via_buf_printf(b, "\nexample:\n  %s\n", first);
}
