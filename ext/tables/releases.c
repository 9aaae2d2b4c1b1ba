/* via_releases: INSERT takes the bindings as they stand and signs them. via_release_bindings: what
 * was taken. */
#include "control/release.h"
#include "tables/tables.h"

enum { ID, APP, TARGET, VERSION, ARTIFACT, MANIFEST, SIGNATURE, KEY_ID, CREATED_AT };

static const struct via_column columns[] = {
    [ID] = {"id", "TEXT", VIA_COL_KEY | VIA_COL_UNIQUE},
    [APP] = {"app", "TEXT", VIA_COL_KEY | VIA_COL_INSERT},
    [TARGET] = {"target", "TEXT", VIA_COL_INSERT},
    [VERSION] = {"version", "INTEGER", VIA_COL_KEY},
    [ARTIFACT] = {"artifact", "TEXT", VIA_COL_INSERT},
    [MANIFEST] = {"manifest", "TEXT", 0},
    [SIGNATURE] = {"signature", "TEXT", 0},
    [KEY_ID] = {"key_id", "TEXT", 0},
    [CREATED_AT] = {"created_at", "TEXT", 0},
};

static int64_t
releases_insert(struct via_store *s, const struct via_row *row)
{
    const char *target = via_row_text(row, TARGET);
    char id[VIA_ID_SIZE];

    return via_release_put(s, via_row_text(row, APP), target ? target : "",
                           via_row_text(row, ARTIFACT), id);
}

const struct via_table via_table_releases = {
    .name = "via_releases",
    .view = "v_releases",
    .columns = columns,
    .column_count = VIA_COLUMN_COUNT(columns),
    .control = true,
    .insert = releases_insert,
};

static const struct via_column binding_columns[] = {
    {"release", "TEXT", VIA_COL_KEY},
    {"binding", "TEXT", VIA_COL_KEY},
    {"addon_id", "TEXT", VIA_COL_KEY},
    {"type", "TEXT", 0},
    {"mode", "TEXT", 0},
    {"generation", "INTEGER", 0},
};

const struct via_table via_table_release_bindings = {
    .name = "via_release_bindings",
    .view = "v_release_bindings",
    .columns = binding_columns,
    .column_count = VIA_COLUMN_COUNT(binding_columns),
    .control = true,
};
