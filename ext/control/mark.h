/* mark.h: signed marks on the audit: how far a stream had come, and where it now begins.
 *
 * A head says that the stream had come to record `seq` with this hash; an anchor, that the
 * records up to `seq` were pruned by Via itself. Both are signed with a key of use `audit`. A
 * head lies where its stream does not: in the other database, and in audit-head.json; an anchor
 * beside the records that follow it. */
#ifndef VIA_CONTROL_MARK_H
#define VIA_CONTROL_MARK_H

#include "control/store.h"

enum via_audit_stream { VIA_STREAM_CONTROL, VIA_STREAM_RUNTIME, VIA_STREAM_COUNT };

/* "control", "runtime" */
const char *via_stream_word(enum via_audit_stream stream);

#define VIA_HASH_SIZE 65

struct via_mark {
    enum via_audit_stream stream;
    bool anchor; /* else a head */
    int64_t seq; /* 0: there is none */
    char hash[VIA_HASH_SIZE];
    char at[VIA_TIME_SIZE];
    char kid[VIA_ID_SIZE];
    char signature[96]; /* base64url */
};

/* Sign the mark as of now: fills at, kid and signature. */
VIA_MUST_USE enum via_status via_mark_sign(struct via_mark *m, struct via_keyring *keys,
                                           struct via_error *e);

/* Does its signature hold, under a key that is not retired? */
VIA_MUST_USE bool via_mark_holds(const struct via_mark *m, struct via_keyring *keys);

/* Read a mark on a connection to both databases; m->seq is 0 without one. */
void via_mark_read(struct via_sql *db, enum via_audit_stream stream, bool anchor,
                   struct via_mark *m);

/* Put `m` into the database that is main on `db`, replacing the one before it. */
void via_mark_put(struct via_sql *db, const struct via_mark *m);

/* The heads kept in audit-head.json; seq is 0 where there is none. */
VIA_MUST_USE enum via_status via_mark_file_read(const struct via_root *root,
                                                struct via_mark heads[VIA_STREAM_COUNT],
                                                struct via_error *e);
VIA_MUST_USE enum via_status via_mark_file_write(const struct via_root *root,
                                                 const struct via_mark heads[VIA_STREAM_COUNT],
                                                 struct via_error *e);

#endif
