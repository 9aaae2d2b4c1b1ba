#include "rules/names.h"

#include <stdio.h>
#include <string.h>

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define SMALL "abcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"

/* First character from `first`, the rest from `rest`, 1 to VIA_NAME_SIZE - 1 in all. */
static bool
name_matches(const char *text, const char *first, const char *rest)
{
    size_t n = text ? strlen(text) : 0;

    if (n == 0 || n >= VIA_NAME_SIZE || !strchr(first, text[0]))
        return false;
    return strspn(text, rest) == n;
}

bool
via_name_is_plain(const char *text)
{
    return name_matches(text, LETTERS SMALL DIGITS, LETTERS SMALL DIGITS "._-");
}

bool
via_name_is_target(const char *text)
{
    return text && (text[0] == '\0' || via_name_is_plain(text));
}

bool
via_name_is_binding(const char *text)
{
    return name_matches(text, LETTERS, LETTERS DIGITS "_");
}

/* Is `longer` the name `base` with `suffix` behind it? */
static bool
name_derives(const char *base, const char *suffix, const char *longer)
{
    size_t n = strlen(base);

    return strncmp(longer, base, n) == 0 && strcmp(longer + n, suffix) == 0;
}

bool
via_name_collides(const char *a, const char *b)
{
    static const char *const suffixes[] = {"_URL", "_AUTH_TOKEN"};

    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++)
        if (name_derives(a, suffixes[i], b) || name_derives(b, suffixes[i], a))
            return true;
    return false;
}

void
via_name_bury(const char *name, const char *why, const char *addon_id,
              char out[VIA_ADDON_ROW_NAME_SIZE])
{
    (void)snprintf(out, VIA_ADDON_ROW_NAME_SIZE, "%s#%s#%s", name, why, addon_id);
}
