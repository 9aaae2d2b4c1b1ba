/* environment.c: what the command is told of its identity, in its environment and, for a
 * container, in a file. */
#include "cli/run/run.h"

#include "base/error.h"
#include "base/fs.h"
#include "identity/keys.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST_LINE "# written by via run; do not edit\n"
#define FILE_MAX_BYTES 1048576

/* [{"name":"DATABASE","type":"sqlite","mode":"rw"},…] */
static void
bindings_put(const struct run_instance *in, struct via_buf *b)
{
    static const char *const members[][2] = {
        {"name", "binding"}, {"type", "type"}, {"mode", "mode"}};

    via_buf_putc(b, '[');
    for (size_t i = 0; i < in->bindings.count; i++) {
        via_buf_puts(b, i ? ",{" : "{");
        for (size_t k = 0; k < 3; k++) {
            const char *text = cli_rows_text(&in->bindings, i, members[k][1]);

            via_buf_printf(b, "%s\"%s\":", k ? "," : "", members[k][0]);
            via_buf_put_json(b, text ? text : "", text ? strlen(text) : 0);
        }
        via_buf_putc(b, '}');
    }
    via_buf_putc(b, ']');
}

/* Append one text to the list. It was sized before, so that no token is left behind by growing. */
static void entry_put(char **at, const char *format, ...) VIA_PRINTF(2, 3);

static void
entry_put(char **at, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    *at += vsprintf(*at, format, args) + 1;
    va_end(args);
}

static size_t
environment_size(const struct run_child *child, const struct run_instance *in, size_t bindings)
{
    size_t n = 1024 + strlen(child->url) + strlen(child->socket) + VIA_NAME_SIZE + bindings +
               2 * strlen(child->place->folder);

    for (size_t i = 0; in->client && i < in->bindings.count; i++)
        n += 2 * VIA_NAME_SIZE + strlen(child->url) + VIA_NAME_SIZE + 64 +
             (in->client[i] ? strlen(in->client[i]) : 0);
    return n;
}

/* libSQL clients take an address and a token; without HTTP there is no address to give. */
static void
client_put(const struct run_child *child, const struct run_instance *in, char **at)
{
    for (size_t i = 0; in->client && i < in->bindings.count; i++) {
        const char *binding = cli_rows_text(&in->bindings, i, "binding");

        if (strncmp(child->url, "http", 4) == 0)
            entry_put(at, "%s_URL=%s/%s/", binding, child->url, binding);
        entry_put(at, "%s_AUTH_TOKEN=%s", binding, in->client[i] ? in->client[i] : "");
    }
}

char *
run_environment_new(const struct run_child *child, const struct run_instance *in)
{
    const char *folder = child->place->folder;
    struct via_buf bindings;
    char *out = NULL, *at;

    via_buf_init(&bindings);
    bindings_put(in, &bindings);
    if (!bindings.failed)
        out = via_guarded_new(environment_size(child, in, bindings.len));
    if (out) {
        at = out;
        entry_put(&at, "VARY_CONFIG_URL=%s", child->url);
        entry_put(&at, "VARY_CONFIG_TOKEN_PATH=%s/token", folder);
        entry_put(&at, "VARY_ENVIRONMENT=%s", in->target);
        entry_put(&at, "VIA_AGENT_SOCKET=%s", child->socket);
        entry_put(&at, "VIA_BINDINGS=%s", via_buf_text(&bindings));
        entry_put(&at, "SERVICE_BINDING_ROOT=%s/bindings", folder);
        client_put(child, in, &at);
        *at = '\0';
    }
    via_buf_deinit(&bindings);
    return out;
}

/* -- the file --------------------------------------------------------------------- */

/* As the user: is there nothing at `path` that somebody else wrote? */
static enum via_status
file_check(const char *path, struct via_error *e)
{
    struct via_error unread = {VIA_OK, ""};
    struct stat st;
    char *text = NULL;
    size_t n = 0;
    bool ours;

    if (lstat(path, &st) < 0 && errno == ENOENT)
        return VIA_OK;
    ours = via_fs_read(path, FILE_MAX_BYTES, &text, &n, &unread) == VIA_OK &&
           (n == 0 || strncmp(text, FIRST_LINE, strlen(FIRST_LINE)) == 0);
    if (text)
        explicit_bzero(text, n);
    free(text);
    if (ours)
        return VIA_OK;
    return via_error_set(e, VIA_PATH_INVALID,
                         "%s is there and is no file of via run; --env-file wants one of its own",
                         path);
}

/* Turn the list into lines, in guarded memory. VIA_PATH_INVALID when one would be two. */
static enum via_status
file_text(const char *environment, char **out, size_t *n, struct via_error *e)
{
    size_t size = 1;
    const char *p;

    for (p = environment; *p; p += strlen(p) + 1) {
        size += strlen(p) + 1;
        if (strchr(p, '\n'))
            return via_error_set(e, VIA_PATH_INVALID,
                                 "a path with a line break cannot stand in an --env-file");
    }
    *out = via_guarded_new(strlen(FIRST_LINE) + size);
    if (!*out)
        return via_error_set(e, VIA_OUT_OF_MEMORY, "out of memory");
    *n = (size_t)sprintf(*out, "%s", FIRST_LINE);
    for (p = environment; *p; p += strlen(p) + 1)
        *n += (size_t)sprintf(*out + *n, "%s\n", p);
    return VIA_OK;
}

enum via_status
run_environment_write(const struct run_child *child, const char *environment, struct via_error *e)
{
    enum via_status status;
    char *text = NULL;
    size_t n = 0;

    if (!child->env_file)
        return VIA_OK;
    status = file_text(environment, &text, &n, e);
    if (status == VIA_OK && !run_user_enter(child->place->user))
        status = via_error_set_errno(e, VIA_INTERNAL_ERROR, errno, "cannot act as the user");
    if (status == VIA_OK) {
        status = file_check(child->env_file, e);
        if (status == VIA_OK)
            status = via_fs_write(child->env_file, text, n, 0600, NULL, e);
        run_user_leave(child->place->user);
    }
    via_guarded_free(text);
    return status;
}

void
run_environment_remove(const struct run_child *child)
{
    struct via_error not_ours = {VIA_OK, ""};

    if (!child->env_file || !run_user_enter(child->place->user))
        return;
    if (file_check(child->env_file, &not_ours) == VIA_OK)
        via_ignore(via_fs_remove(child->env_file, NULL));
    run_user_leave(child->place->user);
}
