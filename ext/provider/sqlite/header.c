/* header.c: a database's first bytes, read through SQLite's own VFS: it knows which descriptors of
 * this process hold locks on the file, and closes none of those. */
#include "provider/sqlite/header.h"

#include "base/error.h"
#include "via/ext.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEADER_BYTES 100
#define HEADER_VERSIONS_AT 18 /* for writing and for reading */

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

enum via_status
via_header_put(int fd, enum via_header_version version, struct via_error *e)
{
    const unsigned char wanted[2] = {(unsigned char)version, (unsigned char)version};
    unsigned char there[2] = {0};

    if (version == VIA_HEADER_KEPT)
        return VIA_OK;
    if (pread(fd, there, sizeof there, HEADER_VERSIONS_AT) != (ssize_t)sizeof there)
        return via_error_set_errno(e, VIA_IO_ERROR, errno, "the copy cannot be read back");
    if (memcmp(there, wanted, sizeof there) != 0 &&
        pwrite(fd, wanted, sizeof wanted, HEADER_VERSIONS_AT) != (ssize_t)sizeof wanted)
        return via_error_set_errno(e, VIA_IO_ERROR, errno, "the copy cannot be written");
    return VIA_OK;
}
