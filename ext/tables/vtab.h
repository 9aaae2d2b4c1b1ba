/* vtab.h: what the parts of the table engine share. For this room alone. */
#ifndef VIA_TABLES_VTAB_H
#define VIA_TABLES_VTAB_H

#include "tables/engine.h"

#define VIA_COLUMNS_MAX 24 /* a mask of the columns in use travels in idxNum */

/* One connected virtual table. */
struct via_vtab {
    sqlite3_vtab base;
    struct via_hub *hub;
    const struct via_table *table;
    sqlite3 *host;
    sqlite3_value *arguments[VIA_COLUMNS_MAX]; /* of the newest filter, for a DELETE that follows */
};

/* Put "code: sentence" where SQLite finds it; the code to return. */
int via_vtab_fail(struct via_vtab *t, const struct via_error *e);

/* The SQLite code for a refusal; `ignoring` under INSERT OR IGNORE. */
int via_vtab_code(enum via_status status, bool ignoring);

void via_vtab_clear_arguments(sqlite3_value **arguments);

/* Refuse values of the wrong kind, and columns that may not be given. */
void via_row_check(struct via_sql *db, const struct via_row *row);

/* The methods that plan and read (cursor.c). */
int via_cursor_plan(sqlite3_vtab *base, sqlite3_index_info *info);
int via_cursor_open(sqlite3_vtab *base, sqlite3_vtab_cursor **out);
int via_cursor_close(sqlite3_vtab_cursor *base);
int via_cursor_filter(sqlite3_vtab_cursor *base, int used, const char *plan, int argc,
                      sqlite3_value **argv);
int via_cursor_next(sqlite3_vtab_cursor *base);
int via_cursor_eof(sqlite3_vtab_cursor *base);
int via_cursor_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *out);
int via_cursor_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int i);

#endif
