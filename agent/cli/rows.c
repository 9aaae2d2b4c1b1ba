#include "cli/rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const flag_columns[] = {"deployed",
                                           "manifest_ok",
                                           "metadata_ready",
                                           "storage_ready",
                                           "binding_ready",
                                           "runtime_ready",
                                           "usable_by_app",
                                           "present",
                                           "readable",
                                           "writable",
                                           "secret",
                                           "fixable",
                                           "force",
                                           "sealed",
                                           "drain",
                                           "restart_bound_apps",
                                           "force_after_timeout"};
static const char *const json_columns[] = {"options", "manifest", "left_out"};

static bool
name_in(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

static bool
column_is_flag(const char *name)
{
    return name_in(name, flag_columns, sizeof flag_columns / sizeof *flag_columns);
}

static bool
column_is_json(const char *name)
{
    return name_in(name, json_columns, sizeof json_columns / sizeof *json_columns);
}

/* The length of `name` without the unit that people see in the value, or 0. */
static size_t
column_is_size(const char *name)
{
    size_t n = strlen(name);

    return n > 6 && strcmp(name + n - 6, "_bytes") == 0 ? n - 6 : 0;
}

void
cli_rows_init(struct cli_rows *rows)
{
    memset(rows, 0, sizeof *rows);
}

void
cli_rows_deinit(struct cli_rows *rows)
{
    free(rows->cells);
    via_buf_deinit(&rows->bytes);
    memset(rows, 0, sizeof *rows);
}

static void
rows_open(struct cli_rows *rows, sqlite3_stmt *q)
{
    int n = sqlite3_column_count(q);

    rows->columns = n > CLI_COLUMNS_MAX ? CLI_COLUMNS_MAX : (size_t)n;
    for (size_t i = 0; i < rows->columns; i++)
        (void)snprintf(rows->names[i], sizeof rows->names[i], "%s", sqlite3_column_name(q, (int)i));
}

/* Make room for one more row. */
static bool
rows_grow(struct cli_rows *rows)
{
    size_t need = (rows->count + 1) * rows->columns;
    size_t cap = rows->cap ? rows->cap * 2 : 256;
    struct cli_cell *grown;

    if (need <= rows->cap)
        return true;
    grown = realloc(rows->cells, cap * sizeof *grown);
    if (!grown)
        return false;
    rows->cells = grown;
    rows->cap = cap;
    return true;
}

void
cli_rows_add(struct cli_rows *rows, sqlite3_stmt *q)
{
    if (rows->columns == 0)
        rows_open(rows, q);
    if (rows->failed || !rows_grow(rows)) {
        rows->failed = true;
        return;
    }
    for (size_t i = 0; i < rows->columns; i++) {
        struct cli_cell *cell = &rows->cells[rows->count * rows->columns + i];
        const char *text;

        cell->type = sqlite3_column_type(q, (int)i);
        cell->integer = sqlite3_column_int64(q, (int)i);
        text = (const char *)sqlite3_column_text(q, (int)i);
        cell->n = (size_t)sqlite3_column_bytes(q, (int)i);
        cell->at = rows->bytes.len;
        via_buf_put(&rows->bytes, text ? text : "", text ? cell->n : 0);
        via_buf_putc(&rows->bytes, '\0');
    }
    rows->failed |= rows->bytes.failed;
    rows->count += !rows->failed;
}

static const struct cli_cell *
rows_cell(const struct cli_rows *rows, size_t row, size_t column)
{
    return &rows->cells[row * rows->columns + column];
}

static const struct cli_cell *
rows_find(const struct cli_rows *rows, size_t row, const char *name)
{
    for (size_t i = 0; row < rows->count && i < rows->columns; i++)
        if (strcmp(rows->names[i], name) == 0)
            return rows_cell(rows, row, i);
    return NULL;
}

const char *
cli_rows_text(const struct cli_rows *rows, size_t row, const char *name)
{
    const struct cli_cell *cell = rows_find(rows, row, name);

    return cell && cell->type != SQLITE_NULL ? rows->bytes.data + cell->at : NULL;
}

void
cli_rows_set_text(struct cli_rows *rows, size_t row, const char *name, const char *text)
{
    const struct cli_cell *found = rows_find(rows, row, name);
    struct cli_cell *cell;

    if (!found)
        return;
    cell = &rows->cells[found - rows->cells];
    cell->type = SQLITE_TEXT;
    cell->at = rows->bytes.len;
    cell->n = strlen(text);
    via_buf_put(&rows->bytes, text, cell->n + 1);
    rows->failed |= rows->bytes.failed;
}

int64_t
cli_rows_integer(const struct cli_rows *rows, size_t row, const char *name)
{
    const struct cli_cell *cell = rows_find(rows, row, name);

    return cell ? cell->integer : 0;
}

/* -- JSON ------------------------------------------------------------------------ */

static void
cell_put_json(const struct cli_rows *rows, const char *name, const struct cli_cell *cell,
              struct via_buf *b)
{
    const char *text = rows->bytes.data + cell->at;

    if (cell->type == SQLITE_NULL)
        via_buf_puts(b, "null");
    else if (cell->type == SQLITE_INTEGER && column_is_flag(name))
        via_buf_puts(b, cell->integer ? "true" : "false");
    else if (cell->type == SQLITE_INTEGER || cell->type == SQLITE_FLOAT)
        via_buf_puts(b, text);
    else if (column_is_json(name) && cell->n > 0)
        via_buf_put(b, text, cell->n);
    else
        via_buf_put_json(b, text, cell->n);
}

static bool
rows_has(const struct cli_rows *rows, const char *name)
{
    for (size_t i = 0; rows && i < rows->columns; i++)
        if (strcmp(rows->names[i], name) == 0)
            return true;
    return false;
}

bool
cli_rows_put_members(const struct cli_rows *rows, size_t row, const struct cli_rows *unless,
                     bool more, struct via_buf *b)
{
    for (size_t i = 0; i < rows->columns; i++) {
        if (rows_has(unless, rows->names[i]))
            continue;
        if (more)
            via_buf_putc(b, ',');
        via_buf_put_json(b, rows->names[i], strlen(rows->names[i]));
        via_buf_putc(b, ':');
        cell_put_json(rows, rows->names[i], rows_cell(rows, row, i), b);
        more = true;
    }
    return more;
}

void
cli_rows_put_array(const struct cli_rows *rows, struct via_buf *b)
{
    via_buf_putc(b, '[');
    for (size_t i = 0; i < rows->count; i++) {
        via_buf_puts(b, i ? ",\n {" : "{");
        (void)cli_rows_put_members(rows, i, NULL, false, b);
        via_buf_putc(b, '}');
    }
    via_buf_putc(b, ']');
}

/* -- tables ---------------------------------------------------------------------- */

static void
size_put(int64_t bytes, struct via_buf *b)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double value = (double)bytes;
    size_t unit = 0;

    while (value >= 1024 && unit + 1 < sizeof units / sizeof *units) {
        value /= 1024;
        unit++;
    }
    via_buf_printf(b, unit && value < 100 ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

void
cli_put_plain(struct via_buf *b, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];

        via_buf_putc(b, c < ' ' || c == 127 ? '?' : (char)c);
    }
}

void
cli_rows_put_cell(const struct cli_rows *rows, size_t row, size_t column, struct via_buf *b)
{
    const struct cli_cell *cell = rows_cell(rows, row, column);
    const char *name = rows->names[column];

    if (cell->type == SQLITE_NULL)
        via_buf_putc(b, '-');
    else if (cell->type == SQLITE_INTEGER && column_is_size(name))
        size_put(cell->integer, b);
    else if (cell->type == SQLITE_INTEGER && column_is_flag(name))
        via_buf_puts(b, cell->integer ? "yes" : "no");
    else if (cell->n == 0 && strcmp(name, "target") == 0)
        via_buf_putc(b, '*'); /* every target */
    else
        cli_put_plain(b, rows->bytes.data + cell->at, cell->n);
}

void
cli_rows_put_named(const struct cli_rows *rows, size_t row, const char *name, struct via_buf *b)
{
    for (size_t i = 0; row < rows->count && i < rows->columns; i++)
        if (strcmp(rows->names[i], name) == 0)
            cli_rows_put_cell(rows, row, i, b);
}

/* Columns on a terminal: code points, near enough. */
static size_t
text_width(const char *text, size_t n)
{
    size_t width = 0;

    for (size_t i = 0; i < n; i++)
        width += ((unsigned char)text[i] & 0xc0) != 0x80;
    return width;
}

static void
pad_put(struct via_buf *b, size_t n)
{
    while (n-- > 0)
        via_buf_putc(b, ' ');
}

static void
header_put(const struct cli_rows *rows, size_t column, struct via_buf *b)
{
    const char *name = rows->names[column];
    size_t n = column_is_size(name);

    for (size_t i = 0; i < (n ? n : strlen(name)); i++)
        via_buf_putc(b, name[i] == '_'                     ? ' '
                        : name[i] >= 'a' && name[i] <= 'z' ? (char)(name[i] - 'a' + 'A')
                                                           : name[i]);
}

/* Numbers stand on the right. */
static bool
column_is_right(const struct cli_rows *rows, size_t column)
{
    return rows_cell(rows, 0, column)->type == SQLITE_INTEGER &&
           !column_is_flag(rows->names[column]);
}

static void
columns_measure(const struct cli_rows *rows, size_t width[CLI_COLUMNS_MAX])
{
    struct via_buf cell;

    via_buf_init(&cell);
    for (size_t i = 0; i < rows->columns; i++) {
        header_put(rows, i, &cell);
        width[i] = cell.len;
        via_buf_reset(&cell);
        for (size_t r = 0; r < rows->count; r++) {
            size_t w;

            cli_rows_put_cell(rows, r, i, &cell);
            w = text_width(via_buf_text(&cell), cell.len);
            width[i] = w > width[i] ? w : width[i];
            via_buf_reset(&cell);
        }
    }
    via_buf_deinit(&cell);
}

/* Append one aligned cell; `row` == count means the header. */
static void
aligned_put(const struct cli_rows *rows, size_t row, size_t column, size_t width, struct via_buf *b)
{
    struct via_buf cell;
    size_t n;

    via_buf_init(&cell);
    if (row == rows->count)
        header_put(rows, column, &cell);
    else
        cli_rows_put_cell(rows, row, column, &cell);
    n = text_width(via_buf_text(&cell), cell.len);
    if (column_is_right(rows, column))
        pad_put(b, width - n);
    via_buf_put(b, via_buf_text(&cell), cell.len);
    if (!column_is_right(rows, column) && column + 1 < rows->columns)
        pad_put(b, width - n);
    if (column + 1 < rows->columns)
        pad_put(b, 2);
    via_buf_deinit(&cell);
}

void
cli_rows_put_table(const struct cli_rows *rows, struct via_buf *b)
{
    size_t width[CLI_COLUMNS_MAX];

    if (rows->count == 0)
        return;
    columns_measure(rows, width);
    for (size_t r = 0; r <= rows->count; r++) {
        for (size_t i = 0; i < rows->columns; i++)
            aligned_put(rows, r == 0 ? rows->count : r - 1, i, width[i], b);
        via_buf_putc(b, '\n');
    }
}
