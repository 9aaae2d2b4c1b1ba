/* row.c: the values an action was given. */
#include "tables/vtab.h"

#include <stdio.h>
#include <string.h>

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

void
via_row_check(struct via_sql *db, const struct via_row *row)
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
