/* configreply.h: what names stand for in a profile, and the answer that tells it. */
#ifndef VIA_API_CONFIGREPLY_H
#define VIA_API_CONFIGREPLY_H

#include "api/configrequest.h"
#include "control/profile.h"

enum via_told {
    VIA_TOLD_NOTHING,
    VIA_TOLD_VALUE,      /* an environment value */
    VIA_TOLD_DESCRIPTOR, /* a binding */
    VIA_TOLD_URL,        /* a binding's X_URL */
    VIA_TOLD_TOKEN       /* and its X_AUTH_TOKEN */
};

struct via_config_item {
    enum via_told what;
    struct via_config_key key;
    const struct via_profile_value *value;
    struct via_profile_binding *binding; /* of the last three */
};

/* What is told from: a profile, and the agent's address for libSQL clients ("" without one). */
struct via_config_source {
    struct via_profile *profile;
    const char *base_url;
};

/* Visit what `q` asks for, each name once; stop when `fn` says false. Returns false when it was
 * stopped. */
bool via_config_each(const struct via_config_source *from, const struct via_configrequest *q,
                     bool (*fn)(void *arg, const struct via_config_item *item), void *arg);

/* Write the answer to `q`. For a single value, which must not be missing, its own shape. */
void via_configreply_write(struct via_buf *b, const struct via_config_source *from,
                           const struct via_configrequest *q);

#endif
