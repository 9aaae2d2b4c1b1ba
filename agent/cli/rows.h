/* rows.h: what a statement answered, kept, and shown to people or as JSON.
 *
 * Column names decide how a value looks: *_bytes are sizes, known flags are booleans,
 * options, manifest and left_out are JSON inside. Everything else is as SQL gave it. */
#ifndef VIA_CLI_ROWS_H
#define VIA_CLI_ROWS_H

#include "base/buf.h"
#include "via/ext.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLI_COLUMNS_MAX 32

struct cli_cell {
    int type;  /* SQLITE_NULL, _INTEGER, _FLOAT, _TEXT */
    size_t at; /* its text, NUL-terminated, in `bytes` */
    size_t n;
    int64_t integer;
};

struct cli_rows {
    char names[CLI_COLUMNS_MAX][32];
    size_t columns;
    size_t count;
    struct cli_cell *cells; /* count * columns */
    size_t cap;
    struct via_buf bytes;
    bool failed; /* memory ran out */
};

void cli_rows_init(struct cli_rows *rows);
void cli_rows_deinit(struct cli_rows *rows);

/* Keep the current row of `q`. The first row decides the columns. */
void cli_rows_add(struct cli_rows *rows, sqlite3_stmt *q);

/* The value in `row` of the column `name`: NULL or 0 when it is NULL or absent. Borrowed. */
const char *cli_rows_text(const struct cli_rows *rows, size_t row, const char *name);
int64_t cli_rows_integer(const struct cli_rows *rows, size_t row, const char *name);

/* Put `text` in the place of a value that is there. */
void cli_rows_set_text(struct cli_rows *rows, size_t row, const char *name, const char *text);

/* Append the members of one row as JSON, without braces: "id":"…","deployed":false. Columns that
 * also are in `unless` (may be NULL) are left out; the comma before is written when `more`.
 * Returns whether anything was written, or `more`. */
bool cli_rows_put_members(const struct cli_rows *rows, size_t row, const struct cli_rows *unless,
                          bool more, struct via_buf *b);

/* Append all rows as a JSON array of objects, one a line. */
void cli_rows_put_array(const struct cli_rows *rows, struct via_buf *b);

/* Append a table: headers, aligned columns. Nothing when there are no rows. */
void cli_rows_put_table(const struct cli_rows *rows, struct via_buf *b);

/* Append `n` bytes of text from elsewhere, which must not steer the terminal. */
void cli_put_plain(struct via_buf *b, const char *text, size_t n);

/* Append one value as people read it: sizes, yes and no, "-" for absent. */
void cli_rows_put_cell(const struct cli_rows *rows, size_t row, size_t column, struct via_buf *b);

/* The same of the column `name`; nothing when there is none. */
void cli_rows_put_named(const struct cli_rows *rows, size_t row, const char *name,
                        struct via_buf *b);

#endif
