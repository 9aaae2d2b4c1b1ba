/* values.c: reading parameters and writing rows. */
#include "proxy/values.h"

#include "base/error.h"
#include "identity/codec.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXACT_MAX ((int64_t)1 << 53) /* beyond it a double cannot tell neighbours apart */

/* -- reading -------------------------------------------------------------------- */

static bool
integer_parse(const char *text, size_t n, int64_t *out)
{
    char digits[24];
    size_t sign = n && text[0] == '-';
    char again[24];

    if (n == 0 || n >= sizeof digits || strspn(text + sign, "0123456789") != n - sign)
        return false;
    memcpy(digits, text, n);
    digits[n] = '\0';
    *out = strtoll(digits, NULL, 10);
    snprintf(again, sizeof again, "%lld", (long long)*out);
    return strcmp(again, digits) == 0; /* overflow, leading zeros and "-0" differ */
}

static int
bind_blob(sqlite3_stmt *stmt, int i, const char *text, size_t n)
{
    size_t room = n / 4 * 3 + 3, len = 0;
    uint8_t *bytes = sqlite3_malloc64(room);

    if (!bytes)
        return SQLITE_NOMEM;
    if (!via_base64_decode(text, n, bytes, room, &len)) {
        sqlite3_free(bytes);
        return SQLITE_MISMATCH;
    }
    return sqlite3_bind_blob64(stmt, i, bytes, len, sqlite3_free);
}

/* {"integer":…}, {"base64":…}, {"real":…}: exactly one of them, with a string. */
static int
bind_object(sqlite3_stmt *stmt, int i, const via_json *v)
{
    static const char *const kinds[] = {"integer", "base64", "real"};
    const via_json *member = NULL;
    const char *text;
    size_t kind, n;
    int64_t number;

    for (kind = 0; kind < 3 && !member; kind++)
        member = via_json_member(v, kinds[kind]);
    if (!member || via_json_count(v) != 1)
        return SQLITE_MISMATCH;
    text = via_json_string(member, &n);
    if (!text)
        return SQLITE_MISMATCH;
    switch (kind) { /* one past its place in `kinds` */
    case 1:
        return integer_parse(text, n, &number) ? sqlite3_bind_int64(stmt, i, number)
                                               : SQLITE_MISMATCH;
    case 2:
        return bind_blob(stmt, i, text, n);
    default:
        if (n == 8 && memcmp(text, "Infinity", 8) == 0)
            return sqlite3_bind_double(stmt, i, HUGE_VAL);
        if (n == 9 && memcmp(text, "-Infinity", 9) == 0)
            return sqlite3_bind_double(stmt, i, -HUGE_VAL);
        return SQLITE_MISMATCH;
    }
}

/* SQLITE_MISMATCH means that `v` stands for no value. */
static int
bind_value(sqlite3_stmt *stmt, int i, const via_json *v)
{
    const char *text;
    size_t n;

    switch (via_json_type(v)) {
    case VIA_JSON_NULL:
        return sqlite3_bind_null(stmt, i);
    case VIA_JSON_INTEGER:
        return sqlite3_bind_int64(stmt, i, via_json_integer(v));
    case VIA_JSON_REAL:
        return sqlite3_bind_double(stmt, i, via_json_real(v));
    case VIA_JSON_STRING:
        text = via_json_string(v, &n);
        return sqlite3_bind_text64(stmt, i, text, n, SQLITE_STATIC, SQLITE_UTF8);
    case VIA_JSON_OBJECT:
        return bind_object(stmt, i, v);
    default:
        return SQLITE_MISMATCH;
    }
}

static enum via_status
bind_one(sqlite3_stmt *stmt, int i, const via_json *v, struct via_error *e)
{
    int rc = bind_value(stmt, i, v);

    if (rc == SQLITE_OK)
        return VIA_OK;
    if (rc == SQLITE_NOMEM)
        return via_error_set(e, VIA_OUT_OF_MEMORY, "there is no memory for parameter %d", i);
    if (rc == SQLITE_TOOBIG)
        return via_error_set(e, VIA_REQUEST_TOO_LARGE, "parameter %d is too long", i);
    return via_error_set(e, VIA_BAD_REQUEST,
                         "parameter %d is no value: null, a number, a string, "
                         "{\"integer\":\"…\"}, {\"base64\":\"…\"} or {\"real\":\"Infinity\"}",
                         i);
}

static enum via_status
count_wrong(size_t wanted, size_t given, struct via_error *e)
{
    return via_error_set(e, VIA_BAD_REQUEST, "the statement expects %zu parameter%s, given %zu",
                         wanted, wanted == 1 ? "" : "s", given);
}

/* The index of the parameter that `key` names, with or without its prefix; from `after`. */
static int
name_find(sqlite3_stmt *stmt, const char *key, int after)
{
    int count = sqlite3_bind_parameter_count(stmt);

    for (int i = after + 1; i <= count; i++) {
        const char *name = sqlite3_bind_parameter_name(stmt, i);

        if (name && (strcmp(name, key) == 0 || strcmp(name + 1, key) == 0))
            return i;
    }
    return 0;
}

struct names_walk {
    sqlite3_stmt *stmt;
    struct via_error *e;
    int bound;
    unsigned char *seen; /* by index, to tell :a given as "a" and as ":a" */
};

static bool
names_visit(void *arg, const char *key, const via_json *value)
{
    struct names_walk *w = arg;
    int i = name_find(w->stmt, key, 0);

    if (!i) {
        via_error_set(w->e, VIA_BAD_REQUEST, "the statement has no parameter named %.64s", key);
        return false;
    }
    for (; i; i = name_find(w->stmt, key, i)) {
        if (w->seen[i]++) {
            via_error_set(w->e, VIA_BAD_REQUEST, "parameter %.64s is given twice", key);
            return false;
        }
        if (bind_one(w->stmt, i, value, w->e) != VIA_OK)
            return false;
        w->bound++;
    }
    return true;
}

static enum via_status
bind_names(sqlite3_stmt *stmt, const via_json *params, struct via_error *e)
{
    int count = sqlite3_bind_parameter_count(stmt);
    struct names_walk w = {.stmt = stmt, .e = e};

    if (via_json_count(params) > (size_t)count)
        return count_wrong((size_t)count, via_json_count(params), e);
    w.seen = calloc((size_t)count + 1, 1);
    if (!w.seen)
        return via_error_set(e, VIA_OUT_OF_MEMORY, "there is no memory for the parameters");
    if (via_json_each(params, names_visit, &w) && w.bound < count)
        for (int i = 1; i <= count; i++)
            if (!w.seen[i]) {
                const char *name = sqlite3_bind_parameter_name(stmt, i);

                via_error_set(e, VIA_BAD_REQUEST,
                              "the statement expects %d parameter%s, given %d; number %d (%.64s) "
                              "is missing",
                              count, count == 1 ? "" : "s", w.bound, i, name ? name : "?");
                break;
            }
    free(w.seen);
    return e->status;
}

enum via_status
via_values_bind(sqlite3_stmt *stmt, const via_json *params, struct via_error *e)
{
    size_t count = (size_t)sqlite3_bind_parameter_count(stmt);

    if (!params || via_json_type(params) == VIA_JSON_NULL)
        return count ? count_wrong(count, 0, e) : VIA_OK;
    if (via_json_type(params) == VIA_JSON_OBJECT)
        return bind_names(stmt, params, e);
    if (via_json_type(params) != VIA_JSON_ARRAY)
        return via_error_set(e, VIA_BAD_REQUEST, "params is an array or an object");
    if (via_json_count(params) != count)
        return count_wrong(count, via_json_count(params), e);
    for (size_t i = 0; i < count; i++)
        if (bind_one(stmt, (int)i + 1, via_json_at(params, i), e) != VIA_OK)
            return e->status;
    return VIA_OK;
}

/* -- writing -------------------------------------------------------------------- */

static void
put_decimal(struct via_buf *b, int64_t value)
{
    char digits[24];
    char *p = digits + sizeof digits;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

    do
        *--p = (char)('0' + rest % 10);
    while (rest /= 10);
    if (value < 0)
        *--p = '-';
    via_buf_put(b, p, (size_t)(digits + sizeof digits - p));
}

void
via_values_put_integer(struct via_buf *b, int64_t value)
{
    if (value >= -EXACT_MAX && value <= EXACT_MAX) {
        put_decimal(b, value);
        return;
    }
    via_buf_puts(b, "{\"integer\":\"");
    put_decimal(b, value);
    via_buf_puts(b, "\"}");
}

/* The fewest digits that read back as the same double, always with a point or an exponent, so
 * that a real comes back as a real. */
static void
put_real(struct via_buf *b, double value)
{
    char text[40];

    if (isinf(value)) {
        via_buf_puts(b, value > 0 ? "{\"real\":\"Infinity\"}" : "{\"real\":\"-Infinity\"}");
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    via_buf_puts(b, text);
    if (!strpbrk(text, ".e"))
        via_buf_puts(b, ".0");
}

void
via_values_put(struct via_buf *b, sqlite3_stmt *stmt, int i)
{
    const void *bytes;

    switch (sqlite3_column_type(stmt, i)) {
    case SQLITE_INTEGER:
        via_values_put_integer(b, sqlite3_column_int64(stmt, i));
        break;
    case SQLITE_FLOAT:
        put_real(b, sqlite3_column_double(stmt, i));
        break;
    case SQLITE_TEXT:
        bytes = sqlite3_column_text(stmt, i);
        if (!bytes)
            b->failed = true;
        else
            via_buf_put_json(b, bytes, (size_t)sqlite3_column_bytes(stmt, i));
        break;
    case SQLITE_BLOB:
        bytes = sqlite3_column_blob(stmt, i);
        via_buf_puts(b, "{\"base64\":\"");
        if (bytes)
            via_base64_put(b, bytes, (size_t)sqlite3_column_bytes(stmt, i));
        via_buf_puts(b, "\"}");
        break;
    default:
        via_buf_put(b, "null", 4);
    }
}

void
via_values_put_names(struct via_buf *b, sqlite3_stmt *stmt)
{
    int count = sqlite3_column_count(stmt);

    via_buf_putc(b, '[');
    for (int i = 0; i < count; i++) {
        const char *name = sqlite3_column_name(stmt, i);

        if (i)
            via_buf_putc(b, ',');
        via_buf_put_json(b, name ? name : "", name ? strlen(name) : 0);
    }
    via_buf_putc(b, ']');
}
