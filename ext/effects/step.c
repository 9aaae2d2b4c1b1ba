#include "effects/step.h"

#include "base/clock.h"
#include "base/error.h"
#include "control/addon.h"
#include "control/setting.h"
#include "vfs/vfs.h"

#include <stdio.h>

#define PROGRESS_MS 1000
#define CHECK_PERCENT 50 /* a source is read as often as its copy */

static enum via_status
step_try(struct via_store *s, via_step_fn step, const struct via_operation *op, const void *arg,
         struct via_error *e)
{
    if (via_store_begin(s, true, e) != VIA_OK)
        return e->status;
    step(s, op, arg);
    if (via_sql_take(&s->write, e) != VIA_OK) {
        via_store_rollback(s);
        return e->status;
    }
    return via_store_commit(s, e);
}

enum via_status
via_effect_step(struct via_store *s, via_step_fn step, const struct via_operation *op,
                const void *arg, struct via_error *e)
{
    struct via_error why = {0};

    if (step_try(s, step, op, arg, &why) == VIA_OK)
        return VIA_OK;
    if (why.status == VIA_DISK_FULL) /* a transaction says that nothing was changed */
        return via_error_set(e, VIA_DISK_FULL,
                             "the disk that holds the state root is full; what was begun is"
                             " settled when there is room");
    return via_error_set(e, why.status, "%s", why.message);
}

enum via_status
via_effect_fail(struct via_store *s, via_step_fn failed, const struct via_operation *op,
                const struct via_error *why, struct via_error *e)
{
    struct via_error ignored = {0};

    via_ignore(via_effect_step(s, failed, op, why, &ignored));
    return via_error_set(e, why->status, "%s", why->message);
}

const struct via_provider *
via_effect_provider(struct via_store *s, const char *addon_id, struct via_error *e)
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

/* Of the program that carries this out, when somebody sits before it; and how much of what he sees
 * was over before the operation began. */
static const struct via_progress *observer;
static int observed_from;

void
via_effects_observe(const struct via_progress *progress)
{
    observer = progress;
    observed_from = 0;
}

struct via_progress
via_effects_observe_check(struct via_progress_part *part)
{
    observed_from = CHECK_PERCENT;
    return via_progress_part(part, observer, 0, CHECK_PERCENT);
}

static void
step_progress(struct via_store *s, const struct via_operation *op, const void *arg)
{
    via_operation_progress(s, op->rid, *(const int *)arg);
}

static void
progress_write(struct via_effect_progress *p, int percent)
{
    struct via_error ignored = {0};

    p->told_ms = via_clock_mono_ms();
    (void)sqlite3_busy_timeout(p->s->write.db, 0);
    via_ignore(via_effect_step(p->s, step_progress, p->op, &percent, &ignored));
    (void)sqlite3_busy_timeout(p->s->write.db, VIA_EFFECT_TIMEOUT_MS);
}

static bool
progress_tell(void *arg, int percent)
{
    struct via_effect_progress *p = arg;
    struct via_progress_part part;
    struct via_progress seen = via_progress_part(&part, observer, observed_from, 100);

    if ((p->s->stop && atomic_load(p->s->stop)) || !via_progress_tell(&seen, percent))
        return false;
    if (via_clock_mono_ms() - p->told_ms >= PROGRESS_MS)
        progress_write(p, percent);
    return true;
}

struct via_progress
via_effect_progress(struct via_effect_progress *p, struct via_store *s,
                    const struct via_operation *op)
{
    *p = (struct via_effect_progress){.s = s, .op = op};
    progress_write(p, 0);
    return (struct via_progress){.tell = progress_tell, .arg = p};
}

static void
opener_open(void *arg, const char *addon_id, struct via_sql *out)
{
    struct via_error why = {0};
    char uri[VIA_ID_SIZE + 32];

    (void)arg;
    via_vfs_clear_refusal();
    (void)snprintf(uri, sizeof uri, "file:%s?vfs=via&operator=1", addon_id);
    via_sql_open(out, uri, SQLITE_OPEN_READWRITE | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX);
    if (!via_sql_ok(out) && via_vfs_refusal(&why) != VIA_OK)
        out->error = why;
}

const struct via_opener via_effect_opener = {.open = opener_open};
