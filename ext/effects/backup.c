/* backup.c: writing the archive of the whole host, while everything goes on. */
#include "control/backup.h"
#include "archive/archive.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/log.h"
#include "control/addon.h"
#include "control/replica.h"
#include "effects/step.h"
#include "identity/codec.h"
#include "identity/keyfolder.h"
#include "identity/passphrase.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COPY_PART                                                                                  \
    5 /* of the work on a content, a copy is one of so many parts; the rest is packing */

/* A backup under way. */
struct backup_run {
    struct via_store *s;
    const struct via_backup *backup;
    struct via_passphrase *passphrase; /* NULL: keys are not sealed */
    struct via_sealing *sealing;
    struct via_buf sealed;
    struct via_replica replica;
    struct via_archive_writer *writer;
    const struct via_progress *progress;
    int64_t total_bytes;
    int64_t done_bytes; /* of the members before */
    int64_t size_bytes; /* of the member at hand, */
    int64_t copy_bytes; /* of which its copy counts for so many */
    int64_t absent;
};

static bool
backup_tell(struct backup_run *run, int64_t done_bytes)
{
    int64_t percent = run->total_bytes > 0 ? done_bytes * 100 / run->total_bytes : 0;

    return run->progress->tell(run->progress->arg, percent < 99 ? (int)percent : 99);
}

static bool
backup_tell_copied(void *arg, int percent)
{
    struct backup_run *run = arg;

    return backup_tell(run, run->done_bytes + run->copy_bytes * percent / 100);
}

static bool
backup_tell_archived(void *arg, int64_t bytes)
{
    struct backup_run *run = arg;
    int64_t left = run->size_bytes > bytes ? run->size_bytes - bytes : 0;

    if (run->copy_bytes > 0)
        left -= left / COPY_PART;
    return backup_tell(run, run->done_bytes + run->size_bytes - left);
}

/* The member at hand is behind us, be it in the archive or left out. */
static void
backup_pass(struct backup_run *run)
{
    run->done_bytes += run->size_bytes;
    run->size_bytes = run->copy_bytes = 0;
}

/* -- databases ----------------------------------------------------------------------- */

static enum via_status
backup_add_fd(struct backup_run *run, struct via_member *m, int fd, struct via_error *e)
{
    struct via_archive_tell tell = {backup_tell_archived, run};
    enum via_status status = via_archive_add_file(run->writer, m, fd, &tell, e);

    close(fd);
    backup_pass(run);
    return status;
}

static enum via_status
backup_add_path(struct backup_run *run, enum via_member_kind kind, const char *path,
                struct via_error *e)
{
    struct via_member m = {.kind = kind};
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0)
        return via_error_set_errno(e, VIA_IO_ERROR, errno, "a copy cannot be read");
    return backup_add_fd(run, &m, fd, e);
}

static enum via_status
backup_add_snapshots(struct backup_run *run, const struct via_provider *provider,
                     const struct via_addon *a, struct via_error *e)
{
    struct via_member m = {.kind = VIA_MEMBER_SNAPSHOT};
    enum via_status status = VIA_OK;

    memcpy(m.addon_id, a->id, sizeof m.addon_id);
    while (status == VIA_OK && via_replica_next_snapshot(&run->replica, a->id, m.snapshot_id,
                                                         m.snapshot_id, &run->size_bytes)) {
        struct via_error why = {0};
        int fd;

        if (provider->open_snapshot(&run->s->root, a->id, m.snapshot_id, &fd, &why) == VIA_OK)
            status = backup_add_fd(run, &m, fd, e);
        else if (why.status == VIA_SNAPSHOT_MISSING) /* deleted since, or lost: then doctor knows */
            via_replica_forget_snapshot(&run->replica, m.snapshot_id);
        else
            status = via_error_set(e, why.status, "%s", why.message);
    }
    return status;
}

/* Is there nothing to save, for a reason that lies in this add-on alone? */
static bool
is_lost(enum via_status status)
{
    return status == VIA_STORAGE_MISSING || status == VIA_STORAGE_CORRUPT ||
           status == VIA_STORAGE_UNREADABLE || status == VIA_ADDON_UNAVAILABLE ||
           status == VIA_ADDON_NOT_FOUND;
}

/* A copy of the content. What is lost, damaged or destroyed since is counted and left out: one bad
 * database is to keep nobody from saving the others. */
static enum via_status
backup_add_content(struct backup_run *run, const struct via_provider *provider,
                   const struct via_addon *a, struct via_error *e)
{
    struct via_progress progress = {backup_tell_copied, run};
    struct via_member m = {.kind = VIA_MEMBER_ADDON};
    struct via_storage_facts facts;
    struct via_error why = {0};
    int fd;

    provider->probe(&run->s->root, a->id, &facts);
    run->size_bytes = facts.size_bytes;
    run->copy_bytes = facts.size_bytes / COPY_PART;
    memcpy(m.addon_id, a->id, sizeof m.addon_id);
    if (!facts.present)
        why.status = VIA_STORAGE_MISSING;
    else if (provider->lend(&run->s->root, &via_effect_opener, a->id, run->backup->id, &progress,
                            &fd, &why) == VIA_OK)
        return backup_add_fd(run, &m, fd, e);
    if (!is_lost(why.status))
        return via_error_set(e, why.status, "add-on %s: %.400s", a->name, why.message);
    via_log(VIA_LOG_WARN, "add-on %s is not in backup %s: %s", a->id, run->backup->id,
            via_status_word(why.status));
    run->absent += a->state != VIA_ADDON_IS_FAILED;
    backup_pass(run);
    return VIA_OK;
}

static enum via_status
backup_add_addons(struct backup_run *run, struct via_error *e)
{
    enum via_status status = VIA_OK;
    struct via_addon a = {0};

    while (status == VIA_OK && via_addon_next_kept(&run->replica.sql, a.id, &a)) {
        const struct via_provider *provider = via_provider_find(a.type);

        if (!provider)
            return via_error_set(e, VIA_INTERNAL_ERROR, "no provider for add-on %s", a.id);
        status = backup_add_content(run, provider, &a, e);
        if (status == VIA_OK)
            status = backup_add_snapshots(run, provider, &a, e);
    }
    return status;
}

static int64_t
backup_measure(struct backup_run *run)
{
    int64_t total = via_replica_snapshot_bytes(&run->replica);
    struct via_storage_facts facts;
    struct via_addon a = {0};

    while (via_addon_next_kept(&run->replica.sql, a.id, &a)) {
        const struct via_provider *provider = via_provider_find(a.type);

        if (provider) {
            provider->probe(&run->s->root, a.id, &facts);
            total += facts.size_bytes;
        }
    }
    return total;
}

/* -- keys --------------------------------------------------------------------------- */

static enum via_status
backup_add_key(void *arg, const char *kid, const char *text, size_t n, struct via_error *e)
{
    struct backup_run *run = arg;
    struct via_member m = {.kind = VIA_MEMBER_KEY};

    (void)snprintf(m.kid, sizeof m.kid, "%s", kid);
    if (!run->sealing)
        return via_archive_add_bytes(run->writer, &m, text, n, e);
    via_sealing_put(run->sealing, kid, text, n);
    return VIA_OK;
}

static enum via_status
backup_add_keys(struct backup_run *run, struct via_error *e)
{
    struct via_member m = {.kind = VIA_MEMBER_SEALED_KEYS};
    enum via_status status;

    if (run->passphrase &&
        via_sealing_new(run->passphrase, &run->sealed, &run->sealing, e) != VIA_OK)
        return e->status;
    status = via_keyfolder_each(&run->s->root, backup_add_key, run, e);
    via_sealing_end(run->sealing);
    if (status != VIA_OK || !run->passphrase)
        return status;
    if (run->sealed.failed)
        return via_error_set(e, VIA_OUT_OF_MEMORY, "out of memory");
    return via_archive_add_bytes(run->writer, &m, run->sealed.data, run->sealed.len, e);
}

/* -- the archive --------------------------------------------------------------------- */

static void
backup_head(const struct backup_run *run, struct via_archive_head *head)
{
    memset(head, 0, sizeof *head);
    memcpy(head->id, run->backup->id, sizeof head->id);
    memcpy(head->created_at, run->backup->created_at, sizeof head->created_at);
    if (gethostname(head->host, sizeof head->host - 1) < 0)
        head->host[0] = '\0';
    head->control_schema = run->replica.control_schema;
    head->runtime_schema = run->replica.runtime_schema;
    head->sealed = run->passphrase != NULL;
}

/* Everything into `fd`. */
static enum via_status
backup_fill(struct backup_run *run, int fd, struct via_archive_seal *seal, struct via_error *e)
{
    struct via_store *s = run->s;
    struct via_archive_head head;
    char kid[VIA_ID_SIZE];

    /* The key that will sign is to be among those that are saved. */
    if (via_keyring_current(s->keys, VIA_KEY_BACKUP, kid, e) != VIA_OK ||
        via_replica_open(&run->replica, &s->root, run->backup->id, e) != VIA_OK)
        return e->status;
    run->total_bytes = backup_measure(run);
    backup_head(run, &head);
    if (via_archive_begin(fd, &head, &run->writer, e) != VIA_OK ||
        backup_add_addons(run, e) != VIA_OK || via_replica_settle(&run->replica, e) != VIA_OK ||
        backup_add_keys(run, e) != VIA_OK ||
        backup_add_path(run, VIA_MEMBER_RUNTIME, run->replica.runtime, e) != VIA_OK ||
        backup_add_path(run, VIA_MEMBER_CONTROL, run->replica.control, e) != VIA_OK)
        return e->status;
    return via_archive_end(run->writer, s->keys, seal, e);
}

/* Where it is written: beside the file that it will be. */
static bool
backup_incoming(const struct via_backup *b, char out[VIA_PATH_SIZE])
{
    const char *slash = strrchr(b->path, '/');
    int n = snprintf(out, VIA_PATH_SIZE, "%.*s/.%s.incoming", slash ? (int)(slash - b->path) : 0,
                     b->path, b->id);

    return slash && n > 0 && n < VIA_PATH_SIZE;
}

/* In backups/ it belongs to the root's owner, elsewhere to who asked for it. */
static const struct via_root *
backup_owner(const struct via_store *s, const struct via_backup *b)
{
    char folder[VIA_PATH_SIZE];

    via_root_join(&s->root, "backups/", folder);
    return strncmp(b->path, folder, strlen(folder)) == 0 ? &s->root : NULL;
}

/* Give it its name. One that may be gone after a power cut is none: its row says that it failed. */
static enum via_status
backup_publish(const struct via_backup *b, const char *incoming, struct via_error *e)
{
    struct via_error ignored = {0};
    struct stat st, named;

    if (lstat(incoming, &st) < 0)
        return via_error_set_errno(e, VIA_IO_ERROR, errno, "the backup cannot be found");
    if (via_fs_publish_new(incoming, b->path, e) != VIA_OK && lstat(b->path, &named) == 0 &&
        named.st_ino == st.st_ino && named.st_dev == st.st_dev &&
        via_fs_remove(b->path, &ignored) != VIA_OK)
        via_log(VIA_LOG_WARN, "%s", ignored.message);
    return e->status;
}

static enum via_status
backup_write(struct backup_run *run, const char *incoming, struct via_archive_seal *seal,
             struct via_error *e)
{
    enum via_status status;
    int fd;

    if (via_fs_create(incoming, 0600, backup_owner(run->s, run->backup), &fd, e) != VIA_OK)
        return e->status;
    status = backup_fill(run, fd, seal, e);
    close(fd);
    return status == VIA_OK ? backup_publish(run->backup, incoming, e) : status;
}

static enum via_status
backup_make(struct backup_run *run, struct via_archive_seal *seal, struct via_error *e)
{
    const struct via_backup *b = run->backup;
    struct via_error ignored = {0};
    char incoming[VIA_PATH_SIZE];

    if (!backup_incoming(b, incoming))
        return via_error_set(e, VIA_PATH_INVALID, "the path of the backup is too long");
    if (b->passphrase_file[0] &&
        via_passphrase_read(b->passphrase_file, &run->passphrase, e) != VIA_OK)
        return e->status;
    if (backup_write(run, incoming, seal, e) != VIA_OK) {
        if (e->status == VIA_STATE_INVALID) /* somebody was faster */
            e->status = VIA_PATH_INVALID;
        else if (e->status == VIA_STATE_UNAVAILABLE)
            e->status = VIA_PATH_UNWRITABLE;
        if (via_fs_remove(incoming, &ignored) != VIA_OK)
            via_log(VIA_LOG_WARN, "%s", ignored.message);
    }
    via_archive_free(run->writer);
    via_replica_close(&run->replica);
    via_passphrase_free(run->passphrase);
    via_buf_deinit(&run->sealed);
    return e->status;
}

/* -- the operation -------------------------------------------------------------------- */

static void
step_backed_up(struct via_store *s, const struct via_operation *op, const void *arg)
{
    via_backup_ready(s, op->payload, arg);
    via_operation_settle(s, op->rid, "done", NULL);
}

static void
step_backup_failed(struct via_store *s, const struct via_operation *op, const void *arg)
{
    via_backup_failed(s, op->payload);
    via_operation_fail(s, op, arg);
}

static enum via_status
backup_done(struct via_store *s, const struct via_operation *op,
            const struct via_archive_seal *seal, int64_t absent, struct via_error *e)
{
    struct via_backup_outcome outcome = {.size_bytes = seal->size_bytes,
                                         .digest = seal->digest,
                                         .fingerprint = seal->fingerprint,
                                         .absent = absent};

    return via_effect_step(s, step_backed_up, op, &outcome, e);
}

static enum via_status
backup_find(struct via_store *s, const struct via_operation *op, struct via_backup *b,
            struct via_error *e)
{
    bool found = via_backup_find(&s->write, op->payload, b);

    if (via_sql_take(&s->write, e) == VIA_OK && !found)
        return via_error_set(e, VIA_INTERNAL_ERROR, "the backup's row is gone");
    return e->status;
}

static enum via_status
backup_run(struct via_store *s, const struct via_operation *op, struct via_error *e)
{
    struct via_effect_progress p;
    struct via_progress progress = via_effect_progress(&p, s, op);
    struct via_archive_seal seal = {0};
    struct via_backup b;
    struct backup_run run = {.s = s, .backup = &b, .progress = &progress};
    struct via_error why = {0};

    if (backup_find(s, op, &b, &why) != VIA_OK || backup_make(&run, &seal, &why) != VIA_OK)
        return via_effect_fail(s, step_backup_failed, op, &why, e);
    return backup_done(s, op, &seal, run.absent, e);
}

/* Is its file there, whole and of this host? Then only the last word is missing. An error when this
 * process cannot tell: an agent sees nothing outside of the state root. */
static enum via_status
backup_look(struct via_store *s, const struct via_backup *b, struct via_archive_seal *seal,
            bool *is_there, struct via_error *e)
{
    char kid[VIA_ID_SIZE], own[65];
    uint8_t public[32];
    int fd = open(b->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

    *is_there = false;
    if (fd < 0 && errno == EACCES)
        return via_error_set(e, VIA_PATH_UNWRITABLE,
                             "backup %s is out of this process's reach; type: via doctor --fix",
                             b->id);
    if (fd >= 0 && via_keyring_current(s->keys, VIA_KEY_BACKUP, kid, NULL) == VIA_OK &&
        via_keyring_public(s->keys, kid, public)) {
        via_digest_hex(&(struct via_piece){public, sizeof public}, 1, own);
        *is_there = via_archive_check_seal(fd, own, NULL, seal, NULL) == VIA_OK &&
                    strcmp(seal->id, b->id) == 0;
    }
    if (fd >= 0)
        close(fd);
    return VIA_OK;
}

/* Remove every trace of an attempt. */
static enum via_status
backup_sweep(struct via_store *s, const struct via_backup *b, struct via_error *e)
{
    enum via_status status = via_replica_forget(&s->root, b->id, e);
    char incoming[VIA_PATH_SIZE];
    struct via_addon a = {0};

    while (status == VIA_OK && via_addon_next_kept(&s->read, a.id, &a)) {
        const struct via_provider *provider = via_provider_find(a.type);

        if (provider)
            status = provider->forget_lent(&s->root, a.id, b->id, e);
    }
    if (status == VIA_OK && backup_incoming(b, incoming))
        status = via_fs_remove(incoming, e);
    return status;
}

static enum via_status
backup_recover(struct via_store *s, const struct via_operation *op, struct via_error *e)
{
    struct via_error why = {VIA_OPERATION_INTERRUPTED,
                            "the process that was writing it died; make another"};
    struct via_archive_seal seal = {0};
    struct via_backup b;
    bool is_there;

    if (backup_find(s, op, &b, e) != VIA_OK || backup_sweep(s, &b, e) != VIA_OK ||
        backup_look(s, &b, &seal, &is_there, e) != VIA_OK)
        return e->status;
    if (is_there)
        return backup_done(s, op, &seal, 0, e);
    return via_effect_step(s, step_backup_failed, op, &why, e);
}

const struct via_effect via_effect_backup = {
    .intent = VIA_INTENT_BACKUP,
    .kind = "backup.create",
    .run = backup_run,
    .failed = step_backup_failed,
    .recover = backup_recover,
};
