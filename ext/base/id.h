/* id.h: identifiers that sort by time, and randomness.
 *
 * An id is PREFIX_ and 26 characters of Crockford base32: 48 bits of Unix
 * milliseconds, then 80 random bits (the ULID layout, github.com/ulid/spec). Within
 * one process two ids of one millisecond still sort in the order they were made. */
#ifndef VIA_BASE_ID_H
#define VIA_BASE_ID_H

#include "via/limits.h"
#include "via/status.h"

#include <stdbool.h>
#include <stddef.h>

/* Make an id. `prefix` without the underscore, at most 8 characters. */
void via_id_make(const char *prefix, char out[VIA_ID_SIZE]);

/* Let the ids that this process makes from now on sort after `id`, whatever the clock says. */
void via_id_pass(const char *id);

/* Is `text` an id of `prefix`? */
bool via_id_is(const char *prefix, const char *text);

/* Fill with bytes from the kernel (getrandom). Cannot fail. */
void via_random_fill(void *out, size_t n);

#endif
