/* via_instances: INSERT registers, UPDATE stops, moves the lease or asks for a restart. via_tokens:
 * INSERT mints into a file. Both change runtime.db alone. */
#include "base/fs.h"
#include "control/instance.h"
#include "tables/tables.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    ID,
    APP,
    TARGET,
    DEPLOY,
    RELEASE,
    PID,
    STATE,
    STARTED_AT,
    LEASE_EXPIRES_AT,
    STOPPED_AT,
    TOKEN_PATH_OF,
    LAUNCHER,
    RESTART_REASON
};

static const struct via_column columns[] = {
    [ID] = {"id", "TEXT", VIA_COL_KEY | VIA_COL_UNIQUE},
    [APP] = {"app", "TEXT", VIA_COL_KEY | VIA_COL_INSERT},
    [TARGET] = {"target", "TEXT", VIA_COL_KEY | VIA_COL_INSERT},
    [DEPLOY] = {"deploy", "TEXT", VIA_COL_KEY | VIA_COL_INSERT},
    [RELEASE] = {"release", "TEXT", VIA_COL_KEY},
    [PID] = {"pid", "INTEGER", VIA_COL_INSERT},
    [STATE] = {"state", "TEXT", VIA_COL_KEY | VIA_COL_UPDATE},
    [STARTED_AT] = {"started_at", "TEXT", 0},
    [LEASE_EXPIRES_AT] = {"lease_expires_at", "TEXT", VIA_COL_UPDATE},
    [STOPPED_AT] = {"stopped_at", "TEXT", 0},
    [TOKEN_PATH_OF] = {"token_path", "TEXT", VIA_COL_INSERT | VIA_COL_ASIDE},
    [LAUNCHER] = {"launcher", "TEXT", VIA_COL_COMPUTED | VIA_COL_ASIDE},
    [RESTART_REASON] = {"restart_reason", "TEXT", VIA_COL_UPDATE | VIA_COL_ASIDE},
};

static int64_t
instances_insert(struct via_store *s, const struct via_row *row)
{
    return via_instance_put(
        s, &(struct via_instance_spec){.app = via_row_text(row, APP),
                                       .target = via_row_text(row, TARGET),
                                       .deploy = via_row_text(row, DEPLOY),
                                       .pid = via_row_int(row, PID, 0),
                                       .token_path = via_row_text(row, TOKEN_PATH_OF)});
}

static void
instances_update(struct via_store *s, int64_t rid, const struct via_row *row)
{
    const char *state = via_row_text(row, STATE);

    if (via_row_has(row, STATE) && (!state || strcmp(state, "stopped") != 0))
        via_sql_fail(&s->write, VIA_VALUE_INVALID,
                     "an instance's state can be set to stopped only");
    if (via_row_has(row, LEASE_EXPIRES_AT) && via_sql_ok(&s->write))
        via_instance_renew(s, rid, via_row_text(row, LEASE_EXPIRES_AT), true);
    if (via_row_has(row, RESTART_REASON) && via_sql_ok(&s->write))
        via_instance_ask_restart(s, rid, via_row_text(row, RESTART_REASON));
    if (via_row_has(row, STATE) && via_sql_ok(&s->write))
        via_instance_stop(s, rid);
}

/* The launcher: alive, gone, or NULL when the instance was registered by hand. */
static void
instances_compute(struct via_store *s, int64_t rid, int i, void *scratch, sqlite3_context *context)
{
    static const char *const words[] = {
        [VIA_LAUNCHER_IS_ALIVE] = "alive", [VIA_LAUNCHER_IS_GONE] = "gone"};
    struct via_instance *in = scratch;

    (void)i;
    if (via_instance_find_row(via_store_db(s), rid, in))
        sqlite3_result_text(context, words[via_instance_launcher(s, in)], -1, SQLITE_STATIC);
}

const struct via_table via_table_instances = {
    .name = "via_instances",
    .view = "v_instances",
    .columns = columns,
    .column_count = VIA_COLUMN_COUNT(columns),
    .insert = instances_insert,
    .update = instances_update,
    .compute = instances_compute,
    .scratch_size = sizeof(struct via_instance),
};

enum {
    TOKEN_ID,
    TOKEN_KIND,
    TOKEN_INSTANCE,
    TOKEN_BINDING,
    TOKEN_AUDIENCE,
    TOKEN_ISSUED_AT,
    TOKEN_EXPIRES_AT,
    TOKEN_PATH,
    TOKEN_TTL_S
};

static const struct via_column token_columns[] = {
    [TOKEN_ID] = {"id", "TEXT", VIA_COL_KEY | VIA_COL_UNIQUE},
    [TOKEN_KIND] = {"kind", "TEXT", VIA_COL_INSERT},
    [TOKEN_INSTANCE] = {"instance", "TEXT", VIA_COL_KEY | VIA_COL_INSERT},
    [TOKEN_BINDING] = {"binding", "TEXT", VIA_COL_KEY | VIA_COL_INSERT},
    [TOKEN_AUDIENCE] = {"audience", "TEXT", 0},
    [TOKEN_ISSUED_AT] = {"issued_at", "TEXT", 0},
    [TOKEN_EXPIRES_AT] = {"expires_at", "TEXT", 0},
    [TOKEN_PATH] = {"path", "TEXT", VIA_COL_ARGUMENT | VIA_COL_INSERT},
    [TOKEN_TTL_S] = {"ttl_s", "INTEGER", VIA_COL_ARGUMENT | VIA_COL_INSERT},
};

/* Refuse a file that could not be written or is none to replace, before the token is recorded. */
static void
tokens_check_path(struct via_store *s, const char *path)
{
    const char *slash = strrchr(path, '/');
    int folder_length = slash == path ? 1 : (int)(slash ? slash - path : 1);
    char *given = sqlite3_mprintf("%.*s", folder_length, slash ? path : ".");
    char *folder = given ? realpath(given, NULL) : NULL;
    char *file = sqlite3_mprintf("%s/%s", folder ? folder : "", slash ? slash + 1 : path);
    struct stat st;

    if (!folder || !file || access(folder, W_OK | X_OK) != 0)
        via_sql_fail(&s->write, VIA_PATH_UNWRITABLE, "the token cannot be written to %s: %s", path,
                     strerror(given && file ? errno : ENOMEM));
    else if (lstat(path, &st) == 0 && !S_ISREG(st.st_mode))
        via_sql_fail(&s->write, VIA_PATH_INVALID,
                     "the token cannot be written to %s: it is no file", path);
    else if (via_root_is_own(&s->root, file))
        via_sql_fail(&s->write, VIA_PATH_INVALID,
                     "the token cannot be written to %s: Via keeps its own files there", path);
    sqlite3_free(given);
    sqlite3_free(file);
    free(folder);
}

static int64_t
tokens_insert(struct via_store *s, const struct via_row *row)
{
    const char *path = via_row_text(row, TOKEN_PATH);
    int64_t ttl_s = via_row_int(row, TOKEN_TTL_S, 0);

    if (via_row_has(row, TOKEN_TTL_S) && ttl_s < 1)
        via_sql_fail(&s->write, VIA_VALUE_INVALID, "ttl_s is from 1 to 315360000 seconds");
    if (path)
        tokens_check_path(s, path);
    if (!via_sql_ok(&s->write))
        return 0;
    return via_token_put(s, &(struct via_token_spec){.kind = via_row_text(row, TOKEN_KIND),
                                                     .instance = via_row_text(row, TOKEN_INSTANCE),
                                                     .binding = via_row_text(row, TOKEN_BINDING),
                                                     .path = path,
                                                     .ttl_s = ttl_s});
}

const struct via_table via_table_tokens = {
    .name = "via_tokens",
    .view = "v_tokens",
    .columns = token_columns,
    .column_count = VIA_COLUMN_COUNT(token_columns),
    .insert = tokens_insert,
};
