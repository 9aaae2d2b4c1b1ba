/* error.c: one status and one sentence; the first wins. */
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void
via_error_clear(struct via_error *e)
{
    if (!e)
        return;
    e->status = VIA_OK;
    e->message[0] = '\0';
}

bool
via_error_is_set(const struct via_error *e)
{
    return e && e->status != VIA_OK;
}

enum via_status
via_error_set(struct via_error *e, enum via_status status, const char *format, ...)
{
    va_list args;

    if (!e)
        return status;
    if (e->status != VIA_OK)
        return e->status;
    e->status = status;
    va_start(args, format);
    vsnprintf(e->message, sizeof e->message, format, args);
    va_end(args);
    return status;
}

static enum via_status
errno_status(int err, enum via_status fallback)
{
    if (err == ENOSPC || err == EDQUOT)
        return VIA_DISK_FULL;
    if (err == EMFILE || err == ENFILE) /* what is not to be had for a moment, is not missing */
        return VIA_OVERLOADED;
    return err == ENOMEM ? VIA_OUT_OF_MEMORY : fallback;
}

enum via_status
via_error_set_errno(struct via_error *e, enum via_status fallback, int err, const char *format, ...)
{
    enum via_status status = errno_status(err, fallback);
    char sentence[VIA_MESSAGE_SIZE - 64];
    char words[64];
    va_list args;

    va_start(args, format);
    vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    return via_error_set(e, status, "%s (%s)", sentence, strerror_r(err, words, sizeof words));
}
