/* audit.h: the record of who did what, chained so that a change of it shows.
 *
 * Each record holds the BLAKE2b hash of itself and the record before it. The control
 * stream is written in the transaction it tells of; the runtime stream in runtime.db. */
#ifndef VIA_CONTROL_AUDIT_H
#define VIA_CONTROL_AUDIT_H

#include "base/buf.h"
#include "sql/sql.h"

struct via_store;

/* A record to be. Texts are borrowed; NULL is absent. */
struct via_record {
    const char *at; /* NULL: now */
    const char *actor;
    const char *action;  /* "addon.create" */
    const char *outcome; /* "ok", "failed", "refused" */
    const char *app;
    const char *deploy;
    const char *instance;
    const char *binding;
    const char *reason;
    const char *operation_id;
    int64_t count; /* 0 stands for 1 */
};

/* The hash of record `seq` after the one with the hash `previous` ("" before the first). `text` is
 * for its own use, to be kept from one call to the next. False: out of memory. */
VIA_MUST_USE bool via_audit_hash(const struct via_record *record, int64_t seq, const char *previous,
                                 struct via_buf *text, char hash[65]);

/* Append to the stream in table main.audit of `db`, inside an open write transaction. */
void via_audit_put(struct via_sql *db, const struct via_record *record);

/* In the store's transaction: a record of the control stream, by the store's actor. */
void via_audit_control(struct via_store *s, const char *action, const char *app,
                       const char *binding, const char *reason, const char *operation_id);

/* In the store's transaction: a record of the runtime stream, written when it commits. */
void via_audit_runtime(struct via_store *s, const struct via_record *record);

#endif
