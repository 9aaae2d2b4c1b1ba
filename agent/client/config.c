/* config.c: the environment and the token file. */
#include "config.h"

#include "base/io.h"
#include "failure.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define URL_VARIABLE "VARY_CONFIG_URL"
#define TOKEN_VARIABLE "VARY_CONFIG_TOKEN_PATH"
#define SOCKET_VARIABLE "VIA_AGENT_SOCKET"

/* Copy variable `name` into `out`; "" when it is not set. */
static bool
config_variable(const char *name, char *out, size_t size, struct via_failure *why)
{
    const char *value = getenv(name);

    if (snprintf(out, size, "%s", value ? value : "") < (int)size)
        return true;
    via_failure_set(why, VIA_CONFIG_UNREADABLE, "%s is too long", name);
    return false;
}

/* Settle socket and URL: VIA_AGENT_SOCKET, else unix:PATH, else http: or https:. */
static bool
config_address(struct via_config *c, struct via_failure *why)
{
    size_t len;

    if (strncmp(c->url, "unix:", 5) == 0) {
        if (!c->socket[0])
            snprintf(c->socket, sizeof c->socket, "%s", c->url + 5);
        c->url[0] = '\0';
    } else if (c->url[0] && strncmp(c->url, "http://", 7) != 0 &&
               strncmp(c->url, "https://", 8) != 0) {
        via_failure_set(why, VIA_CONFIG_UNREADABLE,
                        URL_VARIABLE " is neither http://, https:// nor unix:PATH");
        return false;
    }
    if (c->socket[0]) {
        if (strlen(c->socket) > VIA_SOCKET_PATH_MAX) {
            via_failure_set(why, VIA_SOCKET_PATH_TOO_LONG,
                            "the agent's socket path is longer than %d bytes", VIA_SOCKET_PATH_MAX);
            return false;
        }
        snprintf(c->url, sizeof c->url, "http://localhost");
    }
    if (!c->url[0]) {
        via_failure_set(why, VIA_CONFIG_MISSING,
                        URL_VARIABLE " is not set; start the app with: via run APP -- COMMAND");
        return false;
    }
    for (len = strlen(c->url); len > 0 && c->url[len - 1] == '/'; len--)
        c->url[len - 1] = '\0';
    return true;
}

/* A token is compact JWS; anything else must not reach a header line. */
static bool
token_is_clean(const char *token)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~+/=";

    return token[0] && token[strspn(token, allowed)] == '\0';
}

static bool
token_read(struct via_config *c, char out[VIA_TOKEN_SIZE], struct stat *seen,
           struct via_failure *why)
{
    int fd = open(c->token_path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    int64_t n = -1;

    if (fd >= 0 && fstat(fd, seen) == 0 && S_ISREG(seen->st_mode))
        n = via_io_read(fd, out, VIA_TOKEN_SIZE - 1);
    if (n < 0)
        via_failure_set(why, VIA_CONFIG_UNREADABLE, TOKEN_VARIABLE ": the token file %s",
                        fd < 0 ? strerror(errno) : "is no readable file");
    if (fd >= 0)
        close(fd);
    if (n < 0)
        return false;
    while (n > 0 && (out[n - 1] == '\n' || out[n - 1] == '\r' || out[n - 1] == ' '))
        n--;
    out[n] = '\0';
    if (token_is_clean(out))
        return true;
    via_failure_set(why, VIA_CONFIG_UNREADABLE, TOKEN_VARIABLE ": the file holds no token");
    return false;
}

bool
via_config_init(struct via_config *c, struct via_failure *why)
{
    bool changed;

    memset(c, 0, sizeof *c);
    if (!config_variable(URL_VARIABLE, c->url, sizeof c->url, why) ||
        !config_variable(SOCKET_VARIABLE, c->socket, sizeof c->socket, why) ||
        !config_variable(TOKEN_VARIABLE, c->token_path, sizeof c->token_path, why) ||
        !config_address(c, why))
        return false;
    if (!c->token_path[0]) {
        via_failure_set(why, VIA_CONFIG_MISSING,
                        TOKEN_VARIABLE " is not set; start the app with: via run APP -- COMMAND");
        return false;
    }
    return via_config_refresh(c, &changed, why);
}

void
via_config_deinit(struct via_config *c)
{
    explicit_bzero(c->token, sizeof c->token);
}

bool
via_config_refresh(struct via_config *c, bool *changed, struct via_failure *why)
{
    char token[VIA_TOKEN_SIZE];
    struct stat now;

    *changed = false;
    if (c->token[0] && stat(c->token_path, &now) == 0 && now.st_ino == c->seen.st_ino &&
        now.st_dev == c->seen.st_dev && now.st_size == c->seen.st_size &&
        now.st_mtim.tv_sec == c->seen.st_mtim.tv_sec &&
        now.st_mtim.tv_nsec == c->seen.st_mtim.tv_nsec)
        return true;
    if (!token_read(c, token, &now, why))
        return false;
    *changed = strcmp(token, c->token) != 0;
    memcpy(c->token, token, sizeof token);
    c->seen = now;
    explicit_bzero(token, sizeof token);
    return true;
}
