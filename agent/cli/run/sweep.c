/* sweep.c: folders of launchers that were killed before they could tidy up. */
#include "cli/run/run.h"

#include "base/fs.h"
#include "base/id.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define UNNAMED_S 3600

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

/* Has a folder without an instance been there for longer than any launcher takes to name it? */
static bool
folder_is_forgotten(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0 && time(NULL) - st.st_mtime > UNNAMED_S;
}

static bool
folder_is_over(struct cli *cli, const char *name, const char *path)
{
    if (via_id_is(RUN_PLACE_UNNAMED, name))
        return folder_is_forgotten(path);
    return via_id_is("inst", name) && instance_is_over(cli, name);
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
        if (snprintf(path, sizeof path, "%s/%s", folder, entry->d_name) < (int)sizeof path &&
            folder_is_over(cli, entry->d_name, path))
            via_ignore(via_fs_remove_tree(path, NULL));
    }
    if (dir)
        (void)closedir(dir);
}
