/* headers.c: strictness about header fields. Pure apart from the walk over the library's list. */
#include "http/headers.h"

#include <microhttpd.h>
#include <string.h>
#include <strings.h>

/* tchar of RFC 9110 section 5.6.2. */
static bool
name_is_token(const char *name, size_t n)
{
    static const char extra[] = "!#$%&'*+-.^_`|~";

    if (n == 0)
        return false;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)name[i];
        bool word = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');

        if (!word && (c == '\0' || !strchr(extra, c)))
            return false;
    }
    return true;
}

static bool
value_is_clean(const char *value, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)value[i];

        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

static bool
headers_wrong(struct via_http_headers *h, const char *sentence)
{
    h->wrong = sentence;
    return false;
}

static bool
name_is(const char *name, size_t n, const char *wanted)
{
    return n == strlen(wanted) && strncasecmp(name, wanted, n) == 0;
}

static bool
take_once(struct via_http_headers *h, const char **slot, const char *value, const char *sentence)
{
    if (*slot)
        return headers_wrong(h, sentence);
    *slot = value;
    return true;
}

static bool
take_length(struct via_http_headers *h, const char *value, size_t n)
{
    if (h->has_length || h->has_coding)
        return headers_wrong(h, "the length of the body is given twice");
    if (n == 0 || n > 18 || strspn(value, "0123456789") != n)
        return headers_wrong(h, "Content-Length is no number");
    h->has_length = true;
    for (size_t i = 0; i < n; i++)
        h->length = h->length * 10 + (uint64_t)(value[i] - '0');
    return true;
}

bool
via_http_headers_take(struct via_http_headers *h, const char *name, size_t name_len,
                      const char *value, size_t value_len)
{
    if (!name_is_token(name, name_len))
        return headers_wrong(h, "a header has a name that is no token");
    if (!value_is_clean(value, value_len))
        return headers_wrong(h, "a header holds a control character");
    switch (name[0] | 0x20) {
    case 'h':
        if (name_is(name, name_len, "host"))
            return take_once(h, &h->host, value, "there are two Host headers");
        break;
    case 'o':
        if (name_is(name, name_len, "origin"))
            return take_once(h, &h->origin, value, "there are two Origin headers");
        break;
    case 'a':
        if (name_is(name, name_len, "authorization"))
            return take_once(h, &h->authorization, value, "there are two Authorization headers");
        break;
    case 'c':
        if (name_is(name, name_len, "content-length"))
            return take_length(h, value, value_len);
        break;
    case 'e':
        h->has_expect = h->has_expect || name_is(name, name_len, "expect");
        break;
    case 't':
        if (name_is(name, name_len, "transfer-encoding")) {
            if (h->has_coding || h->has_length)
                return headers_wrong(h, "the length of the body is given twice");
            if (!name_is(value, value_len, "chunked"))
                return headers_wrong(h, "the only transfer coding is chunked");
            h->has_coding = true;
        }
        break;
    default:
        break;
    }
    return true;
}

static enum MHD_Result
headers_visit(void *arg, enum MHD_ValueKind kind, const char *name, size_t name_len,
              const char *value, size_t value_len)
{
    (void)kind;
    return via_http_headers_take(arg, name, name_len, value ? value : "", value ? value_len : 0)
               ? MHD_YES
               : MHD_NO;
}

void
via_http_headers_read(struct via_http_headers *h, struct MHD_Connection *connection)
{
    MHD_get_connection_values_n(connection, MHD_HEADER_KIND, headers_visit, h);
}
