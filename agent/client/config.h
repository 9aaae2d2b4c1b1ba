/* config.h: where the agent is and who we are, as the launcher left it in the environment.
 *
 * Owns the token's text and looks at its file again whenever that was replaced. */
#ifndef VIA_CLIENT_CONFIG_H
#define VIA_CLIENT_CONFIG_H

#include "via/limits.h"
#include "via/via.h"

#include <sys/stat.h>

struct via_config {
    char url[VIA_PATH_SIZE];    /* http://HOST:PORT, no trailing slash */
    char socket[VIA_PATH_SIZE]; /* "" to go by the URL alone */
    char token_path[VIA_PATH_SIZE];
    char token[VIA_TOKEN_SIZE];
    struct stat seen; /* of the token file when `token` was read */
};

/* Read the environment and the token file. config_missing names the variable that is not
 * set, config_unreadable the one whose value is no use. */
bool via_config_init(struct via_config *config, struct via_failure *why);

/* Wipe the token. */
void via_config_deinit(struct via_config *config);

/* Read the token again if its file was replaced since; *changed says whether its text differs. */
bool via_config_refresh(struct via_config *config, bool *changed, struct via_failure *why);

#endif
