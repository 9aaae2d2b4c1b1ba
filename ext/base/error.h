/* error.h: filling struct via_error.
 *
 * The first error wins: setting an error that is already set changes nothing, so
 * a sequence of steps may go on and be asked at its end. */
#ifndef VIA_BASE_ERROR_H
#define VIA_BASE_ERROR_H

#include "via/model.h"

void via_error_clear(struct via_error *e);
bool via_error_is_set(const struct via_error *e);

/* Store `status` and the sentence, unless an error is stored already. Returns the
 * status that is stored afterwards. `e` may be NULL: then only returns `status`. */
enum via_status via_error_set(struct via_error *e, enum via_status status, const char *format, ...)
    VIA_PRINTF(3, 4);

/* As above, translating `err` (an errno value): ENOSPC and EDQUOT become
 * VIA_DISK_FULL, EMFILE and ENFILE VIA_OVERLOADED, ENOMEM VIA_OUT_OF_MEMORY,
 * everything else `fallback`. The system's words follow the sentence. */
enum via_status via_error_set_errno(struct via_error *e, enum via_status fallback, int err,
                                    const char *format, ...) VIA_PRINTF(4, 5);

#endif
