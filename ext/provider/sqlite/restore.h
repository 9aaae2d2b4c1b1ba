/* restore.h: putting a snapshot in the place of an add-on's content.
 *
 * The members of struct via_provider; provider.h says what they promise. Under way the new content
 * is called restoring.sqlite, beside data.sqlite, and one rename is the exchange: as long as
 * restoring.sqlite is there, the old content stands. */
#ifndef VIA_PROVIDER_SQLITE_RESTORE_H
#define VIA_PROVIDER_SQLITE_RESTORE_H

#include "provider/provider.h"

VIA_MUST_USE enum via_status via_restore_make(const struct via_root *root,
                                              const struct via_opener *opener,
                                              const struct via_restore_order *order,
                                              struct via_restore_facts *out, struct via_error *e);

VIA_MUST_USE bool via_restore_is_made(const struct via_root *root, const char *addon_id);

VIA_MUST_USE enum via_status via_restore_undo(const struct via_root *root, const char *addon_id,
                                              const char *keep_id, struct via_error *e);

VIA_MUST_USE enum via_status via_restore_finish(const struct via_root *root,
                                                const struct via_restore_order *order,
                                                bool is_served, struct via_restore_facts *out,
                                                struct via_error *e);

#endif
