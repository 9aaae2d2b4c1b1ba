/* copy.h: the content of an add-on, copied into a file of its own and checked there. */
#ifndef VIA_PROVIDER_SQLITE_COPY_H
#define VIA_PROVIDER_SQLITE_COPY_H

#include "provider/sqlite/pin.h"

struct via_copy {
    const char *data; /* the path of the live main file, for a process of its own to read */
    const char *log;  /* the path of its write-ahead log */
    const char *path; /* of the copy: a file that is there and that nobody else knows */
    int fd;           /* of the copy, for reading and writing */
    bool is_plain;    /* the copy is to be a database without write-ahead log; it has no digest */
    const struct via_progress *progress;
};

/* Copy what `pin` holds, end the pin, read the copy back, and check its pages. While others write
 * the content, reading back and checking take what they leave of the processor. Nothing is synced.
 * VIA_STORAGE_FULL, VIA_STORAGE_CORRUPT when the content was damaged, VIA_IO_ERROR,
 * VIA_OPERATION_INTERRUPTED. */
VIA_MUST_USE enum via_status via_copy_make(const struct via_copy *c, struct via_pin *pin,
                                           struct via_snapshot_facts *out, struct via_error *e);

#endif
