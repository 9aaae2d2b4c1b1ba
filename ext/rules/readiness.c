#include "rules/readiness.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* " --target T", or nothing for the default one. */
static const char *
target_words(const struct via_readiness_facts *f, char out[VIA_NAME_SIZE + 16])
{
    out[0] = '\0';
    if (f->target[0])
        (void)snprintf(out, VIA_NAME_SIZE + 16, " --target %s", f->target);
    return out;
}

/* Note the first thing that blocks; later ones change nothing. */
VIA_PRINTF(4, 5)
static void
block(struct via_readiness *r, enum via_status code, const char *remediation, const char *reason,
      ...)
{
    va_list args;

    if (r->blocking != VIA_OK)
        return;
    r->blocking = code;
    va_start(args, reason);
    (void)vsnprintf(r->reason, sizeof r->reason, reason, args);
    va_end(args);
    (void)snprintf(r->remediation, sizeof r->remediation, "%s", remediation);
}

/* The line that makes the storage sound: the newest snapshot, else what is there or nothing. */
static void
line_repair(const struct via_readiness_facts *f, char line[VIA_MESSAGE_SIZE])
{
    char target[VIA_NAME_SIZE + 16];

    if (f->snapshot[0])
        (void)snprintf(line, VIA_MESSAGE_SIZE,
                       "via addon restore %s --app %s --snapshot %s --drain", f->addon, f->app,
                       f->snapshot);
    else
        (void)snprintf(line, VIA_MESSAGE_SIZE,
                       "via addon ensure sqlite %s --app %s --bind %s%s --repair", f->addon, f->app,
                       f->binding[0] ? f->binding : "DATABASE", target_words(f, target));
}

/* A failed one without bytes is made anew by the next create; bytes wait for a repair. */
static void
decide_failed(const struct via_readiness_facts *f, struct via_readiness *r)
{
    char line[VIA_MESSAGE_SIZE];

    if (f->storage_present) {
        line_repair(f, line);
        block(r, VIA_ADDON_FAILED_WITH_DATA, line, "making add-on %s failed, and data is there",
              f->addon);
    } else {
        (void)snprintf(line, sizeof line, "via addon create sqlite %s --app %s", f->addon, f->app);
        block(r, VIA_METADATA_MISSING, line, "making add-on %s failed", f->addon);
    }
}

static void
decide_metadata(const struct via_readiness_facts *f, struct via_readiness *r)
{
    char line[VIA_MESSAGE_SIZE];

    r->metadata_ready = f->addon_state == VIA_ADDON_IS_READY;
    switch (f->addon_state) {
    case VIA_ADDON_IS_READY:
        break;
    case VIA_ADDON_IS_SUSPENDED:
        (void)snprintf(line, sizeof line, "via addon resume %s --app %s", f->addon, f->app);
        block(r, VIA_ADDON_SUSPENDED, line, "the operator has suspended add-on %s", f->addon);
        break;
    case VIA_ADDON_IS_DRAINING:
        block(r, VIA_ADDON_DRAINING, "via status", "add-on %s is being restored", f->addon);
        break;
    case VIA_ADDON_IS_PROVISIONING:
        block(r, VIA_ADDON_BUSY, "via status", "add-on %s is still being made", f->addon);
        break;
    case VIA_ADDON_IS_FAILED:
        decide_failed(f, r);
        break;
    default:
        (void)snprintf(line, sizeof line, "via addon create sqlite %s --app %s", f->addon, f->app);
        block(r, VIA_METADATA_MISSING, line, "add-on %s does not exist any more", f->addon);
        break;
    }
}

static void
decide_storage(const struct via_readiness_facts *f, struct via_readiness *r)
{
    char line[VIA_MESSAGE_SIZE];

    r->storage_ready =
        f->storage_present && f->storage_readable && f->storage_writable && f->storage_sound;
    if (!f->storage_present) {
        line_repair(f, line);
        block(r, VIA_STORAGE_MISSING, line, "the database file of add-on %s is missing", f->addon);
    } else if (!f->storage_readable) {
        block(r, VIA_STORAGE_UNREADABLE, "via doctor --fix",
              "the database file of add-on %s cannot be read", f->addon);
    } else if (!f->storage_sound) {
        line_repair(f, line);
        block(r, VIA_STORAGE_CORRUPT, f->snapshot[0] ? line : "via backup list",
              "the database file of add-on %s is damaged", f->addon);
    } else if (!f->storage_writable) {
        block(r, VIA_STORAGE_READONLY, "via doctor --fix",
              "the database file of add-on %s cannot be written", f->addon);
    }
}

static void
decide_binding(const struct via_readiness_facts *f, struct via_readiness *r)
{
    char target[VIA_NAME_SIZE + 16];
    char line[VIA_MESSAGE_SIZE];

    r->binding_ready = f->binding[0] != '\0' && f->deployed;
    if (f->binding[0] == '\0') {
        (void)snprintf(line, sizeof line, "via addon bind %s %s --binding DATABASE", f->app,
                       f->addon);
        block(r, VIA_BINDING_MISSING, line, "add-on %s is bound to no name", f->addon);
    } else if (!f->deployed) {
        (void)snprintf(line, sizeof line, "vary app deploy %s%s", f->app,
                       f->deployed_elsewhere && !f->target[0] ? " --target ''"
                                                              : target_words(f, target));
        block(r, VIA_BINDING_NOT_DEPLOYED, line, "no deploy of app %s claims binding %s yet",
              f->app, f->binding);
    }
}

static void
decide_runtime(const struct via_readiness_facts *f, struct via_readiness *r)
{
    char target[VIA_NAME_SIZE + 16];
    char line[VIA_MESSAGE_SIZE];

    r->runtime_ready = f->instance_running;
    if (f->instance_running)
        return;
    if (f->instance_expired) {
        (void)snprintf(line, sizeof line, "vary app repair %s --target '%s'", f->app, f->target);
        block(r, VIA_RUNTIME_IDENTITY_EXPIRED, line, "the lease of app %s has run out", f->app);
    } else {
        (void)snprintf(line, sizeof line, "via run %s%s -- COMMAND", f->app,
                       target_words(f, target));
        block(r, VIA_RUNTIME_NOT_RUNNING, line, "no instance of app %s is running", f->app);
    }
}

void
via_readiness_decide(const struct via_readiness_facts *f, struct via_readiness *out)
{
    memset(out, 0, sizeof *out);
    decide_metadata(f, out);
    decide_storage(f, out);
    decide_binding(f, out);
    decide_runtime(f, out);
    out->usable_by_app = out->blocking == VIA_OK;
}
