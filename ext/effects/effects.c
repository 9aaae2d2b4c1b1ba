#include "effects/effects.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"
#include "control/addon.h"
#include "control/audit.h"
#include "control/instance.h"
#include "control/operation.h"
#include "control/setting.h"
#include "control/store.h"
#include "identity/jwt.h"
#include "provider/provider.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEP_TIMEOUT_MS 60000

/* A step of an operation: control rows changed in one transaction of their own. */
typedef void (*step_fn)(struct via_store *s, const struct via_operation *op,
                        const struct via_error *why);

static enum via_status
effect_step(struct via_store *s, step_fn step, const struct via_operation *op,
            const struct via_error *why, struct via_error *e)
{
    if (via_store_begin(s, true, e) != VIA_OK)
        return e->status;
    step(s, op, why);
    if (via_sql_take(&s->write, e) != VIA_OK) {
        via_store_rollback(s);
        return e->status;
    }
    return via_store_commit(s, e);
}

static void
step_provisioned(struct via_store *s, const struct via_operation *op, const struct via_error *why)
{
    (void)why;
    via_addon_provisioned(s, op->addon_id, op->id);
    via_operation_settle(s, op->rid, "done", NULL);
}

static void
operation_error(const struct via_error *why, char *out, size_t size)
{
    (void)snprintf(out, size, "%s: %s", via_status_word(why->status), why->message);
}

static void
step_provision_failed(struct via_store *s, const struct via_operation *op,
                      const struct via_error *why)
{
    char error[VIA_MESSAGE_SIZE + 64];

    operation_error(why, error, sizeof error);
    via_addon_failed(s, op->addon_id, op->id, why);
    via_operation_settle(s, op->rid, "failed", error);
}

static void
step_provision_undone(struct via_store *s, const struct via_operation *op,
                      const struct via_error *why)
{
    char error[VIA_MESSAGE_SIZE + 64];

    operation_error(why, error, sizeof error);
    via_addon_failed(s, op->addon_id, op->id, why);
    via_operation_settle(s, op->rid, "undone", error);
}

static void
step_purged(struct via_store *s, const struct via_operation *op, const struct via_error *why)
{
    (void)why;
    via_addon_purged(s, op->addon_id);
    via_operation_settle(s, op->rid, "done", NULL);
}

static void
step_failed(struct via_store *s, const struct via_operation *op, const struct via_error *why)
{
    char error[VIA_MESSAGE_SIZE + 64];

    operation_error(why, error, sizeof error);
    via_operation_settle(s, op->rid, "failed", error);
}

static const struct via_provider *
effect_provider(struct via_store *s, const char *addon_id, struct via_error *e)
{
    const struct via_provider *provider = NULL;
    struct via_addon addon;

    if (via_addon_find_id(&s->write, addon_id, &addon))
        provider = via_provider_find(addon.type);
    via_ignore(via_sql_take(&s->write, e));
    if (!provider)
        via_ignore(via_error_set(e, VIA_INTERNAL_ERROR, "no provider for add-on %s", addon_id));
    return provider;
}

/* Make the storage, then say so. A failure is recorded and is the answer. */
static enum via_status
effect_provision(struct via_store *s, const struct via_operation *op, const char *source,
                 struct via_error *e)
{
    const struct via_provider *provider = effect_provider(s, op->addon_id, e);
    struct via_error why = {0};
    struct via_error ignored = {0};

    if (!provider)
        return e->status;
    if (provider->provision(&s->root, op->addon_id, source, NULL, &why) == VIA_OK)
        return effect_step(s, step_provisioned, op, NULL, e);
    via_ignore(effect_step(s, step_provision_failed, op, &why, &ignored));
    return via_error_set(e, why.status, "%s", why.message);
}

static enum via_status
effect_purge(struct via_store *s, const struct via_operation *op, struct via_error *e)
{
    const struct via_provider *provider = effect_provider(s, op->addon_id, e);
    struct via_error why = {0};
    struct via_error ignored = {0};

    if (!provider)
        return e->status;
    if (provider->destroy(&s->root, op->addon_id, &why) == VIA_OK)
        return effect_step(s, step_purged, op, NULL, e);
    via_ignore(effect_step(s, step_failed, op, &why, &ignored));
    return via_error_set(e, why.status, "%s", why.message);
}

/* Sign the token that was recorded and write it to its file. */
static enum via_status
effect_mint(struct via_store *s, const struct via_intent *intent, struct via_error *e)
{
    struct via_claims claims;
    struct via_buf token;

    if (via_token_claims(s, intent->subject, intent->number, &claims, e) != VIA_OK)
        return e->status;
    via_buf_init(&token);
    if (via_jwt_sign(s->keys, &claims, &token, e) == VIA_OK)
        via_ignore(via_fs_write(intent->argument, token.data, token.len, 0600, NULL, e));
    via_buf_deinit(&token);
    return e->status;
}

static enum via_status
effect_run(struct via_store *s, const struct via_intent *intent, struct via_error *e)
{
    struct via_operation op;

    if (intent->kind == VIA_INTENT_MINT)
        return effect_mint(s, intent, e);
    if (!via_operation_find(&s->write, intent->operation, &op)) {
        via_ignore(via_sql_take(&s->write, e));
        return via_error_set(e, VIA_INTERNAL_ERROR, "an operation's row is gone");
    }
    if (intent->kind == VIA_INTENT_PROVISION)
        return effect_provision(s, &op, intent->argument, e);
    return effect_purge(s, &op, e);
}

/* An intent that is not carried out because one before it failed. */
static void
effect_skip(struct via_store *s, const struct via_intent *intent)
{
    struct via_error why = {VIA_OPERATION_INTERRUPTED,
                            "an earlier step of the same transaction failed"};
    struct via_error ignored = {0};
    struct via_operation op;

    if (intent->operation == 0 || !via_operation_find(&s->write, intent->operation, &op))
        return;
    why.status = VIA_OPERATION_INTERRUPTED;
    via_ignore(
        effect_step(s, intent->kind == VIA_INTENT_PROVISION ? step_provision_failed : step_failed,
                    &op, &why, &ignored));
}

enum via_status
via_effects_carry_out(struct via_store *s, struct via_error *e)
{
    struct via_intent *intents = s->intents;
    size_t count = s->intent_count;
    enum via_status status = VIA_OK;

    /* What is half done is worth a longer wait than what has not begun. */
    (void)sqlite3_busy_timeout(s->write.db, STEP_TIMEOUT_MS);
    s->intents = NULL; /* each step begins a transaction, which forgets them */
    s->intent_count = 0;
    for (size_t i = 0; i < count; i++) {
        if (status == VIA_OK)
            status = effect_run(s, &intents[i], e);
        else
            effect_skip(s, &intents[i]);
        if (intents[i].operation > 0)
            via_lock_drop(&s->lock, VIA_LOCK_OPERATION + intents[i].operation);
        free(intents[i].argument);
    }
    free(intents);
    (void)sqlite3_busy_timeout(s->write.db, (int)via_setting_int(&s->read, "busy_timeout_ms"));
    via_ignore(via_sql_take(&s->read, NULL));
    return status;
}

/* Finish a provisioning whose owner died. Storage appears whole or not at all, so what is there is
 * adopted, an empty database is made, and an import, whose source may have changed since, is
 * undone. */
static enum via_status
recover_provision(struct via_store *s, const struct via_operation *op, struct via_error *e)
{
    const struct via_provider *provider = effect_provider(s, op->addon_id, e);
    struct via_error why = {VIA_OPERATION_INTERRUPTED,
                            "the process that was importing it died; import it again"};
    struct via_storage_facts facts;

    if (!provider)
        return e->status;
    provider->probe(&s->root, op->addon_id, &facts);
    if (facts.present || !op->payload[0])
        return effect_provision(s, op, NULL, e);
    if (provider->destroy(&s->root, op->addon_id, e) != VIA_OK)
        return e->status;
    return effect_step(s, step_provision_undone, op, &why, e);
}

/* Settle one operation, if its owner is dead. True when it was settled. */
static bool
recover_one(struct via_store *s, int64_t rid, struct via_error *e)
{
    struct via_operation op;
    bool settled = false;

    if (!via_lock_try(&s->lock, VIA_LOCK_OPERATION + rid))
        return false;
    /* Read it again under its lock: its owner may have settled it just now. */
    if (via_operation_find(&s->read, rid, &op) &&
        (strcmp(op.state, "pending") == 0 || strcmp(op.state, "running") == 0)) {
        if (strcmp(op.kind, "addon.create") == 0)
            settled = recover_provision(s, &op, e) == VIA_OK;
        else
            settled = effect_purge(s, &op, e) == VIA_OK;
    }
    via_ignore(via_sql_take(&s->read, e));
    via_lock_drop(&s->lock, VIA_LOCK_OPERATION + rid);
    return settled;
}

static void
step_purge_due(struct via_store *s, const struct via_operation *op, const struct via_error *why)
{
    (void)why;
    via_addon_purged(s, op->addon_id);
    via_audit_control(s, "addon.purge", op->app, NULL, op->addon_id, NULL);
}

/* Remove storage whose retention is over. Removing it twice is fine. */
static int
recover_purges(struct via_store *s, struct via_error *e)
{
    const struct via_provider *provider;
    struct via_operation op = {0};
    char now[VIA_TIME_SIZE];
    struct via_addon a;
    int count = 0;

    via_clock_format(via_clock_now_ms(), now);
    while (e->status == VIA_OK && via_addon_next_purge(&s->read, now, &a)) {
        provider = effect_provider(s, a.id, e);
        if (!provider || provider->destroy(&s->root, a.id, e) != VIA_OK)
            break;
        (void)snprintf(op.addon_id, sizeof op.addon_id, "%s", a.id);
        (void)snprintf(op.app, sizeof op.app, "%s", a.app);
        if (effect_step(s, step_purge_due, &op, NULL, e) == VIA_OK)
            count++;
    }
    via_ignore(via_sql_take(&s->read, e));
    return count;
}

enum via_status
via_effects_recover(const struct via_root *root, int *settled, struct via_error *e)
{
    struct via_store *s = NULL;
    int64_t rid = 0;

    (void)root;
    *settled = 0;
    if (via_store_new(&s, e) != VIA_OK)
        return e->status;
    (void)snprintf(s->actor, sizeof s->actor, "agent");
    while ((rid = via_operation_next_open(&s->read, rid)) > 0)
        *settled += recover_one(s, rid, e);
    *settled += recover_purges(s, e);
    via_store_free(s);
    return e->status;
}
