/* args.h: words typed after `via` or `vary`, understood by a table of verbs.
 *
 * Pure: knows no SQL, no files, no output. A verb is one row; what may be typed, the
 * usage line and the help all follow from that row, so that they cannot differ. */
#ifndef VIA_CLI_ARGS_H
#define VIA_CLI_ARGS_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cli;

#define CLI_OPTION_TABLE(X)                                                                        \
    /* name            word               value         what it does */                            \
    X(STATE_DIR, "state-dir", "DIR", "the state root; else VIA_STATE_DIR, else /var/lib/via")      \
    X(APP, "app", "APP", "the app that is meant")                                                  \
    X(TARGET, "target", "T", "the environment that is meant; in a binding none means every one")   \
    X(JSON, "json", NULL, "print JSON with the SQL columns as keys")                               \
    X(SHOW_SQL, "show-sql", NULL, "print the statements and run nothing")                          \
    X(HELP, "help", NULL, "explain this command")                                                  \
    X(VERSION, "version", NULL, "print the version")                                               \
    X(BIND, "bind", "BINDING", "also bind the add-on to its app under this name")                  \
    X(FROM, "from", "FILE", "start with a copy of this SQLite database")                           \
    X(BINDING, "binding", "BINDING", "the name under which the app uses the add-on")               \
    X(READ_ONLY, "read-only", NULL, "the app may read and not write")                              \
    X(GRACE, "grace", "S", "seconds until the old generation ends; else it waits to be revoked")   \
    X(GENERATION, "generation", "N", "the generation that ends")                                   \
    X(FORCE, "force", NULL, "even while it is bound or in use")                                    \
    X(SNAPSHOT, "snapshot", "ID", "the snapshot to restore")                                       \
    X(DRAIN, "drain", NULL, "hold new operations off and let running ones finish")                 \
    X(RESTART_BOUND_APPS, "restart-bound-apps", NULL, "then restart the apps that use it")         \
    X(FORCE_AFTER_TIMEOUT, "force-after-timeout", NULL, "interrupt what has not finished by then") \
    X(TIMEOUT, "timeout", "S", "seconds for running operations to finish (restore_timeout_s)")     \
    X(ALL, "all", NULL, "those that are gone too")                                                 \
    X(REPAIR, "repair", NULL,                                                                      \
      "make missing storage anew, empty, when no snapshot could be restored")                      \
    X(FIX, "fix", NULL, "mend what can be mended safely, then look again")                         \
    X(SINCE, "since", "T", "only what came after: a time, a date, or 30m, 12h, 7d")                \
    X(FOLLOW, "follow", NULL, "go on with what comes")                                             \
    X(ARTIFACT, "artifact", "DIGEST", "what is deployed, as your registry names it")               \
    X(RELEASE, "release", "REL", "deploy this release again, with its own bindings")               \
    X(SECRET, "secret", "NAME", "also set this one, to what stdin holds, or ask for it")           \
    X(PASSPHRASE_FILE, "passphrase-file", "F", "the file whose first line seals the keys")         \
    X(FINGERPRINT, "fingerprint", "F", "whose key must have signed it, as create printed it")      \
    X(USER, "user", "U", "run the command as this user")                                           \
    X(RESTART, "restart", "[on-failure|always]",                                                   \
      "start the command again when it fails, or whenever it ends; later each time, up to 60 s")   \
    X(CLIENT_ENV, "client-env", NULL,                                                              \
      "also give <BINDING>_URL and <BINDING>_AUTH_TOKEN, for libSQL clients")                      \
    X(ENV_FILE, "env-file", "FILE",                                                                \
      "write the environment to this file too, as docker run --env-file reads it")                 \
    X(TOKEN_DIR, "token-dir", "DIR", "keep token and bindings here, to be mounted; DIR is ours")   \
    X(NO_AGENT_CHECK, "no-agent-check", NULL, "start even when no agent runs")

enum cli_option {
#define CLI_OPTION_NAME(name, word, value, help) CLI_OPT_##name,
    CLI_OPTION_TABLE(CLI_OPTION_NAME)
#undef CLI_OPTION_NAME
        CLI_OPT_COUNT
};

#define CLI_BIT(name) (UINT64_C(1) << CLI_OPT_##name)

/* Taken by every verb. */
#define CLI_EVERYWHERE                                                                             \
    (CLI_BIT(STATE_DIR) | CLI_BIT(APP) | CLI_BIT(TARGET) | CLI_BIT(JSON) | CLI_BIT(SHOW_SQL) |     \
     CLI_BIT(HELP) | CLI_BIT(VERSION))

struct cli_option_spec {
    const char *word;
    const char *value; /* NULL: a flag; "[A|B]": none, or one of these words */
    const char *help;
};

extern const struct cli_option_spec cli_options[CLI_OPT_COUNT];

/* One row of the table of verbs. Operands are words in order: NAME, [NAME] optional, NAME...
 * one or more; "-- COMMAND..." takes everything behind "--". */
struct cli_verb {
    const char *program; /* "via" or "vary" */
    const char *noun;    /* NULL: the verb stands alone; it may be two words */
    const char *name;
    const char *operands;
    uint64_t required; /* options */
    uint64_t optional;
    const char *summary;
    const char *example;
    int (*run)(struct cli *cli); /* the exit code, when no error was set */
};

/* What was typed. Texts are borrowed from argv. */
struct cli_args {
    const char *program;
    const struct cli_verb *verb;       /* NULL until found */
    const char *noun;                  /* of the table, when the words begin with one */
    const char *option[CLI_OPT_COUNT]; /* NULL: not given; "" for a flag */
    char **words;                      /* noun and verb included; owned array */
    size_t word_count;
    size_t first_operand; /* index into words */
    char **command;       /* behind "--", NULL-terminated; NULL when there was none */
    bool understood;      /* the parse found nothing wrong */
};

/* Understand argv[1..] of `program`. False with a sentence in `problem` when it is wrong
 * usage; --help and --version are reported even then, in a->option. */
bool cli_args_parse(struct cli_args *a, const struct cli_verb *verbs, size_t verb_count, int argc,
                    char **argv, struct via_buf *problem);
void cli_args_deinit(struct cli_args *a);

/* The operand that the verb's row calls `name` ("NAME"), or NULL when it was not given. */
const char *cli_args_operand(const struct cli_args *a, const char *name);

/* The words from the operand `name` on (for NAME...); *count receives how many. */
char **cli_args_rest(const struct cli_args *a, const char *name, size_t *count);

/* The name of a verb's operand `index`, counted from 0, without brackets and dots. False when it
 * takes none there. */
bool cli_verb_operand(const struct cli_verb *verb, size_t index, char *out, size_t size);

/* The nearest of `count` words to `word`, or NULL when none is near. */
const char *cli_args_nearest(const char *word, const char *const *words, size_t count);

/* Append "via addon create TYPE NAME --app APP [--bind BINDING]". */
void cli_usage_put(struct via_buf *b, const struct cli_verb *verb);

/* Append "via addon create|list|…", or the nouns when `noun` is none of `program`'s. */
void cli_usage_put_noun(struct via_buf *b, const struct cli_verb *verbs, size_t verb_count,
                        const char *program, const char *noun);

/* Append the whole help of one verb, or of all verbs of `program`: of `noun` alone when it is one.
 */
void cli_help_verb(struct via_buf *b, const struct cli_verb *verb);
void cli_help_all(struct via_buf *b, const struct cli_verb *verbs, size_t verb_count,
                  const char *program, const char *noun);

#endif
