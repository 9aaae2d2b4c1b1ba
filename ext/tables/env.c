/* via_env: INSERT and UPDATE set a value, DELETE unsets it. Secrets read as NULL. */
#include "control/env.h"
#include "rules/assign.h"
#include "tables/tables.h"

enum { APP, TARGET, NAME, VALUE, SECRET, VERSION, UPDATED_AT, VALUE_FILE };

static const struct via_column columns[] = {
    [APP] = {"app", "TEXT", VIA_COL_KEY | VIA_COL_INSERT},
    [TARGET] = {"target", "TEXT", VIA_COL_KEY | VIA_COL_INSERT},
    [NAME] = {"name", "TEXT", VIA_COL_KEY | VIA_COL_INSERT},
    [VALUE] = {"value", "TEXT", VIA_COL_INSERT | VIA_COL_UPDATE},
    [SECRET] = {"secret", "INTEGER", VIA_COL_INSERT | VIA_COL_UPDATE},
    [VERSION] = {"version", "INTEGER", 0},
    [UPDATED_AT] = {"updated_at", "TEXT", 0},
    [VALUE_FILE] = {"value_file", "TEXT", VIA_COL_ARGUMENT | VIA_COL_INSERT | VIA_COL_UPDATE},
};

/* Does the value stand in the text of the statement? What was bound says so itself, or where an
 * UPDATE lost that, every UPDATE under way on the connection does. */
static bool
value_is_open(const struct via_row *row)
{
    bool found = false;

    if (sqlite3_value_frombind(row->values[VALUE]))
        return false;
    if (!row->is_update)
        return true;
    for (sqlite3_stmt *q = NULL; (q = sqlite3_next_stmt(row->host, q));) {
        if (!sqlite3_stmt_busy(q) || sqlite3_stmt_readonly(q))
            continue;
        if (!via_assigns_parameter(sqlite3_sql(q), columns[VALUE].name))
            return true;
        found = true;
    }
    return !found;
}

/* What the row says of the value; false with a refusal in the handle. */
static bool
spec_read(struct via_store *s, const struct via_row *row, struct via_env_spec *out)
{
    int64_t secret = via_row_int(row, SECRET, -1);

    if (secret > 1 || (via_row_has(row, SECRET) && secret < 0)) {
        via_sql_fail(&s->write, VIA_VALUE_INVALID, "secret is 0 or 1");
        return false;
    }
    *out = (struct via_env_spec){
        .value = via_row_text(row, VALUE),
        .value_file = via_row_text(row, VALUE_FILE),
        .secret = (int)secret,
        .keep = row->ignoring,
    };
    out->value_is_open = out->value && value_is_open(row);
    return true;
}

static int64_t
env_insert(struct via_store *s, const struct via_row *row)
{
    struct via_env_spec spec;

    if (!spec_read(s, row, &spec))
        return 0;
    spec.app = via_row_text(row, APP);
    spec.target = via_row_text(row, TARGET);
    spec.name = via_row_text(row, NAME);
    return via_env_put(s, &spec);
}

static void
env_update(struct via_store *s, int64_t rid, const struct via_row *row)
{
    struct via_env_spec spec;

    if (spec_read(s, row, &spec))
        via_env_set(s, rid, &spec);
}

static void
env_remove(struct via_store *s, int64_t rid, const struct via_row *arguments)
{
    (void)arguments;
    via_env_remove(s, rid);
}

const struct via_table via_table_env = {
    .name = "via_env",
    .view = "v_env",
    .columns = columns,
    .column_count = VIA_COLUMN_COUNT(columns),
    .control = true,
    .insert = env_insert,
    .update = env_update,
    .remove = env_remove,
};
