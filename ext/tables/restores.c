/* via_restores: INSERT puts a snapshot in the place of an add-on's content. */
#include "control/restore.h"
#include "tables/tables.h"

enum {
    ID,
    ADDON,
    SNAPSHOT,
    STATE,
    PHASE,
    DRAIN,
    RESTART_BOUND_APPS,
    FORCE_AFTER_TIMEOUT,
    TIMEOUT_S,
    SAFETY_SNAPSHOT,
    ERROR,
    STARTED_AT,
    FINISHED_AT,
    APP
};

static const struct via_column columns[] = {
    [ID] = {"id", "TEXT", VIA_COL_KEY | VIA_COL_UNIQUE},
    [ADDON] = {"addon", "TEXT", VIA_COL_KEY | VIA_COL_INSERT},
    [SNAPSHOT] = {"snapshot", "TEXT", VIA_COL_INSERT},
    [STATE] = {"state", "TEXT", VIA_COL_KEY},
    [PHASE] = {"phase", "TEXT", 0},
    [DRAIN] = {"drain", "INTEGER", VIA_COL_INSERT},
    [RESTART_BOUND_APPS] = {"restart_bound_apps", "INTEGER", VIA_COL_INSERT},
    [FORCE_AFTER_TIMEOUT] = {"force_after_timeout", "INTEGER", VIA_COL_INSERT},
    [TIMEOUT_S] = {"timeout_s", "INTEGER", VIA_COL_INSERT},
    [SAFETY_SNAPSHOT] = {"safety_snapshot", "TEXT", 0},
    [ERROR] = {"error", "TEXT", 0},
    [STARTED_AT] = {"started_at", "TEXT", 0},
    [FINISHED_AT] = {"finished_at", "TEXT", 0},
    [APP] = {"app", "TEXT", VIA_COL_ARGUMENT | VIA_COL_INSERT},
};

static int64_t
restores_insert(struct via_store *s, const struct via_row *row)
{
    struct via_restore_spec spec = {
        .snapshot = via_row_text(row, SNAPSHOT),
        .drain = via_row_int(row, DRAIN, 0) != 0,
        .restart_bound_apps = via_row_int(row, RESTART_BOUND_APPS, 0) != 0,
        .force_after_timeout = via_row_int(row, FORCE_AFTER_TIMEOUT, 0) != 0,
        .timeout_s = via_row_int(row, TIMEOUT_S, -1),
    };
    struct via_addon a;

    if (via_row_has(row, TIMEOUT_S) && spec.timeout_s < 0) {
        via_sql_fail(&s->write, VIA_VALUE_INVALID, "timeout_s takes no negative number");
        return 0;
    }
    if (!via_addon_get(&s->write, via_row_text(row, APP), via_row_text(row, ADDON), &a))
        return 0;
    return via_restore_put(s, &a, &spec);
}

const struct via_table via_table_restores = {
    .name = "via_restores",
    .view = "v_restores",
    .columns = columns,
    .column_count = VIA_COLUMN_COUNT(columns),
    .control = true,
    .insert = restores_insert,
};
