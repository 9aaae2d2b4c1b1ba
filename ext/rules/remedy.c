#include "rules/remedy.h"

#include <stdio.h>
#include <string.h>

/* {a}: the app, {n}: the add-on, {b}: the binding, {t}: " --target T" or nothing, {T}: the same,
 * the default one named too. */
static const struct {
    enum via_status why;
    const char *line;
} lines[] = {
    {VIA_TOKEN_MISSING, "vary app repair {a}{T}"},
    {VIA_TOKEN_INVALID, "vary app repair {a}{T}"},
    {VIA_RUNTIME_IDENTITY_EXPIRED, "vary app repair {a}{T}"},
    {VIA_WORKLOAD_UNBOUND, "via run {a}{t} -- COMMAND"},
    {VIA_MANIFEST_INVALID, "vary app deploy {a}{t}"},
    {VIA_BINDING_NOT_IN_RELEASE, "vary app deploy {a}{t}"},
    {VIA_GENERATION_UNKNOWN, "vary app deploy {a}{t}"},
    {VIA_GENERATION_REVOKED, "via addon rotate-credentials {n} --app {a} --binding {b}{t}"},
    {VIA_READ_ONLY_BINDING, "via sql \"UPDATE via_bindings SET mode = 'rw' WHERE app = '{a}' AND "
                            "binding = '{b}'\" && vary app deploy {a}{t}"},
    {VIA_ADDON_BLOCKED, "via addon set {n} --app {a} block_reads=null block_writes=null"},
    {VIA_ADDON_DRAINING, "via status"},
    {VIA_STORAGE_MISSING, "via addon status {n} --app {a}"},
};

static const char *
word_of(const struct via_refused *r, char letter)
{
    switch (letter) {
    case 'a':
        return r->app[0] ? r->app : "APP";
    case 'n':
        return r->addon[0] ? r->addon : "NAME";
    case 'b':
        return r->binding;
    default:
        return r->target;
    }
}

static void
line_put(const struct via_refused *r, const char *line, char out[VIA_MESSAGE_SIZE])
{
    size_t n = 0;

    while (*line && n + 1 < VIA_MESSAGE_SIZE) {
        char letter = line[0] == '{' ? line[1] : '\0';
        const char *word = letter ? word_of(r, letter) : NULL;

        if (!letter)
            out[n++] = *line++;
        else
            line += strlen("{a}");
        if (letter == 'T' && !*word)
            word = "''";
        if (word && *word)
            n += (size_t)snprintf(out + n, VIA_MESSAGE_SIZE - n, "%s%s",
                                  letter == 't' || letter == 'T' ? " --target " : "", word);
    }
    out[n < VIA_MESSAGE_SIZE ? n : VIA_MESSAGE_SIZE - 1] = '\0';
}

/* An add-on that is not there to be used: its state says what helps. */
static const char *
line_of_unavailable(const struct via_refused *r)
{
    if (!r->addon[0] || r->addon_state == VIA_ADDON_IS_DESTROYED)
        return "vary app deploy {a}{t}";
    return r->addon_state == VIA_ADDON_IS_SUSPENDED ? "via addon resume {n} --app {a}"
                                                    : "via addon status {n} --app {a}";
}

void
via_remedy_put(const struct via_refused *r, char out[VIA_MESSAGE_SIZE])
{
    out[0] = '\0';
    if (r->why == VIA_ADDON_UNAVAILABLE) {
        line_put(r, line_of_unavailable(r), out);
        return;
    }
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        if (lines[i].why == r->why)
            line_put(r, lines[i].line, out);
}
