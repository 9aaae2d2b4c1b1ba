/* doctor_look.h: what the parts of the doctor share: one look, its findings, their codes.
 *
 * For doctor*.c alone. */
#ifndef VIA_EFFECTS_DOCTOR_LOOK_H
#define VIA_EFFECTS_DOCTOR_LOOK_H

#include "control/mark.h"

#include <sys/stat.h>

/* code, severity, and what mends it: a function of doctor_mend.c, or NULL. Paths below the state
 * root are subjects as they are; the root itself is ".". */
#define DOCTOR_CODES(X)                                                                            \
    X(PERMISSIONS_WRONG, "permissions_wrong", "error", doctor_mend_mode)                           \
    X(OWNER_WRONG, "owner_wrong", "error", doctor_mend_owner)                                      \
    X(LINK_FOUND, "link_found", "error", NULL)                                                     \
    X(FOLDER_UNREADABLE, "folder_unreadable", "error", NULL)                                       \
    X(TEMPORARY_LEFT, "temporary_left", "warning", doctor_mend_temporary)                          \
    X(FILE_UNKNOWN, "file_unknown", "info", NULL)                                                  \
    X(KEY_PERMISSIONS_WRONG, "key_permissions_wrong", "error", doctor_mend_mode)                   \
    X(KEY_UNREADABLE, "key_unreadable", "error", NULL)                                             \
    X(KEY_RETIRED_LEFT, "key_retired_left", "error", doctor_mend_retired)                          \
    X(KEY_MISSING, "key_missing", "error", NULL)                                                   \
    X(STORAGE_MISSING, "storage_missing", "error", NULL)                                           \
    X(STORAGE_UNREADABLE, "storage_unreadable", "error", NULL)                                     \
    X(STORAGE_CORRUPT, "storage_corrupt", "error", NULL)                                           \
    X(STORAGE_ORPHANED, "storage_orphaned", "warning", doctor_mend_orphan)                         \
    X(SNAPSHOT_MISSING, "snapshot_missing", "error", NULL)                                         \
    X(SNAPSHOT_ORPHANED, "snapshot_orphaned", "warning", doctor_mend_snapshot)                     \
    X(SNAPSHOT_FAILING, "snapshot_failing", "warning", NULL)                                       \
    X(SNAPSHOT_OVERDUE, "snapshot_overdue", "warning", NULL)                                       \
    X(BACKUP_MISSING, "backup_missing", "warning", doctor_mend_backup)                             \
    X(BACKUP_ELSEWHERE, "backup_elsewhere", "info", NULL)                                          \
    X(EXPORT_LEFT, "export_left", "warning", doctor_mend_export)                                   \
    X(SECRET_UNREADABLE, "secret_unreadable", "error", NULL)                                       \
    X(ADDON_FAILED, "addon_failed", "warning", NULL)                                               \
    X(PURGE_OVERDUE, "purge_overdue", "warning", doctor_mend_purge)                                \
    X(OPERATION_STUCK, "operation_stuck", "error", doctor_mend_operation)                          \
    X(AGENT_SOCKET_STALE, "agent_socket_stale", "warning", doctor_mend_agent)                      \
    X(AGENT_FILE_STALE, "agent_file_stale", "warning", doctor_mend_agent)                          \
    X(AGENT_NOT_RUNNING, "agent_not_running", "info", NULL)                                        \
    X(STATE_CORRUPT, "state_corrupt", "error", doctor_mend_indexes)                                \
    X(STATE_UNCHECKED, "state_unchecked", "info", NULL)                                            \
    X(SCHEMA_MISSING, "schema_missing", "error", doctor_mend_schema)                               \
    X(SCHEMA_CHANGED, "schema_changed", "error", doctor_mend_schema)                               \
    X(SCHEMA_UNKNOWN, "schema_unknown", "info", NULL)                                              \
    X(AUDIT_BROKEN, "audit_broken", "error", NULL)                                                 \
    X(AUDIT_UNSIGNED, "audit_unsigned", "info", doctor_mend_audit)                                 \
    X(WAL_LARGE, "wal_large", "warning", NULL)                                                     \
    X(DISK_LOW, "disk_low", "warning", NULL)                                                       \
    X(CLOCK_BEHIND, "clock_behind", "warning", NULL)                                               \
    X(NETWORK_FILESYSTEM, "network_filesystem", "error", NULL)                                     \
    X(FILESYSTEM_UNKNOWN, "filesystem_unknown", "warning", NULL)                                   \
    X(CONTROL_LOCKED, "control_locked", "warning", NULL)

enum doctor_code {
#define DOCTOR_CODE(name, word, severity, mend) DOCTOR_##name,
    DOCTOR_CODES(DOCTOR_CODE)
#undef DOCTOR_CODE
        DOCTOR_CODE_COUNT
};

#define DOCTOR_SHELL_SIZE (4 * VIA_PATH_SIZE) /* a path in quotes, whatever is in it */

struct doctor {
    struct via_store *s;
    struct via_sql *db; /* holds temp.findings */
    struct via_lock lock;
    bool agent_lives;
    bool is_damaged; /* a page of the control plane's own databases */
    bool lacks_table;
    bool is_storage_hidden; /* which add-ons have a folder cannot be seen */
};

struct doctor_finding {
    enum doctor_code code;
    bool fixable;
    char subject[VIA_PATH_SIZE];
    char reason[2 * VIA_MESSAGE_SIZE];
    char remediation[2 * DOCTOR_SHELL_SIZE];
};

/* -- telling (doctor.c) -- */

/* Begin a finding. It is fixable when its code has a mend, unless the caller says otherwise. */
void doctor_begin(struct doctor_finding *f, enum doctor_code code, const char *subject);
void doctor_say(struct doctor_finding *f, const char *format, ...) VIA_PRINTF(2, 3);
void doctor_advise(struct doctor_finding *f, const char *format, ...) VIA_PRINTF(2, 3);

/* Advise one line more, to be pasted together with those before it. */
void doctor_advise_more(struct doctor_finding *f, const char *format, ...) VIA_PRINTF(2, 3);
void doctor_end(struct doctor *d, const struct doctor_finding *f);

/* `text` in quotes for a shell. Returns `out`. */
const char *doctor_quote(const char *text, char out[DOCTOR_SHELL_SIZE]);

/* The same of a path below the root. */
const char *doctor_quote_path(const struct via_root *root, const char *relative,
                              char out[DOCTOR_SHELL_SIZE]);

/* Does somebody else hold this byte of run/locks? Asks without taking it. */
bool doctor_is_locked(const struct via_lock *lock, int64_t slot);

/* -- looking -- */

typedef void (*doctor_look_fn)(struct doctor *d);

/* One look after the other. On a damaged control plane one that cannot be finished is passed over:
 * that it is damaged is a finding, and what the others find is worth as much as before. */
void doctor_look_each(struct doctor *d, const doctor_look_fn *looks, size_t count);

/* The same for a question in passing: forget why it was not answered. */
void doctor_pass_over(struct doctor *d);

/* doctor_schema.c: the pages, indexes, tables and triggers of both databases. Before all else. */
void doctor_look_schema(struct doctor *d);

/* doctor_files.c: every file and folder; fills temp.seen_storage and temp.seen_snapshots. */
void doctor_look_files(struct doctor *d);

/* doctor_strays.c: files that are none of Via's, where Via has its own. Note one in the walk,
 * unless its name tells that it belongs there; false when it is none of Via's. */
bool doctor_stray_note(struct doctor *d, const char *relative, mode_t type);

/* Decide about those that were noted. */
void doctor_look_strays(struct doctor *d);

/* Is that the name of a file that an operation works on? Remove it, unless one does. */
bool doctor_is_work(const char *relative);
VIA_MUST_USE enum via_status doctor_remove_work(struct via_store *s, const char *relative,
                                                struct via_error *e);

/* The mode that `relative` is to have. */
mode_t doctor_mode(const char *relative, mode_t type);

/* Is that a file or folder under way whose process is gone, as far as `db` and its name tell? */
bool doctor_is_left(struct via_sql *db, const char *relative, mode_t type);

/* doctor_rows.c: the control plane's rows against what the files said. */
void doctor_look_rows(struct doctor *d);

/* doctor_audit.c: the heads of the audit. */
void doctor_look_audit(struct doctor *d);

/* doctor_keys.c: keys that are gone and needed, or there and retired. */
void doctor_look_keys(struct doctor *d);

/* doctor_backups.c: archives of the host, and whether they are where they were written. */
void doctor_look_backups(struct doctor *d);

/* doctor_exports.c: what exports left outside. */
void doctor_look_exports(struct doctor *d);

struct doctor_backup {
    char path[VIA_PATH_SIZE];
    char fingerprint[VIA_HASH_SIZE];
    bool is_sealed; /* its keys want a passphrase */
};

/* The newest archive that is where it was written. False: there is none. */
bool doctor_backup_newest(struct doctor *d, struct doctor_backup *out);

/* The oldest one in which the key `kid` may be, as a file that wants no passphrase. */
bool doctor_backup_with_key(struct doctor *d, const char *kid, struct doctor_backup *out);

/* doctor_host.c: the agent, the disk, the clock, who is in the way. */
void doctor_look_host(struct doctor *d);

/* Does anybody listen at this Unix socket? */
bool doctor_is_listened(const char *path);

/* -- mending (doctor_mend.c). `subject` is what the finding was about; what is sound by now, or
 * gone, is left alone: VIA_OK. -- */
typedef enum via_status (*doctor_mend_fn)(struct via_store *s, const char *subject,
                                          struct via_error *e);

enum via_status doctor_mend_mode(struct via_store *s, const char *subject, struct via_error *e);
enum via_status doctor_mend_owner(struct via_store *s, const char *subject, struct via_error *e);
enum via_status doctor_mend_temporary(struct via_store *s, const char *subject,
                                      struct via_error *e);
enum via_status doctor_mend_orphan(struct via_store *s, const char *subject, struct via_error *e);
enum via_status doctor_mend_snapshot(struct via_store *s, const char *subject, struct via_error *e);
enum via_status doctor_mend_backup(struct via_store *s, const char *subject, struct via_error *e);
enum via_status doctor_mend_export(struct via_store *s, const char *subject, struct via_error *e);
enum via_status doctor_mend_purge(struct via_store *s, const char *subject, struct via_error *e);
enum via_status doctor_mend_operation(struct via_store *s, const char *subject,
                                      struct via_error *e);
enum via_status doctor_mend_agent(struct via_store *s, const char *subject, struct via_error *e);
enum via_status doctor_mend_retired(struct via_store *s, const char *subject, struct via_error *e);
enum via_status doctor_mend_indexes(struct via_store *s, const char *subject, struct via_error *e);
enum via_status doctor_mend_schema(struct via_store *s, const char *subject, struct via_error *e);
enum via_status doctor_mend_audit(struct via_store *s, const char *subject, struct via_error *e);

#endif
