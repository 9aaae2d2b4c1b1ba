#include "tables/newfile.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

bool
via_newfile_resolve(struct via_sql *db, const char *path, const char *what, char out[VIA_PATH_SIZE])
{
    const char *name = path ? strrchr(path, '/') : NULL;
    char folder[PATH_MAX];
    char given[VIA_PATH_SIZE];
    struct stat st;

    name = name ? name + 1 : path;
    if (!path || !name[0] || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
        strlen(path) >= VIA_PATH_SIZE - 64)
        via_sql_fail(db, VIA_PATH_INVALID, "say which file to write: column path names none");
    else if (lstat(path, &st) == 0)
        via_sql_fail(db, VIA_PATH_INVALID, "there is already a file %s; %s replaces none", path,
                     what);
    if (!via_sql_ok(db))
        return false;
    (void)snprintf(given, sizeof given, "%.*s", name == path ? 1 : (int)(name - path),
                   name == path ? "." : path);
    if (!realpath(given, folder)) {
        via_sql_fail(db, VIA_PATH_UNWRITABLE, "the folder of %s cannot be reached: %s", path,
                     strerror(errno));
        return false;
    }
    return snprintf(out, VIA_PATH_SIZE, "%s/%s", strcmp(folder, "/") ? folder : "", name) <
           VIA_PATH_SIZE;
}
