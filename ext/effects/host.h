/* host.h: an archive of a whole host, verified, and made a host again.
 *
 * For the command line: the state root may not open, or is what is being made. */
#ifndef VIA_EFFECTS_HOST_H
#define VIA_EFFECTS_HOST_H

#include "archive/archive.h"
#include "provider/provider.h"

struct via_host_request {
    const char *file;
    const char *fingerprint;             /* 64 characters, lower-case hex; NULL: any key will do */
    const char *passphrase_file;         /* NULL: none */
    const struct via_progress *progress; /* NULL: untold */
};

struct via_host_report {
    struct via_archive_seal seal;
    struct via_archive_head head;
    int64_t addons;
    int64_t snapshots;
    bool keys_opened; /* its keys are plain, or the passphrase opened them */
};

/* Release what a report owns, whatever the answer was. */
void via_host_report_deinit(struct via_host_report *r);

/* Read the archive through: its seal, every member's digest against the manifest, the header and
 * length of each database, its keys if they can be opened. VIA_BACKUP_UNREADABLE,
 * VIA_BACKUP_INVALID, VIA_BACKUP_UNTRUSTED, VIA_PASSPHRASE_WRONG, VIA_PASSPHRASE_UNREADABLE. */
VIA_MUST_USE enum via_status via_host_verify(const struct via_host_request *r,
                                             struct via_host_report *out, struct via_error *e);

/* Make the state root of this process, which must hold nothing, what the archive holds: every
 * database checked, operations that were under way settled, instances stopped, tokens' keys made
 * anew. The root is empty or whole at any instant, or says that a restore was cut short. The
 * statuses of via_host_verify() and via_stage_begin(), and VIA_PASSPHRASE_REQUIRED. Not while
 * another thread uses Via: the root's path is changed meanwhile. */
VIA_MUST_USE enum via_status via_host_restore(const struct via_host_request *r,
                                              struct via_host_report *out, struct via_error *e);

#endif
