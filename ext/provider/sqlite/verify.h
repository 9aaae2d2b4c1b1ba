/* verify.h: the pages of a file checked by SQLite, in a thread of its own.
 *
 * Every tree is walked, every free page and overflow chain, and each page found to be in one place.
 * Rows are not decoded: the file is a copy, and they are what they were. */
#ifndef VIA_PROVIDER_SQLITE_VERIFY_H
#define VIA_PROVIDER_SQLITE_VERIFY_H

#include "sql/sql.h"

#include <pthread.h>

struct via_verify {
    struct via_sql sql;
    bool has_thread;
    pthread_t thread;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t news;
    bool is_over;
    bool is_stopped;
    struct via_error why;
};

/* Begin to check `path`, a database that nobody writes. Cannot fail: without a thread the work is
 * done in via_verify_end(). */
void via_verify_begin(struct via_verify *v, const char *path);

/* Wait `ms` for the end. True when it has come, or when nothing goes on before via_verify_end(). */
bool via_verify_wait(struct via_verify *v, int64_t ms);

/* From now on run only when nobody else wants the processor. */
void via_verify_give_way(struct via_verify *v);

/* Ask it to stop early; again, for what has just begun does not hear it. */
void via_verify_stop(struct via_verify *v);

/* Wait for the end; then `v` is done with. VIA_STORAGE_CORRUPT with the first complaint,
 * VIA_STORAGE_UNREADABLE, VIA_OPERATION_INTERRUPTED. */
VIA_MUST_USE enum via_status via_verify_end(struct via_verify *v, struct via_error *e);

#endif
