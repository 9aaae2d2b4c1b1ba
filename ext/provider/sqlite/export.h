/* export.h: the content of an add-on as a file of the operator's. */
#ifndef VIA_PROVIDER_SQLITE_EXPORT_H
#define VIA_PROVIDER_SQLITE_EXPORT_H

#include "provider/provider.h"

/* The members of struct via_provider; provider.h says what they promise. Under way the file is
 * called
 * .<name>.<addon-id>.incoming, in the same folder. */
VIA_MUST_USE enum via_status via_export_make(const struct via_root *root,
                                             const struct via_opener *opener, const char *addon_id,
                                             const char *path, const struct via_progress *progress,
                                             int64_t *size_bytes, struct via_error *e);
VIA_MUST_USE bool via_export_left(const char *addon_id, const char *path, char out[VIA_PATH_SIZE]);

#endif
