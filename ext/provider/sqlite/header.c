/* header.c: a database's first bytes, and how long it is to be, read through SQLite's own VFS: it
 * knows which descriptors of this process hold locks on the file, and closes none of those. */
#include "provider/sqlite/header.h"

#include "base/error.h"
#include "via/ext.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEADER_BYTES 100
#define HEADER_PAGE_SIZE_AT 16
#define HEADER_VERSIONS_AT 18 /* for writing and for reading */
#define HEADER_CHANGES_AT 24
#define HEADER_PAGES_AT 28
#define HEADER_VALID_FOR_AT 92

#define LOG_HEADER_BYTES 32
#define LOG_FRAME_BYTES 24 /* before each page */

static int64_t
header_number(const unsigned char *at)
{
    return (int64_t)at[0] << 24 | at[1] << 16 | at[2] << 8 | at[3];
}

static int64_t
header_page_bytes(const unsigned char head[HEADER_BYTES])
{
    unsigned bytes = (unsigned)head[HEADER_PAGE_SIZE_AT] << 8 | head[HEADER_PAGE_SIZE_AT + 1];

    return bytes == 1 ? 65536 : bytes;
}

static bool
header_is_sound(const unsigned char head[HEADER_BYTES])
{
    int64_t page_bytes = header_page_bytes(head);

    return memcmp(head, "SQLite format 3", 16) == 0 && (page_bytes & (page_bytes - 1)) == 0 &&
           page_bytes >= 512;
}

/* How many pages there are to be; 0 when an old SQLite wrote it last, which did not count. */
static int64_t
header_pages(const unsigned char head[HEADER_BYTES])
{
    return memcmp(head + HEADER_CHANGES_AT, head + HEADER_VALID_FOR_AT, 4) == 0
               ? header_number(head + HEADER_PAGES_AT)
               : 0;
}

/* Is the file too short for its header, and its log for what is missing? A log is written before
 * its database, and goes when that is whole: so the database is looked at last. */
static bool
header_is_cut(const char *log, sqlite3_file *file, const unsigned char head[HEADER_BYTES])
{
    int64_t page_bytes = header_page_bytes(head), missing, log_bytes;
    sqlite3_int64 size_bytes;
    struct stat st;

    log_bytes = lstat(log, &st) == 0 ? (int64_t)st.st_size - LOG_HEADER_BYTES : 0;
    if (file->pMethods->xFileSize(file, &size_bytes) != SQLITE_OK)
        return false;
    missing = header_pages(head) - size_bytes / page_bytes;
    return missing > 0 && log_bytes < missing * (page_bytes + LOG_FRAME_BYTES);
}

/* Look at an open file. One that another process makes shorter meanwhile has another header. */
static bool
header_look(const char *log, sqlite3_file *file)
{
    unsigned char head[HEADER_BYTES], again[HEADER_BYTES];
    int rc = file->pMethods->xRead(file, head, sizeof head, 0);

    if (rc != SQLITE_OK)
        return rc != SQLITE_IOERR_SHORT_READ;
    if (!header_is_sound(head))
        return false;
    return !header_is_cut(log, file, head) ||
           file->pMethods->xRead(file, again, sizeof again, 0) != SQLITE_OK ||
           memcmp(head, again, sizeof head) != 0;
}

bool
via_header_holds(const char *path, const char *log)
{
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
    const char *name = sqlite3_create_filename(path, "", "", 0, NULL);
    sqlite3_file *file = vfs ? calloc(1, (size_t)vfs->szOsFile) : NULL;
    bool holds = true;

    if (name && file &&
        vfs->xOpen(vfs, name, file,
                   SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_READONLY | SQLITE_OPEN_NOFOLLOW,
                   NULL) == SQLITE_OK) {
        holds = header_look(log, file);
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
