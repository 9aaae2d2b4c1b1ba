/* host.c: Host and Origin, see host.h. */
#include "http/host.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

/* The length of the name in `host`, without its port; an IPv6 name keeps its brackets. */
static size_t
name_length(const char *host)
{
    const char *end;

    if (host[0] == '[') {
        end = strchr(host, ']');
        return end ? (size_t)(end + 1 - host) : 0;
    }
    return strcspn(host, ": \t");
}

/* What follows the name is nothing, or a port; and blanks, which end any header's value. */
static bool
port_is_well(const char *rest)
{
    if (rest[0] == ':')
        rest += 1 + strspn(rest + 1, "0123456789");
    return strspn(rest, " \t") == strlen(rest);
}

static bool
name_is(const char *name, size_t n, const char *wanted, size_t wanted_n)
{
    return n == wanted_n && strncasecmp(name, wanted, n) == 0;
}

static bool
name_is_ipv4_loopback(const char *name, size_t n)
{
    return n >= 7 && strncmp(name, "127.", 4) == 0 && strspn(name, "0123456789.") >= n;
}

static bool
name_is_listed(const char *name, size_t n, const char *list)
{
    while (*list) {
        size_t m;

        list += strspn(list, ", \t");
        m = strcspn(list, ", \t");
        if (m && name_is(name, n, list, name_length(list) < m ? name_length(list) : m))
            return true;
        list += m;
    }
    return false;
}

bool
via_http_host_is_served(const char *host, const char *listen, const char *allowed)
{
    static const char suffix[] = ".localhost";
    size_t n = name_length(host), s = sizeof suffix - 1;

    if (n == 0 || !port_is_well(host + n))
        return false;
    if (name_is(host, n, "localhost", 9) || name_is(host, n, "[::1]", 5) ||
        name_is_ipv4_loopback(host, n))
        return true;
    if (n > s && strncasecmp(host + n - s, suffix, s) == 0)
        return true;
    return (listen[0] && name_is(host, n, listen, name_length(listen))) ||
           name_is_listed(host, n, allowed);
}

bool
via_http_origin_is_allowed(const char *origin, const char *allowed)
{
    const char *host = strstr(origin, "://");
    size_t n;

    if (!host)
        return false;
    host += 3;
    n = name_length(host);
    return n > 0 && port_is_well(host + n) && name_is_listed(host, n, allowed);
}
