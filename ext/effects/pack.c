/* pack.c: copies of databases, snapshots as they lie, keys: one after the other into an archive. */
#include "effects/pack.h"

#include "base/error.h"
#include "base/io.h"
#include "base/log.h"
#include "control/addon.h"
#include "control/damage.h"
#include "control/replica.h"
#include "control/snapshot.h"
#include "effects/effects.h"
#include "effects/step.h"
#include "identity/codec.h"
#include "identity/keyfolder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define READ_CHUNK (128 << 10)
#define COPY_PART 5 /* of the work on a content its copy is one of so many parts */

/* An archive under way. */
struct pack {
    struct via_store *s;
    const struct via_pack_order *order;
    struct via_sealing *sealing;
    struct via_buf sealed;
    struct via_replica replica;
    struct via_archive_writer *writer;
    int64_t total_bytes;
    int64_t done_bytes; /* of the members before */
    int64_t size_bytes; /* of the member at hand, */
    int64_t copy_bytes; /* of which its copy counts for so many */
};

static bool
pack_tell(struct pack *p, int64_t done_bytes)
{
    int64_t percent = p->total_bytes > 0 ? done_bytes * 100 / p->total_bytes : 0;

    return via_progress_tell(p->order->progress, percent < 99 ? (int)percent : 99);
}

static bool
pack_tell_copied(void *arg, int percent)
{
    struct pack *p = arg;

    return pack_tell(p, p->done_bytes + p->copy_bytes * percent / 100);
}

static bool
pack_tell_archived(void *arg, int64_t bytes)
{
    struct pack *p = arg;
    int64_t left = p->size_bytes > bytes ? p->size_bytes - bytes : 0;

    if (p->copy_bytes > 0)
        left -= left / COPY_PART;
    return pack_tell(p, p->done_bytes + p->size_bytes - left);
}

/* The member at hand is behind us, be it in the archive or left out. */
static void
pack_pass(struct pack *p)
{
    p->done_bytes += p->size_bytes;
    p->size_bytes = p->copy_bytes = 0;
}

/* -- what is left out ------------------------------------------------------------------ */

/* What is lost, damaged, out of reach or destroyed since is to keep nobody from saving the others;
 * but it is named in the manifest, for whoever counts on the archive. `snapshot_id` is "" for the
 * content. */
static void
pack_leave_out(struct pack *p, const struct via_addon *a, const char *snapshot_id,
               enum via_status why)
{
    struct via_left_out l = {0};

    memcpy(l.addon_id, a->id, sizeof l.addon_id);
    (void)snprintf(l.addon, sizeof l.addon, "%s", a->name);
    (void)snprintf(l.app, sizeof l.app, "%s", a->app);
    (void)snprintf(l.code, sizeof l.code, "%s", via_status_word(why));
    (void)snprintf(l.snapshot_id, sizeof l.snapshot_id, "%s", snapshot_id);
    via_log(VIA_LOG_WARN, "%s is not in backup %s: %s", snapshot_id[0] ? snapshot_id : a->id,
            p->order->backup->id, l.code);
    if (a->state != VIA_ADDON_IS_FAILED) /* of which nobody expects anything */
        via_archive_leave_out(p->writer, &l);
    pack_pass(p);
}

/* One that was deleted since is no loss. */
static void
pack_leave_out_snapshot(struct pack *p, const struct via_addon *a, const char *id,
                        enum via_status why)
{
    bool is_deleted = why == VIA_SNAPSHOT_MISSING && !via_snapshot_is_ready(&p->s->read, id);

    via_replica_settle_snapshot(&p->replica, id, is_deleted ? "deleted" : "failed");
    if (is_deleted)
        pack_pass(p);
    else
        pack_leave_out(p, a, id, why);
}

/* Does the reason lie in this add-on alone? */
static bool
is_its_own(enum via_status status)
{
    return status == VIA_STORAGE_MISSING || status == VIA_STORAGE_CORRUPT ||
           status == VIA_STORAGE_UNREADABLE || status == VIA_STORAGE_READONLY ||
           status == VIA_SNAPSHOT_MISSING || status == VIA_SNAPSHOT_CORRUPT ||
           status == VIA_ADDON_UNAVAILABLE || status == VIA_ADDON_NOT_FOUND;
}

/* -- databases ----------------------------------------------------------------------- */

static enum via_status
pack_add_fd(struct pack *p, struct via_member *m, int fd, struct via_error *e)
{
    struct via_archive_tell tell = {pack_tell_archived, p};
    enum via_status status = via_archive_add_file(p->writer, m, fd, &tell, e);

    close(fd);
    pack_pass(p);
    return status;
}

static enum via_status
pack_add_path(struct pack *p, enum via_member_kind kind, const char *path, struct via_error *e)
{
    struct via_member m = {.kind = kind};
    int fd = via_io_open(AT_FDCWD, path, O_RDONLY | O_NOFOLLOW, 0);

    if (fd < 0)
        return via_error_set_errno(e, VIA_IO_ERROR, errno, "a copy cannot be read");
    return pack_add_fd(p, &m, fd, e);
}

/* Is the file what was written? Bytes that are not are found by nobody later: the archive's own
 * digests would be theirs. VIA_SNAPSHOT_CORRUPT, VIA_STORAGE_UNREADABLE. */
static enum via_status
pack_check_snapshot(struct pack *p, const struct via_replica_snapshot *snapshot, int fd,
                    struct via_error *e)
{
    char chunk[READ_CHUNK], digest[65];
    struct via_digest d;
    int64_t at = 0, got;

    via_digest_begin(&d);
    while ((got = via_io_get(fd, chunk, sizeof chunk, at)) > 0) {
        via_digest_put(&d, chunk, (size_t)got);
        at += got;
        if (!pack_tell_copied(p, snapshot->size_bytes > at ? (int)(at * 100 / snapshot->size_bytes)
                                                           : 100))
            return via_error_set(e, VIA_OPERATION_INTERRUPTED, "the backup was stopped");
    }
    if (got < 0)
        return via_error_set_errno(e, VIA_STORAGE_UNREADABLE, errno,
                                   "the snapshot's file cannot be read");
    via_digest_end(&d, digest);
    return strcmp(digest, snapshot->digest) == 0
               ? VIA_OK
               : via_error_set(e, VIA_SNAPSHOT_CORRUPT,
                               "the snapshot's file is not what was written");
}

/* Open its file, read through and found good; *fd is the caller's. */
static enum via_status
pack_open_snapshot(struct pack *p, const struct via_provider *provider, const char *addon_id,
                   const struct via_replica_snapshot *snapshot, int *fd, struct via_error *e)
{
    p->size_bytes = snapshot->size_bytes;
    p->copy_bytes = snapshot->size_bytes / COPY_PART;
    if (provider->open_snapshot(&p->s->root, addon_id, snapshot->id, fd, e) != VIA_OK)
        return e->status;
    if (pack_check_snapshot(p, snapshot, *fd, e) == VIA_OK)
        return VIA_OK;
    close(*fd);
    return e->status;
}

static enum via_status
pack_add_snapshots(struct pack *p, const struct via_provider *provider, const struct via_addon *a,
                   struct via_error *e)
{
    struct via_member m = {.kind = VIA_MEMBER_SNAPSHOT};
    struct via_replica_snapshot snapshot = {.id = ""};
    enum via_status status = VIA_OK;

    memcpy(m.addon_id, a->id, sizeof m.addon_id);
    while (status == VIA_OK && via_replica_next_snapshot(&p->replica, a->id, &snapshot)) {
        struct via_error why = {0};
        int fd;

        memcpy(m.snapshot_id, snapshot.id, sizeof m.snapshot_id);
        if (pack_open_snapshot(p, provider, a->id, &snapshot, &fd, &why) == VIA_OK)
            status = pack_add_fd(p, &m, fd, e);
        else if (is_its_own(why.status))
            pack_leave_out_snapshot(p, a, m.snapshot_id, why.status);
        else
            status = via_error_set(e, why.status, "%s: %.400s", m.snapshot_id, why.message);
    }
    return status;
}

struct checked {
    const struct via_addon *addon;
    const struct via_error *why;
};

static void
step_checked(struct via_store *s, const struct via_operation *op, const void *arg)
{
    const struct checked *checked = arg;

    (void)op;
    via_damage_put(s, checked->addon, checked->why);
}

/* Who makes an archive reads every content: what is found is on record, when it is news. */
static void
pack_tell_found(struct pack *p, const struct via_addon *a, const struct via_error *why)
{
    struct checked checked = {a, why->status == VIA_OK ? NULL : why};
    struct via_error ignored = {0};
    struct via_damage damage;
    bool was_damaged = via_damage_find(&p->s->read, a->id, &damage);

    if (via_sql_take(&p->s->read, NULL) != VIA_OK)
        return;
    if (was_damaged ? why->status == VIA_OK : why->status == VIA_STORAGE_CORRUPT)
        via_ignore(via_effect_step(p->s, step_checked, NULL, &checked, &ignored));
}

/* Make a copy of the content; *fd is the caller's. What cannot be opened is tried once more: SQLite
 * does not say when it was for a moment that there was no descriptor. */
static enum via_status
pack_borrow(struct pack *p, const struct via_provider *provider, const struct via_addon *a, int *fd,
            struct via_error *e)
{
    struct via_progress progress = {pack_tell_copied, p};
    enum via_status status = provider->lend(&p->s->root, &via_effect_opener, a->id,
                                            p->order->backup->id, &progress, fd, e);

    if (status != VIA_STORAGE_UNREADABLE && status != VIA_STORAGE_READONLY)
        return status;
    via_error_clear(e);
    return provider->lend(&p->s->root, &via_effect_opener, a->id, p->order->backup->id, &progress,
                          fd, e);
}

/* A copy of the content. */
static enum via_status
pack_add_content(struct pack *p, const struct via_provider *provider, const struct via_addon *a,
                 struct via_error *e)
{
    struct via_member m = {.kind = VIA_MEMBER_ADDON};
    struct via_storage_facts facts;
    struct via_error why = {0};
    int fd;

    provider->probe(&p->s->root, a->id, &facts);
    p->size_bytes = facts.size_bytes;
    p->copy_bytes = facts.size_bytes / COPY_PART;
    memcpy(m.addon_id, a->id, sizeof m.addon_id);
    if (pack_borrow(p, provider, a, &fd, &why) == VIA_OK) {
        pack_tell_found(p, a, &why);
        return pack_add_fd(p, &m, fd, e);
    }
    pack_tell_found(p, a, &why);
    if (!is_its_own(why.status))
        return via_error_set(e, why.status, "add-on %s: %.400s", a->name, why.message);
    pack_leave_out(p, a, "", why.status);
    return VIA_OK;
}

static enum via_status
pack_add_addons(struct pack *p, struct via_error *e)
{
    enum via_status status = VIA_OK;
    struct via_addon a = {0};

    while (status == VIA_OK && via_addon_next_kept(&p->replica.sql, a.id, &a)) {
        const struct via_provider *provider = via_provider_find(a.type);

        if (!provider)
            return via_error_set(e, VIA_INTERNAL_ERROR, "no provider for add-on %s", a.id);
        status = pack_add_content(p, provider, &a, e);
        if (status == VIA_OK)
            status = pack_add_snapshots(p, provider, &a, e);
    }
    return status;
}

static int64_t
pack_measure(struct pack *p)
{
    int64_t total = via_replica_snapshot_bytes(&p->replica);
    struct via_storage_facts facts;
    struct via_addon a = {0};

    while (via_addon_next_kept(&p->replica.sql, a.id, &a)) {
        const struct via_provider *provider = via_provider_find(a.type);

        if (provider) {
            provider->probe(&p->s->root, a.id, &facts);
            total += facts.size_bytes;
        }
    }
    return total;
}

/* -- keys --------------------------------------------------------------------------- */

static enum via_status
pack_add_key(void *arg, const char *kid, const char *text, size_t n, struct via_error *e)
{
    struct pack *p = arg;
    struct via_member m = {.kind = VIA_MEMBER_KEY};

    (void)snprintf(m.kid, sizeof m.kid, "%s", kid);
    if (!p->sealing)
        return via_archive_add_bytes(p->writer, &m, text, n, e);
    via_sealing_put(p->sealing, kid, text, n);
    return VIA_OK;
}

static enum via_status
pack_add_keys(struct pack *p, struct via_error *e)
{
    struct via_member m = {.kind = VIA_MEMBER_SEALED_KEYS};
    enum via_status status;

    if (p->order->passphrase &&
        via_sealing_new(p->order->passphrase, &p->sealed, &p->sealing, e) != VIA_OK)
        return e->status;
    status = via_keyfolder_each(&p->s->root, pack_add_key, p, e);
    via_sealing_end(p->sealing);
    if (status != VIA_OK || !p->order->passphrase)
        return status;
    if (p->sealed.failed)
        return via_error_set(e, VIA_OUT_OF_MEMORY, "out of memory");
    return via_archive_add_bytes(p->writer, &m, p->sealed.data, p->sealed.len, e);
}

/* -- the archive --------------------------------------------------------------------- */

static void
pack_head(const struct pack *p, struct via_archive_head *head)
{
    memset(head, 0, sizeof *head);
    memcpy(head->id, p->order->backup->id, sizeof head->id);
    memcpy(head->created_at, p->order->backup->created_at, sizeof head->created_at);
    if (gethostname(head->host, sizeof head->host - 1) < 0)
        head->host[0] = '\0';
    head->control_schema = p->replica.control_schema;
    head->runtime_schema = p->replica.runtime_schema;
    head->sealed = p->order->passphrase != NULL;
}

static enum via_status
pack_fill(struct pack *p, struct via_archive_seal *seal, struct via_error *e)
{
    struct via_store *s = p->s;
    struct via_archive_head head;
    char kid[VIA_ID_SIZE];

    /* The key that will sign is to be among those that are saved. */
    if (via_keyring_current(s->keys, VIA_KEY_BACKUP, kid, e) != VIA_OK ||
        via_replica_open(&p->replica, &s->root, p->order->backup->id, e) != VIA_OK)
        return e->status;
    p->total_bytes = pack_measure(p);
    pack_head(p, &head);
    if (via_archive_begin(p->order->fd, &head, &p->writer, e) != VIA_OK ||
        pack_add_addons(p, e) != VIA_OK || via_replica_settle(&p->replica, e) != VIA_OK ||
        pack_add_keys(p, e) != VIA_OK ||
        pack_add_path(p, VIA_MEMBER_RUNTIME, p->replica.runtime, e) != VIA_OK ||
        pack_add_path(p, VIA_MEMBER_CONTROL, p->replica.control, e) != VIA_OK)
        return e->status;
    return via_archive_end(p->writer, s->keys, seal, e);
}

/* What the manifest says was left out, for those who do not read it. */
static enum via_status
pack_tell_left_out(const struct pack *p, struct via_packed *out, struct via_error *e)
{
    const struct via_archive_head *head = via_archive_get_head(p->writer);

    out->absent = head->absent;
    via_buf_puts(&out->left_out, via_buf_text(&head->left_out));
    return out->left_out.failed ? via_error_set(e, VIA_OUT_OF_MEMORY, "out of memory") : VIA_OK;
}

enum via_status
via_pack_host(struct via_store *s, const struct via_pack_order *order, struct via_packed *out,
              struct via_error *e)
{
    struct pack p = {.s = s, .order = order};
    enum via_status status = pack_fill(&p, &out->seal, e);

    if (status == VIA_OK)
        status = pack_tell_left_out(&p, out, e);
    via_archive_free(p.writer);
    via_replica_close(&p.replica);
    via_buf_deinit(&p.sealed);
    return status;
}
