/* remedy.h: the next command to try, with the names that were typed or found.
 *
 * The lines themselves are in rules/remedy; here is what only the command line knows. */
#ifndef VIA_CLI_REMEDY_H
#define VIA_CLI_REMEDY_H

#include "cli/cli.h"

/* After a refusal find what the line that mends it names: of the add-on that is meant the app, a
 * binding, the target that holds it, what it could come back from. The error stays as it is. */
void cli_remedy_look(struct cli *cli);

/* Append the line to type after `status`; never empty. */
void cli_remedy_put(const struct cli *cli, enum via_status status, struct via_buf *b);

/* Append the line to type about what a backup left out of an add-on for `status`: its content, or
 * its snapshot (NULL: the content). What was found before is forgotten. */
void cli_remedy_put_left_out(struct cli *cli, enum via_status status, const char *addon_id,
                             const char *snapshot_id, struct via_buf *b);

/* Append a line that was made without knowing what was typed, so that it works where this one was:
 * with its --state-dir. */
void cli_remedy_put_line(const struct cli *cli, const char *line, struct via_buf *b);

#endif
