/* via_operations, via_audit and via_audit_heads, which are only read, and via_settings. */
#include "control/setting.h"
#include "tables/tables.h"

static const struct via_column operation_columns[] = {
    {"id", "TEXT", VIA_COL_KEY | VIA_COL_UNIQUE},
    {"kind", "TEXT", 0},
    {"subject", "TEXT", 0},
    {"actor", "TEXT", 0},
    {"state", "TEXT", VIA_COL_KEY},
    {"phase", "TEXT", 0},
    {"progress", "INTEGER", 0},
    {"error", "TEXT", 0},
    {"started_at", "TEXT", 0},
    {"finished_at", "TEXT", 0},
};

const struct via_table via_table_operations = {
    .name = "via_operations",
    .view = "v_operations",
    .columns = operation_columns,
    .column_count = VIA_COLUMN_COUNT(operation_columns),
    .control = true,
};

static const struct via_column audit_columns[] = {
    {"stream", "TEXT", VIA_COL_KEY},
    {"seq", "INTEGER", VIA_COL_KEY},
    {"at", "TEXT", VIA_COL_KEY},
    {"actor", "TEXT", 0},
    {"action", "TEXT", 0},
    {"outcome", "TEXT", 0},
    {"app", "TEXT", VIA_COL_KEY},
    {"deploy", "TEXT", 0},
    {"instance", "TEXT", 0},
    {"binding", "TEXT", VIA_COL_KEY},
    {"reason", "TEXT", 0},
    {"count", "INTEGER", 0},
    {"operation_id", "TEXT", 0},
    {"prev_hash", "TEXT", 0},
    {"hash", "TEXT", 0},
};

const struct via_table via_table_audit = {
    .name = "via_audit",
    .view = "v_audit",
    .columns = audit_columns,
    .column_count = VIA_COLUMN_COUNT(audit_columns),
    .control = true,
};

static const struct via_column head_columns[] = {
    {"stream", "TEXT", VIA_COL_KEY | VIA_COL_UNIQUE},
    {"seq", "INTEGER", 0},
    {"hash", "TEXT", 0},
    {"signed_at", "TEXT", 0},
    {"kid", "TEXT", 0},
    {"signature", "TEXT", 0},
};

const struct via_table via_table_audit_heads = {
    .name = "via_audit_heads",
    .view = "v_audit_heads",
    .columns = head_columns,
    .column_count = VIA_COLUMN_COUNT(head_columns),
    .control = true,
};

enum { NAME, VALUE, DEFAULT, UNIT, HELP };

static const struct via_column setting_columns[] = {
    [NAME] = {"name", "TEXT", VIA_COL_KEY | VIA_COL_UNIQUE},
    [VALUE] = {"value", "TEXT", VIA_COL_UPDATE},
    [DEFAULT] = {"default", "TEXT", 0},
    [UNIT] = {"unit", "TEXT", 0},
    [HELP] = {"help", "TEXT", 0},
};

static void
settings_update(struct via_store *s, int64_t rid, const struct via_row *row)
{
    if (rid >= 1 && rid <= (int64_t)via_settings_count && via_row_has(row, VALUE))
        via_setting_put(s, via_settings[rid - 1].name, via_row_text(row, VALUE));
}

const struct via_table via_table_settings = {
    .name = "via_settings",
    .view = "v_settings",
    .columns = setting_columns,
    .column_count = VIA_COLUMN_COUNT(setting_columns),
    .control = true,
    .update = settings_update,
};
