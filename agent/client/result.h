/* result.h: an answer turned into columns and rows. */
#ifndef VIA_CLIENT_RESULT_H
#define VIA_CLIENT_RESULT_H

#include "via/via.h"

/* Read a 200 answer. NULL with *why: internal_error when it is no result, out_of_memory. The
 * caller frees it with via_result_free. */
struct via_result *via_result_parse(const char *body, size_t n, struct via_failure *why);

#endif
