/* configreply.c: see configreply.h. */
#include "api/configreply.h"

#include "base/clock.h"

#include <inttypes.h>
#include <string.h>

/* -- what names stand for --------------------------------------------------------- */

/* Is `key` the binding's name with `suffix` behind it? */
static bool
key_is(const struct via_config_key *key, const char *name, const char *suffix)
{
    size_t n = strlen(name);

    return key->len == n + strlen(suffix) && memcmp(key->name, name, n) == 0 &&
           memcmp(key->name + n, suffix, key->len - n) == 0;
}

/* What `key` means to this binding. */
static enum via_told
binding_meant(const struct via_config_source *from, const struct via_config_key *key,
              const char *name)
{
    if (key->scope != VIA_SCOPE_ENV && key_is(key, name, ""))
        return VIA_TOLD_DESCRIPTOR;
    if (key->scope != VIA_SCOPE_ADDON && from->base_url[0] && key_is(key, name, "_URL"))
        return VIA_TOLD_URL;
    if (key->scope != VIA_SCOPE_ADDON && key_is(key, name, "_AUTH_TOKEN"))
        return VIA_TOLD_TOKEN;
    return VIA_TOLD_NOTHING;
}

/* The release's bindings come first: a value set since then does not take their names. */
static void
item_find(const struct via_config_source *from, struct via_config_item *item)
{
    struct via_profile *p = from->profile;

    item->what = VIA_TOLD_NOTHING;
    for (size_t i = 0; i < p->binding_count && item->what == VIA_TOLD_NOTHING; i++) {
        item->binding = &p->bindings[i];
        item->what = binding_meant(from, &item->key, item->binding->name);
    }
    if (item->what != VIA_TOLD_NOTHING || item->key.scope == VIA_SCOPE_ADDON)
        return;
    item->value = via_profile_value(p, item->key.name, item->key.len);
    if (item->value)
        item->what = VIA_TOLD_VALUE;
}

/* Was the name of key `i` asked for before? */
static bool
key_is_repeated(const struct via_configrequest *q, size_t i, const struct via_config_key *key)
{
    struct via_config_key other;

    for (size_t j = 0; j < i; j++) {
        via_configrequest_key(q, j, &other);
        if (other.len == key->len && memcmp(other.name, key->name, key->len) == 0)
            return true;
    }
    return false;
}

static bool
each_of_all(const struct via_config_source *from,
            bool (*fn)(void *arg, const struct via_config_item *item), void *arg)
{
    struct via_profile *p = from->profile;
    struct via_config_item item = {.what = VIA_TOLD_VALUE};

    for (size_t i = 0; i < p->value_count; i++) {
        item.value = &p->values[i];
        item.key =
            (struct via_config_key){.name = item.value->name, .len = strlen(item.value->name)};
        if (!fn(arg, &item))
            return false;
    }
    item = (struct via_config_item){.what = VIA_TOLD_DESCRIPTOR};
    for (size_t i = 0; i < p->binding_count; i++) {
        item.binding = &p->bindings[i];
        item.key =
            (struct via_config_key){.name = item.binding->name, .len = strlen(item.binding->name)};
        if (!fn(arg, &item))
            return false;
    }
    return true;
}

bool
via_config_each(const struct via_config_source *from, const struct via_configrequest *q,
                bool (*fn)(void *arg, const struct via_config_item *item), void *arg)
{
    struct via_config_item item = {0};

    if (q->name) {
        item.key = (struct via_config_key){
            .name = q->name, .len = strlen(q->name), .scope = VIA_SCOPE_ENV};
        item_find(from, &item);
        return fn(arg, &item);
    }
    if (!q->keys)
        return each_of_all(from, fn, arg);
    for (size_t i = 0; i < via_json_count(q->keys); i++) {
        item = (struct via_config_item){0};
        via_configrequest_key(q, i, &item.key);
        if (key_is_repeated(q, i, &item.key))
            continue;
        item_find(from, &item);
        if (!fn(arg, &item))
            return false;
    }
    return true;
}

/* -- the answer ------------------------------------------------------------------- */

/* One part of an answer being written. */
struct part {
    struct via_buf *b;
    const struct via_config_source *from;
    bool more; /* something stands in it already */
};

static void
put_text(struct via_buf *b, const char *name, const char *text)
{
    via_buf_printf(b, "\"%s\":", name);
    via_buf_put_json(b, text, strlen(text));
    via_buf_putc(b, ',');
}

static void
put_time(struct via_buf *b, const char *name, int64_t ms)
{
    char text[VIA_TIME_SIZE];

    via_clock_format(ms, text);
    via_buf_printf(b, "\"%s\":\"%s\"", name, text);
}

static void
put_url(const struct part *part, const struct via_profile_binding *binding)
{
    /* Neither holds a character that JSON would escape: the setting is checked where it is used. */
    via_buf_printf(part->b, "\"%s/%s/\"", part->from->base_url, binding->name);
}

static void
put_name(struct part *part, const struct via_config_item *item)
{
    if (part->more)
        via_buf_putc(part->b, ',');
    part->more = true;
    via_buf_put_json(part->b, item->key.name, item->key.len);
}

/* The value of an item that has one. */
static void
put_value(const struct part *part, const struct via_config_item *item)
{
    const char *vault = part->from->profile->vault;

    if (item->what == VIA_TOLD_VALUE)
        via_buf_put_json(part->b, vault + item->value->at, item->value->len);
    else if (item->what == VIA_TOLD_TOKEN)
        via_buf_put_json(part->b, vault + item->binding->at, item->binding->len);
    else
        put_url(part, item->binding);
}

static int64_t
item_generation(const struct via_config_item *item)
{
    return item->what == VIA_TOLD_VALUE ? item->value->version : item->binding->generation;
}

static bool
write_value(void *arg, const struct via_config_item *item)
{
    struct part *part = arg;

    if (item->what == VIA_TOLD_NOTHING || item->what == VIA_TOLD_DESCRIPTOR)
        return true;
    put_name(part, item);
    via_buf_puts(part->b, ":{\"value\":");
    put_value(part, item);
    via_buf_printf(part->b, ",\"scope\":\"env\",\"generation\":%" PRId64 "}",
                   item_generation(item));
    return true;
}

static bool
write_descriptor(void *arg, const struct via_config_item *item)
{
    struct part *part = arg;
    struct via_buf *b = part->b;

    if (item->what != VIA_TOLD_DESCRIPTOR)
        return true;
    put_name(part, item);
    via_buf_puts(b, ":{");
    put_text(b, "type", item->binding->type);
    via_buf_printf(b, "\"scope\":\"addon\",\"generation\":%" PRId64 ",\"mode\":\"%s\",",
                   item->binding->generation, item->binding->mode == VIA_MODE_RW ? "rw" : "ro");
    via_buf_puts(b, "\"credential\":");
    via_buf_put_json(b, part->from->profile->vault + item->binding->at, item->binding->len);
    via_buf_puts(b, ",\"url\":");
    if (part->from->base_url[0])
        put_url(part, item->binding);
    else
        via_buf_puts(b, "null");
    via_buf_putc(b, ',');
    put_time(b, "expires_at", item->binding->expires_ms);
    via_buf_putc(b, ',');
    put_time(b, "renew_before", via_profile_renew_ms(item->binding));
    via_buf_putc(b, '}');
    return true;
}

static bool
write_missing(void *arg, const struct via_config_item *item)
{
    if (item->what == VIA_TOLD_NOTHING)
        put_name(arg, item);
    return true;
}

static bool
write_single(void *arg, const struct via_config_item *item)
{
    struct part *part = arg;

    if (item->what == VIA_TOLD_NOTHING)
        return true;
    via_buf_putc(part->b, '{');
    put_text(part->b, "name", item->key.name);
    via_buf_puts(part->b, "\"value\":");
    put_value(part, item);
    via_buf_printf(part->b, ",\"version\":%" PRId64 "}", item_generation(item));
    return true;
}

static void
write_part(struct via_buf *b, const struct via_config_source *from,
           const struct via_configrequest *q,
           bool (*fn)(void *arg, const struct via_config_item *item))
{
    struct part part = {.b = b, .from = from};

    via_ignore(!via_config_each(from, q, fn, &part));
}

void
via_configreply_write(struct via_buf *b, const struct via_config_source *from,
                      const struct via_configrequest *q)
{
    const struct via_profile *p = from->profile;

    if (q->name) {
        write_part(b, from, q, write_single);
        return;
    }
    via_buf_putc(b, '{');
    put_text(b, "app", p->claims.app);
    put_text(b, "release", p->claims.release);
    put_text(b, "deploy", p->claims.deploy);
    put_text(b, "instance", p->claims.instance);
    put_text(b, "environment", p->target);
    via_buf_printf(b, "\"profile_version\":%" PRId64 ",\"values\":{", p->version);
    write_part(b, from, q, write_value);
    via_buf_puts(b, "},\"addons\":{");
    write_part(b, from, q, write_descriptor);
    via_buf_puts(b, "},\"missing\":[");
    write_part(b, from, q, write_missing);
    via_buf_puts(b, "]}");
}
