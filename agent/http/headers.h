/* headers.h: the few headers that matter, and what is wrong with the rest.
 *
 * Refuses what the HTTP library lets through and a proxy in front might read otherwise:
 * repeated or contradicting framing headers, odd names, control characters (RFC 9112
 * sections 2.2, 5.1, 6.3). Inside of this room only. */
#ifndef VIA_HTTP_HEADERS_H
#define VIA_HTTP_HEADERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct MHD_Connection;

struct via_http_headers {
    const char *host;
    const char *origin;
    const char *authorization;
    uint64_t length; /* Content-Length, 0 when absent */
    bool has_length;
    bool has_coding;   /* Transfer-Encoding */
    bool has_expect;   /* Expect: the body comes when it is asked for */
    const char *wrong; /* a sentence, or NULL when all is well */
};

/* Read the headers of the request that `connection` holds into a zeroed *h. */
void via_http_headers_read(struct via_http_headers *h, struct MHD_Connection *connection);

/* Take one header in; the step of the above, for tests. False: stop, `wrong` is set. */
bool via_http_headers_take(struct via_http_headers *h, const char *name, size_t name_len,
                           const char *value, size_t value_len);

#endif
