/* import.h: filling a new database file, empty or from a source. */
#ifndef VIA_PROVIDER_SQLITE_IMPORT_H
#define VIA_PROVIDER_SQLITE_IMPORT_H

#include "provider/provider.h"

struct via_source;

/* Fill the empty file `path` with what `source` (open; NULL: nothing) holds, as a sound
 * write-ahead database with its log folded in and no side files. The source's connection is closed
 * as soon as all is copied. `path` is never named.
 * VIA_SOURCE_*, VIA_STORAGE_FULL, VIA_STORAGE_CORRUPT, VIA_OPERATION_INTERRUPTED. */
VIA_MUST_USE enum via_status via_import_fill(const char *path, struct via_source *source,
                                             const struct via_progress *progress,
                                             struct via_error *e);

#endif
