/* The focus of this file is how the private database answers a table: a comparison of each key
 * column reaches an index, with and without a transaction's own rows laid over. */
#include "check.h"
#include "control/damage.h"
#include "control/schema.h"
#include "scratch.h"
#include "tables/tables.h"

static const struct via_table *const tables[] = {
    &via_table_apps,     &via_table_addons,           &via_table_bindings,   &via_table_generations,
    &via_table_releases, &via_table_release_bindings, &via_table_deploys,    &via_table_instances,
    &via_table_tokens,   &via_table_readiness,        &via_table_operations, &via_table_audit,
    &via_table_env,
};

/* Keys that are compared without an index, and why that is no harm. */
static const struct {
    const char *table, *column, *why;
} scanned[] = {
    {"via_audit", "stream", "it chooses one of two tables, half of all rows"},
    {"via_bindings", "target", "an environment's name has few values"},
    {"via_instances", "target", "an environment's name has few values"},
    {"via_deploys", "target", "an environment's name has few values"},
    {"via_generations", "target", "an environment's name has few values"},
    {"via_generations", "generation", "a number says little without its binding"},
    {"via_releases", "version", "a number says little without its app"},
    {"via_deploys", "state", "told from the activations of its app and target"},
    {"via_instances", "state", "told from the clock"},
    {"via_env", "target", "an environment's name has few values"},
    {"via_readiness", "target", "an environment's name has few values"},
    {"via_readiness", "binding", "the unbound have none: a constant, decided before the scan"},
};

/* What may be read from end to end: the rows of one transaction, a view's own output and, inside a
 * transaction, where two tables are one, which deploys were ever started (so that deploys and
 * readiness, told from them, are explained without one alone). */
static bool
line_is_harmless(const char *line, bool overlay)
{
    return (overlay && (strcmp(line, "SCAN rt.activations") == 0 || strcmp(line, "SCAN v") == 0)) ||
           strncmp(line, "SCAN temp.o_", 12) == 0 || strncmp(line, "SCAN temp.v_", 12) == 0 ||
           strncmp(line, "SCAN live_", 10) == 0 || strncmp(line, "SCAN CONSTANT ROW", 17) == 0;
}

/* The first line of the plan of `select` that walks a table from end to end; "" when none does. */
static void
plan_scan(struct via_sql *s, const char *select, bool overlay, char *out, size_t size)
{
    char text[1024];
    const char *line;
    sqlite3_stmt *q;

    snprintf(out, size, "%s", "");
    snprintf(text, sizeof text, "EXPLAIN QUERY PLAN %s", select);
    q = via_sql_prepare(s, text);
    while (via_sql_row(s, q)) {
        line = (const char *)sqlite3_column_text(q, 3);
        if (getenv("VIA_TEST_PLANS"))
            printf("# %s\n", line);
        if (!out[0] && strncmp(line, "SCAN ", 5) == 0 && !line_is_harmless(line, overlay))
            snprintf(out, size, "%s", line);
    }
    sqlite3_finalize(q);
    CHECK(via_sql_ok(s), "%s is a statement %s", select, via_sql_ok(s) ? "" : s->error.message);
    via_ignore(via_sql_take(s, NULL));
}

static const char *
scan_excuse(const struct via_table *table, const char *column)
{
    for (size_t i = 0; i < sizeof scanned / sizeof scanned[0]; i++)
        if (strcmp(scanned[i].table, table->name) == 0 && strcmp(scanned[i].column, column) == 0)
            return scanned[i].why;
    return NULL;
}

static void
check_table(struct via_sql *s, const struct via_table *table, bool overlay)
{
    char select[256];
    char scan[256];

    for (int i = 0; i < table->column_count; i++) {
        const struct via_column *c = &table->columns[i];

        if (!(c->flags & VIA_COL_KEY))
            continue;
        snprintf(select, sizeof select, "SELECT * FROM temp.%s WHERE %s = ?1", table->view,
                 c->name);
        plan_scan(s, select, overlay, scan, sizeof scan);
        if (!scan_excuse(table, c->name))
            CHECK(!scan[0], "%s by %s reaches an index%s %s", table->name, c->name,
                  overlay ? " inside a transaction" : "", scan);
    }
}

static void
check_all(const struct via_root *root, bool overlay)
{
    struct via_sql s;

    via_schema_open(&s, root, true, overlay);
    if (CHECK(via_sql_ok(&s), "the private database opens"))
        for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
            if (!overlay || (tables[i] != &via_table_readiness && tables[i] != &via_table_deploys))
                check_table(&s, tables[i], overlay);
    via_sql_close(&s);
}

/* Readiness asks this of every add-on, which may have been copied every minute for years. */
static void
check_damage(const struct via_root *root)
{
    static const char ask[] = "EXPLAIN QUERY PLAN SELECT 1 FROM main.operations WHERE addon_id = ?1"
                              " AND " VIA_DAMAGE_TOLD " ORDER BY rid DESC LIMIT 1";
    char plan[200] = "";
    struct via_sql s;
    sqlite3_stmt *q;

    via_schema_open(&s, root, true, false);
    q = via_sql_prepare(&s, ask);
    if (via_sql_row(&s, q))
        via_sql_text(q, 3, plan, sizeof plan);
    CHECK(strstr(plan, "USING INDEX operations_told (addon_id=?)") && !via_sql_row(&s, q),
          "what was found of a content is the end of an index (%s)", plan);
    sqlite3_finalize(q);
    via_sql_close(&s);
}

int
main(void)
{
    struct via_error e = {0};
    struct via_root root;
    struct via_sql s;

    scratch_root(&root);
    /* runtime.db is attached read-only, so that somebody must have it open for writing. */
    if (!CHECK(via_schema_ensure(&root, &e) == VIA_OK, "the schema is made %s", e.message))
        return check_end();
    via_schema_open_runtime(&s, &root);
    check_all(&root, false);
    check_all(&root, true);
    check_damage(&root);
    via_sql_close(&s);
    return check_end();
}
