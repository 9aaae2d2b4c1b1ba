/* complete.c: `via completion`: what a shell needs to complete commands, and, asked by that, what
 * may stand for the last word. Everything follows from the table of verbs, and names from the
 * control plane. */
#include "base/error.h"
#include "base/root.h"
#include "cli/verbs.h"

#include <string.h>

/* What asks, in each shell: the words up to the cursor go to `completion`, one answer a line;
 * ":files" leaves it to the shell. */
static const struct {
    const char *shell;
    const char *script;
} scripts[] = {
    {"bash", "_via() {\n"
             "    local found\n"
             "    COMPREPLY=()\n"
             "    found=$(\"${COMP_WORDS[0]}\" completion bash -- "
             "\"${COMP_WORDS[@]:0:COMP_CWORD+1}\" 2>/dev/null)\n"
             "    if [ \"$found\" = :files ]; then\n"
             "        compopt -o default\n"
             "    elif [ -n \"$found\" ]; then\n"
             "        mapfile -t COMPREPLY <<<\"$found\"\n"
             "    fi\n"
             "}\n"
             "complete -F _via via vary\n"},
    {"zsh", "#compdef via vary\n"
            "_via() {\n"
            "    local -a found\n"
            "    found=(\"${(@f)$(\"$words[1]\" completion zsh -- "
            "\"${(@)words[1,CURRENT]}\" 2>/dev/null)}\")\n"
            "    if [[ \"$found[1]\" = :files ]]; then\n"
            "        _files\n"
            "    else\n"
            "        compadd -a -- found\n"
            "    fi\n"
            "}\n"
            "compdef _via via vary\n"},
    {"fish", "function __via_complete\n"
             "    set -l words (commandline -opc) (commandline -ct)\n"
             "    set -l found ($words[1] completion fish -- $words 2>/dev/null)\n"
             "    if test \"$found\" = :files\n"
             "        __fish_complete_path (commandline -ct)\n"
             "    else\n"
             "        printf '%s\\n' $found\n"
             "    end\n"
             "end\n"
             "complete -c via -f -a '(__via_complete)'\n"
             "complete -c vary -f -a '(__via_complete)'\n"},
};

/* What a value or an operand is called in the table, and which names it may be: a fixed one, or a
 * column `name` and `app`. */
static const struct {
    const char *kind;
    const char *fixed;
    const char *query;
} kinds[] = {
    {"TYPE", "sqlite", NULL},
    {"DIR", ":files", NULL},
    {"FILE", ":files", NULL},
    {"NAME", NULL, "SELECT name, app FROM via_addons WHERE state <> 'destroyed'"},
    {"APP", NULL, "SELECT name, NULL AS app FROM via_apps"},
    {"BINDING", NULL, "SELECT DISTINCT binding AS name, app FROM via_bindings"},
    {"ADDON_OR_BINDING", NULL,
     "SELECT binding AS name, app FROM via_bindings UNION "
     "SELECT addon, app FROM via_bindings"},
    {"ID", NULL, "SELECT id AS name, app FROM via_snapshots WHERE state = 'ready'"},
    {"REL", NULL, "SELECT id AS name, app FROM via_releases"},
    {"USE", NULL, "SELECT DISTINCT use AS name, NULL AS app FROM via_keys"},
    {"KID", NULL, "SELECT kid AS name, NULL AS app FROM via_keys WHERE state <> 'retired'"},
    {"T", NULL,
     "SELECT target AS name, app FROM via_bindings WHERE target <> '' UNION "
     "SELECT target, app FROM via_deploys WHERE target <> ''"},
};

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

/* What stands before the word that is to be completed. */
struct line {
    const char *program;
    const char *noun;
    const struct cli_verb *verb;
    size_t operands;
    int option; /* whose value comes next; -1: none */
    const char *app;
    bool is_command; /* behind "--" everything is the command's */
};

static bool
starts_with(const char *word, const char *start)
{
    return strncmp(word, start, strlen(start)) == 0;
}

static void
line_put_word(struct line *l, const char *word)
{
    if (l->verb) {
        if (l->operands++ == 0 && starts_with(l->verb->operands, "APP"))
            l->app = word;
        return;
    }
    for (size_t i = 0; i < cli_verb_count && !l->verb; i++) {
        const struct cli_verb *v = &cli_verbs[i];
        bool named = strcmp(v->name, word) == 0 && strcmp(v->program, l->program) == 0;

        if (named && (l->noun ? v->noun && strcmp(v->noun, l->noun) == 0 : !v->noun))
            l->verb = v;
    }
    if (!l->verb)
        l->noun = word;
}

static void
line_put_value(struct line *l, const char *value)
{
    if (l->option == CLI_OPT_STATE_DIR)
        via_root_set_path(value);
    else if (l->option == CLI_OPT_APP)
        l->app = value;
    l->option = -1;
}

static void
line_put(struct line *l, const char *word)
{
    if (strcmp(word, "=") == 0)
        return; /* bash makes "--app=api" three words */
    if (l->option >= 0) {
        line_put_value(l, word);
    } else if (strcmp(word, "--") == 0) {
        l->is_command = true;
    } else if (starts_with(word, "--")) {
        for (int i = 0; i < CLI_OPT_COUNT; i++)
            if (cli_options[i].value && strcmp(cli_options[i].word, word + 2) == 0)
                l->option = i;
    } else {
        line_put_word(l, word);
    }
}

static void
answer(struct cli *cli, const char *before, const char *word, const char *current)
{
    if (starts_with(word, current + (starts_with(current, before) ? strlen(before) : 0)) &&
        starts_with(current, before))
        via_buf_printf(&cli->out, "%s%s\n", before, word);
}

static void
answer_options(struct cli *cli, const struct line *l, const char *current)
{
    uint64_t allowed = CLI_EVERYWHERE | (l->verb ? l->verb->required | l->verb->optional : 0);

    for (int i = 0; i < CLI_OPT_COUNT; i++)
        if (allowed & (UINT64_C(1) << i))
            answer(cli, "--", cli_options[i].word, current);
}

static void
answer_verbs(struct cli *cli, const struct line *l, const char *current)
{
    const char *last = "";

    for (size_t i = 0; i < cli_verb_count; i++) {
        const struct cli_verb *v = &cli_verbs[i];
        const char *word = !l->noun && v->noun ? v->noun : v->name;
        bool fits = strcmp(v->program, l->program) == 0 &&
                    (!l->noun || (v->noun && strcmp(v->noun, l->noun) == 0));

        if (fits && strcmp(word, last) != 0)
            answer(cli, "", word, current);
        if (fits)
            last = word;
    }
}

/* Names as the control plane has them; a root is not made for it. */
static void
answer_names(struct cli *cli, const struct line *l, const char *query, const char *current)
{
    struct cli_statement st;
    struct cli_rows rows;
    struct via_root root;

    if (via_root_find(&root, NULL) != VIA_OK)
        return;
    cli_statement_init(&st, query);
    cli_statement_put(&st, " ORDER BY 1");
    cli_query(cli, &st, &rows);
    for (size_t i = 0; i < rows.count; i++) {
        const char *app = cli_rows_text(&rows, i, "app");

        if (!l->app || !app || strcmp(app, l->app) == 0)
            answer(cli, "", cli_rows_text(&rows, i, "name"), current);
    }
    cli_rows_deinit(&rows);
    via_error_clear(&cli->error); /* then there is nothing to offer */
}

static void
answer_kind(struct cli *cli, const struct line *l, const char *kind, const char *current)
{
    for (size_t i = 0; strcmp(kind, "SHELL") == 0 && i < COUNT(scripts); i++)
        answer(cli, "", scripts[i].shell, current);
    for (size_t i = 0; i < COUNT(kinds); i++) {
        if (strcmp(kinds[i].kind, kind) != 0)
            continue;
        if (kinds[i].query)
            answer_names(cli, l, kinds[i].query, current);
        else if (kinds[i].fixed[0] == ':')
            via_buf_printf(&cli->out, "%s\n", kinds[i].fixed);
        else
            answer(cli, "", kinds[i].fixed, current);
    }
}

static void
complete(struct cli *cli, char **words, size_t count)
{
    const char *slash = strrchr(words[0], '/');
    const char *program = slash ? slash + 1 : words[0];
    struct line l = {.program = strcmp(program, "vary") == 0 ? "vary" : "via", .option = -1};
    const char *current = count > 1 ? words[count - 1] : "";
    char kind[32];

    for (size_t i = 1; i + 1 < count; i++)
        line_put(&l, words[i]);
    if (strcmp(current, "=") == 0)
        current = "";
    if (l.is_command)
        via_buf_puts(&cli->out, ":files\n");
    else if (l.option >= 0)
        answer_kind(cli, &l, cli_options[l.option].value, current);
    else if (*current == '-')
        answer_options(cli, &l, current);
    else if (!l.verb)
        answer_verbs(cli, &l, current);
    else if (cli_verb_operand(l.verb, l.operands, kind, sizeof kind))
        answer_kind(cli, &l, kind, current);
}

int
cli_completion(struct cli *cli)
{
    const char *shell = cli_operand(cli, "SHELL");
    size_t count;
    char **words = cli_args_rest(&cli->args, "WORD", &count);

    for (size_t i = 0; i < COUNT(scripts); i++)
        if (strcmp(scripts[i].shell, shell) == 0) {
            if (words)
                complete(cli, words, count);
            else
                via_buf_puts(&cli->out, scripts[i].script);
            return 0;
        }
    cli_refuse(cli, VIA_USAGE, "%s is no shell that can be served: bash, zsh or fish", shell);
    return 0;
}
