/* buf.c: the growing byte buffer.
 *
 * Owns the memory of its text. The one invariant: data is NULL, or cap > len, so
 * that there is always room for the closing NUL. */
#include "base/buf.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
via_buf_init(struct via_buf *b)
{
    *b = (struct via_buf){0};
}

static void
buf_wipe(struct via_buf *b)
{
    if (b->secret && b->data)
        explicit_bzero(b->data, b->cap);
}

void
via_buf_deinit(struct via_buf *b)
{
    buf_wipe(b);
    free(b->data);
    via_buf_init(b);
}

void
via_buf_reset(struct via_buf *b)
{
    buf_wipe(b);
    b->secret = false;
    b->len = 0;
    b->failed = false;
    if (b->data)
        b->data[0] = '\0';
}

/* realloc() leaves the old bytes wherever they were. */
static char *
buf_move(struct via_buf *b, size_t cap)
{
    char *data = malloc(cap);

    if (!data)
        return NULL;
    if (b->data)
        memcpy(data, b->data, b->cap);
    buf_wipe(b);
    free(b->data);
    return data;
}

/* Make cap > len + n. */
static bool
buf_grow(struct via_buf *b, size_t n)
{
    size_t cap = b->cap ? b->cap : 64;
    char *data;

    if (b->failed)
        return false;
    if (n < b->cap - b->len)
        return true;
    if (n >= SIZE_MAX / 4 - b->len) {
        b->failed = true;
        return false;
    }
    while (cap <= b->len + n)
        cap *= 2;
    data = b->secret ? buf_move(b, cap) : realloc(b->data, cap);
    if (!data) {
        b->failed = true;
        return false;
    }
    b->data = data;
    b->cap = cap;
    return true;
}

void
via_buf_put(struct via_buf *b, const void *bytes, size_t n)
{
    if (n == 0 || !buf_grow(b, n))
        return;
    memcpy(b->data + b->len, bytes, n);
    b->len += n;
    b->data[b->len] = '\0';
}

void
via_buf_puts(struct via_buf *b, const char *text)
{
    via_buf_put(b, text, strlen(text));
}

void
via_buf_putc(struct via_buf *b, char c)
{
    via_buf_put(b, &c, 1);
}

void
via_buf_printf(struct via_buf *b, const char *format, ...)
{
    va_list args;
    int n;

    /* Most lines fit in what is there; the second pass is for those that do not. */
    if (!buf_grow(b, 64))
        return;
    va_start(args, format);
    n = vsnprintf(b->data + b->len, b->cap - b->len, format, args);
    va_end(args);
    if (n >= 0 && (size_t)n >= b->cap - b->len) {
        b->data[b->len] = '\0';
        if (!buf_grow(b, (size_t)n))
            return;
        va_start(args, format);
        n = vsnprintf(b->data + b->len, b->cap - b->len, format, args);
        va_end(args);
    }
    if (n < 0) {
        b->data[b->len] = '\0';
        b->failed = true;
        return;
    }
    b->len += (size_t)n;
    assert(b->len < b->cap);
}

char *
via_buf_reserve(struct via_buf *b, size_t n)
{
    return buf_grow(b, n) ? b->data + b->len : NULL;
}

const char *
via_buf_text(const struct via_buf *b)
{
    if (b->failed || b->len == 0)
        return "";
    /* Bytes written by way of via_buf_reserve carry no NUL yet. */
    b->data[b->len] = '\0';
    return b->data;
}

/* The length of the UTF-8 character at `s` (Unicode 15, table 3-7), or 0 when there is none. */
static size_t
utf8_length(const unsigned char *s, size_t n)
{
    unsigned char lo = 0x80, hi = 0xBF;
    size_t want;

    if (s[0] < 0x80)
        return 1;
    if (s[0] >= 0xC2 && s[0] <= 0xDF) {
        want = 2;
    } else if ((s[0] & 0xF0) == 0xE0) {
        want = 3;
        lo = s[0] == 0xE0 ? 0xA0 : 0x80;
        hi = s[0] == 0xED ? 0x9F : 0xBF;
    } else if (s[0] >= 0xF0 && s[0] <= 0xF4) {
        want = 4;
        lo = s[0] == 0xF0 ? 0x90 : 0x80;
        hi = s[0] == 0xF4 ? 0x8F : 0xBF;
    } else {
        return 0;
    }
    if (n < want || s[1] < lo || s[1] > hi)
        return 0;
    for (size_t i = 2; i < want; i++) {
        if ((s[i] & 0xC0) != 0x80)
            return 0;
    }
    return want;
}

bool
via_text_is_utf8(const char *text, size_t n)
{
    const unsigned char *s = (const unsigned char *)text;

    for (size_t i = 0, k; i < n; i += k) {
        k = utf8_length(s + i, n - i);
        if (k == 0)
            return false;
    }
    return true;
}

/* How many bytes at `s` stand in a JSON string as they are. */
static size_t
json_plain_length(const unsigned char *s, size_t n)
{
    size_t i = 0;

    while (i < n && s[i] != '"' && s[i] != '\\' && s[i] >= 0x20) {
        size_t k = utf8_length(s + i, n - i);

        if (k == 0)
            break;
        i += k;
    }
    return i;
}

static void
json_put_escape(struct via_buf *b, unsigned char c)
{
    static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
    const char *at = c ? strchr(from, c) : NULL;

    if (at)
        via_buf_put(b, (char[]){'\\', to[at - from]}, 2);
    else if (c < 0x20)
        via_buf_printf(b, "\\u%04x", c);
    else
        via_buf_puts(b, "\xEF\xBF\xBD"); /* U+FFFD for a byte that is no UTF-8 */
}

void
via_buf_put_json(struct via_buf *b, const char *text, size_t n)
{
    const unsigned char *s = (const unsigned char *)text;

    via_buf_putc(b, '"');
    while (n > 0) {
        size_t plain = json_plain_length(s, n);

        via_buf_put(b, s, plain);
        s += plain;
        n -= plain;
        if (n == 0)
            break;
        json_put_escape(b, *s);
        s++;
        n--;
    }
    via_buf_putc(b, '"');
}

void
via_buf_put_sql(struct via_buf *b, const char *text)
{
    if (!text) {
        via_buf_puts(b, "NULL");
        return;
    }
    via_buf_putc(b, '\'');
    for (const char *quote; (quote = strchr(text, '\'')) != NULL; text = quote + 1) {
        via_buf_put(b, text, (size_t)(quote - text) + 1);
        via_buf_putc(b, '\'');
    }
    via_buf_puts(b, text);
    via_buf_putc(b, '\'');
}

void
via_buf_put_quoted(struct via_buf *b, const char *text)
{
    via_buf_putc(b, '\'');
    for (const char *quote; (quote = strchr(text, '\'')) != NULL; text = quote + 1) {
        via_buf_put(b, text, (size_t)(quote - text));
        via_buf_puts(b, "'\\''");
    }
    via_buf_puts(b, text);
    via_buf_putc(b, '\'');
}

void
via_buf_put_word(struct via_buf *b, const char *text)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_./:=@%+,";

    if (*text && text[strspn(text, plain)] == '\0')
        via_buf_puts(b, text);
    else
        via_buf_put_quoted(b, text);
}
