/* encode.c: the value encoding of the runtime API. */
#include "encode.h"

#include "failure.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Length of the UTF-8 sequence at `s`, of which `n` bytes are there; 0 when it is none
 * (over-long forms, surrogates and beyond U+10FFFF included; RFC 3629 section 4). */
static size_t
utf8_length(const unsigned char *s, size_t n)
{
    size_t len = s[0] < 0x80 ? 1 : s[0] < 0xC2 ? 0 : s[0] < 0xE0 ? 2 : s[0] < 0xF0 ? 3 : 4;

    if (len == 0 || len > n || s[0] > 0xF4)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((s[i] & 0xC0) != 0x80)
            return 0;
    if ((s[0] == 0xE0 && s[1] < 0xA0) || (s[0] == 0xED && s[1] > 0x9F) ||
        (s[0] == 0xF0 && s[1] < 0x90) || (s[0] == 0xF4 && s[1] > 0x8F))
        return 0;
    return len;
}

static bool
text_is_utf8(const void *bytes, size_t n)
{
    const unsigned char *s = bytes;
    size_t len;

    for (; n > 0; s += len, n -= len) {
        len = utf8_length(s, n);
        if (len == 0)
            return false;
    }
    return true;
}

static void
put_base64(struct via_buf *out, const unsigned char *s, size_t n)
{
    for (; n > 0; s += 3, n -= n < 3 ? n : 3) {
        unsigned bits =
            (unsigned)s[0] << 16 | (n > 1 ? (unsigned)s[1] << 8 : 0) | (n > 2 ? s[2] : 0);

        via_buf_putc(out, base64_digits[bits >> 18]);
        via_buf_putc(out, base64_digits[bits >> 12 & 63]);
        via_buf_putc(out, n > 1 ? base64_digits[bits >> 6 & 63] : '=');
        via_buf_putc(out, n > 2 ? base64_digits[bits & 63] : '=');
    }
}

/* Seventeen digits give every double back; a point or an exponent keeps it a real. */
static void
put_real(struct via_buf *out, double real)
{
    char text[40];

    if (isnan(real)) {
        via_buf_puts(out, "null"); /* as SQLite stores it */
        return;
    }
    if (isinf(real)) {
        via_buf_printf(out, "{\"real\":\"%sInfinity\"}", real < 0 ? "-" : "");
        return;
    }
    snprintf(text, sizeof text, "%.17g", real);
    for (char *c = text; *c; c++)
        if (!strchr("0123456789+-e", *c))
            *c = '.'; /* whatever the locale puts there */
    via_buf_puts(out, text);
    if (!strpbrk(text, ".e"))
        via_buf_puts(out, ".0");
}

static bool
put_value(struct via_buf *out, const struct via_value *v)
{
    switch (v->type) {
    case VIA_VALUE_INTEGER:
        via_buf_printf(out, "%lld", (long long)v->integer);
        return true;
    case VIA_VALUE_REAL:
        put_real(out, v->real);
        return true;
    case VIA_VALUE_TEXT:
        if (!text_is_utf8(v->bytes, v->size))
            return false;
        via_buf_put_json(out, v->size ? v->bytes : "", v->size);
        return true;
    case VIA_VALUE_BLOB:
        via_buf_puts(out, "{\"base64\":\"");
        put_base64(out, v->bytes, v->size);
        via_buf_puts(out, "\"}");
        return true;
    case VIA_VALUE_NULL:
        via_buf_puts(out, "null");
        return true;
    }
    return false;
}

static bool
put_params(struct via_buf *out, const struct via_param *params, size_t count,
           struct via_failure *why)
{
    bool named = params[0].name != NULL;

    via_buf_putc(out, named ? '{' : '[');
    for (size_t i = 0; i < count; i++) {
        if ((params[i].name != NULL) != named) {
            via_failure_set(why, VIA_BAD_REQUEST,
                            "parameters are either all named or all positional");
            return false;
        }
        if (i > 0)
            via_buf_putc(out, ',');
        if (named) {
            via_buf_put_json(out, params[i].name, strlen(params[i].name));
            via_buf_putc(out, ':');
        }
        if (!put_value(out, &params[i].value)) {
            via_failure_set(why, VIA_BAD_REQUEST,
                            "parameter %zu is a text that is no UTF-8; send it as a blob", i + 1);
            return false;
        }
    }
    via_buf_putc(out, named ? '}' : ']');
    return true;
}

bool
via_encode_request(struct via_buf *out, const char *binding, const char *sql,
                   const struct via_param *params, size_t count, struct via_failure *why)
{
    if (!text_is_utf8(sql, strlen(sql))) {
        via_failure_set(why, VIA_BAD_REQUEST, "the SQL text is no UTF-8");
        return false;
    }
    via_buf_puts(out, "{\"binding\":");
    via_buf_put_json(out, binding, strlen(binding));
    via_buf_puts(out, ",\"sql\":");
    via_buf_put_json(out, sql, strlen(sql));
    if (count > 0) {
        via_buf_puts(out, ",\"params\":");
        if (!put_params(out, params, count, why))
            return false;
    }
    via_buf_putc(out, '}');
    if (out->failed)
        via_failure_set(why, VIA_OUT_OF_MEMORY, "no memory for the request");
    return !out->failed;
}

static int
base64_digit(char c)
{
    const char *at = c ? strchr(base64_digits, c) : NULL;

    return at ? (int)(at - base64_digits) : -1;
}

static bool
parse_blob(const char *text, size_t n, struct via_value *out, void **owned)
{
    unsigned char *bytes;
    unsigned bits = 0;
    int held = 0;
    size_t len = 0;

    while (n > 0 && text[n - 1] == '=')
        n--;
    bytes = malloc(n / 4 * 3 + 3);
    if (!bytes)
        return false;
    for (size_t i = 0; i < n; i++) {
        int digit = base64_digit(text[i]);

        if (digit < 0) {
            free(bytes);
            return false;
        }
        bits = bits << 6 | (unsigned)digit;
        held += 6;
        if (held >= 8) {
            held -= 8;
            bytes[len++] = (unsigned char)(bits >> held);
        }
    }
    *owned = bytes;
    *out = (struct via_value){.type = VIA_VALUE_BLOB, .bytes = bytes, .size = len};
    return true;
}

static bool
parse_real(const char *text, struct via_value *out)
{
    double real;

    if (strcmp(text, "Infinity") == 0)
        real = INFINITY;
    else if (strcmp(text, "-Infinity") == 0)
        real = -INFINITY;
    else if (strcmp(text, "NaN") == 0)
        real = NAN;
    else
        return false;
    *out = (struct via_value){.type = VIA_VALUE_REAL, .real = real};
    return true;
}

static bool
parse_integer(const char *text, struct via_value *out)
{
    char *end;
    long long integer;

    errno = 0;
    integer = strtoll(text, &end, 10);
    *out = (struct via_value){.type = VIA_VALUE_INTEGER, .integer = integer};
    return errno == 0 && end != text && *end == '\0';
}

/* One of the three objects that stand for what JSON cannot say. */
static bool
parse_object(const via_json *json, struct via_value *out, void **owned)
{
    size_t n;
    const char *text;

    if (via_json_count(json) != 1)
        return false;
    if ((text = via_json_string(via_json_member(json, "base64"), &n)))
        return parse_blob(text, n, out, owned);
    if ((text = via_json_string(via_json_member(json, "integer"), NULL)))
        return parse_integer(text, out);
    if ((text = via_json_string(via_json_member(json, "real"), NULL)))
        return parse_real(text, out);
    return false;
}

bool
via_encode_parse(const via_json *json, struct via_value *out, void **owned)
{
    *owned = NULL;
    *out = (struct via_value){.type = VIA_VALUE_NULL};
    switch (via_json_type(json)) {
    case VIA_JSON_NULL:
        return true;
    case VIA_JSON_INTEGER:
        out->type = VIA_VALUE_INTEGER;
        out->integer = via_json_integer(json);
        return true;
    case VIA_JSON_REAL:
        out->type = VIA_VALUE_REAL;
        out->real = via_json_real(json);
        return true;
    case VIA_JSON_STRING:
        out->type = VIA_VALUE_TEXT;
        out->bytes = via_json_string(json, &out->size);
        return true;
    case VIA_JSON_OBJECT:
        return parse_object(json, out, owned);
    default:
        return false;
    }
}
