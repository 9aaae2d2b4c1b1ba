/* failure.h: filling struct via_failure. */
#ifndef VIA_CLIENT_FAILURE_H
#define VIA_CLIENT_FAILURE_H

#include "via/status.h"
#include "via/via.h"

/* Replace *why (unless NULL) with `status` and the sentence; all other fields are cleared. */
void via_failure_set(struct via_failure *why, enum via_status status, const char *format, ...)
    VIA_PRINTF(3, 4);

/* Replace *why with what an answer of HTTP status `http` says: {"code","message","sqlite"?}
 * in the `n` bytes at `body`, or, when it is not that, what the status itself tells. */
void via_failure_parse(struct via_failure *why, int http, int retry_after_s, const char *body,
                       size_t n);

#endif
