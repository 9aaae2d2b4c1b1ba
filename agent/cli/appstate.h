/* appstate.h: one app on one target, as status, doctor, smoke and repair see it: its release,
 * deploy, instances and bindings, and what stands in the way of using them. */
#ifndef VIA_CLI_APPSTATE_H
#define VIA_CLI_APPSTATE_H

#include "cli/agentfile.h"
#include "cli/cli.h"

#define CLI_FINDINGS_MAX 64

struct cli_finding {
    enum via_status status;
    char subject[VIA_ADDON_ROW_NAME_SIZE]; /* a binding, an instance, or the app */
    char gate[16];                         /* that refuses; "" when none was asked */
    char reason[VIA_MESSAGE_SIZE];
    char *remediation; /* NULL without memory */
};

struct cli_appstate {
    const char *app;
    char target[VIA_NAME_SIZE];
    struct cli_agent agent;
    struct cli_rows deploy;    /* the one that runs, else the newest; one row or none */
    struct cli_rows release;   /* its release; one row or none */
    struct cli_rows instances; /* that run, or whose lease ran out in this deploy */
    struct cli_rows bindings;  /* of the release, and those that it lacks */
    struct cli_finding findings[CLI_FINDINGS_MAX];
    size_t count;
};

/* Gather and judge. `s` is initialised here and released by the caller, whatever happened.
 * VIA_APP_NOT_FOUND, VIA_TARGET_REQUIRED. */
void cli_appstate_find(struct cli *cli, struct cli_appstate *s);
void cli_appstate_deinit(struct cli_appstate *s);

/* The target alone: the one that was typed, else the only one. */
void cli_appstate_target(struct cli *cli, char target[VIA_NAME_SIZE]);

/* The instances alone, of `deploy` and of those that still run. */
void cli_appstate_instances(struct cli *cli, const char *target, const char *deploy,
                            struct cli_rows *out);

/* The newest instance that runs and whose token holds: false when there is none. */
bool cli_appstate_live(const struct cli_appstate *s, size_t *row);

#endif
