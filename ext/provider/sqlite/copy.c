#include "provider/sqlite/copy.h"

#include "base/error.h"
#include "provider/sqlite/clone.h"
#include "provider/sqlite/follow.h"
#include "provider/sqlite/pace.h"
#include "provider/sqlite/pages.h"
#include "provider/sqlite/verify.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

/* Up to here a process to copy it costs more than it saves. */
#define COPY_SMALL ((int64_t)1 << 18)

/* A copy under way. */
struct copy_run {
    const struct via_copy *c;
    int64_t size_bytes;
    struct via_growth growth;
    struct via_follow *follow; /* NULL: there is to be no digest */
    struct via_verify verify;
    bool is_verifying;
    struct via_pace_seen log;
    bool is_written; /* somebody writes the content meanwhile, and goes first */
};

/* How much of the progress is for copying. */
static int
copy_percent(const struct copy_run *run)
{
    return run->c->is_foreign ? 10 : 50;
}

/* Is the content being written? Then those who read behind give way, and for good. */
static void
copy_look(struct copy_run *run)
{
    run->is_written = run->is_written || via_pace_sees(run->c->log, &run->log);
    if (run->is_written)
        via_growth_give_way(&run->growth);
}

static bool
copy_tell(struct copy_run *run, int from, int to, int percent)
{
    struct via_progress_part part;
    struct via_progress told = via_progress_part(&part, run->c->progress, from, to);

    copy_look(run);
    return via_progress_tell(&told, percent);
}

static void
copy_verify(struct copy_run *run)
{
    via_verify_begin(&run->verify, run->c->path, run->c->is_foreign, &run->growth);
    run->is_verifying = true;
}

static bool
copy_tell_pages(void *arg, int percent)
{
    return copy_tell(arg, 0, copy_percent(arg), percent);
}

static bool
copy_tell_cloned(void *arg, int64_t bytes)
{
    struct copy_run *run = arg;

    via_growth_tell(&run->growth, bytes);
    /* The file has its whole size now; rows can be looked at only when they are all there. */
    if (bytes > 0 && !run->is_verifying && !run->c->is_foreign)
        copy_verify(run);
    return copy_tell_pages(run, run->size_bytes > 0 ? (int)(bytes * 100 / run->size_bytes) : 100);
}

static bool
copy_tell_checked(void *arg, int percent)
{
    return copy_tell(arg, copy_percent(arg), 99, percent);
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
        via_ignore(via_error_set(
            e,
            (rc & 0xff) == SQLITE_IOERR && rc != SQLITE_IOERR_SHORT_READ ? VIA_STORAGE_UNREADABLE
                                                                         : VIA_STORAGE_CORRUPT,
            "the storage of this add-on cannot be read through (%s)", sqlite3_errstr(rc)));
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

    if (pin->is_whole && (run->c->is_exact || run->size_bytes > COPY_SMALL))
        status = via_clone_run(&clone, &is_refused, e);
    if (is_refused && run->c->is_exact) /* the same content in other bytes is not what is wanted */
        status = via_error_set(e, VIA_IO_ERROR, "no process can be made to copy it; try again");
    else if (is_refused)
        status = copy_pages(run, pin, e);
    return status == VIA_OK && run->c->copied ? run->c->copied(run->c->arg, e) : status;
}

/* All is written: let it be read. */
static enum via_status
copy_settle(struct copy_run *run, struct via_error *e)
{
    struct stat st;

    if (fstat(run->c->fd, &st) < 0)
        return via_error_set_errno(e, VIA_IO_ERROR, errno, "the copy cannot be read back");
    if (st.st_size != run->size_bytes)
        return via_error_set(e, VIA_IO_ERROR, "the copy has not the size of the content");
    via_growth_tell(&run->growth, run->size_bytes);
    via_growth_end(&run->growth);
    /* A check of the whole opens it as anybody would: let it leave no log behind. */
    return via_header_put(run->c->fd, run->c->is_foreign ? VIA_HEADER_PLAIN : run->c->header, e);
}

static enum via_status
copy_check(struct copy_run *run, struct via_error *e)
{
    struct via_progress progress = {copy_tell_checked, run};

    if (!run->is_verifying)
        copy_verify(run);
    via_verify_attend(&run->verify, run->follow, &progress);
    run->is_verifying = false;
    if (via_verify_end(&run->verify, e) != VIA_OK)
        return e->status;
    return via_header_put(run->c->fd, run->c->header, e);
}

/* Let go of the threads, and take what they have to say. */
static enum via_status
copy_end(struct copy_run *run, enum via_status status, struct via_snapshot_facts *out,
         struct via_error *e)
{
    struct via_error ignored = {0};

    if (status != VIA_OK)
        via_growth_give_up(&run->growth);
    if (run->is_verifying)
        via_ignore(via_verify_end(&run->verify, &ignored));
    if (run->follow && via_follow_end(run->follow, out->digest, e) != VIA_OK)
        status = e->status;
    via_growth_deinit(&run->growth);
    return status;
}

enum via_status
via_copy_make(const struct via_copy *c, struct via_pin *pin, struct via_snapshot_facts *out,
              struct via_error *e)
{
    struct copy_run run = {.c = c, .size_bytes = pin->size_bytes};
    struct via_follow follow;
    enum via_status status;

    via_growth_init(&run.growth);
    if (c->header == VIA_HEADER_KEPT)
        via_follow_begin(run.follow = &follow, c->fd, &run.growth);
    status = copy_content(&run, pin, e);
    via_pin_close(pin); /* the log may be folded in again */
    if (status == VIA_OK)
        status = copy_settle(&run, e);
    if (status == VIA_OK)
        status = copy_check(&run, e);
    out->size_bytes = run.size_bytes;
    return copy_end(&run, status, out, e);
}
