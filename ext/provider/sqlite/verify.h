/* verify.h: a file checked by SQLite, aside.
 *
 * Every tree is walked, every free page and overflow chain, and each page found to be in one place.
 * Of a copy of what Via keeps rows are not decoded: they are what they were. What comes from
 * elsewhere is checked as a whole: rows, constraints, indexes. */
#ifndef VIA_PROVIDER_SQLITE_VERIFY_H
#define VIA_PROVIDER_SQLITE_VERIFY_H

#include "provider/sqlite/follow.h"
#include "provider/sqlite/watch.h"

#include <stdatomic.h>

struct via_verify {
    struct via_sql sql;
    struct via_watch watch;
    bool is_foreign; /* it comes from elsewhere */
    struct via_task task;
    _Atomic bool is_stopped;
    struct via_error why;
};

/* Begin to check `path`, a database that nobody writes, and that nobody else has open when it is
 * foreign. It may still grow to its size behind the check (NULL: it is all there). Cannot fail:
 * without a thread the work is done in via_verify_end(). */
void via_verify_begin(struct via_verify *v, const char *path, bool is_foreign,
                      struct via_growth *growth);

/* Until the end of it, and of `follow` (NULL: none), tell `progress` (NULL: nobody), several times
 * a second, how far the slower one is. Both are stopped, and the growth given up, when the answer
 * is false. */
void via_verify_attend(struct via_verify *v, struct via_follow *follow,
                       const struct via_progress *progress);

/* Wait for the end; then `v` is done with. VIA_STORAGE_CORRUPT with the first complaint,
 * VIA_STORAGE_UNREADABLE, VIA_IO_ERROR when it could not be opened, VIA_OPERATION_INTERRUPTED. */
VIA_MUST_USE enum via_status via_verify_end(struct via_verify *v, struct via_error *e);

#endif
