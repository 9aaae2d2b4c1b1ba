/* verbs.h: the table of verbs, and the function behind each. One file a noun. */
#ifndef VIA_CLI_VERBS_H
#define VIA_CLI_VERBS_H

#include "cli/cli.h"

extern const struct cli_verb cli_verbs[];
extern const size_t cli_verb_count;

/* Each returns the exit code; a refusal is in cli->error instead. */
int cli_addon_create(struct cli *cli);
int cli_addon_ensure(struct cli *cli);
int cli_addon_list(struct cli *cli);
int cli_addon_status(struct cli *cli);
int cli_addon_bind(struct cli *cli);
int cli_addon_unbind(struct cli *cli);
int cli_addon_rotate(struct cli *cli);
int cli_addon_revoke(struct cli *cli);
int cli_addon_set(struct cli *cli);
int cli_addon_suspend(struct cli *cli);
int cli_addon_resume(struct cli *cli);
int cli_addon_destroy(struct cli *cli);
int cli_addon_snapshot(struct cli *cli);
int cli_addon_snapshots(struct cli *cli);
int cli_addon_snapshot_delete(struct cli *cli);
int cli_addon_restore(struct cli *cli);
int cli_addon_export(struct cli *cli);
int cli_addon_shell(struct cli *cli);
int cli_backup_create(struct cli *cli);
int cli_backup_list(struct cli *cli);
int cli_backup_verify(struct cli *cli);
int cli_backup_restore(struct cli *cli);
int cli_app_deploy(struct cli *cli);
int cli_app_stop(struct cli *cli);
int cli_app_status(struct cli *cli);
int cli_app_doctor(struct cli *cli);
int cli_app_smoke(struct cli *cli);
int cli_app_repair(struct cli *cli);
int cli_env_set(struct cli *cli);
int cli_env_list(struct cli *cli);
int cli_env_unset(struct cli *cli);
int cli_audit(struct cli *cli);
int cli_audit_verify(struct cli *cli);
int cli_keys_list(struct cli *cli);
int cli_keys_rotate(struct cli *cli);
int cli_keys_retire(struct cli *cli);
int cli_doctor(struct cli *cli);
int cli_status(struct cli *cli);
int cli_sql(struct cli *cli);
int cli_completion(struct cli *cli);
int cli_launch(struct cli *cli); /* via run */

#endif
