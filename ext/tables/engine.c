#include "tables/engine.h"

#include "base/buf.h"
#include "base/error.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS_MAX 24 /* a mask of the columns in use travels in idxNum */

struct module {
    struct via_hub *hub;
    const struct via_table *table;
};

struct table {
    sqlite3_vtab base;
    struct via_hub *hub;
    const struct via_table *table;
    sqlite3 *host;
    sqlite3_value *arguments[COLUMNS_MAX]; /* of the newest filter, for a DELETE that follows */
};

struct cursor {
    sqlite3_vtab_cursor base;
    struct via_sql *db;
    sqlite3_stmt *stmt;
    char *text; /* what stmt was prepared from */
    sqlite3_value *arguments[COLUMNS_MAX];
    void *scratch;
    bool eof;
};

/* -- rows given to actions ---------------------------------------------------- */

bool
via_row_has(const struct via_row *row, int i)
{
    sqlite3_value *v = row->values[i];

    if (!v)
        return false;
    if (row->is_update)
        return !sqlite3_value_nochange(v);
    return sqlite3_value_type(v) != SQLITE_NULL;
}

const char *
via_row_text(const struct via_row *row, int i)
{
    if (!via_row_has(row, i))
        return NULL;
    return (const char *)sqlite3_value_text(row->values[i]);
}

int64_t
via_row_int(const struct via_row *row, int i, int64_t otherwise)
{
    if (!via_row_has(row, i) || sqlite3_value_type(row->values[i]) == SQLITE_NULL)
        return otherwise;
    return sqlite3_value_int64(row->values[i]);
}

/* Refuse values of the wrong kind, and columns that may not be given. */
static void
row_check(struct via_sql *db, const struct via_row *row)
{
    unsigned wanted = row->is_update ? VIA_COL_UPDATE : VIA_COL_INSERT;

    for (int i = 0; i < row->table->column_count; i++) {
        const struct via_column *c = &row->table->columns[i];
        sqlite3_value *v = row->values[i];

        if (!via_row_has(row, i))
            continue;
        if (!(c->flags & wanted))
            via_sql_fail(db, VIA_COLUMN_READONLY, "column %s of %s cannot be set", c->name,
                         row->table->name);
        else if (sqlite3_value_type(v) == SQLITE_NULL)
            continue;
        else if (strcmp(c->type, "INTEGER") == 0 && sqlite3_value_numeric_type(v) != SQLITE_INTEGER)
            via_sql_fail(db, VIA_VALUE_INVALID, "column %s takes a whole number", c->name);
        else if (strcmp(c->type, "TEXT") == 0 &&
                 (sqlite3_value_type(v) == SQLITE_BLOB ||
                  strlen((const char *)sqlite3_value_text(v)) != (size_t)sqlite3_value_bytes(v)))
            via_sql_fail(db, VIA_VALUE_INVALID, "column %s takes a text without NUL", c->name);
    }
}

/* -- errors --------------------------------------------------------------------- */

/* Refusals that say "it is there already": what INSERT OR IGNORE skips. */
static bool
status_is_exists(enum via_status status)
{
    return status == VIA_ADDON_EXISTS || status == VIA_APP_EXISTS || status == VIA_BINDING_EXISTS;
}

/* SQLITE_FULL, IOERR and NOMEM would roll the host's whole transaction back: not meant here. */
static int
status_code(enum via_status status, bool ignoring)
{
    if (status == VIA_OK)
        return SQLITE_OK;
    if (status == VIA_CONTROL_BUSY)
        return SQLITE_BUSY;
    if (status_is_exists(status) || (!ignoring && via_status_http(status) < 500))
        return SQLITE_CONSTRAINT;
    return SQLITE_ERROR;
}

/* An error is one line, whatever text it quotes. */
static int
table_fail(struct table *t, const struct via_error *e)
{
    sqlite3_free(t->base.zErrMsg);
    t->base.zErrMsg = sqlite3_mprintf("%s: %s", via_status_word(e->status), e->message);
    for (char *p = t->base.zErrMsg; p && *p; p++)
        if ((unsigned char)*p < ' ' || *p == 127)
            *p = '?';
    return status_code(e->status, false);
}

/* -- declaration ------------------------------------------------------------------ */

static char *
table_declaration(const struct via_table *spec)
{
    struct via_buf b;
    char *text;

    via_buf_init(&b);
    via_buf_puts(&b, "CREATE TABLE x(");
    for (int i = 0; i < spec->column_count; i++)
        via_buf_printf(&b, "%s\"%s\" %s%s", i ? ", " : "", spec->columns[i].name,
                       spec->columns[i].type,
                       spec->columns[i].flags & VIA_COL_ARGUMENT ? " HIDDEN" : "");
    via_buf_puts(&b, ")");
    text = b.failed ? NULL : strdup(via_buf_text(&b));
    via_buf_deinit(&b);
    return text;
}

static int
table_connect(sqlite3 *db, void *aux, int argc, const char *const *argv, sqlite3_vtab **out,
              char **error)
{
    struct module *m = aux;
    char *declaration = table_declaration(m->table);
    struct table *t = calloc(1, sizeof *t);
    int rc = SQLITE_NOMEM;

    (void)argc;
    (void)argv;
    (void)error;
    if (t && declaration)
        rc = sqlite3_declare_vtab(db, declaration);
    free(declaration);
    if (rc != SQLITE_OK) {
        free(t);
        return rc;
    }
    (void)sqlite3_vtab_config(db, SQLITE_VTAB_DIRECTONLY);
    (void)sqlite3_vtab_config(db, SQLITE_VTAB_CONSTRAINT_SUPPORT, 1);
    t->hub = via_hub_ref(m->hub);
    t->table = m->table;
    t->host = db;
    *out = &t->base;
    return SQLITE_OK;
}

static void
arguments_clear(sqlite3_value **arguments)
{
    for (int i = 0; i < COLUMNS_MAX; i++) {
        sqlite3_value_free(arguments[i]);
        arguments[i] = NULL;
    }
}

static int
table_disconnect(sqlite3_vtab *base)
{
    struct table *t = (struct table *)base;

    arguments_clear(t->arguments);
    via_hub_unref(t->hub);
    free(t);
    return SQLITE_OK;
}

/* -- planning: the plan is the WHERE clause that will be run ------------------------- */

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

static double
constraint_cost(const struct via_table *spec, const struct sqlite3_index_constraint *c)
{
    bool unique = c->iColumn < 0 || (spec->columns[c->iColumn].flags & VIA_COL_UNIQUE);

    if (c->op != SQLITE_INDEX_CONSTRAINT_EQ)
        return 20000;
    return unique ? 1 : 100;
}

static int
table_best_index(sqlite3_vtab *base, sqlite3_index_info *info)
{
    const struct via_table *spec = ((struct table *)base)->table;
    struct via_buf plan;
    double cost = 100000;
    int n = 0;

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
    info->idxNum = (int)(info->colUsed & ((1u << COLUMNS_MAX) - 1));
    info->idxStr = plan.failed ? NULL : sqlite3_mprintf("%s", via_buf_text(&plan));
    info->needToFreeIdxStr = 1;
    via_buf_deinit(&plan);
    return info->idxStr ? SQLITE_OK : SQLITE_NOMEM;
}

/* -- reading ------------------------------------------------------------------------- */

static int
cursor_open(sqlite3_vtab *base, sqlite3_vtab_cursor **out)
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

static int
cursor_close(sqlite3_vtab_cursor *base)
{
    struct cursor *c = (struct cursor *)base;

    cursor_drop_statement(c);
    arguments_clear(c->arguments);
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
    const struct via_table *spec = ((struct table *)c->base.pVtab)->table;
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
    const struct via_table *spec = ((struct table *)c->base.pVtab)->table;
    struct via_error e = {0};

    if (c->scratch)
        memset(c->scratch, 0, spec->scratch_size);
    c->eof = !via_sql_row(c->db, c->stmt);
    if (via_sql_take(c->db, &e) != VIA_OK)
        return table_fail((struct table *)c->base.pVtab, &e);
    return SQLITE_OK;
}

/* Keep the arguments of a plan, in the order the plan names them. */
static int
cursor_keep_arguments(struct cursor *c, const char *plan, int first, int argc, sqlite3_value **argv)
{
    struct table *t = (struct table *)c->base.pVtab;
    const char *at = plan;

    arguments_clear(c->arguments);
    arguments_clear(t->arguments);
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

static int
cursor_filter(sqlite3_vtab_cursor *base, int used, const char *plan, int argc, sqlite3_value **argv)
{
    struct cursor *c = (struct cursor *)base;
    struct table *t = (struct table *)base->pVtab;
    struct via_error e = {0};
    struct via_store *s;
    int bound = 0;

    if (via_hub_store(t->hub, &s, &e) != VIA_OK)
        return table_fail(t, &e);
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
    return cursor_step(c);
}

static int
cursor_next(sqlite3_vtab_cursor *base)
{
    return cursor_step((struct cursor *)base);
}

static int
cursor_eof(sqlite3_vtab_cursor *base)
{
    return ((struct cursor *)base)->eof;
}

static int
cursor_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *out)
{
    *out = sqlite3_column_int64(((struct cursor *)base)->stmt, 0);
    return SQLITE_OK;
}

static int
cursor_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int i)
{
    struct cursor *c = (struct cursor *)base;
    struct table *t = (struct table *)base->pVtab;
    struct via_error e = {0};
    struct via_store *s;

    if (sqlite3_vtab_nochange(context))
        return SQLITE_OK;
    if (t->table->columns[i].flags & VIA_COL_ARGUMENT) {
        if (c->arguments[i])
            sqlite3_result_value(context, c->arguments[i]);
    } else if (t->table->columns[i].flags & VIA_COL_COMPUTED) {
        if (via_hub_store(t->hub, &s, &e) != VIA_OK)
            return table_fail(t, &e);
        t->table->compute(s, sqlite3_column_int64(c->stmt, 0), i, c->scratch, context);
    } else {
        sqlite3_result_value(context, sqlite3_column_value(c->stmt, i + 1));
    }
    return SQLITE_OK;
}

/* -- writing --------------------------------------------------------------------------- */

static void
action_remove(struct table *t, struct via_store *s, int64_t rid)
{
    struct via_row arguments = {.table = t->table, .values = t->arguments};

    if (t->table->remove)
        t->table->remove(s, rid, &arguments);
    else
        via_sql_fail(&s->write, VIA_TABLE_READONLY, "rows of %s cannot be deleted", t->table->name);
}

static void
action_insert(struct table *t, struct via_store *s, sqlite3_value **argv, sqlite3_int64 *rowid)
{
    struct via_row row = {.table = t->table, .values = argv + 2};

    if (!t->table->insert) {
        via_sql_fail(&s->write, VIA_TABLE_READONLY, "%s cannot be inserted into", t->table->name);
        return;
    }
    if (sqlite3_value_type(argv[1]) != SQLITE_NULL)
        via_sql_fail(&s->write, VIA_COLUMN_READONLY, "the rowid of %s cannot be set",
                     t->table->name);
    row_check(&s->write, &row);
    if (via_sql_ok(&s->write))
        *rowid = t->table->insert(s, &row);
}

static void
action_update(struct table *t, struct via_store *s, sqlite3_value **argv)
{
    struct via_row row = {.table = t->table, .values = argv + 2, .is_update = true};
    int64_t rid = sqlite3_value_int64(argv[0]);

    if (!t->table->update) {
        via_sql_fail(&s->write, VIA_TABLE_READONLY, "rows of %s cannot be updated", t->table->name);
        return;
    }
    if (sqlite3_value_int64(argv[1]) != rid)
        via_sql_fail(&s->write, VIA_COLUMN_READONLY, "the rowid of %s cannot be set",
                     t->table->name);
    row_check(&s->write, &row);
    if (via_sql_ok(&s->write))
        t->table->update(s, rid, &row);
}

static void
action_run(struct table *t, struct via_store *s, int argc, sqlite3_value **argv,
           sqlite3_int64 *rowid)
{
    if (argc == 1)
        action_remove(t, s, sqlite3_value_int64(argv[0]));
    else if (sqlite3_value_type(argv[0]) == SQLITE_NULL)
        action_insert(t, s, argv, rowid);
    else
        action_update(t, s, argv);
}

static int
table_update(sqlite3_vtab *base, int argc, sqlite3_value **argv, sqlite3_int64 *rowid)
{
    struct table *t = (struct table *)base;
    int conflict = sqlite3_vtab_on_conflict(t->host);
    struct via_error e = {0};
    struct via_error ignored = {0};
    struct via_store *s;

    if (via_hub_store(t->hub, &s, &e) != VIA_OK ||
        via_hub_write(t->hub, t->table->control, &e) != VIA_OK)
        return table_fail(t, &e);
    if (argc > 1 && conflict == SQLITE_REPLACE)
        via_ignore(via_error_set(&e, VIA_REPLACE_REFUSED,
                                 "%s takes no REPLACE; delete or update the row", t->table->name));
    if (e.status != VIA_OK)
        return table_fail(t, &e);

    via_sql_run(&s->write, via_sql_stmt(&s->write, "SAVEPOINT action"));
    action_run(t, s, argc, argv, rowid);
    if (via_sql_take(&s->write, &e) != VIA_OK) {
        via_sql_run(&s->write, via_sql_stmt(&s->write, "ROLLBACK TO action"));
        via_ignore(via_sql_take(&s->write, &ignored));
    }
    via_sql_run(&s->write, via_sql_stmt(&s->write, "RELEASE action"));
    via_ignore(via_sql_take(&s->write, &e));
    if (e.status == VIA_OK)
        return SQLITE_OK;
    (void)table_fail(t, &e);
    /* A full disk may end the whole private transaction; then the host's must end with it. */
    if (!via_store_in_transaction(s))
        return SQLITE_IOERR;
    return status_code(e.status, conflict == SQLITE_IGNORE);
}

/* -- transactions ------------------------------------------------------------------------ */

static int
table_answer(struct table *t, enum via_status status, const struct via_error *e)
{
    return status == VIA_OK ? SQLITE_OK : table_fail(t, e);
}

static int
table_begin(sqlite3_vtab *base)
{
    struct table *t = (struct table *)base;
    struct via_error e = {0};

    return table_answer(t, via_hub_begin(t->hub, t->table->control, &e), &e);
}

static int
table_sync(sqlite3_vtab *base)
{
    struct table *t = (struct table *)base;
    struct via_error e = {0};

    if (via_hub_sync(t->hub, &e) == VIA_OK)
        return SQLITE_OK;
    (void)table_fail(t, &e);
    /* Never SQLITE_BUSY: the host would keep its transaction to try again, without our half. */
    return SQLITE_ERROR;
}

static int
table_commit(sqlite3_vtab *base)
{
    via_hub_end(((struct table *)base)->hub, true);
    return SQLITE_OK;
}

static int
table_rollback(sqlite3_vtab *base)
{
    via_hub_end(((struct table *)base)->hub, false);
    return SQLITE_OK;
}

static int
table_savepoint(sqlite3_vtab *base, int n)
{
    struct table *t = (struct table *)base;
    struct via_error e = {0};

    return table_answer(t, via_hub_savepoint(t->hub, n, &e), &e);
}

static int
table_release(sqlite3_vtab *base, int n)
{
    struct table *t = (struct table *)base;
    struct via_error e = {0};

    return table_answer(t, via_hub_release(t->hub, n, &e), &e);
}

static int
table_rollback_to(sqlite3_vtab *base, int n)
{
    struct table *t = (struct table *)base;
    struct via_error e = {0};

    return table_answer(t, via_hub_rollback_to(t->hub, n, &e), &e);
}

static const sqlite3_module engine_module = {
    .iVersion = 2,
    .xCreate = table_connect, /* the same as xConnect: also there without CREATE */
    .xConnect = table_connect,
    .xBestIndex = table_best_index,
    .xDisconnect = table_disconnect,
    .xDestroy = table_disconnect,
    .xOpen = cursor_open,
    .xClose = cursor_close,
    .xFilter = cursor_filter,
    .xNext = cursor_next,
    .xEof = cursor_eof,
    .xColumn = cursor_column,
    .xRowid = cursor_rowid,
    .xUpdate = table_update,
    .xBegin = table_begin,
    .xSync = table_sync,
    .xCommit = table_commit,
    .xRollback = table_rollback,
    .xSavepoint = table_savepoint,
    .xRelease = table_release,
    .xRollbackTo = table_rollback_to,
};

static void
module_free(void *aux)
{
    struct module *m = aux;

    via_hub_unref(m->hub);
    free(m);
}

int
via_table_register(sqlite3 *db, struct via_hub *h, const struct via_table *table)
{
    struct module *m = calloc(1, sizeof *m);

    assert(table->column_count <= COLUMNS_MAX);
    if (!m)
        return SQLITE_NOMEM;
    m->hub = via_hub_ref(h);
    m->table = table;
    return sqlite3_create_module_v2(db, table->name, &engine_module, m, module_free);
}
