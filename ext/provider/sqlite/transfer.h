/* transfer.h: an add-on's files on their way into and out of an archive.
 *
 * The members of struct via_provider; provider.h says what they promise. A copy that is lent is
 * called <ticket>.incoming while it is made, in the add-on's folder; what is received gets its
 * name when it is whole. */
#ifndef VIA_PROVIDER_SQLITE_TRANSFER_H
#define VIA_PROVIDER_SQLITE_TRANSFER_H

#include "provider/provider.h"

VIA_MUST_USE enum via_status via_transfer_lend(const struct via_root *root,
                                               const struct via_opener *opener,
                                               const char *addon_id, const char *ticket,
                                               const struct via_progress *progress, int *fd,
                                               struct via_error *e);
VIA_MUST_USE enum via_status via_transfer_forget(const struct via_root *root, const char *addon_id,
                                                 const char *ticket, struct via_error *e);
VIA_MUST_USE enum via_status via_transfer_open_snapshot(const struct via_root *root,
                                                        const char *addon_id,
                                                        const char *snapshot_id, int *fd,
                                                        struct via_error *e);
VIA_MUST_USE enum via_status via_transfer_receive(const struct via_root *root, const char *addon_id,
                                                  const char *snapshot_id, int *fd,
                                                  struct via_error *e);
VIA_MUST_USE enum via_status via_transfer_received(const struct via_root *root,
                                                   const char *addon_id, const char *snapshot_id,
                                                   const struct via_progress *progress,
                                                   struct via_error *e);

#endif
