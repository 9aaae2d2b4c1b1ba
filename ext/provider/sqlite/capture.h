/* capture.h: the snapshots of an add-on: addons/sqlite/<id>/snapshots/<snapshot-id>.sqlite.
 *
 * The members of struct via_provider; provider.h says what they promise. A snapshot appears by one
 * rename; under way it is called <snapshot-id>.incoming. Its header says write-ahead log and it has
 * none, so that it is read as a frozen file. */
#ifndef VIA_PROVIDER_SQLITE_CAPTURE_H
#define VIA_PROVIDER_SQLITE_CAPTURE_H

#include "provider/provider.h"

VIA_MUST_USE enum via_status via_capture_make(const struct via_root *root,
                                              const struct via_opener *opener, const char *addon_id,
                                              const char *snapshot_id,
                                              const struct via_progress *progress,
                                              struct via_snapshot_facts *out, struct via_error *e);

VIA_MUST_USE enum via_status via_capture_check(const struct via_root *root, const char *addon_id,
                                               const char *snapshot_id, const char *digest,
                                               struct via_error *e);

/* Open the file of a snapshot for reading; *fd is the caller's, -1 on failure.
 * VIA_SNAPSHOT_MISSING; VIA_IO_ERROR when there is one. */
VIA_MUST_USE enum via_status via_capture_open(const char *path, int *fd, int64_t *size_bytes,
                                              struct via_error *e);

/* Read the file of a snapshot that came to be without a copy, once: its digest, and whether it
 * holds. VIA_SNAPSHOT_MISSING, VIA_SNAPSHOT_CORRUPT; or, when it cannot be told, VIA_IO_ERROR,
 * VIA_OUT_OF_MEMORY, VIA_OPERATION_INTERRUPTED. */
VIA_MUST_USE enum via_status via_capture_read(const char *path, const struct via_progress *progress,
                                              struct via_snapshot_facts *out, struct via_error *e);

VIA_MUST_USE enum via_status via_capture_remove(const struct via_root *root, const char *addon_id,
                                                const char *snapshot_id, struct via_error *e);

/* Is there something under its name, or can nobody tell? */
VIA_MUST_USE bool via_capture_exists(const struct via_root *root, const char *addon_id,
                                     const char *snapshot_id);

#endif
