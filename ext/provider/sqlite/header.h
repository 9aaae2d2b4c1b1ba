/* header.h: the first bytes of an SQLite database (fileformat2.html section 1.3). */
#ifndef VIA_PROVIDER_SQLITE_HEADER_H
#define VIA_PROVIDER_SQLITE_HEADER_H

#include "via/model.h"

#include <stdbool.h>

/* Does the file `path` begin as a database does, and is it, with its write-ahead log `log`, as long
 * as it says? True also when it cannot be read: that is told elsewhere. Locks that this process
 * holds on it stay. */
bool via_header_holds(const char *path, const char *log);

/* Which journal a database is to have, as its header says it. */
enum via_header_version {
    VIA_HEADER_KEPT, /* whichever it has */
    VIA_HEADER_PLAIN,
    VIA_HEADER_WAL
};

/* Say so in the file `fd`, open for reading and writing, which nobody else has open. Nothing is
 * written when it says so already. VIA_IO_ERROR. */
VIA_MUST_USE enum via_status via_header_put(int fd, enum via_header_version version,
                                            struct via_error *e);

#endif
