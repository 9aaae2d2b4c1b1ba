/* via_apps: INSERT registers, DELETE forgets an app that nothing live refers to. */
#include "control/app.h"
#include "tables/tables.h"

enum { NAME, CREATED_AT };

static const struct via_column columns[] = {
    [NAME] = {"name", "TEXT", VIA_COL_KEY | VIA_COL_UNIQUE | VIA_COL_INSERT},
    [CREATED_AT] = {"created_at", "TEXT", 0},
};

static int64_t
apps_insert(struct via_store *s, const struct via_row *row)
{
    return via_app_put(s, via_row_text(row, NAME));
}

static void
apps_remove(struct via_store *s, int64_t rid, const struct via_row *arguments)
{
    (void)arguments;
    via_app_remove(s, rid);
}

const struct via_table via_table_apps = {
    .name = "via_apps",
    .view = "v_apps",
    .columns = columns,
    .column_count = VIA_COLUMN_COUNT(columns),
    .control = true,
    .insert = apps_insert,
    .remove = apps_remove,
};
