/* replica.h: both control databases copied as they stand at one moment, to be archived.
 *
 * Each speaks of the other (the audit's heads do), so both are held still, for as long as it takes
 * to begin to read. The copies lie in backups/ while they are needed. */
#ifndef VIA_CONTROL_REPLICA_H
#define VIA_CONTROL_REPLICA_H

#include "base/root.h"
#include "sql/sql.h"

struct via_replica {
    char control[VIA_PATH_SIZE];
    char runtime[VIA_PATH_SIZE];
    int64_t control_schema;
    int64_t runtime_schema;
    struct via_sql sql; /* on the copy of the control database: `main` */
};

/* Copy both for the backup `id`. Close it in any case, which removes the copies. */
VIA_MUST_USE enum via_status via_replica_open(struct via_replica *r, const struct via_root *root,
                                              const char *id, struct via_error *e);
void via_replica_close(struct via_replica *r);

/* Remove what a process left that died with a replica open. */
VIA_MUST_USE enum via_status via_replica_forget(const struct via_root *root, const char *id,
                                                struct via_error *e);

struct via_replica_snapshot {
    char id[VIA_ID_SIZE];
    char digest[65]; /* of its file, as it was written */
    int64_t size_bytes;
};

/* The next ready snapshot of an add-on in the order of their ids, behind the one in `out`, whose id
 * is "" at first. */
bool via_replica_next_snapshot(struct via_replica *r, const char *addon_id,
                               struct via_replica_snapshot *out);

/* In the copy alone: the file of a snapshot is not in the archive: "deleted" meanwhile, or
 * "failed". */
void via_replica_settle_snapshot(struct via_replica *r, const char *id, const char *state);

/* Bytes of all ready snapshots. */
int64_t via_replica_snapshot_bytes(struct via_replica *r);

/* Done with asking and correcting: write the copy out. Its file may be read then. */
VIA_MUST_USE enum via_status via_replica_settle(struct via_replica *r, struct via_error *e);

#endif
