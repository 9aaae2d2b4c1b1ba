/* via_bindings: INSERT binds, UPDATE changes the mode of future releases, DELETE unbinds. */
#include "control/binding.h"
#include "tables/tables.h"

enum { APP, BINDING, TARGET, ADDON, ADDON_ID, MODE, GENERATION, DEPLOYED, CREATED_AT };

static const struct via_column columns[] = {
    [APP] = {"app", "TEXT", VIA_COL_KEY | VIA_COL_INSERT},
    [BINDING] = {"binding", "TEXT", VIA_COL_KEY | VIA_COL_INSERT},
    [TARGET] = {"target", "TEXT", VIA_COL_KEY | VIA_COL_INSERT},
    [ADDON] = {"addon", "TEXT", VIA_COL_KEY | VIA_COL_INSERT},
    [ADDON_ID] = {"addon_id", "TEXT", VIA_COL_KEY | VIA_COL_INSERT},
    [MODE] = {"mode", "TEXT", VIA_COL_INSERT | VIA_COL_UPDATE},
    [GENERATION] = {"generation", "INTEGER", 0},
    [DEPLOYED] = {"deployed", "INTEGER", 0},
    [CREATED_AT] = {"created_at", "TEXT", 0},
};

static int64_t
bindings_insert(struct via_store *s, const struct via_row *row)
{
    if (via_row_has(row, ADDON) && via_row_has(row, ADDON_ID)) {
        via_sql_fail(&s->write, VIA_VALUE_INVALID, "give addon or addon_id, not both");
        return 0;
    }
    return via_binding_put(s, &(struct via_binding_spec){.app = via_row_text(row, APP),
                                                         .binding = via_row_text(row, BINDING),
                                                         .target = via_row_text(row, TARGET),
                                                         .addon = via_row_has(row, ADDON)
                                                                      ? via_row_text(row, ADDON)
                                                                      : via_row_text(row, ADDON_ID),
                                                         .mode = via_row_text(row, MODE)});
}

static void
bindings_update(struct via_store *s, int64_t rid, const struct via_row *row)
{
    if (via_row_has(row, MODE))
        via_binding_set_mode(s, rid, via_row_text(row, MODE));
}

static void
bindings_remove(struct via_store *s, int64_t rid, const struct via_row *arguments)
{
    (void)arguments;
    via_binding_remove(s, rid);
}

const struct via_table via_table_bindings = {
    .name = "via_bindings",
    .view = "v_bindings",
    .columns = columns,
    .column_count = VIA_COLUMN_COUNT(columns),
    .control = true,
    .insert = bindings_insert,
    .update = bindings_update,
    .remove = bindings_remove,
};
