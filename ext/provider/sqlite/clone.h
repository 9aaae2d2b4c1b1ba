/* clone.h: copying a file by a process of its own.
 *
 * The file may be a database that this process has open: a descriptor of ours, once closed, would
 * drop SQLite's locks on it. A child has no locks to lose. */
#ifndef VIA_PROVIDER_SQLITE_CLONE_H
#define VIA_PROVIDER_SQLITE_CLONE_H

#include "via/model.h"

struct via_clone {
    const char *from;   /* path */
    const char *log;    /* path: while this file changes, others write, and go first; or NULL */
    int to;             /* descriptor of an empty file */
    int64_t size_bytes; /* how much of it */
    /* Called several times a second with the bytes that are there, at first none, in a file that
     * has its whole size as soon as it has any; false asks to stop. */
    bool (*tell)(void *arg, int64_t bytes);
    void *arg;
};

/* Copy; where the file system can share blocks, they are shared. The copy is given to the disk as
 * it grows, and its end is not synced. *is_refused is true when no process could be made and
 * nothing was done. VIA_STORAGE_FULL, VIA_STORAGE_CORRUPT when the file is shorter,
 * VIA_OPERATION_INTERRUPTED, VIA_IO_ERROR. */
VIA_MUST_USE enum via_status via_clone_run(const struct via_clone *c, bool *is_refused,
                                           struct via_error *e);

#endif
