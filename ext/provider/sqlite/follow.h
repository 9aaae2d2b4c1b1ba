/* follow.h: the digest of a file, taken aside while the file still grows. */
#ifndef VIA_PROVIDER_SQLITE_FOLLOW_H
#define VIA_PROVIDER_SQLITE_FOLLOW_H

#include "identity/codec.h"
#include "provider/sqlite/growth.h"
#include "provider/sqlite/task.h"
#include "via/model.h"

#include <stdatomic.h>

struct via_follow {
    int fd;                    /* borrowed */
    struct via_growth *growth; /* borrowed: as far as it may be read */
    struct via_task task;
    bool may_give_way; /* the thread is its own, and has not yet */
    _Atomic int64_t read_bytes;
    int err; /* errno of a read that failed */
    char digest[65];
};

/* Begin to read `fd` from its start, as far as it is there. Cannot fail: without a thread the
 * reading is done in via_follow_end(). */
void via_follow_begin(struct via_follow *f, int fd, struct via_growth *growth);

/* Wait up to `ms` for its end. True when it has come, or comes only with via_follow_end(). */
bool via_follow_wait(struct via_follow *f, int64_t ms);

/* How far it is with what is there, 0 to 100. */
int via_follow_percent(struct via_follow *f);

/* The growth is over: read to its end and take the digest. Then `f` is done with. VIA_IO_ERROR;
 * VIA_OK without a digest when the growth was given up. */
VIA_MUST_USE enum via_status via_follow_end(struct via_follow *f, char digest[65],
                                            struct via_error *e);

#endif
