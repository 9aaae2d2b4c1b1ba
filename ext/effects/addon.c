/* addon.c: making, mending and removing the storage of an add-on. */
#include "control/addon.h"
#include "base/error.h"
#include "control/audit.h"
#include "control/instance.h"
#include "control/purge.h"
#include "effects/step.h"

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

/* Commands that knew the lost storage start anew: most make their tables when they do. */
static void
step_rebuilt(struct via_store *s, const struct via_operation *op, const void *arg)
{
    step_provisioned(s, op, arg);
    via_instance_ask_restart_bound(s, op->addon_id, "the storage of an add-on was repaired");
}

/* Storage that is there is adopted when it is sound; missing storage is made empty. */
static enum via_status
repair_run(struct via_store *s, const struct via_operation *op, struct via_error *e)
{
    const struct via_provider *provider = via_effect_provider(s, op->addon_id, e);
    struct via_effect_progress p;
    struct via_progress progress = via_effect_progress(&p, s, op);
    struct via_storage_facts facts;
    struct via_error why = {0};
    enum via_status status;

    if (!provider)
        return e->status;
    provider->probe(&s->root, op->addon_id, &facts);
    if (facts.present)
        status =
            provider->check_integrity(&s->root, &via_effect_opener, op->addon_id, &progress, &why);
    else
        status = provider->provision(&s->root, op->addon_id, NULL, &progress, &why);
    if (status != VIA_OK)
        return via_effect_fail(s, step_settle_failed, op, &why, e);
    return via_effect_step(s, facts.present ? step_provisioned : step_rebuilt, op, NULL, e);
}

const struct via_effect via_effect_repair = {
    .intent = VIA_INTENT_REPAIR,
    .kind = "addon.repair",
    .run = repair_run,
    .failed = step_settle_failed,
};
