/* copy.h: content, copied into a file of its own and checked there. */
#ifndef VIA_PROVIDER_SQLITE_COPY_H
#define VIA_PROVIDER_SQLITE_COPY_H

#include "provider/sqlite/header.h"
#include "provider/sqlite/pin.h"

struct via_copy {
    const char *data; /* the path of the main file, for a process of its own to read */
    const char *log;  /* the path of its write-ahead log, when others may write; or NULL */
    const char *path; /* of the copy: a file that is there and that nobody else knows */
    int fd;           /* of the copy, for reading and writing */
    enum via_header_version header; /* what the copy says of itself; a digest only when KEPT */
    bool is_exact;                  /* byte for byte what it was, and not only the same content */
    bool is_foreign; /* no content of ours: rows, constraints and indexes are checked */
    /* Called when all is there, before the pin ends: VIA_OK goes on. May be NULL. */
    enum via_status (*copied)(void *arg, struct via_error *e);
    void *arg;
    const struct via_progress *progress;
};

/* Copy what `pin` holds, end the pin, read the copy back, and check it. While others write the
 * content, reading back and checking take what they leave of the processor. It is synced bit by
 * bit, but not to its end: that is for whoever gives it a name. VIA_STORAGE_FULL;
 * VIA_STORAGE_CORRUPT or VIA_STORAGE_UNREADABLE, when that is what the content was; VIA_IO_ERROR,
 * VIA_OPERATION_INTERRUPTED. */
VIA_MUST_USE enum via_status via_copy_make(const struct via_copy *c, struct via_pin *pin,
                                           struct via_snapshot_facts *out, struct via_error *e);

#endif
