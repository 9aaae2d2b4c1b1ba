/* encode.h: values as the runtime API writes them, both ways.
 *
 * null, numbers and strings are JSON's own; {"integer":"…"}, {"base64":"…"} and
 * {"real":"Infinity"} carry what JSON cannot. Pure: no I/O. */
#ifndef VIA_CLIENT_ENCODE_H
#define VIA_CLIENT_ENCODE_H

#include "base/buf.h"
#include "base/json.h"
#include "via/via.h"

/* Append a request's body. False with *why (bad_request) when a text is no UTF-8 or named and
 * positional parameters are mixed; out_of_memory. */
bool via_encode_request(struct via_buf *out, const char *binding, const char *sql,
                        const struct via_param *params, size_t count, struct via_failure *why);

/* Read one value. Text borrows from `json`; a blob is malloc'ed into *owned, which the
 * caller frees (NULL otherwise). False when it is none of the forms, or memory is short. */
bool via_encode_parse(const via_json *json, struct via_value *out, void **owned);

#endif
