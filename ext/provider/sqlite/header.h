/* header.h: whether a file begins as an SQLite database does, told cheaply. */
#ifndef VIA_PROVIDER_SQLITE_HEADER_H
#define VIA_PROVIDER_SQLITE_HEADER_H

#include <stdbool.h>

/* Does the file `path` begin as a database does? True also when it cannot be read: that is told
 * elsewhere. Locks that this process holds on it stay. */
bool via_header_holds(const char *path);

#endif
