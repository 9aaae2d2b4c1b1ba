/* agentfile.h: what the agent says of itself in run/agent.json, and whether it lives. */
#ifndef VIA_CLI_AGENTFILE_H
#define VIA_CLI_AGENTFILE_H

#include "via/model.h"

struct cli_agent {
    int64_t pid;
    char socket[VIA_PATH_SIZE];
    char listen[256]; /* HOST:PORT, or "none" */
    char version[32];
};

/* Read run/agent.json of the state root. VIA_AGENT_NOT_RUNNING when there is none, it cannot be
 * understood, or its process is gone; *out is filled as far as it was read. */
VIA_MUST_USE enum via_status cli_agent_find(struct cli_agent *out, struct via_error *e);

/* Ask the agent's socket for /health. VIA_AGENT_NOT_RUNNING when nobody listens there,
 * VIA_AGENT_UNREACHABLE when nobody answers within 2 s. */
VIA_MUST_USE enum via_status cli_agent_check(const struct cli_agent *agent, struct via_error *e);

/* Read from the database behind `binding` through the agent, as whoever bears `token` would. What
 * the agent refuses with is the error. */
VIA_MUST_USE enum via_status cli_agent_read(const struct cli_agent *agent, const char *token,
                                            const char *binding, struct via_error *e);

#endif
