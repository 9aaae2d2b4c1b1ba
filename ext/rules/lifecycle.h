/* lifecycle.h: which state may follow which. Pure: a table of allowed successors. */
#ifndef VIA_RULES_LIFECYCLE_H
#define VIA_RULES_LIFECYCLE_H

#include "via/model.h"

#define VIA_ADDON_STATES(X)                                                                        \
    X(PROVISIONING, "provisioning")                                                                \
    X(READY, "ready")                                                                              \
    X(SUSPENDED, "suspended")                                                                      \
    X(DRAINING, "draining")                                                                        \
    X(FAILED, "failed")                                                                            \
    X(DESTROYED, "destroyed")

enum via_addon_state {
#define VIA_STATE_NAME(name, word) VIA_ADDON_IS_##name,
    VIA_ADDON_STATES(VIA_STATE_NAME)
#undef VIA_STATE_NAME
        VIA_ADDON_STATE_COUNT
};

const char *via_addon_state_word(enum via_addon_state state);

/* The state of a word; false when there is none such. */
VIA_MUST_USE bool via_addon_state_parse(const char *word, enum via_addon_state *out);

/* Why an add-on may go from one state to another; NULL when it may not. */
const char *via_addon_state_reason(enum via_addon_state from, enum via_addon_state to);

/* May an operator ask for this change by UPDATE? (ready and suspended alone.) */
bool via_addon_state_may_set(enum via_addon_state from, enum via_addon_state to);

#endif
