/* store.h: one user's hold on the control plane: a reader, a writer and a transaction.
 *
 * Three connections. `read` answers when no transaction is open. `write` carries the
 * transaction: it reads its own changes, and holds its runtime rows (instances, tokens,
 * activations, runtime audit) and its intents in temporary tables, which savepoints and
 * rollback undo like everything else. Only the commit takes runtime.db's write lock, for an
 * instant, so that an operator's open transaction keeps nobody from renewing a lease.
 *
 * Not thread-safe; one for each host connection. */
#ifndef VIA_CONTROL_STORE_H
#define VIA_CONTROL_STORE_H

#include "base/epoch.h"
#include "identity/keys.h"
#include "sql/sql.h"

#include <stdatomic.h>

/* What is to be done once the transaction is committed, in order. */
enum via_intent_kind {
    VIA_INTENT_PROVISION,
    VIA_INTENT_PURGE,
    VIA_INTENT_PURGE_DUE,
    VIA_INTENT_MINT,
    VIA_INTENT_REPAIR,
    VIA_INTENT_SNAPSHOT,
    VIA_INTENT_SNAPSHOT_REMOVE,
    VIA_INTENT_EXPORT,
    VIA_INTENT_FIX,
    VIA_INTENT_BACKUP,
    VIA_INTENT_KEY_ROTATE,
    VIA_INTENT_KEY_RETIRE,
    VIA_INTENT_RESTORE
};

struct via_intent {
    enum via_intent_kind kind;
    int64_t operation;         /* rid of its row in operations; 0 for a mint */
    char subject[VIA_ID_SIZE]; /* add-on id, or token id */
    char *argument;            /* the source, or the path of the token file; may be NULL */
    int64_t number;
};

struct via_store {
    struct via_root root;
    struct via_sql read;
    struct via_sql write;
    struct via_sql runtime;
    struct via_keyring *keys;
    struct via_epoch epoch;
    struct via_lock lock; /* holds the bytes of operations under way */
    char actor[VIA_ACTOR_SIZE];
    char now[VIA_TIME_SIZE];    /* of the transaction */
    bool immediate;             /* it holds the control database's write lock */
    bool takes_right;           /* its commit can take a right away */
    struct via_intent *intents; /* of the transaction last committed */
    size_t intent_count;
    const _Atomic bool *stop; /* asks long work to end; NULL: nobody does */
};

/* Open the store of the state root, making it when missing. The caller frees *out. */
VIA_MUST_USE enum via_status via_store_new(struct via_store **out, struct via_error *e);
void via_store_free(struct via_store *s);

/* Is a transaction open on the writer? */
bool via_store_in_transaction(const struct via_store *s);

/* The connection to read with now: the writer inside a transaction, else the reader. */
struct via_sql *via_store_db(struct via_store *s);

/* Begin. `immediate` takes the control database's write lock at once, waiting busy_timeout_ms for
 * it (VIA_CONTROL_BUSY names the holder's pid); without it only runtime rows may be changed. */
VIA_MUST_USE enum via_status via_store_begin(struct via_store *s, bool immediate,
                                             struct via_error *e);

/* Savepoints of the caller's numbering. Each is fine without a transaction. */
VIA_MUST_USE enum via_status via_store_savepoint(struct via_store *s, int n, struct via_error *e);
VIA_MUST_USE enum via_status via_store_release(struct via_store *s, int n, struct via_error *e);
VIA_MUST_USE enum via_status via_store_rollback_to(struct via_store *s, int n, struct via_error *e);

/* Commit: control rows, then runtime rows, inside the epoch's begin and end when a right may go;
 * take the byte of each operation first, and make the keys that tokens are to be signed with.
 * Intents are left in s->intents for effects/. On failure everything is rolled back, but for one
 * case: when runtime.db refuses what is committed with the control rows, that is owed (overlay.h),
 * and the intents are left to be carried out. Without a transaction: nothing to do, VIA_OK. */
VIA_MUST_USE enum via_status via_store_commit(struct via_store *s, struct via_error *e);
void via_store_rollback(struct via_store *s);

/* Add an intent to the open transaction. */
void via_store_intend(struct via_store *s, enum via_intent_kind kind, int64_t operation,
                      const char *subject, const char *argument, int64_t number);

/* Drop the intents left by the last commit. */
void via_store_forget_intents(struct via_store *s);

/* A row id for a runtime row: sorts by time and is the same before and after it is applied. */
int64_t via_store_rid(void);

/* The actor for this process: user:NAME. */
void via_store_actor(char out[VIA_ACTOR_SIZE]);

#endif
