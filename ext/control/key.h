/* key.h: the host's keys as rows: rotated, retired.
 *
 * Which keys there are the folder keys/ says; a row is written when one is retired, for its file
 * is removed then, private half and public: what is retired verifies nothing. */
#ifndef VIA_CONTROL_KEY_H
#define VIA_CONTROL_KEY_H

#include "control/store.h"

/* Bring temp.seen_keys of `db` in step with the folder: what the table shows besides the retired.
 */
void via_key_look(struct via_store *s, struct via_sql *db);

/* Intend a new key of `use`; it signs, in every process, once it is made. Returns its row id. */
int64_t via_key_rotate(struct via_store *s, const char *use);

/* Retire the key of row `rid`. VIA_KEY_ACTIVE: it is the one that signs. VIA_KEY_IN_USE: the
 * manifest of a running deploy, or the audit, is signed with it, or a backup under way holds what
 * is. Secrets sealed with it are sealed anew. */
void via_key_retire(struct via_store *s, int64_t rid);

/* Retire every key of `use`, the one that signs too: the next signature makes a new one. For a host
 * that was restored. */
void via_key_retire_use(struct via_store *s, enum via_key_use use);

/* It was not carried out: the key is as it was. */
void via_key_keep(struct via_store *s, const char *kid);

#endif
