/* reply.c: see reply.h. */
#include "api/reply.h"

#include "base/id.h"
#include "base/log.h"

#include <stdio.h>
#include <string.h>

#define RETRY_S 1

static void
put_member(struct via_buf *b, const char *name, const char *text)
{
    via_buf_printf(b, "%c\"%s\":", b->len ? ',' : '{', name);
    via_buf_put_json(b, text, strlen(text));
}

static void
put_error(struct via_buf *b, const char *code, const char *message, const char *sqlite)
{
    via_buf_reset(b);
    put_member(b, "code", code);
    put_member(b, "message", message);
    put_member(b, "error", message);
    if (sqlite)
        put_member(b, "sqlite", sqlite);
    via_buf_putc(b, '}');
}

void
via_reply_error(struct via_http_request *r, enum via_status status, const char *message,
                const char *sqlite)
{
    r->status = via_status_http(status);
    r->retry_after_s = r->status == 503 ? RETRY_S : 0;
    put_error(&r->reply, via_status_word(status), message, sqlite);
}

void
via_reply_failure(struct via_http_request *r, const struct via_error *e)
{
    char id[VIA_ID_SIZE], message[96];
    int http = via_status_http(e->status);

    if (http < 500 || http == 504) {
        via_reply_error(r, e->status, e->message, NULL);
        return;
    }
    via_id_make("op", id);
    via_log(VIA_LOG_ERROR, "%s: %s: %s", id, via_status_word(e->status), e->message);
    snprintf(message, sizeof message, "Via could not serve this; the agent's log has it under %s",
             id);
    via_reply_error(r, http == 503 ? e->status : VIA_INTERNAL_ERROR, message, NULL);
}

void
via_reply_transport(struct via_http_request *r, enum via_http_refusal why, const char *message)
{
    static const enum via_status words[] = {[VIA_HTTP_MALFORMED] = VIA_BAD_REQUEST,
                                            [VIA_HTTP_TOO_LARGE] = VIA_REQUEST_TOO_LARGE,
                                            [VIA_HTTP_OVERLOADED] = VIA_OVERLOADED,
                                            [VIA_HTTP_ENDING] = VIA_SHUTTING_DOWN};

    r->retry_after_s = r->status == 503 ? RETRY_S : 0;
    put_error(&r->reply, via_status_word(words[why]), message, NULL);
}
