/* operation.h: operations as rows: who does what, how far it is, how it ended. */
#ifndef VIA_CONTROL_OPERATION_H
#define VIA_CONTROL_OPERATION_H

#include "control/store.h"

struct via_operation {
    int64_t rid;
    char id[VIA_ID_SIZE];
    char kind[48];
    char state[16];
    char phase[32];
    char app[VIA_NAME_SIZE];
    char addon_id[VIA_ID_SIZE];
    char payload[VIA_PATH_SIZE]; /* what it works on besides the add-on, or "" */
};

/* In the store's transaction: write a new operation. `state` is "pending", "done", or "running"
 * when its owner is at it from the start. Returns its rid, and its id into `id`. */
int64_t via_operation_put(struct via_store *s, const struct via_operation *op, const char *subject,
                          char id[VIA_ID_SIZE]);

/* A change that is complete when its transaction commits. */
struct via_change {
    const char *kind;
    const char *subject;
    const char *app;      /* NULL: the host's */
    const char *addon_id; /* NULL: no add-on's */
};

/* In the store's transaction: record it as an operation that is done, and its id into `id`. */
void via_operation_put_done(struct via_store *s, const struct via_change *c, char id[VIA_ID_SIZE]);

/* Read the operation with row id `rid`; false when there is none. */
bool via_operation_find(struct via_sql *db, int64_t rid, struct via_operation *out);

/* In a transaction: note how far it is, 0 to 100; the operation is running. Whoever resumes it
 * begins anew, but what is noted never falls. */
void via_operation_progress(struct via_store *s, int64_t rid, int percent);

/* In a transaction: it has come to `phase`, and is running. */
void via_operation_phase(struct via_store *s, int64_t rid, const char *phase);

/* In a transaction: settle it as "done", which is at 100, or as "failed" or "undone", which stay
 * where they were. `error` may be NULL. */
void via_operation_settle(struct via_store *s, int64_t rid, const char *state, const char *error);

/* In a transaction: settle it as failed, or as undone when it was interrupted, and record that in
 * the audit, where it stands already that it was asked for. `why` is kept as "code: sentence". */
void via_operation_fail(struct via_store *s, const struct via_operation *op,
                        const struct via_error *why);

/* Is any operation unsettled, or an add-on to be purged at `now`? For a look that costs nothing. */
bool via_operation_is_due(struct via_sql *db, const char *now);

/* The next unsettled operation after row id `after`, or 0. */
int64_t via_operation_next_open(struct via_sql *db, int64_t after);

#endif
