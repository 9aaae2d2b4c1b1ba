/* moved.h: a control plane that was restored: nobody who ran is running any more. */
#ifndef VIA_CONTROL_MOVED_H
#define VIA_CONTROL_MOVED_H

#include "control/backup.h"

/* On the store of a root that nobody else uses: stop every instance, end every lease and token,
 * retire the keys that signed tokens (intents are left in the store), say that the backup `id`,
 * which it came out of, was finished as `outcome` has it, give up other backups and restores of
 * add-ons that were under way, and record the restore. Revocations, releases and deploys stay. */
VIA_MUST_USE enum via_status via_moved_settle(struct via_store *s, const char *id,
                                              const struct via_backup_outcome *outcome,
                                              struct via_error *e);

/* Check every page of both databases, and leave each as one file: its log folded in. Nobody else
 * uses them. VIA_STATE_CORRUPT. */
VIA_MUST_USE enum via_status via_moved_fold(const struct via_root *root, struct via_error *e);

#endif
