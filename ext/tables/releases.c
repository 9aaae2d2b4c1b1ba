/* via_releases: INSERT takes the bindings as they stand and signs them. via_release_bindings: what
 * was taken. */
#include "control/manifest.h"
#include "control/release.h"
#include "tables/tables.h"

enum { ID, APP, TARGET, VERSION, ARTIFACT, MANIFEST, SIGNATURE, KEY_ID, CREATED_AT, MANIFEST_OK };

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
    [MANIFEST_OK] = {"manifest_ok", "INTEGER", VIA_COL_COMPUTED | VIA_COL_ASIDE},
};

/* Does the manifest match its signature? */
static void
releases_compute(struct via_store *s, int64_t rid, int i, void *scratch, sqlite3_context *context)
{
    struct via_sql *db = via_store_db(s);
    char id[VIA_ID_SIZE] = "", app[VIA_NAME_SIZE] = "";
    struct via_buf text;
    sqlite3_stmt *q = via_sql_stmt(db, "SELECT id, app FROM main.releases WHERE rid = ?1");

    (void)i;
    (void)scratch;
    via_sql_bind_int(db, q, 1, rid);
    if (via_sql_row(db, q)) {
        via_sql_text(q, 0, id, sizeof id);
        via_sql_text(q, 1, app, sizeof app);
    }
    via_sql_end(db, q);
    via_buf_init(&text);
    sqlite3_result_int(context, via_manifest_verify(db, s->keys, id, app, &text));
    via_buf_deinit(&text);
}

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
    .compute = releases_compute,
};

static const struct via_column binding_columns[] = {
    {"release", "TEXT", VIA_COL_KEY},
    {"binding", "TEXT", VIA_COL_KEY},
    {"addon_id", "TEXT", VIA_COL_KEY},
    {"type", "TEXT", 0},
    {"mode", "TEXT", 0},
    {"generation", "INTEGER", 0},
    {"binding_target", "TEXT", VIA_COL_ASIDE}, /* which the name had: '' is for every one */
};

const struct via_table via_table_release_bindings = {
    .name = "via_release_bindings",
    .view = "v_release_bindings",
    .columns = binding_columns,
    .column_count = VIA_COLUMN_COUNT(binding_columns),
    .control = true,
};
