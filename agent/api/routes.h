/* routes.h: the runtime API: paths to handlers. */
#ifndef VIA_API_ROUTES_H
#define VIA_API_ROUTES_H

#include "api/agent.h"
#include "http/server.h"

/* Fill in the handler that serves the runtime API of `a`, which is borrowed. */
void via_routes_handler(struct via_agent *a, struct via_http_handler *out);

#endif
