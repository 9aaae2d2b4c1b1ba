#include "provider/sqlite/copy.h"

#include "base/error.h"
#include "provider/sqlite/clone.h"
#include "provider/sqlite/follow.h"
#include "provider/sqlite/pages.h"
#include "provider/sqlite/verify.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#define COPY_TELL_MS 250

/* A copy under way. Of the progress, half is for copying. */
struct copy_run {
    const struct via_copy *c;
    int64_t size_bytes;
    struct via_follow follow;
    struct timespec log_time;
    bool is_written; /* somebody writes the content meanwhile, and goes first */
};

static bool
copy_tell(const struct via_copy *c, int percent)
{
    return !c->progress || !c->progress->tell || c->progress->tell(c->progress->arg, percent);
}

static int
copy_share(const struct copy_run *run, int64_t bytes, int percent)
{
    return run->size_bytes > 0 ? (int)(bytes * percent / run->size_bytes) : percent;
}

/* Is the content being written? Then the threads give way, and for good. */
static void
copy_look(struct copy_run *run)
{
    if (run->is_written || !via_clone_is_changed(run->c->log, &run->log_time))
        return;
    run->is_written = true;
    if (!run->c->is_plain)
        via_follow_give_way(&run->follow);
}

static bool
copy_tell_cloned(void *arg, int64_t bytes)
{
    struct copy_run *run = arg;

    copy_look(run);
    if (!run->c->is_plain)
        via_follow_tell(&run->follow, bytes);
    return copy_tell(run->c, copy_share(run, bytes, 50));
}

static bool
copy_tell_pages(void *arg, int percent)
{
    struct copy_run *run = arg;

    return copy_tell(run->c, percent / 2);
}

/* Page by page through SQLite, at a quarter of the speed: for content that is partly in the log. */
static enum via_status
copy_pages(struct copy_run *run, struct via_pin *pin, struct via_error *e)
{
    struct via_progress progress = {copy_tell_pages, run};
    struct via_sql to = {0};
    int rc;

    via_sql_open(&to, run->c->path, SQLITE_OPEN_READWRITE);
    via_sql_exec(&to, "PRAGMA synchronous = OFF; PRAGMA journal_mode = OFF");
    rc = via_sql_ok(&to) ? via_pages_copy(to.db, pin->sql.db, &progress)
         : to.db != NULL ? sqlite3_extended_errcode(to.db)
                         : SQLITE_NOMEM;
    if (rc == SQLITE_INTERRUPT)
        via_ignore(via_error_set(e, VIA_OPERATION_INTERRUPTED, "the copy was stopped"));
    else if (rc != SQLITE_DONE && via_pages_blames_source(rc))
        via_ignore(via_error_set(e, VIA_STORAGE_CORRUPT,
                                 "the storage of this add-on cannot be read through (%s)",
                                 sqlite3_errstr(rc)));
    else if (rc != SQLITE_DONE)
        via_ignore(via_pages_fail(to.db, rc, e));
    via_sql_close(&to);
    return rc == SQLITE_DONE ? VIA_OK : e->status;
}

static enum via_status
copy_content(struct copy_run *run, struct via_pin *pin, struct via_error *e)
{
    struct via_clone clone = {.from = run->c->data,
                              .log = run->c->log,
                              .to = run->c->fd,
                              .size_bytes = run->size_bytes,
                              .tell = copy_tell_cloned,
                              .arg = run};
    bool is_refused = true;
    enum via_status status = VIA_OK;

    if (pin->is_whole)
        status = via_clone_run(&clone, &is_refused, e);
    return is_refused ? copy_pages(run, pin, e) : status;
}

/* Say in the header that there is no write-ahead log, so that any reader can open it. Nobody has
 * the copy open but us. */
static enum via_status
copy_leave_wal(const struct via_copy *c, struct via_error *e)
{
    static const unsigned char versions[] = {1, 1}; /* fileformat2.html section 1.3.3 */

    if (pwrite(c->fd, versions, sizeof versions, 18) != (ssize_t)sizeof versions)
        return via_error_set_errno(e, VIA_IO_ERROR, errno, "the copy cannot be written");
    return VIA_OK;
}

static enum via_status
copy_check(struct copy_run *run, struct via_error *e)
{
    struct via_verify verify;
    int64_t bytes = 0;

    via_verify_begin(&verify, run->c->path);
    do {
        copy_look(run);
        if (run->is_written)
            via_verify_give_way(&verify);
        if (!run->c->is_plain)
            bytes = via_follow_read(&run->follow);
        if (!copy_tell(run->c, 50 + copy_share(run, bytes, 49)))
            via_verify_stop(&verify);
    } while (!via_verify_wait(&verify, COPY_TELL_MS));
    return via_verify_end(&verify, e);
}

static enum via_status
copy_settle(struct copy_run *run, struct via_error *e)
{
    struct stat st;

    if (fstat(run->c->fd, &st) < 0)
        return via_error_set_errno(e, VIA_IO_ERROR, errno, "the copy cannot be read back");
    if (st.st_size != run->size_bytes)
        return via_error_set(e, VIA_IO_ERROR, "the copy has not the size of the content");
    if (run->c->is_plain)
        return copy_leave_wal(run->c, e);
    via_follow_tell(&run->follow, run->size_bytes);
    return VIA_OK;
}

enum via_status
via_copy_make(const struct via_copy *c, struct via_pin *pin, struct via_snapshot_facts *out,
              struct via_error *e)
{
    struct copy_run run = {.c = c, .size_bytes = pin->size_bytes};
    enum via_status status;

    if (!c->is_plain)
        via_follow_begin(&run.follow, c->fd);
    status = copy_content(&run, pin, e);
    via_pin_close(pin); /* the log may be folded in again */
    if (status == VIA_OK)
        status = copy_settle(&run, e);
    if (status == VIA_OK)
        status = copy_check(&run, e);
    out->size_bytes = run.size_bytes;
    if (!c->is_plain && via_follow_end(&run.follow, status == VIA_OK ? run.size_bytes : -1,
                                       out->digest, e) != VIA_OK)
        status = e->status;
    return status;
}
