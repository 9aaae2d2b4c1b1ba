/* progress.h: how far long work is, on a terminal. */
#ifndef VIA_CLI_PROGRESS_H
#define VIA_CLI_PROGRESS_H

#include "provider/provider.h"

/* What draws "42%" on stderr, several times a second and not at once; NULL when nobody would see
 * it. */
const struct via_progress *cli_progress(void);

/* Wipe what was drawn. */
void cli_progress_end(void);

#endif
