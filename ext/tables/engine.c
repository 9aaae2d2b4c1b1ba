/* engine.c: declaration, actions and transactions of every table. */
#include "tables/engine.h"

#include "base/buf.h"
#include "base/error.h"
#include "tables/vtab.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct module {
    struct via_hub *hub;
    const struct via_table *table;
};

/* -- errors --------------------------------------------------------------------- */

/* Refusals that say "it is there already": what INSERT OR IGNORE skips. */
static bool
status_is_exists(enum via_status status)
{
    return status == VIA_ADDON_EXISTS || status == VIA_APP_EXISTS || status == VIA_BINDING_EXISTS;
}

/* SQLITE_FULL, IOERR and NOMEM would roll the host's whole transaction back: not meant here. */
int
via_vtab_code(enum via_status status, bool ignoring)
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
int
via_vtab_fail(struct via_vtab *t, const struct via_error *e)
{
    sqlite3_free(t->base.zErrMsg);
    t->base.zErrMsg = sqlite3_mprintf("%s: %s", via_status_word(e->status), e->message);
    for (char *p = t->base.zErrMsg; p && *p; p++)
        if ((unsigned char)*p < ' ' || *p == 127)
            *p = '?';
    return via_vtab_code(e->status, false);
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
        via_buf_printf(
            &b, "%s\"%s\" %s%s", i ? ", " : "", spec->columns[i].name, spec->columns[i].type,
            spec->columns[i].flags & (VIA_COL_ARGUMENT | VIA_COL_ASIDE) ? " HIDDEN" : "");
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
    struct via_vtab *t = calloc(1, sizeof *t);
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

static int
table_disconnect(sqlite3_vtab *base)
{
    struct via_vtab *t = (struct via_vtab *)base;

    via_vtab_clear_arguments(t->arguments);
    via_hub_unref(t->hub);
    free(t);
    return SQLITE_OK;
}

void
via_vtab_clear_arguments(sqlite3_value **arguments)
{
    for (int i = 0; i < VIA_COLUMNS_MAX; i++) {
        sqlite3_value_free(arguments[i]);
        arguments[i] = NULL;
    }
}

/* -- writing --------------------------------------------------------------------------- */

static void
action_remove(struct via_vtab *t, struct via_store *s, int64_t rid)
{
    struct via_row arguments = {.table = t->table, .values = t->arguments};

    if (t->table->remove)
        t->table->remove(s, rid, &arguments);
    else
        via_sql_fail(&s->write, VIA_TABLE_READONLY, "rows of %s cannot be deleted", t->table->name);
}

static void
action_insert(struct via_vtab *t, struct via_store *s, sqlite3_value **argv, sqlite3_int64 *rowid)
{
    struct via_row row = {.table = t->table,
                          .values = argv + 2,
                          .host = t->host,
                          .ignoring = sqlite3_vtab_on_conflict(t->host) == SQLITE_IGNORE};

    if (!t->table->insert) {
        via_sql_fail(&s->write, VIA_TABLE_READONLY, "%s cannot be inserted into", t->table->name);
        return;
    }
    if (sqlite3_value_type(argv[1]) != SQLITE_NULL)
        via_sql_fail(&s->write, VIA_COLUMN_READONLY, "the rowid of %s cannot be set",
                     t->table->name);
    via_row_check(&s->write, &row);
    if (via_sql_ok(&s->write))
        *rowid = t->table->insert(s, &row);
}

static void
action_update(struct via_vtab *t, struct via_store *s, sqlite3_value **argv)
{
    struct via_row row = {
        .table = t->table, .values = argv + 2, .host = t->host, .is_update = true};
    int64_t rid = sqlite3_value_int64(argv[0]);

    if (!t->table->update) {
        via_sql_fail(&s->write, VIA_TABLE_READONLY, "rows of %s cannot be updated", t->table->name);
        return;
    }
    if (sqlite3_value_int64(argv[1]) != rid)
        via_sql_fail(&s->write, VIA_COLUMN_READONLY, "the rowid of %s cannot be set",
                     t->table->name);
    via_row_check(&s->write, &row);
    if (via_sql_ok(&s->write))
        t->table->update(s, rid, &row);
}

static void
action_run(struct via_vtab *t, struct via_store *s, int argc, sqlite3_value **argv,
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
    struct via_vtab *t = (struct via_vtab *)base;
    int conflict = sqlite3_vtab_on_conflict(t->host);
    struct via_error e = {0};
    struct via_error ignored = {0};
    struct via_store *s;

    if (via_hub_store(t->hub, &s, &e) != VIA_OK ||
        via_hub_write(t->hub, t->table->control, &e) != VIA_OK)
        return via_vtab_fail(t, &e);
    if (argc > 1 && conflict == SQLITE_REPLACE)
        via_ignore(via_error_set(&e, VIA_REPLACE_REFUSED,
                                 "%s takes no REPLACE; delete or update the row", t->table->name));
    if (e.status != VIA_OK)
        return via_vtab_fail(t, &e);

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
    (void)via_vtab_fail(t, &e);
    /* A full disk may end the whole private transaction; then the host's must end with it. */
    if (!via_store_in_transaction(s))
        return SQLITE_IOERR;
    return via_vtab_code(e.status, conflict == SQLITE_IGNORE);
}

/* -- transactions ------------------------------------------------------------------------ */

static int
table_answer(struct via_vtab *t, enum via_status status, const struct via_error *e)
{
    return status == VIA_OK ? SQLITE_OK : via_vtab_fail(t, e);
}

static int
table_begin(sqlite3_vtab *base)
{
    struct via_vtab *t = (struct via_vtab *)base;
    struct via_error e = {0};

    return table_answer(t, via_hub_begin(t->hub, t->table->control, &e), &e);
}

static int
table_sync(sqlite3_vtab *base)
{
    struct via_vtab *t = (struct via_vtab *)base;
    struct via_error e = {0};

    if (via_hub_sync(t->hub, &e) == VIA_OK)
        return SQLITE_OK;
    (void)via_vtab_fail(t, &e);
    /* Never SQLITE_BUSY: the host would keep its transaction to try again, without our half. */
    return SQLITE_ERROR;
}

static int
table_commit(sqlite3_vtab *base)
{
    via_hub_end(((struct via_vtab *)base)->hub, true);
    return SQLITE_OK;
}

static int
table_rollback(sqlite3_vtab *base)
{
    via_hub_end(((struct via_vtab *)base)->hub, false);
    return SQLITE_OK;
}

static int
table_savepoint(sqlite3_vtab *base, int n)
{
    struct via_vtab *t = (struct via_vtab *)base;
    struct via_error e = {0};

    return table_answer(t, via_hub_savepoint(t->hub, n, &e), &e);
}

static int
table_release(sqlite3_vtab *base, int n)
{
    struct via_vtab *t = (struct via_vtab *)base;
    struct via_error e = {0};

    return table_answer(t, via_hub_release(t->hub, n, &e), &e);
}

static int
table_rollback_to(sqlite3_vtab *base, int n)
{
    struct via_vtab *t = (struct via_vtab *)base;
    struct via_error e = {0};

    return table_answer(t, via_hub_rollback_to(t->hub, n, &e), &e);
}

static const sqlite3_module engine_module = {
    .iVersion = 2,
    .xCreate = table_connect, /* the same as xConnect: also there without CREATE */
    .xConnect = table_connect,
    .xBestIndex = via_cursor_plan,
    .xDisconnect = table_disconnect,
    .xDestroy = table_disconnect,
    .xOpen = via_cursor_open,
    .xClose = via_cursor_close,
    .xFilter = via_cursor_filter,
    .xNext = via_cursor_next,
    .xEof = via_cursor_eof,
    .xColumn = via_cursor_column,
    .xRowid = via_cursor_rowid,
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

    assert(table->column_count <= VIA_COLUMNS_MAX);
    if (!m)
        return SQLITE_NOMEM;
    m->hub = via_hub_ref(h);
    m->table = table;
    return sqlite3_create_module_v2(db, table->name, &engine_module, m, module_free);
}
