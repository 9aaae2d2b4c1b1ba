/* sweep.c: folders of launchers that were killed before they could tidy up. */
#include "cli/run/run.h"

#include "base/fs.h"
#include "base/id.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

/* Is the instance over and its launcher gone? In doubt, not. */
static bool
instance_is_over(struct cli *cli, const char *id)
{
    struct cli_statement st;
    struct cli_rows rows;
    const char *state;
    int64_t pid;
    bool over;

    cli_statement_init(&st, "SELECT state, pid FROM via_instances WHERE ");
    cli_statement_text(&st, "id = ", id);
    cli_query(cli, &st, &rows);
    state = cli_rows_text(&rows, 0, "state");
    pid = cli_rows_integer(&rows, 0, "pid");
    over = cli_ok(cli) && (!state || strcmp(state, "running") != 0) &&
           (pid <= 0 || (kill((pid_t)pid, 0) < 0 && errno == ESRCH));
    cli_rows_deinit(&rows);
    return over;
}

void
run_place_sweep(struct cli *cli)
{
    char folder[VIA_PATH_SIZE], path[VIA_PATH_SIZE];
    struct dirent *entry;
    struct via_root root;
    DIR *dir;

    if (cli_is_shown(cli) || via_root_find(&root, NULL) != VIA_OK)
        return;
    via_root_join(&root, "run/instances", folder);
    dir = opendir(folder);
    while (dir && cli_ok(cli) && (entry = readdir(dir)) != NULL) {
        if (!via_id_is("inst", entry->d_name) || !instance_is_over(cli, entry->d_name))
            continue;
        if (snprintf(path, sizeof path, "%s/%s", folder, entry->d_name) < (int)sizeof path)
            via_ignore(via_fs_remove_tree(path, NULL));
    }
    if (dir)
        (void)closedir(dir);
}
