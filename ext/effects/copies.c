/* copies.c: snapshots and exports: copies of an add-on's content. */
#include "base/error.h"
#include "base/fs.h"
#include "control/addon.h"
#include "control/snapshot.h"
#include "effects/step.h"

static void
step_captured(struct via_store *s, const struct via_operation *op, const void *arg)
{
    const struct via_snapshot_facts *facts = arg;

    via_snapshot_ready(s, op->payload, facts->size_bytes, facts->digest);
    via_operation_settle(s, op->rid, "done", NULL);
}

static void
step_capture_failed(struct via_store *s, const struct via_operation *op, const void *arg)
{
    via_snapshot_drop(s, op->payload);
    via_operation_fail(s, op, arg);
}

static enum via_status
snapshot_run(struct via_store *s, const struct via_operation *op, struct via_error *e)
{
    const struct via_provider *provider = via_effect_provider(s, op->addon_id, e);
    struct via_effect_progress p;
    struct via_progress progress = via_effect_progress(&p, s, op);
    struct via_snapshot_facts facts = {0};
    struct via_error why = {0};

    if (!provider)
        return e->status;
    if (provider->snapshot(&s->root, &via_effect_opener, op->addon_id, op->payload, &progress,
                           &facts, &why) != VIA_OK)
        return via_effect_fail(s, step_capture_failed, op, &why, e);
    return via_effect_step(s, step_captured, op, &facts, e);
}

/* Nobody waits for it any more. */
static enum via_status
snapshot_recover(struct via_store *s, const struct via_operation *op, struct via_error *e)
{
    const struct via_provider *provider = via_effect_provider(s, op->addon_id, e);
    struct via_error why = {VIA_OPERATION_INTERRUPTED,
                            "the process that was taking it died; take another"};

    if (!provider || provider->remove_snapshot(&s->root, op->addon_id, op->payload, e) != VIA_OK)
        return e->status;
    return via_effect_step(s, step_capture_failed, op, &why, e);
}

const struct via_effect via_effect_snapshot = {
    .intent = VIA_INTENT_SNAPSHOT,
    .kind = "addon.snapshot",
    .run = snapshot_run,
    .failed = step_capture_failed,
    .recover = snapshot_recover,
};

static void
step_done(struct via_store *s, const struct via_operation *op, const void *arg)
{
    (void)arg;
    via_operation_settle(s, op->rid, "done", NULL);
}

/* Its row says that it is deleted. While the file is there it is not: a mend would take it for one
 * that was left, and remove it after all. */
static void
step_remove_failed(struct via_store *s, const struct via_operation *op, const void *arg)
{
    const struct via_provider *provider;
    struct via_addon a;

    if (via_addon_find_id(&s->write, op->addon_id, &a) && (provider = via_provider_find(a.type)) &&
        provider->has_snapshot(&s->root, op->addon_id, op->payload))
        via_snapshot_keep(s, op->payload);
    via_operation_fail(s, op, arg);
}

static enum via_status
snapshot_remove_run(struct via_store *s, const struct via_operation *op, struct via_error *e)
{
    const struct via_provider *provider = via_effect_provider(s, op->addon_id, e);
    struct via_error why = {0};

    if (!provider)
        return e->status;
    if (provider->remove_snapshot(&s->root, op->addon_id, op->payload, &why) != VIA_OK)
        return via_effect_fail(s, step_remove_failed, op, &why, e);
    return via_effect_step(s, step_done, op, NULL, e);
}

const struct via_effect via_effect_snapshot_remove = {
    .intent = VIA_INTENT_SNAPSHOT_REMOVE,
    .kind = "snapshot.delete",
    .run = snapshot_remove_run,
    .failed = step_remove_failed,
};

static void
step_exported(struct via_store *s, const struct via_operation *op, const void *arg)
{
    via_export_settle(s, op->payload, "ready", *(const int64_t *)arg);
    via_operation_settle(s, op->rid, "done", NULL);
}

static void
step_export_failed(struct via_store *s, const struct via_operation *op, const void *arg)
{
    via_export_settle(s, op->payload, "failed", 0);
    via_operation_fail(s, op, arg);
}

static enum via_status
export_run(struct via_store *s, const struct via_operation *op, struct via_error *e)
{
    const struct via_provider *provider = via_effect_provider(s, op->addon_id, e);
    struct via_effect_progress p;
    struct via_progress progress = via_effect_progress(&p, s, op);
    char path[VIA_PATH_SIZE];
    struct via_error why = {0};
    int64_t size_bytes = 0;

    if (!provider)
        return e->status;
    if (!via_export_path(&s->write, op->payload, path))
        via_ignore(via_error_set(&why, VIA_INTERNAL_ERROR, "the export's row is gone"));
    else
        via_ignore(provider->export_to(&s->root, &via_effect_opener, op->addon_id, path, &progress,
                                       &size_bytes, &why));
    via_ignore(via_sql_take(&s->write, &why));
    if (why.status != VIA_OK)
        return via_effect_fail(s, step_export_failed, op, &why, e);
    return via_effect_step(s, step_exported, op, &size_bytes, e);
}

/* What was written goes. An agent that gave up the rest of the file system cannot see it: then the
 * doctor does. */
static enum via_status
export_recover(struct via_store *s, const struct via_operation *op, struct via_error *e)
{
    const struct via_provider *provider = via_effect_provider(s, op->addon_id, e);
    struct via_error why = {VIA_OPERATION_INTERRUPTED,
                            "the process that was writing it died; export it again"};
    char path[VIA_PATH_SIZE], left[VIA_PATH_SIZE];

    if (!provider)
        return e->status;
    if (via_export_path(&s->write, op->payload, path) &&
        provider->export_left(op->addon_id, path, left) && via_fs_remove(left, e) != VIA_OK)
        return e->status;
    return via_effect_step(s, step_export_failed, op, &why, e);
}

const struct via_effect via_effect_export = {
    .intent = VIA_INTENT_EXPORT,
    .kind = "addon.export",
    .run = export_run,
    .failed = step_export_failed,
    .recover = export_recover,
};
