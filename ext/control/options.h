/* options.h: what may be set on an add-on, and what it means for an operation. */
#ifndef VIA_CONTROL_OPTIONS_H
#define VIA_CONTROL_OPTIONS_H

#include "base/buf.h"
#include "control/reason.h"
#include "rules/schedule.h"
#include "sql/sql.h"

/* Merge the JSON object `change` (NULL: nothing) into the stored object `old`; null resets a
 * member. The handle holds VIA_OPTION_UNKNOWN, VIA_OPTION_INVALID or VIA_VALUE_INVALID. */
void via_options_merge(struct via_sql *db, const char *old, const char *change,
                       struct via_buf *out);

/* Tell of each option that differs what it was and what it is; both are stored objects. */
void via_options_tell(const char *was, const char *is, struct via_reason *why);

/* The policy in the stored options `text`; defaults for what is absent, nothing allowed when it
 * cannot be read. */
void via_options_policy(const char *text, struct via_addon_policy *out);

/* The snapshot schedule in the stored options `text`; none when it cannot be read. */
void via_options_schedule(const char *text, struct via_schedule *out);

#endif
