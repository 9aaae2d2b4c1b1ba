/* body.h: the JSON object that a request carries, read member by member. */
#ifndef VIA_API_BODY_H
#define VIA_API_BODY_H

#include "base/json.h"

struct via_body {
    const char *bytes;
    size_t n;
    int max_depth;
};

/* Take one member; false with the error set when it must not be there, or not so. */
typedef bool (*via_member_fn)(void *arg, const char *key, const via_json *value);

/* Parse `body` into *doc, which the caller frees whatever happened, and give each member to `take`.
 * VIA_BAD_REQUEST unless it is an object, and whatever `take` sets in *e. */
VIA_MUST_USE enum via_status via_body_read(const struct via_body *body, via_json **doc,
                                           via_member_fn take, void *arg, struct via_error *e);

#endif
