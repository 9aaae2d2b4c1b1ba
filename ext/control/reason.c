#include "control/reason.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char more[] = "…";

static void reason_add(struct via_reason *r, const char *format, ...) VIA_PRINTF(2, 3);

/* A fact is added whole or not at all; room for the sign that some are missing is kept. */
static void
reason_add(struct via_reason *r, const char *format, ...)
{
    const char *comma = r->len ? ", " : "";
    char fact[VIA_REASON_SIZE];
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(fact, sizeof fact, format, args);
    va_end(args);
    if (r->is_full || n < 0)
        return;
    r->is_full = r->len + 2 * strlen(", ") + (size_t)n + sizeof more > sizeof r->text;
    r->len += (size_t)snprintf(r->text + r->len, sizeof r->text - r->len, "%s%s", comma,
                               r->is_full ? more : fact);
}

static const char *
shown(const char *value)
{
    return *value ? value : "''";
}

void
via_reason_put(struct via_reason *r, const char *name, const char *value)
{
    if (value)
        reason_add(r, "%s %s", name, shown(value));
    else
        reason_add(r, "%s", name);
}

void
via_reason_put_int(struct via_reason *r, const char *name, int64_t value)
{
    reason_add(r, "%s %" PRId64, name, value);
}

void
via_reason_put_change(struct via_reason *r, const char *name, const char *value, const char *was)
{
    reason_add(r, "%s %s (was %s)", name, shown(value), shown(was));
}

/* How much of `text` is told: all of it, or as many whole characters as fit. */
static size_t
quote_length(const char *text)
{
    size_t n = strnlen(text, VIA_QUOTE_MAX + 1);

    if (n <= VIA_QUOTE_MAX)
        return n;
    n = VIA_QUOTE_MAX;
    while (n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
        n--;
    return n;
}

const char *
via_reason_quote(const char *text, char out[VIA_QUOTE_SIZE])
{
    size_t told = quote_length(text);
    size_t n = 0;

    out[n++] = '"';
    for (size_t i = 0; i < told; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c == '"' || c == '\\')
            out[n++] = '\\';
        out[n++] = c < ' ' || c == 127 ? ' ' : (char)c;
    }
    (void)snprintf(out + n, VIA_QUOTE_SIZE - n, "%s\"", text[told] ? "…" : "");
    return out;
}
