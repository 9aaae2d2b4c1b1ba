/* follow.h: the digest of a file, taken by a thread of its own while the file still grows. */
#ifndef VIA_PROVIDER_SQLITE_FOLLOW_H
#define VIA_PROVIDER_SQLITE_FOLLOW_H

#include "identity/codec.h"
#include "via/model.h"

#include <pthread.h>

struct via_follow {
    int fd; /* borrowed */
    int64_t page_bytes;
    bool has_thread;
    pthread_t thread;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t news;
    int64_t there_bytes; /* that may be read */
    int64_t read_bytes;
    bool is_end; /* there is no more to come */
    int err;     /* errno of a read that failed */
    char digest[65];
};

/* Begin to read `fd` from its start, as far as it is told. Cannot fail: without a thread the
 * reading is done in via_follow_end(). */
void via_follow_begin(struct via_follow *f, int fd);

/* Tell that the first `bytes` of the file can be read. */
void via_follow_tell(struct via_follow *f, int64_t bytes);

/* From now on run only when nobody else wants the processor. */
void via_follow_give_way(struct via_follow *f);

/* How far it is with what it was told of, 0 to 100. */
int via_follow_percent(struct via_follow *f);

/* The file has `bytes`: read them to their end and take the digest. Then `f` is done with.
 * VIA_IO_ERROR; with a negative `bytes` it stops instead, and answers VIA_OK. */
VIA_MUST_USE enum via_status via_follow_end(struct via_follow *f, int64_t bytes, char digest[65],
                                            struct via_error *e);

#endif
