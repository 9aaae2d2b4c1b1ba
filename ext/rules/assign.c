/* assign.c: a tokeniser for as much of SQL as an assignment needs. */
#include "rules/assign.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

enum kind { END, WORD, PARAMETER, OTHER };

struct token {
    enum kind kind;
    const char *at;
    size_t n;
};

static bool
is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '$' || (unsigned char)c >= 0x80;
}

static const char *
skip_blank(const char *p)
{
    const char *end;

    for (;;) {
        p += strspn(p, " \t\n\f\r");
        if (p[0] == '-' && p[1] == '-') {
            p += strcspn(p, "\n");
        } else if (p[0] == '/' && p[1] == '*') {
            end = strstr(p + 2, "*/");
            p = end ? end + 2 : p + strlen(p);
        } else {
            return p;
        }
    }
}

/* Behind the text in quotes that begins at `p`, a doubled quote standing for itself. */
static const char *
skip_quoted(const char *p, char close)
{
    for (p++; *p; p++) {
        if (*p == close && p[1] != close)
            return p + 1;
        if (*p == close)
            p++;
    }
    return p;
}

/* Read the token at *p and step over it. A quoted name is a word without its quotes. */
static struct token
token_next(const char **p)
{
    struct token t = {.kind = OTHER, .at = skip_blank(*p)};
    const char *q = t.at;

    if (*q == '\0') {
        t.kind = END;
    } else if (*q == '"' || *q == '`' || *q == '[') {
        q = skip_quoted(q, *q == '[' ? ']' : *q);
        *p = q;
        if (q - t.at < 2)
            return t;
        return (struct token){.kind = WORD, .at = t.at + 1, .n = (size_t)(q - t.at - 2)};
    } else if (*q == '\'') {
        q = skip_quoted(q, '\'');
    } else if (*q == '?' || *q == ':' || *q == '@' || *q == '$') {
        t.kind = PARAMETER;
        for (q++; is_word(*q) || *q == ':'; q++)
            ;
    } else if (is_word(*q)) {
        t.kind = WORD;
        while (is_word(*q))
            q++;
    } else {
        q++;
    }
    *p = q;
    t.n = (size_t)(q - t.at);
    return t;
}

static bool
token_is(struct token t, enum kind kind, const char *text)
{
    return t.kind == kind && strlen(text) == t.n && strncasecmp(t.at, text, t.n) == 0;
}

/* Does an assignment end here? */
static bool
token_ends(struct token t)
{
    static const char *const words[] = {"WHERE", "FROM", "RETURNING", "ORDER", "LIMIT"};

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (token_is(t, WORD, words[i]))
            return true;
    return t.kind == END || token_is(t, OTHER, ",") || token_is(t, OTHER, ";");
}

static bool
token_is_set(struct token t)
{
    return token_is(t, WORD, "SET");
}

/* Step over what stands before the first token that is `last` and in no brackets, and over that,
 * which is the answer. */
static struct token
skip_to(const char **p, bool (*last)(struct token t))
{
    struct token t;
    int depth = 0;

    do {
        t = token_next(p);
        depth += token_is(t, OTHER, "(") - token_is(t, OTHER, ")");
    } while (t.kind != END && (depth != 0 || !last(t)));
    return t;
}

bool
via_assigns_parameter(const char *sql, const char *column)
{
    const char *p = sql;
    bool found = false;

    /* The statement's own, not those of what stands in brackets before it. */
    (void)skip_to(&p, token_is_set);
    for (bool more = true; more;) {
        const char *here = p, *value;

        if (!token_is(token_next(&p), WORD, column) || !token_is(token_next(&p), OTHER, "=")) {
            p = here;
        } else {
            value = p;
            /* of two assignments the last counts: all must be parameters */
            if (token_next(&p).kind != PARAMETER || !token_ends(token_next(&p)))
                return false;
            found = true;
            p = value;
        }
        more = token_is(skip_to(&p, token_ends), OTHER, ",");
    }
    return found;
}
