/* shell.c: the real sqlite3 shell with the extension loaded: `via sql` on the control plane,
 * `via addon shell` on an add-on through the guarded VFS. */
#include "base/error.h"
#include "base/root.h"
#include "cli/addon.h"
#include "cli/verbs.h"
#include "effects/effects.h"

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
meta_put(struct via_buf *b, const char *command, const char *path)
{
    via_buf_printf(b, "%s \"", command);
    for (; *path; path++) {
        if (*path == '"' || *path == '\\')
            via_buf_putc(b, '\\');
        via_buf_putc(b, *path);
    }
    via_buf_putc(b, '"');
}

/* Become the shell, on the database `uri` (NULL: none). Returns with an error when it cannot. */
static void
shell_exec(struct cli *cli, const char *uri, const char *statement)
{
    char extension[VIA_PATH_SIZE * 2];
    const char *argv[12];
    struct via_buf load, open;
    int n = 0;

    if (!extension_find(extension, sizeof extension)) {
        (void)via_error_set(&cli->error, VIA_INTERNAL_ERROR,
                            "via.so is neither beside this program nor in ../lib/via");
        return;
    }
    via_buf_init(&load);
    via_buf_init(&open);
    meta_put(&load, ".load", extension);
    meta_put(&open, ".open", uri ? uri : "");
    argv[n++] = "sqlite3";
    argv[n++] = "-cmd";
    argv[n++] = via_buf_text(&load);
    if (uri) {
        /* A script ends with its first error. */
        argv[n++] = "-bail";
        argv[n++] = "-cmd";
        argv[n++] = via_buf_text(&open);
    }
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
    via_buf_deinit(&open);
}

static void
statement_show(struct cli *cli, const char *statement)
{
    size_t n = statement ? strlen(statement) : 0;

    via_buf_puts(&cli->out, statement ? statement : "");
    via_buf_puts(&cli->out, n == 0 ? "" : statement[n - 1] == ';' ? "\n" : ";\n");
}

/* The shell finds the state root where this program did. */
static void
root_export(const struct cli *cli)
{
    char root[VIA_PATH_SIZE];

    if (cli_option(cli, CLI_OPT_STATE_DIR) && via_root_path(root, sizeof root))
        (void)setenv("VIA_STATE_DIR", root, 1);
}

int
cli_sql(struct cli *cli)
{
    const char *statement = cli_operand(cli, "STATEMENT");

    if (cli_is_shown(cli)) {
        statement_show(cli, statement);
        return 0;
    }
    root_export(cli);
    shell_exec(cli, NULL, statement);
    return 1;
}

/* Open the add-on as the shell will: one that cannot would go on with an empty database in memory.
 */
static void
shell_check(struct cli *cli, const char *id)
{
    struct via_sql sql = {0};

    via_effect_opener.open(via_effect_opener.arg, id, &sql);
    (void)via_sql_int(&sql, "SELECT count(*) FROM sqlite_schema", 0);
    via_ignore(via_sql_take(&sql, &cli->error));
    via_sql_close(&sql);
}

int
cli_addon_shell(struct cli *cli)
{
    const char *statement = cli_operand(cli, "STATEMENT");
    char id[VIA_ID_SIZE];
    char uri[VIA_ID_SIZE + 32];
    struct cli_statement st;
    struct cli_rows rows;

    cli_addon_check(cli, id);
    cli_statement_init(&st, "SELECT 'file:' || a.id || '?vfs=via&operator=1' AS uri, "
                            "a.state = 'destroyed' AS destroyed, s.present, a.id AS addon_id "
                            "FROM via_addons a LEFT JOIN via_storage s ON s.addon_id = a.id");
    cli_addon_put_id(cli, &st, " WHERE a.id = ");
    cli_query(cli, &st, &rows);
    if (rows.count > 0 && cli_rows_integer(&rows, 0, "destroyed"))
        cli_refuse(cli, VIA_STATE_INVALID, "add-on %s is destroyed and cannot be opened",
                   cli_operand(cli, "NAME"));
    else if (rows.count == 0 || !cli_rows_integer(&rows, 0, "present"))
        cli_refuse(cli, VIA_STORAGE_MISSING, "the database file of add-on %s is missing",
                   cli_operand(cli, "NAME"));
    if (cli_is_shown(cli))
        statement_show(cli, statement);
    if (cli_answers(cli))
        shell_check(cli, cli_rows_text(&rows, 0, "addon_id"));
    if (cli_answers(cli)) {
        (void)snprintf(uri, sizeof uri, "%s", cli_rows_text(&rows, 0, "uri"));
        /* The shell takes this process over; no connection of ours must live on in it. */
        cli_close(cli);
        root_export(cli);
        shell_exec(cli, uri, statement);
    }
    cli_rows_deinit(&rows);
    return 0;
}
