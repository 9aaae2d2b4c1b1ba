/* buf.h: a growing byte buffer with a sticky out-of-memory flag.
 *
 * Once `failed` is set every call does nothing, so a long text is built without
 * checks and asked once at the end. */
#ifndef VIA_BASE_BUF_H
#define VIA_BASE_BUF_H

#include "via/status.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct via_buf {
    char *data; /* NUL-terminated whenever len > 0; NULL when empty and never grown */
    size_t len;
    size_t cap;
    bool failed;
    bool secret; /* wipe what is left behind: by growing, by the reset that ends it, by deinit */
};

void via_buf_init(struct via_buf *b);
void via_buf_deinit(struct via_buf *b);

/* Empty `b`, keeping its memory and clearing `failed` and `secret`. */
void via_buf_reset(struct via_buf *b);

void via_buf_put(struct via_buf *b, const void *bytes, size_t n);
void via_buf_puts(struct via_buf *b, const char *text);
void via_buf_putc(struct via_buf *b, char c);
void via_buf_printf(struct via_buf *b, const char *format, ...) VIA_PRINTF(2, 3);

/* Append `n` bytes as a JSON string, quotes included. Bytes that are no UTF-8
 * become U+FFFD; NUL is written as \u0000. */
void via_buf_put_json(struct via_buf *b, const char *text, size_t n);

/* Append `text` as an SQL literal: 'it''s', or NULL when `text` is NULL. */
void via_buf_put_sql(struct via_buf *b, const char *text);

/* Append `text` as one word of a shell, in single quotes whatever is in it. */
void via_buf_put_quoted(struct via_buf *b, const char *text);

/* The same, without quotes where none are needed. */
void via_buf_put_word(struct via_buf *b, const char *text);

/* Make room for `n` more bytes and return where they go, or NULL (and `failed`).
 * The caller writes at most `n` bytes there and adds them to `len`. */
char *via_buf_reserve(struct via_buf *b, size_t n);

/* Are the `n` bytes at `text` UTF-8 throughout? */
bool via_text_is_utf8(const char *text, size_t n);

/* The text, "" when empty or failed. Borrowed until the next call on `b`. */
const char *via_buf_text(const struct via_buf *b);

#endif
