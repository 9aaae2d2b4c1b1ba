/* sweep.c: homes of launchers that were killed before they could tidy up. */
#include "cli/run/run.h"

#include "base/fs.h"
#include "base/id.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define UNNAMED_S 3600

/* Has a home without a name been there for longer than any launcher takes to lock it? */
static bool
home_is_forgotten(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0 && time(NULL) - st.st_mtime > UNNAMED_S;
}

/* May a command still use it, until its lease is over? In doubt, yes. */
static bool
home_is_used(struct cli *cli, const char *path)
{
    char token[VIA_PATH_SIZE];
    struct cli_statement st;
    struct cli_rows rows;
    bool used;

    if (snprintf(token, sizeof token, "%s/files/token", path) >= (int)sizeof token)
        return true;
    cli_statement_init(&st, "SELECT count(*) AS used FROM via_instances WHERE state = 'running'");
    cli_statement_text(&st, " AND token_path = ", token);
    used = !cli_query(cli, &st, &rows) || cli_rows_integer(&rows, 0, "used") > 0;
    cli_rows_deinit(&rows);
    return used;
}

static void
home_sweep(struct cli *cli, const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0)
        return;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0 && !home_is_used(cli, path))
        via_ignore(via_fs_remove_tree(path, NULL));
    close(fd);
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
        if (snprintf(path, sizeof path, "%s/%s", folder, entry->d_name) >= (int)sizeof path)
            continue;
        if (via_id_is(RUN_PLACE_NAMED, entry->d_name) ||
            (via_id_is(RUN_PLACE_UNNAMED, entry->d_name) && home_is_forgotten(path)))
            home_sweep(cli, path);
    }
    if (dir)
        (void)closedir(dir);
}
