/* The focus of this file is which headers, hosts and origins the transport lets in. */
#include "check.h"
#include "http/headers.h"
#include "http/host.h"

#include <string.h>

static bool
take(struct via_http_headers *h, const char *name, const char *value)
{
    return via_http_headers_take(h, name, strlen(name), value, strlen(value));
}

static bool
refused(const char *name, const char *value)
{
    struct via_http_headers h = {0};

    return !take(&h, name, value) && h.wrong;
}

/* Is `second` refused after `first` was taken? */
static bool
clash(const char *first, const char *first_value, const char *second, const char *second_value)
{
    struct via_http_headers h = {0};

    return take(&h, first, first_value) && !take(&h, second, second_value) && h.wrong;
}

static void
check_headers(void)
{
    struct via_http_headers h = {0};

    CHECK(take(&h, "content-LENGTH", "42") && h.length == 42, "names have no case");
    CHECK(take(&h, "HOST", "localhost") && strcmp(h.host, "localhost") == 0, "Host is kept");
    CHECK(take(&h, "X-Any", "a\tb \xc3\xa9"), "tabs and bytes beyond ASCII pass");
    CHECK(take(&h, "X-Any", "again"), "other headers may repeat");
    CHECK(refused("", "a"), "an empty name");
    CHECK(refused("A B", "a") && refused("A:", "a") && refused("A\x01", "a"), "odd names");
    CHECK(refused("A", "a\x7f") && refused("A", "a\nb"), "control characters");
    CHECK(refused("Content-Length", "") && refused("Content-Length", "+5") &&
              refused("Content-Length", "5,5") && refused("Content-Length", "-1") &&
              refused("Content-Length", "1234567890123456789"),
          "lengths that are no number");
    CHECK(refused("Transfer-Encoding", "gzip, chunked"), "codings other than chunked");
    CHECK(clash("Content-Length", "5", "Content-Length", "5"), "two lengths");
    CHECK(clash("Content-Length", "5", "Transfer-Encoding", "chunked"), "a length and a coding");
    CHECK(clash("Transfer-Encoding", "chunked", "Content-Length", "5"), "a coding and a length");
    CHECK(clash("Host", "a", "host", "a"), "two hosts");
    CHECK(clash("Authorization", "a", "authorization", "b"), "two tokens");
    CHECK(clash("Origin", "a", "Origin", "a"), "two origins");
}

static void
check_hosts(void)
{
    static const char *const served[] = {"localhost",   "LOCALHOST:1",  "127.0.0.1",
                                         "127.9.9.9:8", "[::1]",        "[::1]:8181",
                                         "a.localhost", "b.a.LocalHost"};
    static const char *const refused_hosts[] = {"",
                                                "example.com",
                                                "localhost.",
                                                "127.0.0.1.evil.example",
                                                "127.0.0.1x",
                                                ".",
                                                "xlocalhost",
                                                "localhost:8x",
                                                "[::1",
                                                "[::2]",
                                                "a@localhost.evil",
                                                "128.0.0.1",
                                                "localhost:80:80"};

    for (size_t i = 0; i < sizeof served / sizeof served[0]; i++)
        CHECK(via_http_host_is_served(served[i], "", ""), "host %s is served", served[i]);
    for (size_t i = 0; i < sizeof refused_hosts / sizeof refused_hosts[0]; i++)
        CHECK(!via_http_host_is_served(refused_hosts[i], "", ""), "host \"%s\" is refused",
              refused_hosts[i]);
    CHECK(via_http_host_is_served("10.0.0.5:99", "10.0.0.5:8181", ""), "the listen address");
    CHECK(!via_http_host_is_served("10.0.0.6", "10.0.0.5:8181", ""), "and no other");
    CHECK(via_http_host_is_served("DB.example:1", "", "a.example, db.example"), "a host allowed");
    CHECK(!via_http_host_is_served("b.example", "", "a.example db.example"), "no part of a name");
}

static void
check_origins(void)
{
    CHECK(via_http_origin_is_allowed("https://a.example:8443", "a.example"), "an origin allowed");
    CHECK(!via_http_origin_is_allowed("https://a.example", ""), "none by default");
    CHECK(!via_http_origin_is_allowed("null", "a.example null"), "not the opaque one");
    CHECK(!via_http_origin_is_allowed("https://a.example.evil", "a.example"), "no longer name");
    CHECK(!via_http_origin_is_allowed("http://localhost", ""), "not even loopback's pages");
}

int
main(void)
{
    check_headers();
    check_hosts();
    check_origins();
    return check_end();
}
