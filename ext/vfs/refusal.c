#include "vfs/refusal.h"

#include "vfs/vfs.h"

static _Thread_local struct via_error refusal;

int
via_refusal_put(int rc, const struct via_error *e)
{
    refusal = *e;
    if (e->status == VIA_OUT_OF_MEMORY)
        return SQLITE_NOMEM;
    sqlite3_log(rc, "via: %s: %s", via_status_word(e->status), e->message);
    return rc;
}

enum via_status
via_vfs_refusal(struct via_error *e)
{
    if (e)
        *e = refusal;
    return refusal.status;
}

void
via_vfs_clear_refusal(void)
{
    refusal = (struct via_error){0};
}
