/* change.c: suspending, resuming, configuring and destroying an add-on. */
#include "cli/addon.h"

#include "base/error.h"
#include "cli/verbs.h"

#include <stdlib.h>
#include <string.h>

/* Finish `st` with the add-on that is meant, run it, and say `done` about it. */
static int
addon_change(struct cli *cli, struct cli_statement *st, const char *done)
{
    char id[VIA_ID_SIZE];
    struct cli_statement after;
    struct cli_rows rows;

    cli_addon_check(cli, id);
    cli_addon_put_id(cli, st, " WHERE id = ");
    if (cli_option(cli, CLI_OPT_FORCE))
        cli_statement_put(st, " AND force = 1");
    cli_run(cli, st);
    if (cli_changes(cli) == 0)
        cli_refuse(cli, VIA_ADDON_NOT_FOUND, "there is no add-on %s", cli_operand(cli, "NAME"));
    if (!cli_answers(cli))
        return 0;
    /* By id: a destroyed add-on has lost its name. */
    cli_statement_init(&after, "SELECT " CLI_ADDON_COLUMNS " FROM via_addons WHERE ");
    cli_statement_text(&after, "id = ", id);
    cli_query(cli, &after, &rows);
    if (cli_tell(cli, &rows))
        via_buf_printf(&cli->out, "%s add-on %s (%s)\n", done, cli_operand(cli, "NAME"), id);
    cli_rows_deinit(&rows);
    return 0;
}

int
cli_addon_suspend(struct cli *cli)
{
    struct cli_statement st;

    cli_statement_init(&st, "UPDATE via_addons SET state = 'suspended'");
    return addon_change(cli, &st, "suspended");
}

int
cli_addon_resume(struct cli *cli)
{
    struct cli_statement st;

    cli_statement_init(&st, "UPDATE via_addons SET state = 'ready'");
    return addon_change(cli, &st, "resumed");
}

/* Does the whole of `text` read as a JSON number? */
static bool
is_number(const char *text)
{
    char *end;

    if (*text != '-' && (*text < '0' || *text > '9'))
        return false;
    if (text[0] == '0' && text[1] >= '0' && text[1] <= '9')
        return false;
    (void)strtoll(text, &end, 10);
    return end != text && end[-1] >= '0' && end[-1] <= '9' && *end == '\0';
}

/* Append VALUE as JSON: numbers, flags and null by their look, everything else as text. Whether
 * it fits the option is for the table to say. */
static void
option_value_put(struct via_buf *b, const char *key, size_t key_length, const char *value)
{
    static const struct {
        const char *word;
        const char *json;
    } words[] = {{"true", "true"}, {"on", "true"},  {"yes", "true"}, {"false", "false"},
                 {"off", "false"}, {"no", "false"}, {"null", "null"}};
    bool is_text = key_length == strlen("block_reason") && memcmp(key, "block_reason", 12) == 0;

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(value, words[i].word) == 0 && (!is_text || strcmp(value, "null") == 0)) {
            via_buf_puts(b, words[i].json);
            return;
        }
    if (is_number(value) && !is_text)
        via_buf_puts(b, value);
    else
        via_buf_put_json(b, value, strlen(value));
}

/* {"block_writes":true,…} out of KEY=VALUE words; false on a word without "=". */
static bool
options_put(struct via_buf *b, char **words, size_t count)
{
    via_buf_putc(b, '{');
    for (size_t i = 0; i < count; i++) {
        const char *equals = strchr(words[i], '=');

        if (!equals || equals == words[i])
            return false;
        via_buf_puts(b, i ? "," : "");
        via_buf_put_json(b, words[i], (size_t)(equals - words[i]));
        via_buf_putc(b, ':');
        option_value_put(b, words[i], (size_t)(equals - words[i]), equals + 1);
    }
    via_buf_putc(b, '}');
    return true;
}

int
cli_addon_set(struct cli *cli)
{
    struct cli_statement st;
    struct via_buf options;
    size_t count;
    char **words = cli_args_rest(&cli->args, "KEY=VALUE", &count);

    via_buf_init(&options);
    if (!options_put(&options, words, count))
        (void)via_error_set(&cli->error, VIA_USAGE, "options are given as KEY=VALUE");
    cli_statement_init(&st, "UPDATE via_addons SET ");
    cli_statement_text(&st, "options = ", via_buf_text(&options));
    addon_change(cli, &st, "changed");
    via_buf_deinit(&options);
    return 0;
}

int
cli_addon_destroy(struct cli *cli)
{
    struct cli_statement st;

    cli_statement_init(&st, "DELETE FROM via_addons");
    return addon_change(cli, &st, "destroyed");
}
