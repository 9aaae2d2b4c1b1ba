/* engine.h: one virtual table implementation over a description of columns.
 *
 * A table is a view of the control plane (control/schema.c) and up to three actions on its rows.
 * The engine declares it, pushes constraints down, streams rows, and runs each action
 * in a savepoint of its own, so that a refused one leaves nothing behind. */
#ifndef VIA_TABLES_ENGINE_H
#define VIA_TABLES_ENGINE_H

#include "tables/hub.h"

enum via_column_flag {
    VIA_COL_KEY = 1,    /* comparisons reach an index of the private database */
    VIA_COL_UNIQUE = 2, /* with KEY: at most one row */
    VIA_COL_INSERT = 4, /* may be given in an INSERT */
    VIA_COL_UPDATE = 8, /* may be changed by an UPDATE */
    VIA_COL_ARGUMENT =
        16, /* hidden; no column of the view: an argument of an action, or of a read */
    VIA_COL_COMPUTED = 32, /* not in the view: by via_table.compute, when it is read */
    VIA_COL_REQUIRED = 64, /* with ARGUMENT: a read is refused unless it says `column = value` */
    VIA_COL_ASIDE = 128    /* shown to who names it, and not by `*` */
};

struct via_column {
    const char *name;
    const char *type; /* TEXT or INTEGER */
    unsigned flags;
};

/* The values an action was given, by column number. */
struct via_row {
    const struct via_table *table;
    sqlite3_value **values;
    sqlite3 *host; /* the connection whose statement it is */
    bool is_update;
    bool ignoring; /* INSERT OR IGNORE: what is there stays */
};

struct via_table {
    const char *name;
    const char *view;
    const struct via_column *columns;
    int column_count;
    bool control; /* its actions change control-plane.db, not runtime.db alone */

    /* Before a read: bring what the view shows up to date on `db`, in temporary tables of it. NULL:
     * the view shows stored rows. The handle holds the error. */
    void (*refresh)(struct via_store *s, struct via_sql *db);

    /* Before a read: learn what its arguments ask for. `scratch` is zeroed, and lasts as long as
     * the read. The handle of via_store_db() holds the error. */
    void (*begin)(struct via_store *s, const struct via_row *arguments, void *scratch);

    /* The actions; NULL: not possible. They report through s->write's sticky error. */
    int64_t (*insert)(struct via_store *s, const struct via_row *row);
    void (*update)(struct via_store *s, int64_t rid, const struct via_row *row);
    void (*remove)(struct via_store *s, int64_t rid, const struct via_row *arguments);

    /* Answer column `i` of the row `rid`. Without `begin`, `scratch` is zeroed for each row and
     * lasts as long as it. */
    void (*compute)(struct via_store *s, int64_t rid, int i, void *scratch,
                    sqlite3_context *context);
    size_t scratch_size;
};

/* The text of column `i`, NULL when it was not given or is NULL. Borrowed. */
const char *via_row_text(const struct via_row *row, int i);

/* The integer of column `i`, `otherwise` when it was not given or is NULL. */
int64_t via_row_int(const struct via_row *row, int i, int64_t otherwise);

/* Was column `i` given (INSERT: not NULL; UPDATE: set, even to NULL)? */
bool via_row_has(const struct via_row *row, int i);

/* Make `table` known on the hub's host connection. Returns an SQLITE_ code. */
int via_table_register(sqlite3 *db, struct via_hub *h, const struct via_table *table);

#endif
