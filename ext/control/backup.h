/* backup.h: archives of the whole host as rows; the files are written by effects/. */
#ifndef VIA_CONTROL_BACKUP_H
#define VIA_CONTROL_BACKUP_H

#include "control/store.h"

struct via_backup {
    char id[VIA_ID_SIZE];
    char path[VIA_PATH_SIZE];            /* absolute */
    char passphrase_file[VIA_PATH_SIZE]; /* absolute; "": its keys are not sealed */
    char created_at[VIA_TIME_SIZE];
};

/* What an archive turned out to be. */
struct via_backup_outcome {
    int64_t size_bytes;
    const char *digest;
    const char *fingerprint;
    const char *key_id;   /* of the key that it is of; NULL: not known */
    int64_t absent;       /* how much was left out, */
    const char *left_out; /* and what: the elements of a JSON array */
};

/* In the store's transaction: write a pending backup and the intent to make it. Without `path` it
 * goes into backups/. `passphrase_file` may be NULL. Returns the row id. VIA_KEY_UNAVAILABLE when
 * the key that signs backups is lost: a new one would have another fingerprint than the one that
 * the operator keeps. */
int64_t via_backup_put(struct via_store *s, const char *path, const char *passphrase_file);

/* The newest key that has signed a backup. False when none is known. */
bool via_backup_newest_key(struct via_sql *db, char kid[VIA_ID_SIZE]);

/* Is that key's file gone, and neither was it retired nor is there a newer key? */
bool via_backup_key_is_lost(struct via_store *s, struct via_sql *db, char kid[VIA_ID_SIZE]);

bool via_backup_find(struct via_sql *db, const char *id, struct via_backup *out);

/* Write the path of the newest archive that holds every add-on of its time, `addon_id` among them,
 * and is still where it was written, and whether its keys are sealed. False when there is none. */
bool via_backup_newest(struct via_sql *db, const char *addon_id, char path[VIA_PATH_SIZE],
                       bool *sealed);

/* Outcomes, in a transaction of effects/. */
void via_backup_ready(struct via_store *s, const char *id,
                      const struct via_backup_outcome *outcome);
void via_backup_failed(struct via_store *s, const char *id);

#endif
