#include "effects/effects.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"
#include "control/instance.h"
#include "control/overlay.h"
#include "control/purge.h"
#include "control/setting.h"
#include "effects/step.h"
#include "identity/jwt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH_MAX 256 /* operations settled in one transaction */
#define BATCH_MS 250  /* how long one that is done waits for that */

static const struct via_effect *const effects[] = {
    &via_effect_provision, &via_effect_purge,           &via_effect_purge_due,  &via_effect_repair,
    &via_effect_snapshot,  &via_effect_snapshot_remove, &via_effect_export,     &via_effect_fix,
    &via_effect_backup,    &via_effect_key_rotate,      &via_effect_key_retire, &via_effect_restore,
};
#define EFFECT_COUNT (sizeof effects / sizeof effects[0])

static const struct via_effect *
effect_of_intent(enum via_intent_kind kind)
{
    for (size_t i = 0; i < EFFECT_COUNT; i++)
        if (effects[i]->intent == kind)
            return effects[i];
    return NULL;
}

static const struct via_effect *
effect_of_operation(const char *kind)
{
    for (size_t i = 0; i < EFFECT_COUNT; i++)
        if (strcmp(effects[i]->kind, kind) == 0)
            return effects[i];
    return NULL;
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
    token.secret = true;
    if (via_jwt_sign(s->keys, &claims, &token, e) == VIA_OK)
        via_ignore(via_fs_write(intent->argument, token.data, token.len, 0600, NULL, e));
    via_buf_deinit(&token);
    return e->status;
}

/* The intents of a transaction, and how far they are: the first `count` of those left are carried
 * out, or shall not be, and their rows do not say so yet. */
struct batch {
    const struct via_intent *intents;
    size_t count;
    size_t left;
    int64_t since_ms;
    const struct via_error *why; /* they are not carried out; NULL: they are */
};

static void
step_batch(struct via_store *s, const struct via_operation *unused, const void *arg)
{
    const struct batch *b = arg;
    struct via_operation op;

    (void)unused;
    for (size_t i = 0; i < b->count; i++) {
        const struct via_effect *effect = effect_of_intent(b->intents[i].kind);

        if (effect && via_operation_find(&s->write, b->intents[i].operation, &op))
            (b->why ? effect->failed : effect->done)(s, &op, b->why);
    }
}

/* `n` intents are over: their operations have no owner any more. */
static void
batch_drop(struct via_store *s, struct batch *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (b->intents[i].operation > 0)
            via_lock_drop(&s->lock, VIA_LOCK_OPERATION + b->intents[i].operation);
    b->intents += n;
    b->left -= n;
}

/* Settle the rows in one transaction. Those that cannot be settled are left to
 * via_effects_recover(), which finds the work done. */
static enum via_status
batch_settle(struct via_store *s, struct batch *b, struct via_error *e)
{
    enum via_status status = b->count ? via_effect_step(s, step_batch, NULL, b, e) : VIA_OK;

    batch_drop(s, b, b->count);
    b->count = 0;
    return status;
}

/* One more is carried out. */
static enum via_status
batch_put(struct via_store *s, struct batch *b, struct via_error *e)
{
    int64_t now_ms = via_clock_mono_ms();

    if (b->count++ == 0)
        b->since_ms = now_ms;
    return b->count >= BATCH_MAX || now_ms - b->since_ms >= BATCH_MS ? batch_settle(s, b, e)
                                                                     : VIA_OK;
}

/* Carry out the next intent; unless its rows wait in the batch it is over. */
static enum via_status
batch_run_next(struct via_store *s, struct batch *b, struct via_error *e)
{
    const struct via_intent *next = &b->intents[b->count];
    const struct via_effect *effect = effect_of_intent(next->kind);
    struct via_error why = {0}, ignored = {0};
    struct via_operation op = {0};

    if (next->kind != VIA_INTENT_MINT &&
        (!effect || !via_operation_find(&s->write, next->operation, &op))) {
        via_ignore(via_sql_take(&s->write, &why));
        via_ignore(via_error_set(&why, VIA_INTERNAL_ERROR, "an operation's row is gone"));
    } else if (effect && effect->work && !next->argument) {
        if (effect->work(s, &op, &why) == VIA_OK)
            return batch_put(s, b, e);
        via_ignore(batch_settle(s, b, &ignored));
        via_ignore(via_effect_fail(s, effect->failed, &op, &why, &ignored));
    } else if (batch_settle(s, b, e) != VIA_OK) {
        return e->status; /* it has not begun */
    } else {
        via_ignore(effect ? effect->run(s, &op, &why) : effect_mint(s, next, &why));
    }
    via_ignore(batch_settle(s, b, &ignored));
    batch_drop(s, b, 1);
    return why.status == VIA_OK ? VIA_OK : via_error_set(e, why.status, "%s", why.message);
}

/* Record that what is left is not carried out, because something before it failed. */
static void
batch_skip(struct via_store *s, struct batch *b)
{
    static const struct via_error why = {VIA_STATE_INVALID,
                                         "an earlier step of the same transaction failed"};
    struct via_error ignored = {0};

    b->why = &why;
    while (b->left > 0) {
        b->count = b->left < BATCH_MAX ? b->left : BATCH_MAX;
        via_ignore(batch_settle(s, b, &ignored));
    }
}

enum via_status
via_effects_carry_out(struct via_store *s, struct via_error *e)
{
    struct via_intent *intents = s->intents;
    size_t count = s->intent_count;
    struct batch b = {.intents = intents, .left = count};
    enum via_status status = VIA_OK;

    if (count == 0)
        return VIA_OK;
    (void)sqlite3_busy_timeout(s->write.db, VIA_EFFECT_TIMEOUT_MS);
    s->intents = NULL; /* each step begins a transaction, which forgets them */
    s->intent_count = 0;
    while (status == VIA_OK && b.left > b.count)
        status = batch_run_next(s, &b, e);
    if (status == VIA_OK)
        status = batch_settle(s, &b, e);
    batch_skip(s, &b);
    for (size_t i = 0; i < count; i++)
        free(intents[i].argument);
    free(intents);
    (void)sqlite3_busy_timeout(s->write.db, (int)via_setting_int(&s->read, "busy_timeout_ms"));
    via_ignore(via_sql_take(&s->read, NULL));
    return status;
}

/* Settle one operation, if its owner is dead. True when it was settled. */
static bool
recover_one(struct via_store *s, int64_t rid, struct via_error *e)
{
    const struct via_effect *effect;
    struct via_operation op;
    bool settled = false;

    if (!via_lock_try(&s->lock, VIA_LOCK_OPERATION + rid))
        return false;
    /* Read it again under its lock: its owner may have settled it just now. */
    if (via_operation_find(&s->read, rid, &op) &&
        (strcmp(op.state, "pending") == 0 || strcmp(op.state, "running") == 0) &&
        (effect = effect_of_operation(op.kind)))
        settled = (effect->recover ? effect->recover : effect->run)(s, &op, e) == VIA_OK;
    via_ignore(via_sql_take(&s->read, e));
    via_lock_drop(&s->lock, VIA_LOCK_OPERATION + rid);
    return settled;
}

static void
step_purge(struct via_store *s, const struct via_operation *unused, const void *arg)
{
    (void)unused;
    via_purge_begin(s, arg);
}

/* Remove one add-on's storage, whose retention is over: as an operation, which somebody else goes
 * on with when this process dies. */
static enum via_status
recover_purge(struct via_store *s, const struct via_addon *a, struct via_error *e)
{
    if (via_effect_step(s, step_purge, NULL, a, e) == VIA_OK)
        via_ignore(via_effects_carry_out(s, e));
    return e->status;
}

/* Count one attempt; the first failure is kept for the caller, and stops no other. */
static int
recover_count(enum via_status status, const struct via_error *why, struct via_error *e)
{
    if (status != VIA_OK)
        via_ignore(via_error_set(e, status, "%s", why->message));
    return status == VIA_OK;
}

bool
via_effects_is_due(struct via_sql *db)
{
    char now[VIA_TIME_SIZE];
    bool is_due;

    via_clock_format(via_clock_now_ms(), now);
    is_due = via_operation_is_due(db, now) || via_overlay_is_owed(db);
    return via_sql_take(db, NULL) != VIA_OK || is_due;
}

enum via_status
via_effects_recover(int *settled, struct via_error *e)
{
    struct via_store *s = NULL;
    char now[VIA_TIME_SIZE];
    struct via_addon a = {0};
    int64_t rid = 0;

    *settled = 0;
    if (via_store_new(&s, e) != VIA_OK)
        return e->status;
    (void)snprintf(s->actor, sizeof s->actor, "agent");
    via_ignore(via_overlay_pay(s, e));
    while ((rid = via_operation_next_open(&s->read, rid)) > 0) {
        struct via_error why = {0};
        bool done = recover_one(s, rid, &why);

        *settled += recover_count(why.status, &why, e) && done;
    }
    via_clock_format(via_clock_now_ms(), now);
    for (rid = 0; via_purge_next(&s->read, now, rid, &a); rid = a.rid) {
        struct via_error why = {0};
        enum via_status status = recover_purge(s, &a, &why);

        *settled += recover_count(status, &why, e);
    }
    via_ignore(via_sql_take(&s->read, e));
    via_store_free(s);
    return e->status;
}
