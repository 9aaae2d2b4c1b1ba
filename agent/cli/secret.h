/* secret.h: a secret from stdin or the terminal, kept in guarded memory. */
#ifndef VIA_CLI_SECRET_H
#define VIA_CLI_SECRET_H

#include "cli/cli.h"

/* Read the secret called `name`: all of stdin, or, when that is a terminal, a line that is typed
 * unseen. One line end at its end is left out. NULL, with cli->error set, when there is none;
 * via_guarded_free() frees it. From here on this process leaves no core. */
char *cli_secret_read(struct cli *cli, const char *name);

#endif
