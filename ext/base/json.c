/* json.c: strict JSON over jansson.
 *
 * Its sentences never quote the document, which may hold an app's SQL or a secret:
 * they say what is wrong and at which byte. */
#include "base/json.h"

#include "base/error.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* Check the nesting before anything recurses. Returns the byte that goes too deep, or `n`. */
static size_t
json_find_too_deep(const char *text, size_t n, int max_depth)
{
    bool in_string = false;
    int depth = 0;

    for (size_t i = 0; i < n; i++) {
        char c = text[i];

        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '[' || c == '{') {
            if (++depth > max_depth)
                return i;
        } else if (c == ']' || c == '}') {
            depth--;
        }
    }
    return n;
}

/* What the parser found, in our words. */
static const char *
json_complaint(enum json_error_code code)
{
    switch (code) {
    case json_error_duplicate_key:
        return "has the same key twice in one object";
    case json_error_invalid_utf8:
        return "is not valid UTF-8";
    case json_error_premature_end_of_input:
        return "ends too early";
    case json_error_end_of_input_expected:
        return "goes on after its end";
    case json_error_numeric_overflow:
        return "has a number that is too large";
    case json_error_null_byte_in_key:
        return "has a NUL in a key";
    default:
        return "is malformed";
    }
}

enum via_status
via_json_parse(const char *text, size_t n, int max_depth, via_json **out, struct via_error *e)
{
    size_t deep = json_find_too_deep(text, n, max_depth);
    json_error_t why;

    *out = NULL;
    if (deep < n)
        return via_error_set(e, VIA_BAD_REQUEST,
                             "the JSON is nested deeper than %d levels, at byte %zu", max_depth,
                             deep);
    *out = json_loadb(n ? text : "", n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL | JSON_DECODE_ANY,
                      &why);
    if (*out)
        return VIA_OK;
    if (json_error_code(&why) == json_error_out_of_memory)
        return via_error_set(e, VIA_OUT_OF_MEMORY, "no memory is left to read the JSON");
    return via_error_set(e, VIA_BAD_REQUEST, "the JSON %s, at byte %d",
                         json_complaint(json_error_code(&why)), why.position);
}

void
via_json_free(via_json *doc)
{
    json_decref(doc);
}

enum via_json_type
via_json_type(const via_json *v)
{
    if (!v)
        return VIA_JSON_NULL;
    switch (json_typeof(v)) {
    case JSON_FALSE:
        return VIA_JSON_FALSE;
    case JSON_TRUE:
        return VIA_JSON_TRUE;
    case JSON_INTEGER:
        return VIA_JSON_INTEGER;
    case JSON_REAL:
        return VIA_JSON_REAL;
    case JSON_STRING:
        return VIA_JSON_STRING;
    case JSON_ARRAY:
        return VIA_JSON_ARRAY;
    case JSON_OBJECT:
        return VIA_JSON_OBJECT;
    default:
        return VIA_JSON_NULL;
    }
}

int64_t
via_json_integer(const via_json *v)
{
    return json_integer_value(v);
}

double
via_json_real(const via_json *v)
{
    return json_number_value(v);
}

const char *
via_json_string(const via_json *v, size_t *n)
{
    if (n)
        *n = json_string_length(v);
    return json_string_value(v);
}

size_t
via_json_count(const via_json *v)
{
    return json_is_array(v) ? json_array_size(v) : json_object_size(v);
}

const via_json *
via_json_at(const via_json *array, size_t i)
{
    return json_array_get(array, i);
}

const via_json *
via_json_member(const via_json *object, const char *key)
{
    return json_object_get(object, key);
}

bool
via_json_each(const via_json *object, bool (*fn)(void *arg, const char *key, const via_json *value),
              void *arg)
{
    json_t *o = (json_t *)object; /* jansson's iterators do not take const; nothing is changed */

    for (void *it = json_object_iter(o); it; it = json_object_iter_next(o, it)) {
        if (!fn(arg, json_object_iter_key(it), json_object_iter_value(it)))
            return false;
    }
    return true;
}

/* Members of one object on their way to be sorted. */
struct json_members {
    const char **keys;
    size_t n;
};

static bool
members_add(void *arg, const char *key, const via_json *value)
{
    struct json_members *m = arg;

    (void)value;
    m->keys[m->n++] = key;
    return true;
}

static int
key_compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void
json_write_object(struct via_buf *b, const via_json *v)
{
    struct json_members m = {.keys = calloc(via_json_count(v) + 1, sizeof *m.keys)};

    if (!m.keys) {
        b->failed = true;
        return;
    }
    via_json_each(v, members_add, &m);
    qsort(m.keys, m.n, sizeof *m.keys, key_compare);
    via_buf_putc(b, '{');
    for (size_t i = 0; i < m.n; i++) {
        if (i > 0)
            via_buf_putc(b, ',');
        via_buf_put_json(b, m.keys[i], strlen(m.keys[i]));
        via_buf_putc(b, ':');
        via_json_write(b, via_json_member(v, m.keys[i]));
    }
    via_buf_putc(b, '}');
    free(m.keys);
}

static void
json_write_array(struct via_buf *b, const via_json *v)
{
    via_buf_putc(b, '[');
    for (size_t i = 0; i < via_json_count(v); i++) {
        if (i > 0)
            via_buf_putc(b, ',');
        via_json_write(b, via_json_at(v, i));
    }
    via_buf_putc(b, ']');
}

void
via_json_write(struct via_buf *b, const via_json *v)
{
    char real[64];
    size_t n;

    switch (via_json_type(v)) {
    case VIA_JSON_NULL:
        via_buf_puts(b, "null");
        break;
    case VIA_JSON_FALSE:
        via_buf_puts(b, "false");
        break;
    case VIA_JSON_TRUE:
        via_buf_puts(b, "true");
        break;
    case VIA_JSON_INTEGER:
        via_buf_printf(b, "%" PRId64, via_json_integer(v));
        break;
    case VIA_JSON_REAL: /* the library knows how to step round the locale's decimal comma */
        n = json_dumpb(v, real, sizeof real, JSON_ENCODE_ANY);
        via_buf_put(b, real, n < sizeof real ? n : 0);
        break;
    case VIA_JSON_STRING:
        via_buf_put_json(b, via_json_string(v, NULL), json_string_length(v));
        break;
    case VIA_JSON_ARRAY:
        json_write_array(b, v);
        break;
    case VIA_JSON_OBJECT:
        json_write_object(b, v);
        break;
    }
}
