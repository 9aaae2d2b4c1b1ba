/* main.c: understand the words, run the verb, say how it went. */
#include "cli/remedy.h"
#include "cli/secret.h"
#include "cli/verbs.h"

#include "base/error.h"
#include "base/root.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* Write everything to stdout; a reader that has gone away is no failure of ours to report. */
static int
out_flush(struct via_buf *out)
{
    if (out->len > 0)
        (void)fwrite(out->data, 1, out->len, stdout);
    return fflush(stdout) == 0 && !out->failed ? 0 : 1;
}

/* The refusal: for people on stderr, with --json for programs on stdout too. */
static int
refusal_put(struct cli *cli)
{
    const struct via_error *e = &cli->error;
    const char *code = via_status_word(e->status);
    struct via_buf line;

    cli_remedy_look(cli);
    via_buf_init(&line);
    cli_remedy_put(cli, e->status, &line);
    if (cli_is_json(cli)) {
        via_buf_puts(&cli->out, "{\"code\":");
        via_buf_put_json(&cli->out, code, strlen(code));
        via_buf_puts(&cli->out, ",\"message\":");
        via_buf_put_json(&cli->out, e->message, strlen(e->message));
        via_buf_puts(&cli->out, ",\"remediation\":");
        via_buf_put_json(&cli->out, via_buf_text(&line), line.len);
        via_buf_puts(&cli->out, via_buf_text(&cli->more));
        via_buf_puts(&cli->out, "}\n");
    }
    (void)out_flush(&cli->out);
    (void)fprintf(stderr, "%s: %s\n%s: %s\n", code, e->message,
                  e->status == VIA_USAGE ? "usage" : "try", via_buf_text(&line));
    via_buf_deinit(&line);
    return via_status_exit(e->status);
}

/* What would be read as something else than was meant. */
static void
main_check_words(struct cli *cli)
{
    const char *operand = cli_operand(cli, "APP"), *app = cli_option(cli, CLI_OPT_APP);
    const char *folder = cli_option(cli, CLI_OPT_STATE_DIR);

    /* An unset variable in a script must not mean the host's own root. */
    if (folder && !folder[0])
        (void)via_error_set(&cli->error, VIA_USAGE, "--state-dir is empty; name a folder");
    else if (operand && app && strcmp(operand, app) != 0)
        (void)via_error_set(&cli->error, VIA_USAGE, "both %s and --app %s are named: which app?",
                            operand, app);
}

/* --help and --version answer whatever else was typed. */
static bool
asked_for_help(struct cli *cli)
{
    const struct cli_args *a = &cli->args;

    if (a->option[CLI_OPT_VERSION]) {
        via_buf_printf(&cli->out, "%s %s\n", a->program, VIA_VERSION);
        return true;
    }
    if (!a->option[CLI_OPT_HELP])
        return false;
    if (a->verb)
        cli_help_verb(&cli->out, a->verb);
    else
        cli_help_all(&cli->out, cli_verbs, cli_verb_count, a->program, a->noun);
    return true;
}

static int
cli_main(struct cli *cli, int argc, char **argv)
{
    struct via_buf problem;
    int code = 0;

    via_buf_init(&problem);
    if (!cli_args_parse(&cli->args, cli_verbs, cli_verb_count, argc, argv, &problem))
        (void)via_error_set(&cli->error, VIA_USAGE, "%s", via_buf_text(&problem));
    via_buf_deinit(&problem);
    if (asked_for_help(cli))
        return out_flush(&cli->out);
    if (!cli_ok(cli) && !cli->args.verb && cli->args.word_count == 0) {
        cli_help_all(&cli->out, cli_verbs, cli_verb_count, cli->args.program, NULL);
        (void)fputs(via_buf_text(&cli->out), stderr);
        return via_status_exit(VIA_USAGE);
    }
    if (cli->args.option[CLI_OPT_STATE_DIR])
        via_root_set_path(cli->args.option[CLI_OPT_STATE_DIR]);
    if (cli_ok(cli))
        main_check_words(cli);
    if (cli_ok(cli)) {
        assert(cli->args.verb); /* else the parse was wrong usage */
        code = cli->args.verb->run(cli);
    }
    if (!cli_ok(cli)) {
        int refused = refusal_put(cli);

        /* The launcher has codes of its own: 126 and 127, as shells have them. */
        return code > refused ? code : refused;
    }
    return out_flush(&cli->out) == 0 ? code : 1;
}

int
main(int argc, char **argv)
{
    struct cli cli;
    int code;

    cli_secret_hide();
    memset(&cli, 0, sizeof cli);
    code = cli_main(&cli, argc, argv);
    cli_close(&cli);
    cli_args_deinit(&cli.args);
    via_buf_deinit(&cli.out);
    via_buf_deinit(&cli.more);
    return code;
}
