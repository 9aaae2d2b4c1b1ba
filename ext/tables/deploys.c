/* via_deploys: INSERT deploys a release, making one when none is named; UPDATE to stopped stops. */
#include "control/release.h"
#include "tables/tables.h"

#include <string.h>

enum { ID, APP, RELEASE, TARGET, STATE, REASON, CREATED_AT, FINISHED_AT, ARTIFACT };

static const struct via_column columns[] = {
    [ID] = {"id", "TEXT", VIA_COL_KEY | VIA_COL_UNIQUE},
    [APP] = {"app", "TEXT", VIA_COL_KEY | VIA_COL_INSERT},
    [RELEASE] = {"release", "TEXT", VIA_COL_KEY | VIA_COL_INSERT},
    [TARGET] = {"target", "TEXT", VIA_COL_KEY | VIA_COL_INSERT},
    [STATE] = {"state", "TEXT", VIA_COL_KEY | VIA_COL_UPDATE},
    [REASON] = {"reason", "TEXT", VIA_COL_INSERT},
    [CREATED_AT] = {"created_at", "TEXT", 0},
    [FINISHED_AT] = {"finished_at", "TEXT", 0},
    [ARTIFACT] = {"artifact", "TEXT", VIA_COL_ARGUMENT | VIA_COL_INSERT},
};

static int64_t
deploys_insert(struct via_store *s, const struct via_row *row)
{
    return via_deploy_put(s, &(struct via_deploy_spec){.app = via_row_text(row, APP),
                                                       .release = via_row_text(row, RELEASE),
                                                       .target = via_row_text(row, TARGET),
                                                       .artifact = via_row_text(row, ARTIFACT),
                                                       .reason = via_row_text(row, REASON)});
}

static void
deploys_update(struct via_store *s, int64_t rid, const struct via_row *row)
{
    const char *state = via_row_text(row, STATE);

    if (!via_row_has(row, STATE))
        return;
    if (!state || strcmp(state, "stopped") != 0)
        via_sql_fail(&s->write, VIA_VALUE_INVALID, "a deploy's state can be set to stopped only");
    else
        via_deploy_stop(s, rid);
}

const struct via_table via_table_deploys = {
    .name = "via_deploys",
    .view = "v_deploys",
    .columns = columns,
    .column_count = VIA_COLUMN_COUNT(columns),
    .control = true,
    .insert = deploys_insert,
    .update = deploys_update,
};
