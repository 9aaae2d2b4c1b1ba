/* status.h: the one table of codes.
 *
 * Every answer Via gives, in SQL, on the command line and over HTTP, is one row
 * of this table: the word a script matches, the HTTP status, the process exit
 * code and who mends it. SQLITE_* codes and errno are translated into rows at the
 * edge that called SQLite or the kernel; nothing else mixes code spaces. */
#ifndef VIA_STATUS_H
#define VIA_STATUS_H

#if defined(__GNUC__)
#define VIA_MUST_USE __attribute__((warn_unused_result))
#define VIA_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define VIA_MUST_USE
#define VIA_PRINTF(fmt, args)
#endif

/* Say that an answer does not matter here, where the attribute above would complain. */
#define via_ignore(answer)                                                                         \
    do {                                                                                           \
        if (answer) {                                                                              \
        }                                                                                          \
    } while (0)

#define VIA_STATUS_TABLE(X)                                                                        \
    /* name                      word                        http exit  who mends it */            \
    X(OK, "ok", 200, 0, "")                                                                        \
    /* names, rows and what an operator asks for */                                                \
    X(NAME_INVALID, "name_invalid", 400, 1, "operator")                                            \
    X(NAME_TAKEN, "name_taken", 409, 1, "operator")                                                \
    X(VALUE_INVALID, "value_invalid", 400, 1, "operator")                                          \
    X(VALUE_REQUIRED, "value_required", 400, 1, "operator")                                        \
    X(COLUMN_READONLY, "column_readonly", 400, 1, "operator")                                      \
    X(TABLE_READONLY, "table_readonly", 400, 1, "operator")                                        \
    X(REPLACE_REFUSED, "replace_refused", 400, 1, "operator")                                      \
    X(STATE_INVALID, "state_invalid", 409, 1, "operator")                                          \
    X(APP_EXISTS, "app_exists", 409, 1, "operator")                                                \
    X(APP_NOT_FOUND, "app_not_found", 404, 1, "operator")                                          \
    X(APP_IN_USE, "app_in_use", 409, 1, "operator")                                                \
    X(ADDON_EXISTS, "addon_exists", 409, 1, "operator")                                            \
    X(ADDON_NOT_FOUND, "addon_not_found", 404, 1, "operator")                                      \
    X(ADDON_AMBIGUOUS, "addon_ambiguous", 409, 1, "operator")                                      \
    X(ADDON_APP_MISMATCH, "addon_app_mismatch", 409, 1, "operator")                                \
    X(ADDON_BOUND, "addon_bound", 409, 1, "operator")                                              \
    X(ADDON_IN_USE, "addon_in_use", 409, 1, "operator")                                            \
    X(ADDON_PROTECTED, "addon_protected", 409, 1, "operator")                                      \
    X(ADDON_ACTIVE, "addon_active", 409, 1, "operator")                                            \
    X(ADDON_BUSY, "addon_busy", 409, 1, "operator")                                                \
    X(ADDON_FAILED_WITH_DATA, "addon_failed_with_data", 409, 1, "operator")                        \
    X(ADDON_SUSPENDED, "addon_suspended", 503, 1, "operator")                                      \
    X(TYPE_UNKNOWN, "type_unknown", 400, 1, "operator")                                            \
    X(OPTION_UNKNOWN, "option_unknown", 400, 1, "operator")                                        \
    X(OPTION_INVALID, "option_invalid", 400, 1, "operator")                                        \
    X(SETTING_UNKNOWN, "setting_unknown", 400, 1, "operator")                                      \
    X(BINDING_EXISTS, "binding_exists", 409, 1, "operator")                                        \
    X(BINDING_NOT_FOUND, "binding_not_found", 404, 1, "operator")                                  \
    X(BINDING_AMBIGUOUS, "binding_ambiguous", 409, 1, "operator")                                  \
    X(RELEASE_NOT_FOUND, "release_not_found", 404, 1, "operator")                                  \
    X(DEPLOY_NOT_FOUND, "deploy_not_found", 404, 1, "operator")                                    \
    X(DEPLOY_STOPPED, "deploy_stopped", 409, 1, "operator")                                        \
    X(DEPLOY_SUPERSEDED, "deploy_superseded", 409, 1, "operator")                                  \
    X(TARGET_REQUIRED, "target_required", 400, 1, "operator")                                      \
    X(INSTANCE_NOT_FOUND, "instance_not_found", 404, 1, "operator")                                \
    X(INSTANCE_STOPPED, "instance_stopped", 409, 1, "operator")                                    \
    X(PATH_INVALID, "path_invalid", 400, 1, "operator")                                            \
    X(PATH_UNWRITABLE, "path_unwritable", 500, 1, "operator")                                      \
    X(ENV_NOT_FOUND, "env_not_found", 404, 1, "operator")                                          \
    X(SECRET_IN_SQL, "secret_in_sql", 400, 1, "operator")                                          \
    /* importing an existing database */                                                           \
    X(SOURCE_NOT_FOUND, "source_not_found", 400, 1, "operator")                                    \
    X(SOURCE_UNREADABLE, "source_unreadable", 400, 1, "operator")                                  \
    X(SOURCE_NOT_A_FILE, "source_not_a_file", 400, 1, "operator")                                  \
    X(SOURCE_SYMLINK, "source_symlink", 400, 1, "operator")                                        \
    X(SOURCE_NOT_A_DATABASE, "source_not_a_database", 400, 1, "operator")                          \
    X(SOURCE_CORRUPT, "source_corrupt", 400, 1, "operator")                                        \
    X(SOURCE_HOT_JOURNAL, "source_hot_journal", 409, 1, "operator")                                \
    X(SOURCE_BUSY, "source_busy", 409, 1, "operator")                                              \
    /* the state root, its files and its processes */                                              \
    X(STATE_UNAVAILABLE, "state_unavailable", 500, 1, "operator")                                  \
    X(STATE_NEWER, "state_newer", 500, 1, "operator")                                              \
    X(STATE_CORRUPT, "state_corrupt", 500, 1, "operator")                                          \
    X(AUDIT_BROKEN, "audit_broken", 500, 1, "operator")                                            \
    X(DISK_FULL, "disk_full", 503, 1, "operator")                                                  \
    X(CONTROL_BUSY, "control_busy", 503, 1, "operator")                                            \
    X(AGENT_VERSION_MISMATCH, "agent_version_mismatch", 500, 1, "operator")                        \
    X(AGENT_RUNNING, "agent_running", 409, 1, "operator")                                          \
    X(AGENT_NOT_RUNNING, "agent_not_running", 503, 1, "operator")                                  \
    X(SOCKET_PATH_TOO_LONG, "socket_path_too_long", 400, 1, "operator")                            \
    X(LISTEN_FAILED, "listen_failed", 500, 1, "operator")                                          \
    X(KEY_NOT_FOUND, "key_not_found", 404, 1, "operator")                                          \
    X(KEY_ACTIVE, "key_active", 409, 1, "operator")                                                \
    X(KEY_IN_USE, "key_in_use", 409, 1, "operator")                                                \
    X(KEY_UNAVAILABLE, "key_unavailable", 500, 1, "operator")                                      \
    X(STORAGE_MISSING, "storage_missing", 503, 1, "operator")                                      \
    X(STORAGE_UNREADABLE, "storage_unreadable", 503, 1, "operator")                                \
    X(STORAGE_CORRUPT, "storage_corrupt", 503, 1, "operator")                                      \
    X(STORAGE_READONLY, "storage_readonly", 503, 1, "operator")                                    \
    X(STORAGE_FULL, "storage_full", 503, 1, "operator")                                            \
    X(SNAPSHOT_NOT_FOUND, "snapshot_not_found", 404, 1, "operator")                                \
    X(SNAPSHOT_MISSING, "snapshot_missing", 500, 1, "operator")                                    \
    X(SNAPSHOT_CORRUPT, "snapshot_corrupt", 500, 1, "operator")                                    \
    /* backing up the whole host, and restoring it */                                              \
    X(BACKUP_UNREADABLE, "backup_unreadable", 400, 1, "operator")                                  \
    X(BACKUP_INVALID, "backup_invalid", 400, 1, "operator")                                        \
    X(BACKUP_UNTRUSTED, "backup_untrusted", 403, 1, "operator")                                    \
    X(PASSPHRASE_REQUIRED, "passphrase_required", 400, 1, "operator")                              \
    X(PASSPHRASE_UNREADABLE, "passphrase_unreadable", 400, 1, "operator")                          \
    X(PASSPHRASE_WRONG, "passphrase_wrong", 403, 1, "operator")                                    \
    X(STATE_NOT_EMPTY, "state_not_empty", 409, 1, "operator")                                      \
    X(STATE_RESTORING, "state_restoring", 409, 1, "operator")                                      \
    X(OPERATION_INTERRUPTED, "operation_interrupted", 500, 1, "operator")                          \
    X(RESTORE_TIMEOUT, "restore_timeout", 409, 1, "operator")                                      \
    /* readiness, as `blocking` says it */                                                         \
    X(METADATA_MISSING, "metadata_missing", 404, 1, "operator")                                    \
    X(BINDING_MISSING, "binding_missing", 404, 1, "operator")                                      \
    X(BINDING_NOT_DEPLOYED, "binding_not_deployed", 409, 1, "app_owner")                           \
    X(RUNTIME_NOT_RUNNING, "runtime_not_running", 503, 1, "app_owner")                             \
    /* the four gates */                                                                           \
    X(TOKEN_MISSING, "token_missing", 401, 1, "app_owner")                                         \
    X(TOKEN_INVALID, "token_invalid", 403, 1, "app_owner")                                         \
    X(RUNTIME_IDENTITY_EXPIRED, "runtime_identity_expired", 403, 1, "app_owner")                   \
    X(WORKLOAD_UNBOUND, "workload_unbound", 403, 1, "app_owner")                                   \
    X(MANIFEST_INVALID, "manifest_invalid", 403, 1, "operator")                                    \
    X(BINDING_NOT_IN_RELEASE, "binding_not_in_release", 403, 1, "app_owner")                       \
    X(GENERATION_REVOKED, "generation_revoked", 403, 1, "app_owner")                               \
    X(GENERATION_UNKNOWN, "generation_unknown", 403, 1, "app_owner")                               \
    X(ADDON_UNAVAILABLE, "addon_unavailable", 403, 1, "operator")                                  \
    X(READ_ONLY_BINDING, "read_only_binding", 403, 1, "operator")                                  \
    X(ADDON_BLOCKED, "addon_blocked", 403, 1, "operator")                                          \
    X(ADDON_DRAINING, "addon_draining", 503, 1, "operator")                                        \
    /* the runtime API */                                                                          \
    X(BAD_REQUEST, "bad_request", 400, 1, "app_owner")                                             \
    X(HOST_REFUSED, "host_refused", 403, 1, "operator")                                            \
    X(ORIGIN_REFUSED, "origin_refused", 403, 1, "operator")                                        \
    X(ROUTE_NOT_FOUND, "not_found", 404, 1, "app_owner")                                           \
    X(METHOD_NOT_ALLOWED, "method_not_allowed", 405, 1, "app_owner")                               \
    X(REQUEST_TOO_LARGE, "request_too_large", 413, 1, "app_owner")                                 \
    X(RESULT_TOO_LARGE, "result_too_large", 413, 1, "app_owner")                                   \
    X(SQL_ERROR, "sql_error", 400, 1, "app_owner")                                                 \
    X(STATEMENT_FORBIDDEN, "statement_forbidden", 400, 1, "app_owner")                             \
    X(QUERY_NOT_READONLY, "query_not_readonly", 400, 1, "app_owner")                               \
    X(TOO_MANY_STATEMENTS, "too_many_statements", 400, 1, "app_owner")                             \
    X(STATEMENT_TIMEOUT, "statement_timeout", 504, 1, "app_owner")                                 \
    X(TRANSACTION_UNKNOWN, "transaction_unknown", 404, 1, "app_owner")                             \
    X(TRANSACTION_TIMEOUT, "transaction_timeout", 409, 1, "app_owner")                             \
    X(DATABASE_BUSY, "database_busy", 503, 1, "app_owner")                                         \
    X(OVERLOADED, "overloaded", 503, 1, "operator")                                                \
    X(SHUTTING_DOWN, "shutting_down", 503, 1, "operator")                                          \
    /* the command line and the launcher */                                                        \
    X(USAGE, "usage", 400, 2, "operator")                                                          \
    X(RUN_AS_ROOT, "run_as_root", 400, 1, "operator")                                              \
    X(USER_UNKNOWN, "user_unknown", 400, 1, "operator")                                            \
    X(COMMAND_NOT_FOUND, "command_not_found", 400, 1, "operator")                                  \
    X(LAUNCHER_GONE, "launcher_gone", 409, 1, "operator")                                          \
    X(CONFIG_MISSING, "config_missing", 500, 1, "app_owner")                                       \
    X(CONFIG_UNREADABLE, "config_unreadable", 500, 1, "app_owner")                                 \
    X(AGENT_UNREACHABLE, "agent_unreachable", 503, 1, "operator")                                  \
    /* what nobody foresaw */                                                                      \
    X(OUT_OF_MEMORY, "out_of_memory", 503, 1, "platform")                                          \
    X(IO_ERROR, "io_error", 500, 1, "platform")                                                    \
    X(INTERNAL_ERROR, "internal_error", 500, 1, "platform")

enum via_status {
#define VIA_STATUS_NAME(name, word, http, exit_code, owner) VIA_##name,
    VIA_STATUS_TABLE(VIA_STATUS_NAME)
#undef VIA_STATUS_NAME
        VIA_STATUS_COUNT
};

/* The word of `status`, as scripts match it: "addon_exists". Never NULL. */
const char *via_status_word(enum via_status status);

/* The HTTP status that answers `status`: 200 for VIA_OK. */
int via_status_http(enum via_status status);

/* The process exit code for `status`: 0 done, 1 refused or failed, 2 wrong usage. */
int via_status_exit(enum via_status status);

/* Who mends `status`: "operator", "app_owner", "platform", "" for VIA_OK. */
const char *via_status_owner(enum via_status status);

/* The status whose word is the `n` bytes at `word`; VIA_INTERNAL_ERROR when there is none. */
enum via_status via_status_parse(const char *word, unsigned long n);

#endif
