/* secret.h: keeping secrets: this process to itself, and one from stdin or the terminal in guarded
 * memory. */
#ifndef VIA_CLI_SECRET_H
#define VIA_CLI_SECRET_H

#include "cli/cli.h"

/* Let no core, and no other process of the same user, have what this one holds: keys and tokens.
 * The kernel takes it back when the user changes, and when another program is started. */
void cli_secret_hide(void);

/* Read the secret called `name`: all of stdin, or, when that is a terminal, a line that is typed
 * unseen. One line end at its end is left out. NULL, with cli->error set, when there is none;
 * via_guarded_free() frees it. From here on this process leaves no core. */
char *cli_secret_read(struct cli *cli, const char *name);

#endif
