/* config.h: the config routes: an instance asks for its values and descriptors. */
#ifndef VIA_API_CONFIG_H
#define VIA_API_CONFIG_H

#include "api/agent.h"
#include "api/configrequest.h"
#include "http/server.h"

/* Serve a request of that kind. What it holds is let go of by via_sqlcall_over() and _gone(). */
enum via_http_turn via_config_serve(struct via_agent *a, struct via_http_request *r,
                                    enum via_config_kind kind);

#endif
