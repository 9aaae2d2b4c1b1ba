/* status.c: the table of codes, as arrays.
 *
 * Decides nothing: every answer is a row of VIA_STATUS_TABLE. */
#include "via/status.h"

#include <string.h>

struct status_row {
    const char *word;
    int http;
    int exit_code;
    const char *owner;
};

static const struct status_row status_rows[VIA_STATUS_COUNT] = {
#define STATUS_ROW(name, word, http, exit_code, owner)                                             \
    [VIA_##name] = {word, http, exit_code, owner},
    VIA_STATUS_TABLE(STATUS_ROW)
#undef STATUS_ROW
};

/* A number from elsewhere (a newer agent, a damaged row) is an internal error, not a crash. */
static const struct status_row *
status_row(enum via_status status)
{
    unsigned i = (unsigned)status;

    return &status_rows[i < VIA_STATUS_COUNT ? i : (unsigned)VIA_INTERNAL_ERROR];
}

const char *
via_status_word(enum via_status status)
{
    return status_row(status)->word;
}

int
via_status_http(enum via_status status)
{
    return status_row(status)->http;
}

int
via_status_exit(enum via_status status)
{
    return status_row(status)->exit_code;
}

const char *
via_status_owner(enum via_status status)
{
    return status_row(status)->owner;
}

enum via_status
via_status_parse(const char *word, unsigned long n)
{
    for (int i = 0; i < VIA_STATUS_COUNT; i++) {
        const char *have = status_rows[i].word;

        if (strlen(have) == n && memcmp(have, word, n) == 0)
            return (enum via_status)i;
    }
    return VIA_INTERNAL_ERROR;
}
