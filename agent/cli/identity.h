/* identity.h: how the runtime token of an instance stands. */
#ifndef VIA_CLI_IDENTITY_H
#define VIA_CLI_IDENTITY_H

#include "cli/rows.h"

enum cli_identity { CLI_IDENTITY_OK, CLI_IDENTITY_MISSING, CLI_IDENTITY_EXPIRED };

/* Of the instance in `row`, which has token_path, token_expires_at and lease_expires_at: by its
 * file when a launcher said where that is, else by what was minted last. */
enum cli_identity cli_identity_of(const struct cli_rows *instances, size_t row);

const char *cli_identity_word(enum cli_identity identity);

#endif
