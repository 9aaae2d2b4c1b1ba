/* header.c: a database's first bytes, read through SQLite's own VFS: it knows which descriptors of
 * this process hold locks on the file, and closes none of those. */
#include "provider/sqlite/header.h"

#include "via/ext.h"

#include <stdlib.h>
#include <string.h>

#define HEADER_BYTES 100 /* https://www.sqlite.org/fileformat2.html#the_database_header */

static bool
header_is_sound(const unsigned char head[HEADER_BYTES])
{
    unsigned page_bytes = (unsigned)head[16] << 8 | head[17];

    return memcmp(head, "SQLite format 3", 16) == 0 && (page_bytes & (page_bytes - 1)) == 0 &&
           (page_bytes == 1 || page_bytes >= 512);
}

bool
via_header_holds(const char *path)
{
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
    const char *name = sqlite3_create_filename(path, "", "", 0, NULL);
    sqlite3_file *file = vfs ? calloc(1, (size_t)vfs->szOsFile) : NULL;
    unsigned char head[HEADER_BYTES];
    bool holds = true;
    int rc;

    if (name && file &&
        vfs->xOpen(vfs, name, file,
                   SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_READONLY | SQLITE_OPEN_NOFOLLOW,
                   NULL) == SQLITE_OK) {
        rc = file->pMethods->xRead(file, head, sizeof head, 0);
        if (rc == SQLITE_OK || rc == SQLITE_IOERR_SHORT_READ)
            holds = rc == SQLITE_OK && header_is_sound(head);
        (void)file->pMethods->xClose(file);
    }
    free(file);
    sqlite3_free_filename(name);
    return holds;
}
