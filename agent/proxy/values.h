/* values.h: SQLite values as JSON, exactly, both ways.
 *
 * null, numbers and strings stand for themselves; integers beyond ±2^53 are
 * {"integer":"…"}, blobs {"base64":"…"}, infinities {"real":"Infinity"}. */
#ifndef VIA_PROXY_VALUES_H
#define VIA_PROXY_VALUES_H

#include "base/buf.h"
#include "base/json.h"
#include "via/ext.h"

/* Bind `params` (NULL, an array, or an object of named ones) to `stmt`. Texts are borrowed
 * from the document until the bindings are cleared. VIA_BAD_REQUEST says what is wrong. */
VIA_MUST_USE enum via_status via_values_bind(sqlite3_stmt *stmt, const via_json *params,
                                             struct via_error *e);

/* Append column `i` of the row that `stmt` is on. */
void via_values_put(struct via_buf *b, sqlite3_stmt *stmt, int i);

/* Append `["name",…]`, the columns of `stmt`. */
void via_values_put_names(struct via_buf *b, sqlite3_stmt *stmt);

/* Append an integer, as a number where that is exact for every reader. */
void via_values_put_integer(struct via_buf *b, int64_t value);

#endif
