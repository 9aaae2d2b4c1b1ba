/* shell.c: `via sql`, the real sqlite3 shell with the extension loaded. */
#include "base/error.h"
#include "base/root.h"
#include "cli/verbs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Find via.so: beside the program, else in ../lib/via as installed. */
static bool
extension_find(char *out, size_t size)
{
    static const char *const places[] = {"via.so", "../lib/via/via.so"};
    char self[VIA_PATH_SIZE];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    char *slash;

    if (n <= 0)
        return false;
    self[n] = '\0';
    slash = strrchr(self, '/');
    for (size_t i = 0; slash && i < sizeof places / sizeof *places; i++) {
        (void)snprintf(out, size, "%.*s/%s", (int)(slash - self), self, places[i]);
        if (access(out, R_OK) == 0)
            return true;
    }
    return false;
}

/* .load "PATH", with the shell's own quoting. */
static void
load_put(struct via_buf *b, const char *path)
{
    via_buf_puts(b, ".load \"");
    for (; *path; path++) {
        if (*path == '"' || *path == '\\')
            via_buf_putc(b, '\\');
        via_buf_putc(b, *path);
    }
    via_buf_putc(b, '"');
}

static void
shell_exec(struct cli *cli, const char *statement)
{
    char extension[VIA_PATH_SIZE * 2];
    const char *argv[8];
    struct via_buf load;
    int n = 0;

    if (!extension_find(extension, sizeof extension)) {
        (void)via_error_set(&cli->error, VIA_INTERNAL_ERROR,
                            "via.so is neither beside this program nor in ../lib/via");
        return;
    }
    via_buf_init(&load);
    load_put(&load, extension);
    argv[n++] = "sqlite3";
    argv[n++] = "-cmd";
    argv[n++] = via_buf_text(&load);
    if (cli_is_json(cli))
        argv[n++] = "-json";
    argv[n++] = ":memory:";
    if (statement)
        argv[n++] = statement;
    argv[n] = NULL;
    (void)execvp("sqlite3", (char *const *)argv);
    if (errno == ENOENT)
        (void)via_error_set(&cli->error, VIA_COMMAND_NOT_FOUND,
                            "the sqlite3 shell is not installed; apt-get install sqlite3");
    else
        (void)via_error_set_errno(&cli->error, VIA_INTERNAL_ERROR, errno, "sqlite3 did not start");
    via_buf_deinit(&load);
}

int
cli_sql(struct cli *cli)
{
    const char *statement = cli_operand(cli, "STATEMENT");
    char root[VIA_PATH_SIZE];

    if (cli_is_shown(cli)) {
        size_t n = statement ? strlen(statement) : 0;

        via_buf_puts(&cli->out, statement ? statement : "");
        via_buf_puts(&cli->out, n == 0 ? "" : statement[n - 1] == ';' ? "\n" : ";\n");
        return 0;
    }
    if (cli_option(cli, CLI_OPT_STATE_DIR) && via_root_path(root, sizeof root))
        (void)setenv("VIA_STATE_DIR", root, 1);
    shell_exec(cli, statement);
    return 1;
}
