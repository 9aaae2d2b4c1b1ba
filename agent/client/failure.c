/* failure.c: what a caller is told, from an answer or from the lack of one. */
#include "failure.h"

#include "base/json.h"

#include <stdarg.h>
#include <stdio.h>

#define ANSWER_DEPTH 8

void
via_failure_set(struct via_failure *why, enum via_status status, const char *format, ...)
{
    va_list args;

    if (!why)
        return;
    memset(why, 0, sizeof *why);
    snprintf(why->code, sizeof why->code, "%s", via_status_word(status));
    va_start(args, format);
    vsnprintf(why->message, sizeof why->message, format, args);
    va_end(args);
}

/* An answer without Via's error object comes from the transport or from a proxy in front. */
static enum via_status
status_of_http(int http)
{
    switch (http) {
    case 400:
    case 431:
        return VIA_BAD_REQUEST;
    case 401:
        return VIA_TOKEN_MISSING;
    case 404:
        return VIA_ROUTE_NOT_FOUND;
    case 405:
        return VIA_METHOD_NOT_ALLOWED;
    case 413:
    case 414:
        return VIA_REQUEST_TOO_LARGE;
    case 502:
    case 503:
    case 504:
        return VIA_AGENT_UNREACHABLE;
    default:
        return VIA_INTERNAL_ERROR;
    }
}

static void
copy_member(const via_json *object, const char *key, char *out, size_t size)
{
    const char *text = via_json_string(via_json_member(object, key), NULL);

    if (text)
        snprintf(out, size, "%s", text);
}

void
via_failure_parse(struct via_failure *why, int http, int retry_after_s, const char *body, size_t n)
{
    via_json *doc = NULL;

    if (!why)
        return;
    via_failure_set(why, status_of_http(http), "the agent answered HTTP %d without an explanation",
                    http);
    why->http = http;
    why->retry_after_s = retry_after_s;
    why->retryable = http == 503;
    if (via_json_parse(body, n, ANSWER_DEPTH, &doc, NULL) == VIA_OK &&
        via_json_type(doc) == VIA_JSON_OBJECT) {
        copy_member(doc, "code", why->code, sizeof why->code);
        copy_member(doc, "message", why->message, sizeof why->message);
        copy_member(doc, "sqlite", why->sqlite, sizeof why->sqlite);
    }
    via_json_free(doc);
}
