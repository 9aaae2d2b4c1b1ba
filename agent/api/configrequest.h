/* configrequest.h: what a config route is asked for. */
#ifndef VIA_API_CONFIGREQUEST_H
#define VIA_API_CONFIGREQUEST_H

#include "base/json.h"

#define VIA_CONFIG_KEYS 256 /* names in one request */

enum via_config_kind { VIA_CONFIG_RESOLVE, VIA_CONFIG_REFRESH, VIA_CONFIG_VALUE };
enum via_config_scope { VIA_SCOPE_ANY, VIA_SCOPE_ENV, VIA_SCOPE_ADDON };

struct via_configrequest {
    enum via_config_kind kind;
    via_json *doc; /* owns what the rest borrows; freed by the caller */
    bool read;
    const via_json *keys; /* NULL: all there is */

    /* of a refresh */
    const char *app, *release, *deploy;

    /* of a single value: its environment, its length, and the name behind it */
    const char *environment;
    size_t environment_len;
    const char *name;
};

struct via_config_key {
    const char *name;
    size_t len;
    enum via_config_scope scope;
    int64_t generation; /* the one its asker has; 0: none */
};

/* Read `n` bytes of body into a request whose kind is set. VIA_BAD_REQUEST. */
VIA_MUST_USE enum via_status via_configrequest_read(struct via_configrequest *q, const char *body,
                                                    size_t n, int max_depth, struct via_error *e);

/* Take `path`, "/config/<environment>/<name>", apart. VIA_ENV_NOT_FOUND. */
VIA_MUST_USE enum via_status via_configrequest_path(struct via_configrequest *q, const char *path,
                                                    struct via_error *e);

/* The key at `i` of the request's keys, which have been read. */
void via_configrequest_key(const struct via_configrequest *q, size_t i, struct via_config_key *out);

#endif
