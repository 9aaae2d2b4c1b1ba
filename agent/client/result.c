/* result.c: results: the parsed document, and one flat array of values that borrow from it. */
#include "result.h"

#include "encode.h"
#include "failure.h"

#include <stdlib.h>

#define RESULT_DEPTH 8

struct via_result {
    via_json *doc;
    const via_json *columns; /* NULL when there are none */
    size_t column_count;
    size_t row_count;
    struct via_value *values; /* row by row */
    void **blobs;             /* decoded; each freed with the result */
    size_t blob_count;
    size_t blob_cap;
    int64_t update_count;
    int64_t last_insert_rowid;
};

static bool
result_keep(struct via_result *r, void *blob)
{
    if (r->blob_count == r->blob_cap) {
        size_t cap = r->blob_cap ? r->blob_cap * 2 : 8;
        void **longer = realloc(r->blobs, cap * sizeof *longer);

        if (!longer) {
            free(blob);
            return false;
        }
        r->blobs = longer;
        r->blob_cap = cap;
    }
    r->blobs[r->blob_count++] = blob;
    return true;
}

static bool
result_row(struct via_result *r, const via_json *row, struct via_value *out)
{
    if (via_json_type(row) != VIA_JSON_ARRAY || via_json_count(row) != r->column_count)
        return false;
    for (size_t i = 0; i < r->column_count; i++) {
        void *blob;

        if (!via_encode_parse(via_json_at(row, i), &out[i], &blob))
            return false;
        if (blob && !result_keep(r, blob))
            return false;
    }
    return true;
}

static bool
result_rows(struct via_result *r, const via_json *rows)
{
    if (via_json_type(rows) != VIA_JSON_ARRAY)
        return false;
    r->row_count = via_json_count(rows);
    if (r->row_count == 0)
        return true;
    r->values = calloc(r->row_count, r->column_count * sizeof *r->values);
    if (!r->values)
        return false;
    for (size_t i = 0; i < r->row_count; i++)
        if (!result_row(r, via_json_at(rows, i), r->values + i * r->column_count))
            return false;
    return true;
}

static bool
result_columns(struct via_result *r, const via_json *columns)
{
    if (via_json_type(columns) != VIA_JSON_ARRAY || via_json_count(columns) == 0)
        return false;
    r->columns = columns;
    r->column_count = via_json_count(columns);
    for (size_t i = 0; i < r->column_count; i++)
        if (!via_json_string(via_json_at(columns, i), NULL))
            return false;
    return true;
}

static bool
result_count(const via_json *doc, const char *key, int64_t *out)
{
    const via_json *v = via_json_member(doc, key);
    struct via_value value;
    void *blob;

    if (!v)
        return true;
    if (!via_encode_parse(v, &value, &blob) || value.type != VIA_VALUE_INTEGER) {
        free(blob);
        return false;
    }
    *out = value.integer;
    return true;
}

static bool
result_read(struct via_result *r)
{
    const via_json *columns = via_json_member(r->doc, "columns");
    const via_json *rows = via_json_member(r->doc, "rows");

    if (via_json_type(r->doc) != VIA_JSON_OBJECT || !columns != !rows)
        return false;
    if (columns && (!result_columns(r, columns) || !result_rows(r, rows)))
        return false;
    return result_count(r->doc, "update_count", &r->update_count) &&
           result_count(r->doc, "last_insert_rowid", &r->last_insert_rowid);
}

struct via_result *
via_result_parse(const char *body, size_t n, struct via_failure *why)
{
    struct via_result *r = calloc(1, sizeof *r);

    if (!r) {
        via_failure_set(why, VIA_OUT_OF_MEMORY, "no memory for the result");
        return NULL;
    }
    if (via_json_parse(body, n, RESULT_DEPTH, &r->doc, NULL) == VIA_OK && result_read(r))
        return r;
    via_result_free(r);
    via_failure_set(why, VIA_INTERNAL_ERROR, "the agent's answer is no result that is understood");
    if (why) {
        why->http = 200;
        why->maybe_done = true;
    }
    return NULL;
}

void
via_result_free(struct via_result *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->blob_count; i++)
        free(r->blobs[i]);
    free(r->blobs);
    free(r->values);
    via_json_free(r->doc);
    free(r);
}

size_t
via_result_column_count(const struct via_result *r)
{
    return r->column_count;
}

const char *
via_result_column(const struct via_result *r, size_t column)
{
    return column < r->column_count ? via_json_string(via_json_at(r->columns, column), NULL) : NULL;
}

size_t
via_result_row_count(const struct via_result *r)
{
    return r->row_count;
}

struct via_value
via_result_value(const struct via_result *r, size_t row, size_t column)
{
    if (row >= r->row_count || column >= r->column_count)
        return (struct via_value){.type = VIA_VALUE_NULL};
    return r->values[row * r->column_count + column];
}

int64_t
via_result_update_count(const struct via_result *r)
{
    return r->update_count;
}

int64_t
via_result_last_insert_rowid(const struct via_result *r)
{
    return r->last_insert_rowid;
}
