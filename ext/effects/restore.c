/* restore.c: a snapshot put in the place of an add-on's content.
 *
 * The phase in the row says what a crash may have left: before "exchange" the old content stands;
 * in it, the provider can tell; after it, in "check", the new one stands and is served. "undo" is
 * written before what the exchange began is taken back, for then the provider could no longer
 * tell. */
#include "control/restore.h"
#include "base/error.h"
#include "base/log.h"
#include "control/instance.h"
#include "control/snapshot.h"
#include "effects/step.h"

#include <stdio.h>
#include <string.h>

struct restoring {
    struct via_store *s;
    const struct via_operation *op;
    struct via_restore row;
    struct via_restore_facts facts;
    const char *phase; /* as last written; NULL: as it was found */
};

/* -- steps ------------------------------------------------------------------------- */

static void
step_phase(struct via_store *s, const struct via_operation *op, const void *arg)
{
    const struct restoring *r = arg;

    via_restore_phase(s, &r->row, r->phase);
    via_operation_phase(s, op->rid, r->phase);
}

static void
step_drain(struct via_store *s, const struct via_operation *op, const void *arg)
{
    const struct restoring *r = arg;

    via_restore_drain(s, &r->row, op->id);
    step_phase(s, op, arg);
}

static void
step_exchange(struct via_store *s, const struct via_operation *op, const void *arg)
{
    const struct restoring *r = arg;

    if (r->facts.has_old)
        via_restore_keep(s, &r->row);
    step_phase(s, op, arg);
}

static void
step_serve(struct via_store *s, const struct via_operation *op, const void *arg)
{
    const struct restoring *r = arg;

    via_restore_serve(s, &r->row);
    if (r->row.restart_bound_apps)
        via_instance_ask_restart_bound(s, r->row.addon_id, "its add-on was restored");
    step_phase(s, op, arg);
}

static void
step_done(struct via_store *s, const struct via_operation *op, const void *arg)
{
    const struct restoring *r = arg;
    const struct via_snapshot_facts *kept = &r->facts.kept;

    if (r->facts.is_kept)
        via_snapshot_ready(s, r->row.keep_id, kept->size_bytes, kept->digest);
    else
        via_snapshot_drop(s, r->row.keep_id);
    via_restore_done(s, &r->row, r->facts.is_kept, r->facts.is_damaged, op->id);
    via_operation_settle(s, op->rid, "done", NULL);
}

static void
step_failed(struct via_store *s, const struct via_operation *op, const void *arg)
{
    struct via_restore row;

    if (via_restore_find(&s->write, op->payload, &row)) {
        via_snapshot_drop(s, row.keep_id);
        via_restore_failed(s, &row, arg);
    }
    via_operation_fail(s, op, arg);
}

/* -- on the way -------------------------------------------------------------------- */

static enum via_status
restoring_step(struct restoring *r, via_step_fn step, const char *phase, struct via_error *e)
{
    r->phase = phase;
    return via_effect_step(r->s, step, r->op, r, e);
}

static enum via_status
restoring_reach(void *arg, enum via_restore_phase phase, struct via_error *e)
{
    struct restoring *r = arg;

    switch (phase) {
    case VIA_RESTORE_CHECKED:
        return restoring_step(r, step_drain, "drain", e);
    case VIA_RESTORE_OVERDUE:
        /* The agent ends what still runs of an add-on in this phase. */
        return r->row.force_after_timeout
                   ? restoring_step(r, step_phase, "interrupt", e)
                   : via_error_set(e, VIA_RESTORE_TIMEOUT, "operations still run");
    case VIA_RESTORE_DRAINED:
        return restoring_step(r, step_exchange, "exchange", e);
    case VIA_RESTORE_EXCHANGE:
        return via_epoch_begin(&r->s->epoch)
                   ? VIA_OK
                   : via_error_set(e, VIA_IO_ERROR, "the epoch cannot be raised");
    case VIA_RESTORE_EXCHANGED:
        via_epoch_end(&r->s->epoch);
        return VIA_OK;
    case VIA_RESTORE_SERVED:
        return restoring_step(r, step_serve, "check", e);
    }
    return via_error_set(e, VIA_INTERNAL_ERROR, "no such phase of a restore");
}

static bool
restoring_begin(struct restoring *r, struct via_store *s, const struct via_operation *op,
                struct via_error *e)
{
    *r = (struct restoring){.s = s, .op = op};
    if (!via_restore_find(&s->write, op->payload, &r->row))
        via_ignore(via_error_set(e, VIA_INTERNAL_ERROR, "the restore's row is gone"));
    via_ignore(via_sql_take(&s->write, e));
    return !via_error_is_set(e);
}

static struct via_restore_order
restoring_order(struct restoring *r, const struct via_progress *progress)
{
    return (struct via_restore_order){
        .addon_id = r->row.addon_id,
        .snapshot_id = r->row.snapshot,
        .digest = r->row.digest,
        .keep_id = r->row.keep_id,
        .timeout_ms = r->row.timeout_s * 1000,
        .progress = progress,
        .reach = restoring_reach,
        .arg = r,
    };
}

static const char *
restoring_phase(const struct restoring *r)
{
    return r->phase ? r->phase : r->row.phase;
}

/* May the old content have been moved, or got another name? */
static bool
restoring_has_begun(const struct restoring *r)
{
    static const char *const before[] = {"copy", "drain", "interrupt"};

    for (size_t i = 0; i < sizeof before / sizeof *before; i++)
        if (strcmp(restoring_phase(r), before[i]) == 0)
            return false;
    return true;
}

/* The old content stands, as it was: at most a copy is left beside it. One that cannot be removed
 * now is worth nothing and in nobody's way, and the doctor finds it. */
static void
restoring_clear(struct restoring *r, const struct via_provider *provider)
{
    struct via_error why = {0};

    if (provider->undo_restore(&r->s->root, r->row.addon_id, r->row.keep_id, &why) != VIA_OK)
        via_log(VIA_LOG_WARN, "%s: %s", r->row.addon_id, why.message);
}

/* The old content stands: take away what was made beside it, and say so. */
static enum via_status
restoring_undo(struct restoring *r, const struct via_provider *provider,
               const struct via_error *why, struct via_error *e)
{
    if (!restoring_has_begun(r))
        restoring_clear(r, provider);
    else if (restoring_step(r, step_phase, "undo", e) != VIA_OK ||
             provider->undo_restore(&r->s->root, r->row.addon_id, r->row.keep_id, e) != VIA_OK)
        return e->status;
    return via_effect_step(r->s, step_failed, r->op, why, e);
}

/* Does the new content stand, though the restore has not come to its end? */
static bool
restoring_is_made(const struct restoring *r, const struct via_provider *provider)
{
    const char *phase = restoring_phase(r);

    return strcmp(phase, "check") == 0 ||
           (strcmp(phase, "exchange") == 0 && provider->is_restored(&r->s->root, r->row.addon_id));
}

/* Who may be in the way, besides the processes: the agent is one for the instances of all apps. */
static void
restoring_name_instances(const struct restoring *r, struct via_error *why)
{
    char instances[4 * VIA_ID_SIZE];
    struct via_error named = {0};

    if (why->status != VIA_RESTORE_TIMEOUT)
        return;
    via_instance_list_bound(&r->s->write, r->row.addon_id, instances, sizeof instances);
    if (via_sql_take(&r->s->write, NULL) != VIA_OK || !instances[0])
        return;
    via_ignore(via_error_set(&named, why->status, "%.300s; instances that use it: %s", why->message,
                             instances));
    *why = named;
}

static enum via_status
restore_run(struct via_store *s, const struct via_operation *op, struct via_error *e)
{
    const struct via_provider *provider = via_effect_provider(s, op->addon_id, e);
    struct via_effect_progress p;
    struct via_progress progress = via_effect_progress(&p, s, op);
    struct via_error why = {0}, undone = {0};
    struct via_restore_order order;
    struct restoring r;

    if (!provider || !restoring_begin(&r, s, op, e))
        return e->status;
    order = restoring_order(&r, &progress);
    if (provider->restore(&s->root, &via_effect_opener, &order, &r.facts, &why) == VIA_OK)
        return via_effect_step(s, step_done, op, &r, e);
    restoring_name_instances(&r, &why);
    /* What stands in the way of the last steps is met again by whoever recovers. */
    if (!restoring_is_made(&r, provider))
        via_ignore(restoring_undo(&r, provider, &why, &undone));
    return via_error_set(e, why.status, "%s", why.message);
}

static enum via_status
restore_recover(struct via_store *s, const struct via_operation *op, struct via_error *e)
{
    const struct via_provider *provider = via_effect_provider(s, op->addon_id, e);
    struct via_error why = {VIA_OPERATION_INTERRUPTED,
                            "the process that was restoring died; nothing was changed"};
    struct via_effect_progress p;
    struct via_progress progress;
    struct via_restore_order order;
    struct restoring r;

    if (!provider || !restoring_begin(&r, s, op, e))
        return e->status;
    if (!restoring_is_made(&r, provider))
        return restoring_undo(&r, provider, &why, e);
    progress = via_effect_progress(&p, s, op);
    order = restoring_order(&r, &progress);
    if (provider->finish_restore(&s->root, &order, strcmp(r.row.phase, "check") == 0, &r.facts,
                                 e) != VIA_OK)
        return e->status;
    return via_effect_step(s, step_done, op, &r, e);
}

const struct via_effect via_effect_restore = {
    .intent = VIA_INTENT_RESTORE,
    .kind = "addon.restore",
    .run = restore_run,
    .failed = step_failed,
    .recover = restore_recover,
};
