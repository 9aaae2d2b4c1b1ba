/* configrequest.c: reading the members, strictly. */
#include "api/configrequest.h"

#include "api/body.h"
#include "base/error.h"

#include <string.h>

struct read_walk {
    struct via_configrequest *q;
    struct via_error *e;
};

struct key_walk {
    struct via_config_key *key;
    struct via_error *e;
};

/* A string without NUL, or NULL with a sentence. */
static const char *
take_text(const char *key, const via_json *v, size_t *len, struct via_error *e)
{
    size_t n = 0;
    const char *text = via_json_string(v, &n);

    if (!text || memchr(text, '\0', n)) {
        via_error_set(e, VIA_BAD_REQUEST, "%s is a string", key);
        return NULL;
    }
    if (len)
        *len = n;
    return text;
}

static bool
take_key_member(void *arg, const char *key, const via_json *v)
{
    struct key_walk *w = arg;
    const char *scope;

    if (strcmp(key, "name") == 0)
        return (w->key->name = take_text(key, v, &w->key->len, w->e)) != NULL;
    if (strcmp(key, "scope") == 0) {
        scope = via_json_string(v, NULL);
        if (scope && strcmp(scope, "env") == 0)
            w->key->scope = VIA_SCOPE_ENV;
        else if (scope && strcmp(scope, "addon") == 0)
            w->key->scope = VIA_SCOPE_ADDON;
        else if (via_json_type(v) != VIA_JSON_NULL)
            return via_error_set(w->e, VIA_BAD_REQUEST, "scope is env or addon"), false;
        return true;
    }
    if (strcmp(key, "generation") == 0) {
        w->key->generation = via_json_integer(v);
        if (via_json_type(v) == VIA_JSON_NULL ||
            (via_json_type(v) == VIA_JSON_INTEGER && w->key->generation > 0))
            return true;
        via_error_set(w->e, VIA_BAD_REQUEST, "generation is a positive integer");
        return false;
    }
    via_error_set(w->e, VIA_BAD_REQUEST, "there is no member %.64s in a key", key);
    return false;
}

/* A resolve names its keys; a refresh says of each what it has. */
static bool
key_read(const struct via_configrequest *q, const via_json *v, struct via_config_key *out,
         struct via_error *e)
{
    struct key_walk w = {.key = out, .e = e};

    *out = (struct via_config_key){0};
    if (q->kind == VIA_CONFIG_RESOLVE)
        return (out->name = take_text("a key", v, &out->len, e)) != NULL;
    if (via_json_type(v) != VIA_JSON_OBJECT) {
        via_error_set(e, VIA_BAD_REQUEST, "a key is an object with name, scope and generation");
        return false;
    }
    if (!via_json_each(v, take_key_member, &w))
        return false;
    if (!out->name)
        via_error_set(e, VIA_BAD_REQUEST, "a key has no name");
    return out->name != NULL;
}

static bool
take_keys(struct read_walk *w, const via_json *v)
{
    struct via_config_key key;

    if (via_json_type(v) == VIA_JSON_NULL)
        return true;
    if (via_json_type(v) != VIA_JSON_ARRAY || via_json_count(v) > VIA_CONFIG_KEYS) {
        via_error_set(w->e, VIA_BAD_REQUEST,
                      "keys is an array of at most %d; leave it out for everything",
                      VIA_CONFIG_KEYS);
        return false;
    }
    w->q->keys = v;
    for (size_t i = 0; i < via_json_count(v); i++)
        if (!key_read(w->q, via_json_at(v, i), &key, w->e))
            return false;
    return true;
}

static bool
take_member(void *arg, const char *key, const via_json *v)
{
    struct read_walk *w = arg;
    struct via_configrequest *q = w->q;
    bool refresh = q->kind == VIA_CONFIG_REFRESH;

    if (strcmp(key, "keys") == 0)
        return take_keys(w, v);
    if (refresh && strcmp(key, "app") == 0)
        return (q->app = take_text(key, v, NULL, w->e)) != NULL;
    if (refresh && strcmp(key, "release") == 0)
        return (q->release = take_text(key, v, NULL, w->e)) != NULL;
    if (refresh && strcmp(key, "deploy") == 0)
        return (q->deploy = take_text(key, v, NULL, w->e)) != NULL;
    /* Whatever it is, the answer says the one of now. */
    if (refresh && strcmp(key, "profile_version") == 0) {
        if (via_json_type(v) == VIA_JSON_INTEGER || via_json_type(v) == VIA_JSON_NULL)
            return true;
        via_error_set(w->e, VIA_BAD_REQUEST, "profile_version is an integer");
        return false;
    }
    via_error_set(w->e, VIA_BAD_REQUEST, "there is no member %.64s in this request", key);
    return false;
}

enum via_status
via_configrequest_read(struct via_configrequest *q, const char *body, size_t n, int max_depth,
                       struct via_error *e)
{
    struct read_walk w = {.q = q, .e = e};

    via_json_free(q->doc);
    *q = (struct via_configrequest){.kind = q->kind};
    if (n == 0 && q->kind == VIA_CONFIG_RESOLVE) {
        q->read = true;
        return VIA_OK;
    }
    if (via_body_read(&(struct via_body){body, n, max_depth}, &q->doc, take_member, &w, e) !=
        VIA_OK)
        return e->status;
    if (q->kind == VIA_CONFIG_REFRESH && (!q->app || !q->release || !q->deploy))
        return via_error_set(e, VIA_BAD_REQUEST, "a refresh says its app, release and deploy");
    q->read = true;
    return VIA_OK;
}

enum via_status
via_configrequest_path(struct via_configrequest *q, const char *path, struct via_error *e)
{
    const char *slash;

    q->environment = path + strlen("/config/");
    slash = strchr(q->environment, '/');
    if (!slash || !slash[1])
        return via_error_set(e, VIA_ENV_NOT_FOUND, "the path is /config/ENVIRONMENT/NAME");
    q->environment_len = (size_t)(slash - q->environment);
    q->name = slash + 1;
    q->read = true;
    return VIA_OK;
}

void
via_configrequest_key(const struct via_configrequest *q, size_t i, struct via_config_key *out)
{
    via_ignore(!key_read(q, via_json_at(q->keys, i), out, NULL));
}
