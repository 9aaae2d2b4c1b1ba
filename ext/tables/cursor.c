/* cursor.c: planning and reading: the plan is the WHERE clause that the private database runs. */
#include "tables/vtab.h"

#include "base/buf.h"

#include <stdlib.h>
#include <string.h>

struct cursor {
    sqlite3_vtab_cursor base;
    struct via_sql *db;
    sqlite3_stmt *stmt;
    char *text; /* what stmt was prepared from */
    sqlite3_value *arguments[VIA_COLUMNS_MAX];
    void *scratch;
    bool eof;
};

static const char *
constraint_operator(unsigned char op)
{
    switch (op) {
    case SQLITE_INDEX_CONSTRAINT_EQ:
        return "=";
    case SQLITE_INDEX_CONSTRAINT_GT:
        return ">";
    case SQLITE_INDEX_CONSTRAINT_GE:
        return ">=";
    case SQLITE_INDEX_CONSTRAINT_LT:
        return "<";
    case SQLITE_INDEX_CONSTRAINT_LE:
        return "<=";
    default:
        return NULL;
    }
}

/* Can constraint `i` be answered by the private database exactly as the host means it? */
static bool
constraint_is_pushable(const struct via_table *spec, sqlite3_index_info *info, int i)
{
    const struct sqlite3_index_constraint *c = &info->aConstraint[i];

    if (!c->usable || !constraint_operator(c->op))
        return false;
    if (c->iColumn < 0)
        return true;
    return (spec->columns[c->iColumn].flags & VIA_COL_KEY) &&
           sqlite3_stricmp(sqlite3_vtab_collation(info, i), "BINARY") == 0;
}

static bool
constraint_is_argument(const struct via_table *spec, const struct sqlite3_index_constraint *c)
{
    return c->usable && c->iColumn >= 0 && c->op == SQLITE_INDEX_CONSTRAINT_EQ &&
           (spec->columns[c->iColumn].flags & VIA_COL_ARGUMENT);
}

/* Every argument that a read needs is either given now, or not at all: then the read says so.
 * False: in another order of a join it would be. */
static bool
arguments_are_usable(const struct via_table *spec, const sqlite3_index_info *info)
{
    for (int i = 0; i < info->nConstraint; i++) {
        const struct sqlite3_index_constraint *c = &info->aConstraint[i];

        if (!c->usable && c->iColumn >= 0 && c->op == SQLITE_INDEX_CONSTRAINT_EQ &&
            (spec->columns[c->iColumn].flags & VIA_COL_REQUIRED))
            return false;
    }
    return true;
}

static double
constraint_cost(const struct via_table *spec, const struct sqlite3_index_constraint *c)
{
    bool unique = c->iColumn < 0 || (spec->columns[c->iColumn].flags & VIA_COL_UNIQUE);

    if (c->op != SQLITE_INDEX_CONSTRAINT_EQ)
        return 20000;
    return unique ? 1 : 100;
}

int
via_cursor_plan(sqlite3_vtab *base, sqlite3_index_info *info)
{
    const struct via_table *spec = ((struct via_vtab *)base)->table;
    struct via_buf plan;
    double cost = 100000;
    int n = 0;

    if (!arguments_are_usable(spec, info))
        return SQLITE_CONSTRAINT;
    via_buf_init(&plan);
    for (int i = 0; i < info->nConstraint; i++) {
        const struct sqlite3_index_constraint *c = &info->aConstraint[i];
        double this_cost;

        if (!constraint_is_pushable(spec, info, i))
            continue;
        this_cost = constraint_cost(spec, c);
        cost = this_cost < cost ? this_cost : cost;
        info->aConstraintUsage[i].argvIndex = ++n;
        via_buf_printf(&plan, "%s%s%s?%d", n > 1 ? " AND " : "",
                       c->iColumn < 0 ? "rid" : spec->columns[c->iColumn].name,
                       constraint_operator(c->op), n);
    }
    for (int i = 0; i < info->nConstraint; i++) {
        const struct sqlite3_index_constraint *c = &info->aConstraint[i];

        if (!constraint_is_argument(spec, c))
            continue;
        info->aConstraintUsage[i].argvIndex = ++n;
        info->aConstraintUsage[i].omit = 1;
        via_buf_printf(&plan, " with %s=?%d", spec->columns[c->iColumn].name, n);
    }
    info->estimatedCost = cost;
    info->estimatedRows = (sqlite3_int64)cost;
    if (cost <= 1)
        info->idxFlags = SQLITE_INDEX_SCAN_UNIQUE;
    info->idxNum = (int)(info->colUsed & ((1u << VIA_COLUMNS_MAX) - 1));
    info->idxStr = plan.failed ? NULL : sqlite3_mprintf("%s", via_buf_text(&plan));
    info->needToFreeIdxStr = 1;
    via_buf_deinit(&plan);
    return info->idxStr ? SQLITE_OK : SQLITE_NOMEM;
}

/* -- reading ------------------------------------------------------------------------- */

int
via_cursor_open(sqlite3_vtab *base, sqlite3_vtab_cursor **out)
{
    struct cursor *c = calloc(1, sizeof *c);

    if (!c)
        return SQLITE_NOMEM;
    c->base.pVtab = base;
    *out = &c->base;
    return SQLITE_OK;
}

static void
cursor_drop_statement(struct cursor *c)
{
    sqlite3_finalize(c->stmt);
    free(c->text);
    c->stmt = NULL;
    c->text = NULL;
}

int
via_cursor_close(sqlite3_vtab_cursor *base)
{
    struct cursor *c = (struct cursor *)base;

    cursor_drop_statement(c);
    via_vtab_clear_arguments(c->arguments);
    free(c->scratch);
    free(c);
    return SQLITE_OK;
}

/* The SELECT for a plan: only the columns in use, NULL for the rest. */
static void
cursor_write_select(struct via_buf *b, const struct via_table *spec, int used, const char *plan)
{
    const char *with = strstr(plan, " with ");
    int where = with ? (int)(with - plan) : (int)strlen(plan);

    via_buf_puts(b, "SELECT rid");
    for (int i = 0; i < spec->column_count; i++) {
        bool stored = !(spec->columns[i].flags & (VIA_COL_ARGUMENT | VIA_COL_COMPUTED));

        if (stored && (used & (1 << i)))
            via_buf_printf(b, ", [%s]", spec->columns[i].name);
        else
            via_buf_puts(b, ", NULL");
    }
    via_buf_printf(b, " FROM temp.%s", spec->view);
    if (where > 0)
        via_buf_printf(b, " WHERE %.*s", where, plan);
}

/* Have the cursor's statement ready for this plan on the connection that reads now. */
static void
cursor_prepare(struct cursor *c, struct via_store *s, int used, const char *plan)
{
    const struct via_table *spec = ((struct via_vtab *)c->base.pVtab)->table;
    struct via_sql *db = via_store_db(s);
    struct via_buf b;

    via_buf_init(&b);
    cursor_write_select(&b, spec, used, plan);
    if (c->stmt && c->db == db && c->text && strcmp(c->text, via_buf_text(&b)) == 0) {
        sqlite3_reset(c->stmt);
        sqlite3_clear_bindings(c->stmt);
    } else {
        cursor_drop_statement(c);
        c->db = db;
        c->stmt = via_sql_prepare(db, via_buf_text(&b));
        c->text = b.failed ? NULL : strdup(via_buf_text(&b));
    }
    via_buf_deinit(&b);
}

static int
cursor_step(struct cursor *c)
{
    const struct via_table *spec = ((struct via_vtab *)c->base.pVtab)->table;
    struct via_error e = {0};

    if (c->scratch && !spec->begin)
        memset(c->scratch, 0, spec->scratch_size);
    c->eof = !via_sql_row(c->db, c->stmt);
    if (via_sql_take(c->db, &e) != VIA_OK)
        return via_vtab_fail((struct via_vtab *)c->base.pVtab, &e);
    return SQLITE_OK;
}

/* Keep the arguments of a plan, in the order the plan names them. */
static int
cursor_keep_arguments(struct cursor *c, const char *plan, int first, int argc, sqlite3_value **argv)
{
    struct via_vtab *t = (struct via_vtab *)c->base.pVtab;
    const char *at = plan;

    via_vtab_clear_arguments(c->arguments);
    via_vtab_clear_arguments(t->arguments);
    for (int n = first; n < argc && (at = strstr(at, " with ")); n++) {
        at += strlen(" with ");
        for (int i = 0; i < t->table->column_count; i++) {
            size_t len = strlen(t->table->columns[i].name);

            if (strncmp(at, t->table->columns[i].name, len) != 0 || at[len] != '=')
                continue;
            c->arguments[i] = sqlite3_value_dup(argv[n]);
            t->arguments[i] = sqlite3_value_dup(argv[n]);
            if (!c->arguments[i] || !t->arguments[i])
                return SQLITE_NOMEM;
        }
    }
    return SQLITE_OK;
}

/* Hand the arguments to the table, before it is read. */
static void
cursor_begin(struct cursor *c, struct via_store *s)
{
    const struct via_table *spec = ((struct via_vtab *)c->base.pVtab)->table;
    struct via_row arguments = {.table = spec, .values = c->arguments};

    for (int i = 0; i < spec->column_count; i++)
        if ((spec->columns[i].flags & VIA_COL_REQUIRED) && !via_row_has(&arguments, i))
            via_sql_fail(via_store_db(s), VIA_VALUE_REQUIRED, "say which: WHERE %s = '…'",
                         spec->columns[i].name);
    if (c->scratch)
        memset(c->scratch, 0, spec->scratch_size);
    if (spec->begin && via_sql_ok(via_store_db(s)))
        spec->begin(s, &arguments, c->scratch);
}

int
via_cursor_filter(sqlite3_vtab_cursor *base, int used, const char *plan, int argc,
                  sqlite3_value **argv)
{
    struct cursor *c = (struct cursor *)base;
    struct via_vtab *t = (struct via_vtab *)base->pVtab;
    struct via_error e = {0};
    struct via_store *s;
    int bound = 0;

    if (via_hub_store(t->hub, &s, &e) != VIA_OK)
        return via_vtab_fail(t, &e);
    if (!c->scratch && t->table->scratch_size && !(c->scratch = calloc(1, t->table->scratch_size)))
        return SQLITE_NOMEM;
    if (t->table->refresh)
        t->table->refresh(s, via_store_db(s));
    cursor_prepare(c, s, used, plan);
    if (c->stmt)
        bound = sqlite3_bind_parameter_count(c->stmt);
    for (int i = 0; i < bound; i++)
        via_sql_bind_value(c->db, c->stmt, i + 1, argv[i]);
    if (cursor_keep_arguments(c, plan, bound, argc, argv) != SQLITE_OK)
        return SQLITE_NOMEM;
    cursor_begin(c, s);
    return cursor_step(c);
}

int
via_cursor_next(sqlite3_vtab_cursor *base)
{
    return cursor_step((struct cursor *)base);
}

int
via_cursor_eof(sqlite3_vtab_cursor *base)
{
    return ((struct cursor *)base)->eof;
}

int
via_cursor_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *out)
{
    *out = sqlite3_column_int64(((struct cursor *)base)->stmt, 0);
    return SQLITE_OK;
}

int
via_cursor_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int i)
{
    struct cursor *c = (struct cursor *)base;
    struct via_vtab *t = (struct via_vtab *)base->pVtab;
    struct via_error e = {0};
    struct via_store *s;

    if (sqlite3_vtab_nochange(context))
        return SQLITE_OK;
    if (t->table->columns[i].flags & VIA_COL_ARGUMENT) {
        if (c->arguments[i])
            sqlite3_result_value(context, c->arguments[i]);
    } else if (t->table->columns[i].flags & VIA_COL_COMPUTED) {
        if (via_hub_store(t->hub, &s, &e) != VIA_OK)
            return via_vtab_fail(t, &e);
        t->table->compute(s, sqlite3_column_int64(c->stmt, 0), i, c->scratch, context);
    } else {
        sqlite3_result_value(context, sqlite3_column_value(c->stmt, i + 1));
    }
    return SQLITE_OK;
}
