/* file.h: a guarded main database file, wrapped round one of the platform's own.
 *
 * Logs and temporary files are the platform's files themselves; they need no guard. */
#ifndef VIA_VFS_FILE_H
#define VIA_VFS_FILE_H

#include "vfs/guard.h"

struct via_file {
    sqlite3_file base; /* must be first: SQLite holds a pointer to it */
    struct via_file *next;
    const char *journal; /* SQLite's own pointers to its names, compared, never read */
    const char *log;
    const char *real_name; /* sqlite3_create_filename; the real file borrows it */
    struct via_guard *guard;
    struct via_vfs_locks locks;
};

/* Open the main database that SQLite calls `name`, over `parent`. The memory at `file` is
 * sizeof(struct via_file) and then the parent's szOsFile. Returns an SQLITE_ code. */
int via_file_open(sqlite3_vfs *parent, const char *name, sqlite3_file *file, int flags,
                  int *out_flags);

/* The open main file whose journal or log SQLite names by this very pointer, or NULL. (The
 * text is no guide: a binding may be called A-WAL, and a super-journal's name has no
 * database before it in memory, so that SQLite's own look-up would run off its end.) */
struct via_file *via_file_find(const char *name);

/* The platform's file behind `f`: right after it in memory. */
static inline sqlite3_file *
via_file_real(struct via_file *f)
{
    return (sqlite3_file *)(void *)(f + 1);
}

/* Take `f` off the list of open files. */
void via_file_forget(struct via_file *f);

/* Is what `opened` holds a write-ahead database? VIA_STORAGE_MISSING when it is empty,
 * VIA_STORAGE_UNREADABLE, VIA_STORAGE_CORRUPT. Takes no lock. */
VIA_MUST_USE enum via_status via_file_check_header(sqlite3_file *opened, struct via_error *e);

/* The methods for a parent whose files have version 2, and 3 or more. */
extern const sqlite3_io_methods via_file_methods_2, via_file_methods_3;

/* May the log of `f` be opened now? An SQLITE_ code. */
int via_file_may_open_log(struct via_file *f);

#endif
