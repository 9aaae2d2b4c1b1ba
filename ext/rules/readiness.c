#include "rules/readiness.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Note the first thing that blocks; later ones change nothing. */
VIA_PRINTF(3, 4)
static void
block(struct via_readiness *r, enum via_status code, const char *reason, ...)
{
    va_list args;

    if (r->blocking != VIA_OK)
        return;
    r->blocking = code;
    va_start(args, reason);
    (void)vsnprintf(r->reason, sizeof r->reason, reason, args);
    va_end(args);
}

static void
decide_metadata(const struct via_readiness_facts *f, struct via_readiness *r)
{
    r->metadata_ready = f->addon_state == VIA_ADDON_IS_READY && !f->block;
    switch (f->addon_state) {
    case VIA_ADDON_IS_READY:
        if (f->block)
            block(r, VIA_ADDON_BLOCKED, "the operator has blocked reads of add-on %s%s%s", f->addon,
                  f->block[0] ? ": " : "", f->block);
        break;
    case VIA_ADDON_IS_SUSPENDED:
        block(r, VIA_ADDON_SUSPENDED, "the operator has suspended add-on %s", f->addon);
        break;
    case VIA_ADDON_IS_DRAINING:
        block(r, VIA_ADDON_DRAINING, "add-on %s is being restored", f->addon);
        break;
    case VIA_ADDON_IS_PROVISIONING:
        block(r, VIA_ADDON_BUSY, "add-on %s is still being made", f->addon);
        break;
    case VIA_ADDON_IS_FAILED:
        /* Without bytes it is made anew by the next create; bytes wait for a repair. */
        if (f->storage_present)
            block(r, VIA_ADDON_FAILED_WITH_DATA, "making add-on %s failed, and data is there",
                  f->addon);
        else
            block(r, VIA_METADATA_MISSING, "making add-on %s failed", f->addon);
        break;
    default:
        block(r, VIA_METADATA_MISSING, "add-on %s does not exist any more", f->addon);
        break;
    }
}

static void
decide_storage(const struct via_readiness_facts *f, struct via_readiness *r)
{
    const char *lost = f->snapshot[0] || f->backup[0]
                           ? ""
                           : ", and neither a snapshot nor a backup holds its content";

    r->storage_ready = f->storage_present && f->storage_readable && f->storage_writable &&
                       f->storage_sound && !f->damage;
    if (f->obstacle)
        block(r, VIA_STORAGE_UNREADABLE, "the database file of add-on %s %s", f->addon,
              f->obstacle);
    else if (!f->storage_present)
        block(r, VIA_STORAGE_MISSING, "the database file of add-on %s is missing", f->addon);
    else if (!f->storage_readable)
        block(r, VIA_STORAGE_UNREADABLE, "the database file of add-on %s cannot be read", f->addon);
    else if (!f->storage_sound)
        block(r, VIA_STORAGE_CORRUPT, "the database file of add-on %s is damaged%s", f->addon,
              lost);
    else if (f->damage)
        block(r, VIA_STORAGE_CORRUPT,
              "the database file of add-on %s is damaged, as %s found at %s%s", f->addon, f->damage,
              f->damage_at, lost);
    else if (!f->storage_writable)
        block(r, VIA_STORAGE_READONLY, "the database file of add-on %s cannot be written",
              f->addon);
}

static void
decide_binding(const struct via_readiness_facts *f, struct via_readiness *r)
{
    r->binding_ready = f->binding[0] != '\0' && f->deployed && f->has_generation;
    if (f->binding[0] == '\0')
        block(r, VIA_BINDING_MISSING, "add-on %s is bound to no name", f->addon);
    else if (!f->deployed)
        block(r, VIA_BINDING_NOT_DEPLOYED, "no deploy of app %s claims binding %s yet", f->app,
              f->binding);
    else if (!f->has_generation)
        block(r, VIA_GENERATION_REVOKED, "binding %s has no active generation", f->binding);
}

static void
decide_runtime(const struct via_readiness_facts *f, struct via_readiness *r)
{
    r->runtime_ready = f->instance_running;
    if (f->instance_running)
        return;
    if (f->instance_expired)
        block(r, VIA_RUNTIME_IDENTITY_EXPIRED, "the lease of app %s has run out", f->app);
    else
        block(r, VIA_RUNTIME_NOT_RUNNING, "no instance of app %s is running", f->app);
}

/* What deploys and runs has a target of its own, when the binding is there for every one. */
static const char *
remedy_target(const struct via_readiness_facts *f, enum via_status blocking)
{
    bool runs = blocking == VIA_BINDING_NOT_DEPLOYED || blocking == VIA_RUNTIME_NOT_RUNNING ||
                blocking == VIA_RUNTIME_IDENTITY_EXPIRED;

    return runs && f->serving ? f->serving : f->target;
}

static void
decide_remedy(const struct via_readiness_facts *f, struct via_readiness *r)
{
    const struct via_remedy_facts facts = {.why = r->blocking,
                                           .app = f->app,
                                           .target = remedy_target(f, r->blocking),
                                           .target_said = f->deployed_elsewhere,
                                           .addon = f->addon,
                                           .binding = f->binding,
                                           .addon_state = f->addon_state,
                                           .snapshot = f->snapshot,
                                           .backup = f->backup,
                                           .backup_sealed = f->backup_sealed,
                                           .obstacle = f->obstacle ? f->obstacle_path : NULL,
                                           .is_unreadable = !f->storage_sound};

    via_remedy_text(&facts, r->remediation, sizeof r->remediation);
}

void
via_readiness_decide(const struct via_readiness_facts *f, struct via_readiness *out)
{
    memset(out, 0, sizeof *out);
    decide_metadata(f, out);
    decide_storage(f, out);
    decide_binding(f, out);
    decide_runtime(f, out);
    decide_remedy(f, out);
    out->usable_by_app = out->blocking == VIA_OK;
}
