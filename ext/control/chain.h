/* chain.h: is the audit whole? And the upkeep that keeps this a fair question: heads signed as the
 * streams grow, and records that are over pruned with a signed anchor in their place. */
#ifndef VIA_CONTROL_CHAIN_H
#define VIA_CONTROL_CHAIN_H

#include "control/mark.h"

#define VIA_BROKEN_SIZE 32

struct via_verdict {
    char broken[VIA_BROKEN_SIZE]; /* the first "stream:seq" that does not hold; "": all is whole */
    char lost_kid[VIA_ID_SIZE];   /* of the key whose file is gone, when it alone is the reason */
};

/* Read both streams from the first record to the last, as they stand in the databases of `root`, in
 * constant memory. What does not hold is missing, altered or out of its place; or it is whole as
 * far as its hashes tell, and bears a signature that nothing can verify any more. */
VIA_MUST_USE enum via_status via_chain_verify(const struct via_root *root, struct via_keyring *keys,
                                              struct via_verdict *v, struct via_error *e);

/* Sign the heads of the streams that moved since, or whose head is of an older key, and keep them.
 * A stream whose head cannot be written now, for another writer, keeps its old one. Waits, as the
 * next, for as long as the store's connections are set to.
 * VIA_AUDIT_BROKEN: a stream does not continue its signed head, which stays as it is. */
VIA_MUST_USE enum via_status via_chain_sign(struct via_store *s, struct via_error *e);

/* The same after a rotation that somebody asked for: what was signed with a key that is lost is
 * signed anew, when all of it is whole but for that. */
VIA_MUST_USE enum via_status via_chain_sign_anew(struct via_store *s, struct via_error *e);

/* Does the stream still hold the record that its signed head names? Cheap; for a look in passing.
 * False: `head` is that head. */
bool via_chain_continues(struct via_sql *db, enum via_audit_stream stream, struct via_mark *head);

/* Remove records older than audit_keep_s, oldest first and not the last one, for at most
 * `budget_ms` a stream, leaving a signed anchor. 0 keeps everything.
 * VIA_AUDIT_BROKEN: what is not whole is not pruned. */
VIA_MUST_USE enum via_status via_chain_prune(struct via_store *s, int64_t budget_ms,
                                             struct via_error *e);

#endif
