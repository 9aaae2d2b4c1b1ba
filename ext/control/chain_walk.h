/* chain_walk.h: a walk along a stream of the audit, record by record, for chain*.c alone. */
#ifndef VIA_CONTROL_CHAIN_WALK_H
#define VIA_CONTROL_CHAIN_WALK_H

#include "base/buf.h"
#include "control/mark.h"

/* How far a walk has come: the last record that was in its place. */
struct via_walk {
    enum via_audit_stream stream;
    int64_t seq;
    char hash[VIA_HASH_SIZE];
    struct via_buf text; /* of via_audit_hash; the caller deinits it */
};

/* Begin behind `anchor`. */
void via_walk_begin(struct via_walk *w, enum via_audit_stream stream,
                    const struct via_mark *anchor);

/* The records to walk along: ?1 the first number, ?2 how many at most. */
#define VIA_WALK_SELECT(schema)                                                                    \
    "SELECT seq, at, actor, action, outcome, app, deploy, instance, binding, reason,"              \
    " operation_id, prev_hash, hash, count FROM " schema                                           \
    ".audit WHERE seq >= ?1 ORDER BY seq LIMIT ?2"

/* Is the record at `q` (of VIA_WALK_SELECT) the next one? Then the walk has come to it. */
VIA_MUST_USE bool via_walk_step(struct via_walk *w, sqlite3_stmt *q);

#endif
