/* mend.h: mending every finding that can be mended, for `via doctor --fix`. */
#ifndef VIA_CLI_MEND_H
#define VIA_CLI_MEND_H

#include "cli/cli.h"

/* Mend what is fixable, each finding whatever becomes of the others, until nothing more can be; one
 * mend may show what there is to mend behind it. *mended counts them. False when some could not be,
 * whose errors are on stderr then; what kept all of them from being mended is the error of `cli`.
 */
bool cli_mend(struct cli *cli, int64_t *mended);

#endif
