/* remedy.h: the next command to try, for each code, with the names that were typed. */
#ifndef VIA_CLI_REMEDY_H
#define VIA_CLI_REMEDY_H

#include "cli/cli.h"

/* Append the line to type after `status`; never empty. */
void cli_remedy_put(const struct cli *cli, enum via_status status, struct via_buf *b);

#endif
