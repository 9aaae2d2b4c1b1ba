/* via_keys: INSERT rotates a use, UPDATE to retired ends a key that no longer signs. */
#include "control/key.h"
#include "tables/tables.h"

#include <string.h>

enum { KID, USE, STATE, CREATED_AT };

static const struct via_column columns[] = {
    [KID] = {"kid", "TEXT", VIA_COL_KEY | VIA_COL_UNIQUE},
    [USE] = {"use", "TEXT", VIA_COL_INSERT},
    [STATE] = {"state", "TEXT", VIA_COL_UPDATE},
    [CREATED_AT] = {"created_at", "TEXT", 0},
};

static int64_t
keys_insert(struct via_store *s, const struct via_row *row)
{
    return via_key_rotate(s, via_row_text(row, USE));
}

static void
keys_update(struct via_store *s, int64_t rid, const struct via_row *row)
{
    const char *state = via_row_text(row, STATE);

    if (!via_row_has(row, STATE))
        return;
    if (!state || strcmp(state, "retired") != 0)
        via_sql_fail(&s->write, VIA_VALUE_INVALID, "a key's state can be set to retired only");
    else
        via_key_retire(s, rid);
}

const struct via_table via_table_keys = {
    .name = "via_keys",
    .view = "v_keys",
    .columns = columns,
    .column_count = VIA_COLUMN_COUNT(columns),
    .control = true,
    .refresh = via_key_look,
    .insert = keys_insert,
    .update = keys_update,
};
