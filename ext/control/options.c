#include "control/options.h"

#include "base/json.h"

#include <stdio.h>
#include <string.h>

#define TEN_YEARS_S 315360000

enum option_kind { OPTION_FLAG, OPTION_COUNT, OPTION_TEXT, OPTION_SYNC };

static const struct option {
    const char *name;
    enum option_kind kind;
    int64_t max; /* of a count */
} options[] = {
    {"block_reads", OPTION_FLAG, 0},
    {"block_reason", OPTION_TEXT, 0},
    {"block_writes", OPTION_FLAG, 0},
    {"delete_protection", OPTION_FLAG, 0},
    {"foreign_keys", OPTION_FLAG, 0},
    {"max_size_bytes", OPTION_COUNT, INT64_C(1) << 47}, /* SQLite's own limit is below it */
    {"snapshot_every_s", OPTION_COUNT, TEN_YEARS_S},
    {"snapshot_keep", OPTION_COUNT, 100000},
    {"snapshot_max_age_s", OPTION_COUNT, TEN_YEARS_S},
    {"statement_timeout_ms", OPTION_COUNT, 86400000},
    {"synchronous", OPTION_SYNC, 0},
};
#define OPTION_COUNT_ALL (sizeof options / sizeof options[0])

static int
option_index(const char *name)
{
    for (size_t i = 0; i < OPTION_COUNT_ALL; i++)
        if (strcmp(options[i].name, name) == 0)
            return (int)i;
    return -1;
}

static bool
option_is_flag(const via_json *v)
{
    enum via_json_type type = via_json_type(v);

    return type == VIA_JSON_TRUE || type == VIA_JSON_FALSE ||
           (type == VIA_JSON_INTEGER && (via_json_integer(v) == 0 || via_json_integer(v) == 1));
}

/* What option `o` takes, into `out`, when `v` is not that. False when it is. */
static bool
option_objects(const struct option *o, const via_json *v, char *out, size_t size)
{
    const char *text = via_json_string(v, NULL);

    switch (o->kind) {
    case OPTION_FLAG:
        (void)snprintf(out, size, "true or false");
        return !option_is_flag(v);
    case OPTION_COUNT:
        (void)snprintf(out, size, "a whole number from 0 to %lld", (long long)o->max);
        return via_json_type(v) != VIA_JSON_INTEGER || via_json_integer(v) < 0 ||
               via_json_integer(v) > o->max;
    case OPTION_TEXT:
        (void)snprintf(out, size, "a text of at most %d bytes", VIA_BLOCK_REASON_SIZE - 1);
        return !text || strlen(text) >= VIA_BLOCK_REASON_SIZE;
    case OPTION_SYNC:
        (void)snprintf(out, size, "\"full\" or \"normal\"");
        return !text || (strcmp(text, "full") != 0 && strcmp(text, "normal") != 0);
    }
    return true;
}

struct merge {
    struct via_sql *db;
    const via_json *values[OPTION_COUNT_ALL];
};

static bool
merge_member(void *arg, const char *key, const via_json *value)
{
    struct merge *m = arg;
    int i = option_index(key);
    char wants[80];

    if (i < 0) {
        via_sql_fail(m->db, VIA_OPTION_UNKNOWN, "there is no option %.64s", key);
        return false;
    }
    if (via_json_type(value) == VIA_JSON_NULL) {
        m->values[i] = NULL;
        return true;
    }
    if (option_objects(&options[i], value, wants, sizeof wants)) {
        via_sql_fail(m->db, VIA_OPTION_INVALID, "option %s takes %s", key, wants);
        return false;
    }
    m->values[i] = value;
    return true;
}

static void
option_write(struct via_buf *out, size_t i, const via_json *v)
{
    via_buf_printf(out, "%s\"%s\":", out->len > 1 ? "," : "", options[i].name);
    if (options[i].kind == OPTION_FLAG)
        via_buf_puts(out, via_json_type(v) == VIA_JSON_TRUE || via_json_integer(v) == 1 ? "true"
                                                                                        : "false");
    else
        via_json_write(out, v);
}

static via_json *
options_parse(struct via_sql *db, const char *text)
{
    struct via_error e = {0};
    via_json *doc = NULL;

    if (via_json_parse(text, strlen(text), 4, &doc, &e) != VIA_OK ||
        via_json_type(doc) != VIA_JSON_OBJECT) {
        via_json_free(doc);
        doc = NULL;
        via_sql_fail(db, VIA_OPTION_INVALID, "options are a JSON object such as %s",
                     "{\"block_writes\":true}");
    }
    return doc;
}

void
via_options_merge(struct via_sql *db, const char *old, const char *change, struct via_buf *out)
{
    struct merge m = {.db = db};
    via_json *before = options_parse(db, old);
    via_json *wanted = options_parse(db, change ? change : "{}");

    if (before && wanted && via_json_each(before, merge_member, &m) &&
        via_json_each(wanted, merge_member, &m)) {
        via_buf_putc(out, '{');
        for (size_t i = 0; i < OPTION_COUNT_ALL; i++)
            if (m.values[i])
                option_write(out, i, m.values[i]);
        via_buf_putc(out, '}');
    }
    via_json_free(before);
    via_json_free(wanted);
}

/* What option `i` is, as a record says it. */
static const char *
option_say(size_t i, const via_json *doc, char out[VIA_QUOTE_SIZE])
{
    const via_json *v = doc ? via_json_member(doc, options[i].name) : NULL;

    if (!v)
        return "default";
    switch (options[i].kind) {
    case OPTION_FLAG:
        return via_json_type(v) == VIA_JSON_TRUE ? "true" : "false";
    case OPTION_COUNT:
        (void)snprintf(out, VIA_QUOTE_SIZE, "%lld", (long long)via_json_integer(v));
        return out;
    case OPTION_TEXT:
        return via_reason_quote(via_json_string(v, NULL), out);
    case OPTION_SYNC:
        break;
    }
    return via_json_string(v, NULL);
}

void
via_options_tell(const char *was, const char *is, struct via_reason *why)
{
    struct via_error e = {0};
    via_json *before = NULL, *after = NULL;
    char one[VIA_QUOTE_SIZE], two[VIA_QUOTE_SIZE];

    via_ignore(via_json_parse(was, strlen(was), 4, &before, &e));
    via_ignore(via_json_parse(is, strlen(is), 4, &after, &e));
    for (size_t i = 0; i < OPTION_COUNT_ALL; i++) {
        const char *from = option_say(i, before, one);
        const char *to = option_say(i, after, two);

        if (strcmp(from, to) != 0)
            via_reason_put_change(why, options[i].name, to, from);
    }
    via_json_free(before);
    via_json_free(after);
}

/* The operator's reason as a part of one line. */
static void
policy_reason(const char *text, char out[VIA_BLOCK_REASON_SIZE])
{
    (void)snprintf(out, VIA_BLOCK_REASON_SIZE, "%s", text ? text : "");
    for (char *p = out; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 127)
            *p = ' ';
}

void
via_options_policy(const char *text, struct via_addon_policy *out)
{
    struct via_error e = {0};
    via_json *doc = NULL;
    const via_json *v;

    memset(out, 0, sizeof *out);
    out->foreign_keys = true;
    out->synchronous_full = true;
    if (via_json_parse(text, strlen(text), 4, &doc, &e) != VIA_OK) {
        out->block_reads = out->block_writes = true; /* unreadable policy allows nothing */
        return;
    }
    if ((v = via_json_member(doc, "foreign_keys")))
        out->foreign_keys = via_json_type(v) == VIA_JSON_TRUE;
    if ((v = via_json_member(doc, "synchronous")) && via_json_string(v, NULL))
        out->synchronous_full = strcmp(via_json_string(v, NULL), "normal") != 0;
    out->block_reads = via_json_type(via_json_member(doc, "block_reads")) == VIA_JSON_TRUE;
    out->block_writes = via_json_type(via_json_member(doc, "block_writes")) == VIA_JSON_TRUE;
    policy_reason(via_json_string(via_json_member(doc, "block_reason"), NULL), out->block_reason);
    out->statement_timeout_ms = via_json_integer(via_json_member(doc, "statement_timeout_ms"));
    out->max_size_bytes = via_json_integer(via_json_member(doc, "max_size_bytes"));
    via_json_free(doc);
}

void
via_options_schedule(const char *text, struct via_schedule *out)
{
    struct via_error e = {0};
    via_json *doc = NULL;

    memset(out, 0, sizeof *out);
    if (via_json_parse(text, strlen(text), 4, &doc, &e) != VIA_OK)
        return;
    out->every_s = via_json_integer(via_json_member(doc, "snapshot_every_s"));
    out->keep = via_json_integer(via_json_member(doc, "snapshot_keep"));
    out->max_age_s = via_json_integer(via_json_member(doc, "snapshot_max_age_s"));
    via_json_free(doc);
}
