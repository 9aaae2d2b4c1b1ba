/* json.h: JSON read strictly, and little else. The only user of the JSON library.
 *
 * Refuses duplicate keys, anything after the document, invalid UTF-8, integers beyond
 * 64 bits and documents nested deeper than asked. Integers are exact; NUL in text
 * survives with its length. Writing is via_buf_put_json and plain text. */
#ifndef VIA_BASE_JSON_H
#define VIA_BASE_JSON_H

#include "base/buf.h"
#include "via/model.h"

/* A value inside a document; borrowed from it. */
typedef struct json_t via_json;

enum via_json_type {
    VIA_JSON_NULL,
    VIA_JSON_FALSE,
    VIA_JSON_TRUE,
    VIA_JSON_INTEGER,
    VIA_JSON_REAL,
    VIA_JSON_STRING,
    VIA_JSON_ARRAY,
    VIA_JSON_OBJECT
};

/* Parse `n` bytes. VIA_BAD_REQUEST with a sentence that says where. The caller frees *out.
 * `max_depth` counts nested arrays and objects. */
VIA_MUST_USE enum via_status via_json_parse(const char *text, size_t n, int max_depth,
                                            via_json **out, struct via_error *e);
void via_json_free(via_json *doc);

/* What a value says. All take NULL, an absent member, for a JSON null. */
enum via_json_type via_json_type(const via_json *v);
int64_t via_json_integer(const via_json *v);               /* 0 unless an integer */
double via_json_real(const via_json *v);                   /* 0 unless a number */
const char *via_json_string(const via_json *v, size_t *n); /* NULL unless a string; n may be NULL */
size_t via_json_count(const via_json *v);                  /* members of array or object */
const via_json *via_json_at(const via_json *array, size_t i);
const via_json *via_json_member(const via_json *object, const char *key); /* NULL when absent */

/* Visit each member of an object in the order it was written; stop when `fn` says false.
 * Returns false when it was stopped. */
bool via_json_each(const via_json *object,
                   bool (*fn)(void *arg, const char *key, const via_json *value), void *arg);

/* Append `v` in canonical form: no white space, keys sorted by byte. */
void via_json_write(struct via_buf *b, const via_json *v);

#endif
