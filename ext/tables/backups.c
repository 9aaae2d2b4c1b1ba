/* via_backups: INSERT writes an archive of the whole host. */
#include "control/backup.h"
#include "tables/newfile.h"
#include "tables/tables.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum {
    ID,
    PATH,
    STATE,
    SIZE_BYTES,
    DIGEST,
    CREATED_AT,
    FINGERPRINT,
    SEALED,
    ABSENT,
    LEFT_OUT,
    PASSPHRASE_FILE
};

static const struct via_column columns[] = {
    [ID] = {"id", "TEXT", VIA_COL_KEY | VIA_COL_UNIQUE},
    [PATH] = {"path", "TEXT", VIA_COL_INSERT},
    [STATE] = {"state", "TEXT", VIA_COL_KEY},
    [SIZE_BYTES] = {"size_bytes", "INTEGER", 0},
    [DIGEST] = {"digest", "TEXT", 0},
    [CREATED_AT] = {"created_at", "TEXT", 0},
    [FINGERPRINT] = {"fingerprint", "TEXT", VIA_COL_ASIDE},
    [SEALED] = {"sealed", "INTEGER", VIA_COL_ASIDE},
    [ABSENT] = {"absent", "INTEGER", VIA_COL_ASIDE},
    [LEFT_OUT] = {"left_out", "TEXT", VIA_COL_ASIDE},
    [PASSPHRASE_FILE] = {"passphrase_file", "TEXT", VIA_COL_ARGUMENT | VIA_COL_INSERT},
};

/* Among Via's own files there is one folder for it. */
static void
backups_check_place(struct via_store *s, const char *path)
{
    size_t n = strlen(s->root.path);

    if (strncmp(path, s->root.path, n) == 0 && path[n] == '/' &&
        strncmp(path + n, "/backups/", strlen("/backups/")) != 0)
        via_sql_fail(&s->write, VIA_PATH_INVALID,
                     "in the state root a backup goes to backups/, or to a place of yours");
}

static int64_t
backups_insert(struct via_store *s, const struct via_row *row)
{
    const char *given = via_row_text(row, PATH), *secret = via_row_text(row, PASSPHRASE_FILE);
    char path[VIA_PATH_SIZE], file[PATH_MAX];

    if (given && !via_newfile_resolve(&s->write, given, "a backup", path))
        return 0;
    if (given)
        backups_check_place(s, path);
    if (secret && !realpath(secret, file))
        via_sql_fail(&s->write, VIA_PASSPHRASE_UNREADABLE, "the passphrase: %s: %s", secret,
                     strerror(errno));
    if (!via_sql_ok(&s->write))
        return 0;
    return via_backup_put(s, given ? path : NULL, secret ? file : NULL);
}

const struct via_table via_table_backups = {
    .name = "via_backups",
    .view = "v_backups",
    .columns = columns,
    .column_count = VIA_COLUMN_COUNT(columns),
    .control = true,
    .insert = backups_insert,
};
