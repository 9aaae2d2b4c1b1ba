/* backup.c: writing the archive of the whole host, while everything goes on. */
#include "control/backup.h"
#include "archive/archive.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/io.h"
#include "base/log.h"
#include "control/addon.h"
#include "control/replica.h"
#include "effects/pack.h"
#include "effects/step.h"
#include "identity/codec.h"
#include "identity/passphrase.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* -- where ---------------------------------------------------------------------------- */

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

/* The words of a file, said of the place that the operator named. */
static enum via_status
backup_blame_place(struct via_error *e)
{
    if (e->status == VIA_STATE_INVALID) /* somebody was faster */
        e->status = VIA_PATH_INVALID;
    else if (e->status == VIA_STATE_UNAVAILABLE)
        e->status = VIA_PATH_UNWRITABLE;
    return e->status;
}

static enum via_status
backup_write(struct via_store *s, struct via_pack_order *order, const char *incoming,
             struct via_packed *out, struct via_error *e)
{
    const struct via_backup *b = order->backup;

    if (via_fs_create(incoming, 0600, backup_owner(s, b), &order->fd, e) != VIA_OK)
        return backup_blame_place(e);
    via_ignore(via_pack_host(s, order, out, e));
    close(order->fd);
    if (e->status == VIA_OK && backup_publish(b, incoming, e) != VIA_OK)
        return backup_blame_place(e);
    return e->status;
}

static enum via_status
backup_make(struct via_store *s, const struct via_backup *b, const struct via_progress *progress,
            struct via_packed *out, struct via_error *e)
{
    struct via_pack_order order = {.backup = b, .progress = progress, .fd = -1};
    struct via_error ignored = {0};
    char incoming[VIA_PATH_SIZE];

    if (!backup_incoming(b, incoming))
        return via_error_set(e, VIA_PATH_INVALID, "the path of the backup is too long");
    if (b->passphrase_file[0] &&
        via_passphrase_read(b->passphrase_file, &order.passphrase, e) != VIA_OK)
        return e->status;
    if (backup_write(s, &order, incoming, out, e) != VIA_OK &&
        via_fs_remove(incoming, &ignored) != VIA_OK)
        via_log(VIA_LOG_WARN, "%s", ignored.message);
    via_passphrase_free(order.passphrase);
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
backup_done(struct via_store *s, const struct via_operation *op, const struct via_packed *packed,
            struct via_error *e)
{
    char kid[VIA_ID_SIZE];
    bool is_ours = via_keyring_by_fingerprint(s->keys, packed->seal.fingerprint, kid);
    struct via_backup_outcome outcome = {.size_bytes = packed->seal.size_bytes,
                                         .digest = packed->seal.digest,
                                         .fingerprint = packed->seal.fingerprint,
                                         .key_id = is_ours ? kid : NULL,
                                         .absent = packed->absent,
                                         .left_out = via_buf_text(&packed->left_out)};

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
    struct via_packed packed = {0};
    struct via_error why = {0};
    enum via_status status;
    struct via_backup b;

    if (backup_find(s, op, &b, &why) != VIA_OK ||
        backup_make(s, &b, &progress, &packed, &why) != VIA_OK)
        status = via_effect_fail(s, step_backup_failed, op, &why, e);
    else
        status = backup_done(s, op, &packed, e);
    via_buf_deinit(&packed.left_out);
    return status;
}

static enum via_status
member_pass(void *arg, const struct via_member *m, struct via_error *e)
{
    (void)arg, (void)m, (void)e;
    return VIA_OK;
}

static enum via_status
member_pass_bytes(void *arg, const struct via_member *m, const void *bytes, size_t n,
                  struct via_error *e)
{
    (void)arg, (void)m, (void)bytes, (void)n, (void)e;
    return VIA_OK;
}

/* What a finished archive says it is, and what it leaves out. */
static bool
backup_read(int fd, const char *fingerprint, struct via_packed *out)
{
    const struct via_archive_taker taker = {member_pass, member_pass_bytes, member_pass, NULL};
    struct via_archive_head head = {0};
    struct via_error why = {0};
    bool is_read = via_archive_check_seal(fd, fingerprint, NULL, &out->seal, &why) == VIA_OK &&
                   via_archive_read(fd, &out->seal, &taker, NULL, &head, &why) == VIA_OK;

    out->absent = head.absent;
    out->left_out = head.left_out;
    return is_read && !out->left_out.failed;
}

/* Is its file there, whole and of this host? Then only the last word is missing. An error when this
 * process cannot tell: an agent sees nothing outside of the state root. */
static enum via_status
backup_look(struct via_store *s, const struct via_backup *b, struct via_packed *out, bool *is_there,
            struct via_error *e)
{
    char kid[VIA_ID_SIZE], own[65];
    uint8_t public[32];
    int fd = via_io_open(AT_FDCWD, b->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);

    *is_there = false;
    if (fd < 0 && errno == EACCES)
        return via_error_set(e, VIA_PATH_UNWRITABLE,
                             "backup %s is out of this process's reach; type: via doctor --fix",
                             b->id);
    if (fd < 0 && errno != ENOENT && errno != ENOTDIR && errno != ELOOP)
        return via_error_set_errno(e, VIA_IO_ERROR, errno, "backup %s cannot be read", b->id);
    if (fd >= 0 && via_keyring_current(s->keys, VIA_KEY_BACKUP, kid, NULL) == VIA_OK &&
        via_keyring_public(s->keys, kid, public)) {
        via_digest_hex(&(struct via_piece){public, sizeof public}, 1, own);
        *is_there = backup_read(fd, own, out) && strcmp(out->seal.id, b->id) == 0;
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
    struct via_packed packed = {0};
    enum via_status status;
    struct via_backup b;
    bool is_there;

    if (backup_find(s, op, &b, e) != VIA_OK || backup_sweep(s, &b, e) != VIA_OK ||
        backup_look(s, &b, &packed, &is_there, e) != VIA_OK)
        return e->status;
    status = is_there ? backup_done(s, op, &packed, e)
                      : via_effect_step(s, step_backup_failed, op, &why, e);
    via_buf_deinit(&packed.left_out);
    return status;
}

const struct via_effect via_effect_backup = {
    .intent = VIA_INTENT_BACKUP,
    .kind = "backup.create",
    .run = backup_run,
    .failed = step_backup_failed,
    .recover = backup_recover,
};
