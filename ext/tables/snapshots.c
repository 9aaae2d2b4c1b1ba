/* via_snapshots: INSERT captures, DELETE removes the file and keeps the row. via_exports: INSERT
 * writes a plain copy to a path. */
#include "control/snapshot.h"
#include "tables/newfile.h"
#include "tables/tables.h"

enum { ID, ADDON, ADDON_ID, APP, STATE, SIZE_BYTES, DIGEST, REASON, CREATED_AT };

static const struct via_column columns[] = {
    [ID] = {"id", "TEXT", VIA_COL_KEY | VIA_COL_UNIQUE},
    [ADDON] = {"addon", "TEXT", VIA_COL_KEY | VIA_COL_INSERT},
    [ADDON_ID] = {"addon_id", "TEXT", VIA_COL_KEY | VIA_COL_INSERT},
    [APP] = {"app", "TEXT", VIA_COL_KEY | VIA_COL_INSERT},
    [STATE] = {"state", "TEXT", VIA_COL_KEY},
    [SIZE_BYTES] = {"size_bytes", "INTEGER", 0},
    [DIGEST] = {"digest", "TEXT", 0},
    [REASON] = {"reason", "TEXT", VIA_COL_INSERT},
    [CREATED_AT] = {"created_at", "TEXT", 0},
};

static int64_t
snapshots_insert(struct via_store *s, const struct via_row *row)
{
    const char *name =
        via_row_has(row, ADDON) ? via_row_text(row, ADDON) : via_row_text(row, ADDON_ID);
    struct via_addon a;

    if (!via_addon_get(&s->write, via_row_text(row, APP), name, &a))
        return 0;
    return via_snapshot_put(s, &a, via_row_text(row, REASON));
}

static void
snapshots_remove(struct via_store *s, int64_t rid, const struct via_row *arguments)
{
    (void)arguments;
    via_snapshot_remove(s, rid);
}

const struct via_table via_table_snapshots = {
    .name = "via_snapshots",
    .view = "v_snapshots",
    .columns = columns,
    .column_count = VIA_COLUMN_COUNT(columns),
    .control = true,
    .insert = snapshots_insert,
    .remove = snapshots_remove,
};

enum {
    EXPORT_ID,
    EXPORT_ADDON,
    EXPORT_PATH,
    EXPORT_STATE,
    EXPORT_SIZE,
    EXPORT_CREATED,
    EXPORT_APP
};

static const struct via_column export_columns[] = {
    [EXPORT_ID] = {"id", "TEXT", VIA_COL_KEY | VIA_COL_UNIQUE},
    [EXPORT_ADDON] = {"addon", "TEXT", VIA_COL_KEY | VIA_COL_INSERT},
    [EXPORT_PATH] = {"path", "TEXT", VIA_COL_INSERT},
    [EXPORT_STATE] = {"state", "TEXT", VIA_COL_KEY},
    [EXPORT_SIZE] = {"size_bytes", "INTEGER", 0},
    [EXPORT_CREATED] = {"created_at", "TEXT", 0},
    [EXPORT_APP] = {"app", "TEXT", VIA_COL_ARGUMENT | VIA_COL_INSERT},
};

static int64_t
exports_insert(struct via_store *s, const struct via_row *row)
{
    char path[VIA_PATH_SIZE];
    struct via_addon a;

    if (!via_addon_get(&s->write, via_row_text(row, EXPORT_APP), via_row_text(row, EXPORT_ADDON),
                       &a) ||
        !via_newfile_resolve(&s->write, via_row_text(row, EXPORT_PATH), "an export", path))
        return 0;
    return via_export_put(s, &a, path);
}

const struct via_table via_table_exports = {
    .name = "via_exports",
    .view = "v_exports",
    .columns = export_columns,
    .column_count = VIA_COLUMN_COUNT(export_columns),
    .control = true,
    .insert = exports_insert,
};
