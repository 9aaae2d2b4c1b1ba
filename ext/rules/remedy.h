/* remedy.h: what to type when a gate refuses. Pure.
 *
 * The same lines as the command line's own, for those who ask in SQL. */
#ifndef VIA_RULES_REMEDY_H
#define VIA_RULES_REMEDY_H

#include "rules/lifecycle.h"
#include "via/model.h"

/* Whom a gate refuses, and what; "" for what is not known. */
struct via_refused {
    enum via_status why;
    const char *app;
    const char *target;
    const char *addon;
    const char *binding;
    enum via_addon_state addon_state; /* when `addon` is known */
};

/* Put the line that mends it into `out`, "" when nothing is refused. */
void via_remedy_put(const struct via_refused *r, char out[VIA_MESSAGE_SIZE]);

#endif
