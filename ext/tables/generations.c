/* via_generations: INSERT rotates a binding's credentials, UPDATE to revoked revokes one. */
#include "control/generation.h"
#include "tables/tables.h"

#include <string.h>

enum {
    APP,
    BINDING,
    TARGET,
    ADDON_ID,
    GENERATION,
    STATUS,
    CREATED_AT,
    EXPIRES_AT,
    REVOKED_AT,
    OPERATION_ID,
    GRACE_S
};

static const struct via_column columns[] = {
    [APP] = {"app", "TEXT", VIA_COL_KEY | VIA_COL_INSERT},
    [BINDING] = {"binding", "TEXT", VIA_COL_KEY | VIA_COL_INSERT},
    [TARGET] = {"target", "TEXT", VIA_COL_KEY | VIA_COL_INSERT},
    [ADDON_ID] = {"addon_id", "TEXT", VIA_COL_KEY},
    [GENERATION] = {"generation", "INTEGER", VIA_COL_KEY},
    [STATUS] = {"status", "TEXT", VIA_COL_UPDATE},
    [CREATED_AT] = {"created_at", "TEXT", 0},
    [EXPIRES_AT] = {"expires_at", "TEXT", 0},
    [REVOKED_AT] = {"revoked_at", "TEXT", 0},
    [OPERATION_ID] = {"operation_id", "TEXT", 0},
    [GRACE_S] = {"grace_s", "INTEGER", VIA_COL_ARGUMENT | VIA_COL_INSERT},
};

static int64_t
generations_insert(struct via_store *s, const struct via_row *row)
{
    int64_t grace_s = via_row_int(row, GRACE_S, -1);

    if (via_row_has(row, GRACE_S) && (grace_s < 0 || grace_s > 315360000)) {
        via_sql_fail(&s->write, VIA_VALUE_INVALID, "grace_s is from 0 to 315360000 seconds");
        return 0;
    }
    return via_generation_rotate(s, &(struct via_rotation){.app = via_row_text(row, APP),
                                                           .binding = via_row_text(row, BINDING),
                                                           .target = via_row_text(row, TARGET),
                                                           .grace_s = grace_s});
}

static void
generations_update(struct via_store *s, int64_t rid, const struct via_row *row)
{
    const char *status = via_row_text(row, STATUS);

    if (!via_row_has(row, STATUS))
        return;
    if (!status || strcmp(status, "revoked") != 0)
        via_sql_fail(&s->write, VIA_VALUE_INVALID,
                     "a generation's status can be set to revoked only");
    else
        via_generation_revoke(s, rid);
}

const struct via_table via_table_generations = {
    .name = "via_generations",
    .view = "v_generations",
    .columns = columns,
    .column_count = VIA_COLUMN_COUNT(columns),
    .control = true,
    .insert = generations_insert,
    .update = generations_update,
};
