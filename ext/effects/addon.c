/* addon.c: making, mending and removing the storage of an add-on. */
#include "control/addon.h"
#include "base/error.h"
#include "control/audit.h"
#include "control/instance.h"
#include "control/purge.h"
#include "control/snapshot.h"
#include "effects/step.h"

#include <stdio.h>
#include <string.h>

static void
step_provisioned(struct via_store *s, const struct via_operation *op, const void *arg)
{
    (void)arg;
    via_addon_provisioned(s, op->addon_id);
    via_operation_settle(s, op->rid, "done", NULL);
}

static void
step_provision_failed(struct via_store *s, const struct via_operation *op, const void *arg)
{
    via_addon_failed(s, op->addon_id, op->id, arg);
    via_operation_fail(s, op, arg);
}

static enum via_status
provision_from(struct via_store *s, const struct via_operation *op, const char *source,
               struct via_error *e)
{
    const struct via_provider *provider = via_effect_provider(s, op->addon_id, e);
    struct via_effect_progress p;
    struct via_progress progress = via_effect_progress(&p, s, op);
    struct via_error why = {0};

    if (!provider)
        return e->status;
    if (provider->provision(&s->root, op->addon_id, source, &progress, &why) != VIA_OK)
        return via_effect_fail(s, step_provision_failed, op, &why, e);
    return via_effect_step(s, step_provisioned, op, NULL, e);
}

static enum via_status
provision_run(struct via_store *s, const struct via_operation *op, struct via_error *e)
{
    return provision_from(s, op, op->payload[0] ? op->payload : NULL, e);
}

static enum via_status
provision_work(struct via_store *s, const struct via_operation *op, struct via_error *e)
{
    const struct via_provider *provider = via_effect_provider(s, op->addon_id, e);

    return provider ? provider->provision(&s->root, op->addon_id, NULL, NULL, e) : e->status;
}

/* Storage appears whole or not at all, so what is there is adopted, an empty database is made,
 * and an import, whose source may have changed since, is undone. */
static enum via_status
provision_recover(struct via_store *s, const struct via_operation *op, struct via_error *e)
{
    const struct via_provider *provider = via_effect_provider(s, op->addon_id, e);
    struct via_error why = {VIA_OPERATION_INTERRUPTED,
                            "the process that was importing it died; import it again"};
    struct via_storage_facts facts;

    if (!provider)
        return e->status;
    provider->probe(&s->root, op->addon_id, &facts);
    if (facts.unseen) /* it stays under way, for whoever may look */
        return via_error_set(e, VIA_STORAGE_UNREADABLE,
                             "this process may not reach the storage of this add-on");
    if (facts.present || !op->payload[0])
        return provision_from(s, op, NULL, e);
    if (provider->destroy(&s->root, op->addon_id, e) != VIA_OK)
        return e->status;
    return via_effect_step(s, step_provision_failed, op, &why, e);
}

const struct via_effect via_effect_provision = {
    .intent = VIA_INTENT_PROVISION,
    .kind = "addon.create",
    .run = provision_run,
    .work = provision_work,
    .done = step_provisioned,
    .failed = step_provision_failed,
    .recover = provision_recover,
};

static void
step_settle_failed(struct via_store *s, const struct via_operation *op, const void *arg)
{
    via_operation_fail(s, op, arg);
}

static void
step_purged(struct via_store *s, const struct via_operation *op, const void *arg)
{
    (void)arg;
    via_addon_purged(s, op->addon_id);
    via_operation_settle(s, op->rid, "done", NULL);
}

static enum via_status
purge_run(struct via_store *s, const struct via_operation *op, struct via_error *e)
{
    const struct via_provider *provider = via_effect_provider(s, op->addon_id, e);
    struct via_error why = {0};

    if (!provider)
        return e->status;
    if (provider->destroy(&s->root, op->addon_id, &why) != VIA_OK)
        return via_effect_fail(s, step_settle_failed, op, &why, e);
    return via_effect_step(s, step_purged, op, NULL, e);
}

const struct via_effect via_effect_purge = {
    .intent = VIA_INTENT_PURGE,
    .kind = "addon.destroy",
    .run = purge_run,
    .failed = step_settle_failed,
};

static void
step_purged_due(struct via_store *s, const struct via_operation *op, const void *arg)
{
    (void)arg;
    via_purge_done(s, op);
}

/* Nobody waits for it: what cannot be removed now stays under way, for the next who looks. */
static enum via_status
purge_due_run(struct via_store *s, const struct via_operation *op, struct via_error *e)
{
    const struct via_provider *provider = via_effect_provider(s, op->addon_id, e);

    if (!provider || provider->destroy(&s->root, op->addon_id, e) != VIA_OK)
        return e->status;
    return via_effect_step(s, step_purged_due, op, NULL, e);
}

const struct via_effect via_effect_purge_due = {
    .intent = VIA_INTENT_PURGE_DUE,
    .kind = "addon.purge",
    .run = purge_due_run,
    .failed = step_settle_failed,
};

/* The name of what a repair keeps: it is the same when another process goes on with it. */
static void
repair_keep_id(const struct via_operation *op, char out[VIA_ID_SIZE])
{
    (void)snprintf(out, VIA_ID_SIZE, "snap%s", op->id + strcspn(op->id, "_"));
}

/* Record a log that was kept; `arg` says whether there was one. */
static void
step_log_kept(struct via_store *s, const struct via_operation *op, const void *arg)
{
    const bool *is_kept = arg;
    char keep_id[VIA_ID_SIZE];
    struct via_addon a;

    repair_keep_id(op, keep_id);
    if (*is_kept && via_addon_find_id(&s->write, op->addon_id, &a))
        via_snapshot_put_log(s, keep_id, &a, op->id);
}

/* Commands that knew the lost storage start anew: most make their tables when they do. */
static void
step_rebuilt(struct via_store *s, const struct via_operation *op, const void *arg)
{
    step_log_kept(s, op, arg);
    step_provisioned(s, op, NULL);
    via_instance_ask_restart_bound(s, op->addon_id, "the storage of an add-on was repaired");
}

/* Missing storage is made empty; nothing that was committed is thrown away for it. */
static enum via_status
repair_make(struct via_store *s, const struct via_operation *op,
            const struct via_provider *provider, const struct via_progress *progress,
            struct via_error *e)
{
    struct via_error why = {0}, ignored = {0};
    char keep_id[VIA_ID_SIZE];
    bool is_kept;

    repair_keep_id(op, keep_id);
    if (provider->keep_log(&s->root, op->addon_id, keep_id, &is_kept, &why) == VIA_OK &&
        provider->provision(&s->root, op->addon_id, NULL, progress, &why) == VIA_OK)
        return via_effect_step(s, step_rebuilt, op, &is_kept, e);
    via_ignore(via_effect_step(s, step_log_kept, op, &is_kept, &ignored));
    return via_effect_fail(s, step_settle_failed, op, &why, e);
}

/* Storage that is there is adopted when it is sound. */
static enum via_status
repair_run(struct via_store *s, const struct via_operation *op, struct via_error *e)
{
    const struct via_provider *provider = via_effect_provider(s, op->addon_id, e);
    struct via_effect_progress p;
    struct via_progress progress = via_effect_progress(&p, s, op);
    struct via_storage_facts facts;
    struct via_error why = {0};

    if (!provider)
        return e->status;
    provider->probe(&s->root, op->addon_id, &facts);
    if (!facts.present)
        return repair_make(s, op, provider, &progress, e);
    if (provider->check_integrity(&s->root, &via_effect_opener, op->addon_id, &progress, &why) !=
        VIA_OK)
        return via_effect_fail(s, step_settle_failed, op, &why, e);
    return via_effect_step(s, step_provisioned, op, NULL, e);
}

const struct via_effect via_effect_repair = {
    .intent = VIA_INTENT_REPAIR,
    .kind = "addon.repair",
    .run = repair_run,
    .failed = step_settle_failed,
};
