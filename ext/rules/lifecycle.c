#include "rules/lifecycle.h"

#include <string.h>

static const char *const state_words[] = {
#define STATE_WORD(name, word) word,
    VIA_ADDON_STATES(STATE_WORD)
#undef STATE_WORD
};

static const struct {
    enum via_addon_state from, to;
    const char *reason;
} successors[] = {
    {VIA_ADDON_IS_PROVISIONING, VIA_ADDON_IS_READY, "its storage is made"},
    {VIA_ADDON_IS_PROVISIONING, VIA_ADDON_IS_FAILED, "its storage could not be made"},
    {VIA_ADDON_IS_FAILED, VIA_ADDON_IS_READY, "its storage was repaired or adopted"},
    {VIA_ADDON_IS_FAILED, VIA_ADDON_IS_DESTROYED, "the operator gave it up"},
    {VIA_ADDON_IS_READY, VIA_ADDON_IS_SUSPENDED, "the operator suspended it"},
    {VIA_ADDON_IS_READY, VIA_ADDON_IS_DRAINING, "its content is about to be exchanged"},
    {VIA_ADDON_IS_READY, VIA_ADDON_IS_DESTROYED, "the operator destroyed it"},
    {VIA_ADDON_IS_DRAINING, VIA_ADDON_IS_READY, "its content was exchanged, or not"},
    {VIA_ADDON_IS_SUSPENDED, VIA_ADDON_IS_READY, "the operator resumed it"},
    {VIA_ADDON_IS_SUSPENDED, VIA_ADDON_IS_DESTROYED, "the operator destroyed it"},
};

const char *
via_addon_state_word(enum via_addon_state state)
{
    return state < VIA_ADDON_STATE_COUNT ? state_words[state] : "";
}

bool
via_addon_state_parse(const char *word, enum via_addon_state *out)
{
    for (int i = 0; i < VIA_ADDON_STATE_COUNT; i++)
        if (word && strcmp(word, state_words[i]) == 0) {
            *out = (enum via_addon_state)i;
            return true;
        }
    return false;
}

const char *
via_addon_state_reason(enum via_addon_state from, enum via_addon_state to)
{
    for (size_t i = 0; i < sizeof successors / sizeof successors[0]; i++)
        if (successors[i].from == from && successors[i].to == to)
            return successors[i].reason;
    return NULL;
}

bool
via_addon_state_may_set(enum via_addon_state from, enum via_addon_state to)
{
    bool asked = (from == VIA_ADDON_IS_READY && to == VIA_ADDON_IS_SUSPENDED) ||
                 (from == VIA_ADDON_IS_SUSPENDED && to == VIA_ADDON_IS_READY);

    return asked && via_addon_state_reason(from, to) != NULL;
}
