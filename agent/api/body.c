#include "api/body.h"

#include "base/error.h"

enum via_status
via_body_read(const struct via_body *body, via_json **doc, via_member_fn take, void *arg,
              struct via_error *e)
{
    if (body->n == 0)
        return via_error_set(e, VIA_BAD_REQUEST, "the request has no body");
    if (via_json_parse(body->bytes, body->n, body->max_depth, doc, e) != VIA_OK)
        return e->status;
    if (via_json_type(*doc) != VIA_JSON_OBJECT)
        return via_error_set(e, VIA_BAD_REQUEST, "the body is an object");
    return via_json_each(*doc, take, arg) ? VIA_OK : e->status;
}
