/* pack.h: this host, packed into an archive: what is in it, in which order, and how far it is.
 *
 * Where the archive is, and what becomes of it, its caller knows. */
#ifndef VIA_EFFECTS_PACK_H
#define VIA_EFFECTS_PACK_H

#include "archive/archive.h"
#include "control/backup.h"
#include "identity/passphrase.h"
#include "provider/provider.h"

struct via_pack_order {
    const struct via_backup *backup;
    struct via_passphrase *passphrase;   /* NULL: keys are not sealed */
    const struct via_progress *progress; /* NULL: nobody is told */
    int fd;                              /* the archive: an empty file */
};

struct via_packed {
    struct via_archive_seal seal;
    int64_t absent;          /* what has no sound content, and is not in it, */
    struct via_buf left_out; /* by name: as in via_archive_head; the caller's to release */
};

/* Write and seal the archive; nothing is synced. VIA_OPERATION_INTERRUPTED, VIA_DISK_FULL,
 * VIA_STORAGE_FULL, VIA_KEY_UNAVAILABLE, VIA_IO_ERROR, VIA_OVERLOADED. */
VIA_MUST_USE enum via_status via_pack_host(struct via_store *s, const struct via_pack_order *order,
                                           struct via_packed *out, struct via_error *e);

#endif
