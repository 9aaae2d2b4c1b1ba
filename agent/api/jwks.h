/* jwks.h: the public halves of the host's signing keys, for who verifies elsewhere (RFC 7517). */
#ifndef VIA_API_JWKS_H
#define VIA_API_JWKS_H

#include "api/agent.h"
#include "http/server.h"

/* GET /.well-known/jwks.json */
enum via_http_turn via_jwks_serve(struct via_agent *a, struct via_http_request *r);

#endif
