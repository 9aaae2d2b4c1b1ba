#include "effects/host.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/io.h"
#include "base/stage.h"
#include "control/moved.h"
#include "control/snapshot.h"
#include "effects/effects.h"
#include "identity/keyfolder.h"
#include "identity/passphrase.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEADER_BYTES 100 /* of an SQLite database; fileformat2.html section 1.3 */

/* Of the progress, what is for reading the file as such, before anything of it is believed; and of
 * a database that will be checked, what is for taking it out. */
#define SEAL_PERCENT 10
#define TAKE_PERCENT 60

/* How far it is, measured in bytes of the archive. */
struct host_tell {
    const struct via_progress *progress; /* NULL: nobody is told */
    int64_t size_bytes;
    int64_t read_bytes; /* since anything of it is believed */
    int64_t from_bytes; /* where the database at hand began, */
    bool is_checked;    /* which will be checked */
};

/* An archive under way, into a root or into nothing. */
struct host_run {
    const struct via_root *root; /* NULL: nothing is kept */
    struct via_passphrase *passphrase;
    struct via_host_report *report;
    struct host_tell *tell;
    int fd; /* of the file that is written; -1: none */
    int64_t at;
    unsigned char header[HEADER_BYTES];
    struct via_buf text; /* of a member that is small */
};

static enum via_status
fail_invalid(struct via_error *e, const struct via_member *m, const char *what)
{
    return via_error_set(e, VIA_BACKUP_INVALID, "%s of the backup %s", m->name, what);
}

static bool
is_database(const struct via_member *m)
{
    return m->kind == VIA_MEMBER_ADDON || m->kind == VIA_MEMBER_SNAPSHOT ||
           m->kind == VIA_MEMBER_RUNTIME || m->kind == VIA_MEMBER_CONTROL;
}

/* Every add-on has one type so far, and a backup names no other. */
static const struct via_provider *
member_provider(void)
{
    return &via_provider_sqlite;
}

static const char *
member_snapshot(const struct via_member *m)
{
    return m->kind == VIA_MEMBER_SNAPSHOT ? m->snapshot_id : NULL;
}

/* -- progress --------------------------------------------------------------------------- */

static bool
tell_between(const struct host_tell *t, int from, int to, int64_t bytes)
{
    return via_progress_tell(
        t->progress, from + (t->size_bytes > 0 ? (int)((to - from) * bytes / t->size_bytes) : 0));
}

static bool
tell_seal(void *arg, int64_t bytes)
{
    return tell_between(arg, 0, SEAL_PERCENT, bytes);
}

/* So much of the database at hand is behind us. */
static bool
tell_database(const struct host_tell *t, int percent)
{
    int64_t at = t->is_checked ? t->from_bytes + (t->read_bytes - t->from_bytes) * percent / 100
                               : t->read_bytes;

    return tell_between(t, SEAL_PERCENT, 99, at);
}

static bool
tell_read(void *arg, int64_t bytes)
{
    struct host_tell *t = arg;

    t->read_bytes = bytes;
    return tell_database(t, TAKE_PERCENT);
}

static bool
tell_checked(void *arg, int percent)
{
    return tell_database(arg, TAKE_PERCENT + (100 - TAKE_PERCENT) * percent / 100);
}

/* -- databases ------------------------------------------------------------------------ */

/* Open the file of a control database below the root. */
static enum via_status
control_begin(struct host_run *run, const struct via_member *m, struct via_error *e)
{
    char path[VIA_PATH_SIZE];

    via_root_join(run->root, m->name, path);
    if (via_fs_touch(path, 0600, run->root, e) != VIA_OK)
        return e->status;
    run->fd = via_io_open(AT_FDCWD, path, O_WRONLY | O_TRUNC | O_NOFOLLOW, 0);
    return run->fd >= 0
               ? VIA_OK
               : via_error_set_errno(e, VIA_IO_ERROR, errno, "%s cannot be written", m->name);
}

static enum via_status
database_begin(struct host_run *run, const struct via_member *m, struct via_error *e)
{
    run->report->addons += m->kind == VIA_MEMBER_ADDON;
    run->report->snapshots += m->kind == VIA_MEMBER_SNAPSHOT;
    if (!run->root)
        return VIA_OK;
    if (m->kind == VIA_MEMBER_RUNTIME || m->kind == VIA_MEMBER_CONTROL)
        return control_begin(run, m, e);
    run->tell->is_checked = m->kind == VIA_MEMBER_ADDON;
    run->tell->from_bytes = run->tell->read_bytes;
    return member_provider()->receive(run->root, m->addon_id, member_snapshot(m), &run->fd, e);
}

static enum via_status
database_take(struct host_run *run, const char *bytes, size_t n, struct via_error *e)
{
    if (run->at < HEADER_BYTES) {
        size_t room = HEADER_BYTES - (size_t)run->at;

        memcpy(run->header + run->at, bytes, n < room ? n : room);
    }
    run->at += (int64_t)n;
    if (run->fd >= 0 && via_io_put(run->fd, bytes, n) < 0)
        return via_error_set_errno(e, VIA_IO_ERROR, errno, "a database cannot be written");
    return VIA_OK;
}

/* Is it a database, and as long as it says of itself? */
static bool
header_holds(const struct host_run *run)
{
    const unsigned char *h = run->header;
    int64_t page = h[16] << 8 | h[17], pages = 0;

    for (int i = 28; i < 32; i++)
        pages = pages << 8 | h[i];
    page = page == 1 ? 65536 : page;
    return run->at >= HEADER_BYTES && memcmp(h, "SQLite format 3", 16) == 0 &&
           run->at == page * pages;
}

static enum via_status
database_received(struct host_run *run, const struct via_member *m, struct via_error *e)
{
    struct via_progress progress = {tell_checked, run->tell};
    enum via_status status =
        member_provider()->received(run->root, m->addon_id, member_snapshot(m), &progress, e);

    run->tell->is_checked = false;
    return status;
}

static enum via_status
database_end(struct host_run *run, const struct via_member *m, struct via_error *e)
{
    char path[VIA_PATH_SIZE];

    if (run->fd >= 0)
        close(run->fd);
    run->fd = -1;
    if (!header_holds(run))
        return fail_invalid(e, m, "is no whole database");
    if (!run->root)
        return VIA_OK;
    if (m->kind == VIA_MEMBER_ADDON || m->kind == VIA_MEMBER_SNAPSHOT)
        return database_received(run, m, e);
    via_root_join(run->root, m->name, path);
    return via_fs_sync(path, e);
}

/* -- keys ----------------------------------------------------------------------------- */

static enum via_status
key_take(void *arg, const char *kid, const void *bytes, size_t n, struct via_error *e)
{
    struct host_run *run = arg;

    return run->root ? via_keyfolder_put(run->root, kid, bytes, n, e) : VIA_OK;
}

static enum via_status
keys_end(struct host_run *run, const struct via_member *m, struct via_error *e)
{
    if (m->kind == VIA_MEMBER_SEALED_KEYS && !run->passphrase) {
        run->report->keys_opened = false;
        return run->root ? via_error_set(e, VIA_PASSPHRASE_REQUIRED,
                                         "the keys of this backup are sealed; name the file with"
                                         " the passphrase")
                         : VIA_OK;
    }
    if (m->kind == VIA_MEMBER_SEALED_KEYS)
        return via_unseal(run->passphrase, run->text.data, run->text.len, key_take, run, e);
    return key_take(run, m->kid, run->text.data, run->text.len, e);
}

/* -- members --------------------------------------------------------------------------- */

static enum via_status
member_begin(void *arg, const struct via_member *m, struct via_error *e)
{
    struct host_run *run = arg;

    run->at = 0;
    if (is_database(m))
        return database_begin(run, m, e);
    via_buf_reset(&run->text);
    return m->size_bytes <= VIA_SEALED_MAX ? VIA_OK : fail_invalid(e, m, "is too long");
}

static enum via_status
member_take(void *arg, const struct via_member *m, const void *bytes, size_t n, struct via_error *e)
{
    struct host_run *run = arg;

    if (is_database(m))
        return database_take(run, bytes, n, e);
    via_buf_put(&run->text, bytes, n);
    return run->text.failed ? via_error_set(e, VIA_OUT_OF_MEMORY, "out of memory") : VIA_OK;
}

static enum via_status
member_end(void *arg, const struct via_member *m, struct via_error *e)
{
    return is_database(m) ? database_end(arg, m, e) : keys_end(arg, m, e);
}

/* -- the archive ------------------------------------------------------------------------ */

/* Open the file, and check whose it is and that nobody changed it. */
static enum via_status
host_open(const struct via_host_request *r, struct via_host_report *out, struct host_tell *tell,
          int *fd, struct via_error *e)
{
    struct via_archive_tell read = {tell_seal, tell};
    struct stat st;

    *fd = via_io_open(AT_FDCWD, r->file, O_RDONLY | O_NONBLOCK, 0);
    if (*fd < 0 || fstat(*fd, &st) < 0)
        return via_error_set_errno(e, VIA_BACKUP_UNREADABLE, errno, "%.300s cannot be read",
                                   r->file);
    if (!S_ISREG(st.st_mode))
        return via_error_set(e, VIA_BACKUP_UNREADABLE, "%.300s is no file", r->file);
    *tell = (struct host_tell){.progress = r->progress, .size_bytes = st.st_size};
    return via_archive_check_seal(*fd, r->fingerprint, &read, &out->seal, e);
}

/* Take the archive into `root`, or into nothing. */
static enum via_status
host_take(const struct via_host_request *r, const struct via_root *root, int fd,
          struct host_tell *tell, struct via_host_report *out, struct via_error *e)
{
    struct host_run run = {.root = root, .report = out, .tell = tell, .fd = -1};
    struct via_archive_tell read = {tell_read, tell};
    struct via_archive_taker taker = {member_begin, member_take, member_end, &run};
    enum via_status status = VIA_OK;

    out->keys_opened = true;
    if (r->passphrase_file)
        status = via_passphrase_read(r->passphrase_file, &run.passphrase, e);
    if (status == VIA_OK)
        status = via_archive_read(fd, &out->seal, &taker, &read, &out->head, e);
    if (run.fd >= 0)
        close(run.fd);
    via_passphrase_free(run.passphrase);
    if (run.text.data)
        explicit_bzero(run.text.data, run.text.cap);
    via_buf_deinit(&run.text);
    return status;
}

void
via_host_report_deinit(struct via_host_report *r)
{
    via_buf_deinit(&r->head.left_out);
}

enum via_status
via_host_verify(const struct via_host_request *r, struct via_host_report *out, struct via_error *e)
{
    struct host_tell tell;
    int fd;

    memset(out, 0, sizeof *out);
    if (host_open(r, out, &tell, &fd, e) == VIA_OK)
        via_ignore(host_take(r, NULL, fd, &tell, out, e));
    if (fd >= 0)
        close(fd);
    return e->status;
}

/* -- restoring ---------------------------------------------------------------------------- */

static const char *const folders[] = {"keys", "addons", "addons/sqlite", "backups"};

static enum via_status
staged_folders(const struct via_root *root, struct via_error *e)
{
    char path[VIA_PATH_SIZE];

    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        via_root_join(root, folders[i], path);
        if (via_fs_mkdir(path, 0700, root, e) != VIA_OK)
            return e->status;
    }
    return VIA_OK;
}

/* No token of before verifies any more: make the keys that sign the next ones. */
static enum via_status
staged_keys(struct via_keyring *keys, struct via_error *e)
{
    char kid[VIA_ID_SIZE];

    if (via_keyring_current(keys, VIA_KEY_WORKLOAD, kid, e) != VIA_OK)
        return e->status;
    return via_keyring_current(keys, VIA_KEY_GENERATION, kid, e);
}

/* Rows of what the archive does not hold, as of add-ons that were destroyed: their files stayed
 * where they were. */
static enum via_status
staged_snapshots(struct via_store *s, struct via_error *e)
{
    char id[VIA_ID_SIZE], addon_id[VIA_ID_SIZE];
    int64_t rid = 0;
    int fd;

    if (via_store_begin(s, true, e) != VIA_OK)
        return e->status;
    while (via_snapshot_next_ready(&s->write, &rid, id, addon_id)) {
        struct via_error why = {0};

        if (member_provider()->open_snapshot(&s->root, addon_id, id, &fd, &why) == VIA_OK)
            close(fd);
        else if (why.status == VIA_SNAPSHOT_MISSING)
            via_snapshot_forget(s, id);
    }
    if (via_sql_take(&s->write, e) == VIA_OK)
        return via_store_commit(s, e);
    via_store_rollback(s);
    return e->status;
}

/* Make what was taken a host that nobody has used yet. The root of this process is the staged one.
 */
static enum via_status
staged_settle(const struct via_root *root, const struct via_host_report *report,
              struct via_error *e)
{
    struct via_backup_outcome outcome = {.size_bytes = report->seal.size_bytes,
                                         .digest = report->seal.digest,
                                         .fingerprint = report->seal.fingerprint,
                                         .absent = report->head.absent,
                                         .left_out = via_buf_text(&report->head.left_out)};
    struct via_store *s = NULL;
    char kid[VIA_ID_SIZE];
    int settled;

    if (via_moved_fold(root, e) != VIA_OK || via_store_new(&s, e) != VIA_OK)
        return e->status;
    if (via_keyring_by_fingerprint(s->keys, report->seal.fingerprint, kid))
        outcome.key_id = kid;
    if (staged_snapshots(s, e) == VIA_OK &&
        via_moved_settle(s, report->seal.id, &outcome, e) == VIA_OK &&
        via_effects_carry_out(s, e) == VIA_OK)
        via_ignore(staged_keys(s->keys, e));
    via_store_free(s);
    if (e->status != VIA_OK || via_effects_recover(&settled, e) != VIA_OK)
        return e->status;
    return via_moved_fold(root, e);
}

/* As above, with the root's path of this process changed meanwhile. */
static enum via_status
staged_settle_there(const struct via_stage *stage, const struct via_host_report *report,
                    struct via_error *e)
{
    via_root_set_path(stage->staged.path);
    via_ignore(staged_settle(&stage->staged, report, e));
    via_root_set_path(stage->root.path);
    return e->status;
}

enum via_status
via_host_restore(const struct via_host_request *r, struct via_host_report *out, struct via_error *e)
{
    struct via_stage stage = {.fd = -1};
    struct host_tell tell;
    int fd;

    memset(out, 0, sizeof *out);
    if (host_open(r, out, &tell, &fd, e) == VIA_OK && via_stage_begin(&stage, e) == VIA_OK &&
        staged_folders(&stage.staged, e) == VIA_OK &&
        host_take(r, &stage.staged, fd, &tell, out, e) == VIA_OK &&
        staged_settle_there(&stage, out, e) == VIA_OK)
        via_ignore(via_stage_commit(&stage, e));
    via_stage_end(&stage);
    if (fd >= 0)
        close(fd);
    return e->status;
}
