/* readiness.h: an add-on with the readiness of each of its bindings, asked for and put. */
#ifndef VIA_CLI_READINESS_H
#define VIA_CLI_READINESS_H

#include "cli/cli.h"

struct cli_readiness {
    struct cli_rows addon;    /* one row, none when there is no such add-on */
    struct cli_rows bindings; /* of via_readiness: one a binding, one without when unbound */
};

/* Ask for the add-on that NAME means, its bindings on every target or on the one that was typed.
 * `out` is initialised here and released by the caller, whatever happened. */
void cli_readiness_find(struct cli *cli, bool on_target, struct cli_readiness *out);
void cli_readiness_deinit(struct cli_readiness *r);

/* The row of `bindings` that decides: the first that blocks, else the first. */
size_t cli_readiness_first(const struct cli_readiness *r);

/* A text of the deciding row: "blocking", "owner", …; NULL when it is absent. Borrowed. */
const char *cli_readiness_text(const struct cli_readiness *r, const char *column);

/* Append members without braces: the add-on's, the deciding row's, "bindings". */
void cli_readiness_put_members(const struct cli_readiness *r, struct via_buf *b);

#endif
