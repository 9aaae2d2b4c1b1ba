#include "cli/verbs.h"

#define BIT CLI_BIT

const struct cli_verb cli_verbs[] = {
    {"via", "addon", "create", "TYPE NAME", BIT(APP), BIT(BIND) | BIT(TARGET) | BIT(FROM),
     "Make an add-on for an app, empty or from a file; the app is registered if it is new.",
     "via addon create sqlite app-db --app api --bind DATABASE", cli_addon_create},
    {"via", "addon", "list", "", 0, BIT(APP) | BIT(ALL), "List the add-ons.",
     "via addon list --app api", cli_addon_list},
    {"via", "addon", "status", "NAME", 0, BIT(APP) | BIT(TARGET),
     "Say whether the app can use its add-on, and if not, what to do and by whom.",
     "via addon status app-db --app api", cli_addon_status},
    {"via", "addon", "ensure", "TYPE NAME", BIT(APP) | BIT(BIND), BIT(TARGET) | BIT(REPAIR),
     "Make an add-on and its binding unless they are there, and say whether the app can use it.\n"
     "What is there is not changed: when it differs from what is asked, a warning says so. With\n"
     "--repair a lost database file is made anew; a log that it left is kept beside the snapshots.",
     "via addon ensure sqlite app-db --app api --bind DATABASE", cli_addon_ensure},
    {"via", "addon", "bind", "APP NAME", BIT(BINDING), BIT(READ_ONLY) | BIT(TARGET),
     "Give an add-on a name by which its app uses it, from the next deploy on.",
     "via addon bind api app-db --binding DATABASE --target prod", cli_addon_bind},
    {"via", "addon", "unbind", "APP ADDON_OR_BINDING", 0, BIT(TARGET),
     "Take a binding away from future deploys; a running one keeps it.",
     "via addon unbind api DATABASE", cli_addon_unbind},
    {"via", "addon", "rotate-credentials", "NAME", BIT(BINDING),
     BIT(APP) | BIT(TARGET) | BIT(GRACE),
     "Begin the next generation of a binding's credential; the old one stays valid meanwhile.",
     "via addon rotate-credentials app-db --app api --binding DATABASE --grace 3600",
     cli_addon_rotate},
    {"via", "addon", "revoke-credentials", "NAME", BIT(BINDING) | BIT(GENERATION),
     BIT(APP) | BIT(TARGET),
     "End one generation of a binding's credential, from the next operation on.",
     "via addon revoke-credentials app-db --app api --binding DATABASE --generation 1",
     cli_addon_revoke},
    {"via", "addon", "set", "NAME KEY=VALUE...", 0, BIT(APP),
     "Change options of an add-on; KEY=null takes one back to its default.\n"
     "Options: foreign_keys, synchronous (full, normal), statement_timeout_ms, max_size_bytes,\n"
     "block_reads, block_writes, block_reason, delete_protection, snapshot_every_s,\n"
     "snapshot_keep, snapshot_max_age_s.\n"
     "Every snapshot_every_s the agent takes a snapshot. Of those it took the newest "
     "snapshot_keep\n"
     "stay, and none older than snapshot_max_age_s; the last snapshot there is always stays.\n"
     "via doctor tells when an add-on has no snapshot younger than snapshot_max_age_s.",
     "via addon set app-db --app api block_writes=true block_reason=\"moving house\"",
     cli_addon_set},
    {"via", "addon", "suspend", "NAME", 0, BIT(APP),
     "Refuse every operation on an add-on until it is resumed.",
     "via addon suspend app-db --app api", cli_addon_suspend},
    {"via", "addon", "resume", "NAME", 0, BIT(APP), "Serve a suspended add-on again.",
     "via addon resume app-db --app api", cli_addon_resume},
    {"via", "addon", "snapshot", "NAME", 0, BIT(APP),
     "Keep a copy of an add-on as it stands now, while its app goes on.",
     "via addon snapshot app-db --app api", cli_addon_snapshot},
    {"via", "addon", "snapshots", "NAME", 0, BIT(APP) | BIT(ALL),
     "List the snapshots of an add-on.", "via addon snapshots app-db --app api",
     cli_addon_snapshots},
    {"via", "addon", "snapshot-delete", "ID", 0, 0,
     "Delete the file of a snapshot; its record is kept.",
     "via addon snapshot-delete snap_01hzy3v7q8k2m4n6p8r0t2w4x6", cli_addon_snapshot_delete},
    {"via", "addon", "restore", "NAME", BIT(SNAPSHOT),
     BIT(APP) | BIT(DRAIN) | BIT(RESTART_BOUND_APPS) | BIT(FORCE_AFTER_TIMEOUT) | BIT(TIMEOUT),
     "Put a snapshot in the place of an add-on's content, wholly or not at all. What was there\n"
     "becomes a snapshot itself. With --drain or --force-after-timeout also while its app runs.",
     "via addon restore app-db --app api --snapshot snap_01hzy3v7q8k2m4n6p8r0t2w4x6 --drain",
     cli_addon_restore},
    {"via", "addon", "export", "NAME FILE", 0, BIT(APP),
     "Write an add-on as it stands now into a new file, a plain SQLite database.",
     "via addon export app-db /tmp/app-db.sqlite --app api", cli_addon_export},
    {"via", "addon", "shell", "NAME [STATEMENT]", 0, BIT(APP),
     "Open the sqlite3 shell on an add-on, or run one statement there. The opening is audited.",
     "via addon shell app-db \"SELECT count(*) FROM sqlite_schema\"", cli_addon_shell},
    {"via", "addon", "destroy", "NAME", 0, BIT(APP) | BIT(FORCE),
     "Destroy an add-on; its bytes are kept for destroy_retention_s, then removed.",
     "via addon destroy app-db --app api", cli_addon_destroy},
    {"via", "app env", "set", "APP [NAME=VALUE...]", 0, BIT(TARGET) | BIT(SECRET),
     "Set environment values of an app; its instances are told them by the agent.\n"
     "A secret is sealed on disk and never shown again: it comes from stdin, without the line end\n"
     "at its end, or from the terminal, unseen. A value without a target is for every one that\n"
     "has none of its own.",
     "via app env set api COLOUR=blue --target prod", cli_env_set},
    {"via", "app env", "list", "APP", 0, BIT(TARGET),
     "List an app's environment values; of a secret only that it is there.", "via app env list api",
     cli_env_list},
    {"via", "app env", "unset", "APP NAME...", 0, BIT(TARGET),
     "Unset environment values, from each instance's next look on.",
     "via app env unset api COLOUR --target prod", cli_env_unset},
    {"via", "backup", "create", "[FILE]", 0, BIT(PASSPHRASE_FILE),
     "Write this whole host into one signed archive, while everything goes on.\n"
     "Without FILE it goes to backups/ in the state root. Keep the fingerprint that is printed\n"
     "elsewhere: it proves later that an archive is yours. Without a passphrase the archive holds\n"
     "this host's private keys in plain. What is missing, damaged or cannot be read is left out\n"
     "and named, with what to type about it: the archive is made, and the exit status is 1.",
     "via backup create /srv/backup/host.tar.zst --passphrase-file /etc/via/passphrase",
     cli_backup_create},
    {"via", "backup", "list", "", 0, 0, "List the backups that were made on this host.",
     "via backup list", cli_backup_list},
    {"via", "backup", "verify", "FILE", 0, BIT(PASSPHRASE_FILE) | BIT(FINGERPRINT),
     "Read an archive through and check its signature, every digest and its form; exits 1 when a\n"
     "byte differs. Nothing is restored. Sealed keys are opened when the passphrase is given.\n"
     "What was left out when it was made is named; it is valid all the same.",
     "via backup verify host.tar.zst --fingerprint \"$(cat host.fingerprint)\"", cli_backup_verify},
    {"via", "backup", "restore", "FILE", 0, BIT(PASSPHRASE_FILE) | BIT(FINGERPRINT),
     "Make an empty or new state root what an archive holds, after checking all of it.\n"
     "Nothing runs in it, and no token of before is accepted; revocations stay. Cut short, it is\n"
     "run again.",
     "via backup restore host.tar.zst --fingerprint \"$(cat host.fingerprint)\" --state-dir "
     "/srv/via",
     cli_backup_restore},
    {"via", NULL, "run", "APP -- COMMAND...", 0,
     BIT(TARGET) | BIT(USER) | BIT(RESTART) | BIT(CLIENT_ENV) | BIT(ENV_FILE) | BIT(TOKEN_DIR) |
         BIT(NO_AGENT_CHECK),
     "Run a command as an instance of an app's newest deploy, with its identity renewed.\n"
     "It is restarted on a new deploy, a restore or a repair. It is ended when the launcher is\n"
     "killed. For a container: both files below belong to the user that runs the command.\n"
     "  via run api --env-file /run/api/env --token-dir /run/api/via -- docker run --rm \\\n"
     "    --env-file /run/api/env -v /run/api/via:/run/api/via IMAGE",
     "via run api --target prod --user www-data --restart on-failure -- ./server", cli_launch},
    {"via", "audit", "verify", "", 0, 0,
     "Check that no record of the audit was removed, altered, reordered or cut off, and show the\n"
     "signed heads: kept outside of this host, they prove what was recorded up to then.",
     "via audit verify", cli_audit_verify},
    {"via", NULL, "audit", "", 0, BIT(SINCE) | BIT(APP) | BIT(FOLLOW),
     "List what was done and refused. With --follow, go on with what comes, one record a line\n"
     "(with --json, one object a line), until Ctrl-C.",
     "via audit --app api --since 12h --follow", cli_audit},
    {"via", "keys", "list", "", 0, BIT(ALL),
     "List the host's keys: active ones sign, those in state verify only check what they signed.",
     "via keys list", cli_keys_list},
    {"via", "keys", "rotate", "USE", 0, 0,
     "Make a new key of a use (workload, generation, manifest, audit, seal, backup): it signs\n"
     "from now on, and what older ones signed still verifies. A new audit key also signs anew "
     "what\n"
     "is whole of an audit whose key was lost.",
     "via keys rotate workload", cli_keys_rotate},
    {"via", "keys", "retire", "KID", 0, 0,
     "End a key for good, from the next operation on: tokens signed with it are refused, releases\n"
     "signed with it can no longer be deployed. Its private half is removed.",
     "via keys retire key_01HZY3V7Q8K2M4N6P8R0T2W4X6", cli_keys_retire},
    {"via", NULL, "status", "", 0, 0, "Show this host on one screen; exits 1 when it is degraded.",
     "via status", cli_status},
    {"via", NULL, "doctor", "", 0, BIT(FIX),
     "List what is wrong with this host and how to mend it; exits 1 while anything is. What is "
     "only\n"
     "worth knowing (info) is no fault, and what is not Via's is never touched. --fix mends what "
     "is\n"
     "safe to mend, permissions first; what it cannot mend keeps it from nothing else.",
     "via doctor --fix", cli_doctor},
    {"via", NULL, "sql", "[STATEMENT]", 0, 0,
     "Open the sqlite3 shell with the via_* tables, or run one statement in it.",
     "via sql \"SELECT name, app, state FROM via_addons\"", cli_sql},
    {"via", NULL, "completion", "SHELL [WORD...]", 0, 0,
     "Print what lets a shell (bash, zsh, fish) complete commands and names; asked by that, with\n"
     "the words behind --, what may stand for the last of them.",
     "via completion bash", cli_completion},
    {"vary", "app", "deploy", "APP", 0, BIT(TARGET) | BIT(ARTIFACT) | BIT(RELEASE),
     "Put a release on a target: a new one from the current bindings, or one made before.",
     "vary app deploy api --target prod --artifact sha256:9f2c", cli_app_deploy},
    {"vary", "app", "stop", "APP", 0, BIT(TARGET),
     "Stop an app's deploy; its instances are refused from the next operation on.",
     "vary app stop api --target prod", cli_app_stop},
    {"vary", "app", "status", "APP", 0, BIT(TARGET),
     "Show an app's release, deploy, instances and bindings, and whether it can use them.",
     "vary app status api --target prod", cli_app_status},
    {"vary", "app", "doctor", "APP", 0, BIT(TARGET),
     "List what keeps an app from its databases, who mends it and how; exits 1 while anything "
     "does.",
     "vary app doctor api --target prod", cli_app_doctor},
    {"vary", "app", "smoke", "APP", 0, BIT(TARGET),
     "Read from each database of an app through the agent, as its instances would.",
     "vary app smoke api --target prod", cli_app_smoke},
    {"vary", "app", "repair", "APP", 0, BIT(TARGET),
     "Mint an app's tokens again where its launchers keep them, and renew its leases.",
     "vary app repair api --target prod", cli_app_repair},
    {"vary", NULL, "completion", "SHELL [WORD...]", 0, 0,
     "Print what lets a shell (bash, zsh, fish) complete commands and names; asked by that, with\n"
     "the words behind --, what may stand for the last of them.",
     "via completion bash", cli_completion},
};

const size_t cli_verb_count = sizeof cli_verbs / sizeof *cli_verbs;
