/* schema.h: the tables of the control plane, and how an older one becomes today's.
 *
 * Two databases: control-plane.db holds what an operator decides; runtime.db what must
 * go on while an operator's transaction is open (instances, tokens, refusals). Each
 * is an append-only list of steps; PRAGMA user_version counts those applied. */
#ifndef VIA_CONTROL_SCHEMA_H
#define VIA_CONTROL_SCHEMA_H

#include "base/root.h"
#include "sql/sql.h"

/* Bring both databases up to date, making them when missing.
 * VIA_STATE_NEWER when a newer Via wrote them; VIA_AGENT_VERSION_MISMATCH when an
 * older agent is alive; VIA_STATE_UNAVAILABLE, VIA_DISK_FULL. */
VIA_MUST_USE enum via_status via_schema_ensure(const struct via_root *root, struct via_error *e);

/* Make in `s`, an empty database, what a new root has: the tables of runtime.db when `runtime`,
 * else of control-plane.db. The handle holds the error. */
void via_schema_make(struct via_sql *s, bool runtime);

/* Open control-plane.db into `s` with runtime.db attached as `rt` (read-only when
 * `runtime_readonly`), busy timeout and durability set, and the views made over them. The
 * handle holds the error. `overlay` adds the temporary tables that hold a transaction's
 * not yet applied runtime rows, and lets the views look through them. */
void via_schema_open(struct via_sql *s, const struct via_root *root, bool runtime_readonly,
                     bool overlay);

/* How long a writer of runtime.db waits for another. */
#define VIA_RUNTIME_TIMEOUT_MS 5000

/* Open runtime.db alone, for writing. */
void via_schema_open_runtime(struct via_sql *s, const struct via_root *root);

#endif
