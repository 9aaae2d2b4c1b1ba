/* verify.h: a file checked by SQLite, in a thread of its own.
 *
 * Every tree is walked, every free page and overflow chain, and each page found to be in one place.
 * Of a copy of what Via keeps rows are not decoded: they are what they were. What comes from
 * elsewhere is checked as a whole: rows, constraints, indexes. */
#ifndef VIA_PROVIDER_SQLITE_VERIFY_H
#define VIA_PROVIDER_SQLITE_VERIFY_H

#include "provider/sqlite/follow.h"
#include "provider/sqlite/watch.h"

#include <pthread.h>

struct via_verify {
    struct via_sql sql;
    struct via_watch watch;
    bool is_foreign; /* it comes from elsewhere */
    bool has_thread;
    pthread_t thread;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t news;
    bool is_over;
    bool is_stopped;
    struct via_error why;
};

/* Begin to check `path`, a database that nobody writes, and that nobody else has open when it is
 * foreign. It may still grow to its size behind the check (NULL: it is all there). Cannot fail:
 * without a thread the work is done in via_verify_end(). */
void via_verify_begin(struct via_verify *v, const char *path, bool is_foreign,
                      struct via_growth *growth);

/* Until its end tell `progress` (NULL: nobody), several times a second, how far it is: or `follow`
 * (NULL: none), when that is slower. It is stopped when the answer is false. */
void via_verify_attend(struct via_verify *v, struct via_follow *follow,
                       const struct via_progress *progress);

/* From now on run only when nobody else wants the processor. */
void via_verify_give_way(struct via_verify *v);

/* Wait for the end; then `v` is done with. VIA_STORAGE_CORRUPT with the first complaint,
 * VIA_STORAGE_UNREADABLE, VIA_IO_ERROR when it could not be opened, VIA_OPERATION_INTERRUPTED. */
VIA_MUST_USE enum via_status via_verify_end(struct via_verify *v, struct via_error *e);

#endif
