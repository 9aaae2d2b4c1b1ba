/* host.h: which Host and Origin headers are served. Pure.
 *
 * A page in a browser can make it send requests to loopback under a name of the page's
 * choosing (DNS rebinding); the check of both headers stops that. */
#ifndef VIA_HTTP_HOST_H
#define VIA_HTTP_HOST_H

#include <stdbool.h>

/* Is `host` (a Host header, port and all) loopback, *.localhost, the address `listen`
 * ("HOST:PORT", may be "") or in `allowed`, names separated by commas or blanks? */
bool via_http_host_is_served(const char *host, const char *listen, const char *allowed);

/* Is `origin` (an Origin header, "scheme://host[:port]") on a host of `allowed`? */
bool via_http_origin_is_allowed(const char *origin, const char *allowed);

#endif
