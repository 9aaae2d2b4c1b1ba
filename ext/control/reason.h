/* reason.h: what a record of the audit says in `reason` of a change that was made.
 *
 * One line of facts, the subject's first: "add-on app-db, target prod, generation 2". A fact is a
 * name and a value. What is of a known alphabet (a name, an id, a number, a word) stands bare, the
 * empty text as ''; what an operator wrote is quoted, on one line and cut. Of a change the value
 * before follows: "mode ro (was rw)". Never a secret, a value of the environment, or a path. */
#ifndef VIA_CONTROL_REASON_H
#define VIA_CONTROL_REASON_H

#include "via/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VIA_REASON_SIZE 2048
#define VIA_QUOTE_MAX 256                      /* bytes of an operator's text that are told */
#define VIA_QUOTE_SIZE (2 * VIA_QUOTE_MAX + 8) /* with escapes, quotes and the sign of a cut */

/* Zero it to begin. A fact that does not fit is left out, and the line ends in "…". */
struct via_reason {
    size_t len;
    bool is_full;
    char text[VIA_REASON_SIZE];
};

/* Add a fact; `value` is bare, NULL when the name says it all. */
void via_reason_put(struct via_reason *r, const char *name, const char *value);
void via_reason_put_int(struct via_reason *r, const char *name, int64_t value);

/* Add what something is now and was before; both are bare. */
void via_reason_put_change(struct via_reason *r, const char *name, const char *value,
                           const char *was);

/* An operator's text as it may stand for a value: written into `out`, which is returned. */
const char *via_reason_quote(const char *text, char out[VIA_QUOTE_SIZE]);

#endif
