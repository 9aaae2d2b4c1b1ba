/* readiness.h: can the app use its add-on now, and if not, what stands in the way. Pure.
 *
 * Layers in order: metadata, storage, binding, runtime. The first that fails is
 * `blocking`, with who mends it, a reason for people and a line to type. */
#ifndef VIA_RULES_READINESS_H
#define VIA_RULES_READINESS_H

#include "rules/remedy.h"

struct via_readiness_facts {
    const char *addon;
    const char *app;
    const char *binding; /* "" when unbound */
    const char *target;
    enum via_addon_state addon_state;
    bool storage_present;
    const char *obstacle;      /* what is in its place and no file: "is a folder"; NULL: nothing */
    const char *obstacle_path; /* where that is */
    bool storage_readable;
    bool storage_writable;
    bool storage_sound; /* as far as a glance tells */
    const char *damage; /* who has found it damaged; NULL: nobody, or it is sound since */
    const char *damage_at;
    const char *snapshot; /* the newest that could be restored; "" when there is none */
    const char *backup;   /* the newest archive that holds it; "" when there is none */
    bool backup_sealed;
    bool deployed;           /* a running or pending deploy's release claims it */
    bool deployed_elsewhere; /* the app has deploys on a named target: the default one is said */
    const char *serving;     /* the target whose deploy uses the binding, or is to; NULL: unknown */
    bool has_generation;     /* one of the binding's is active */
    const char *block;       /* the operator's reason why nothing is read; NULL when it is */
    bool instance_running;   /* an instance with a live lease */
    bool instance_expired;   /* one whose lease has run out */
};

struct via_readiness {
    bool metadata_ready;
    bool storage_ready;
    bool binding_ready;
    bool runtime_ready;
    bool usable_by_app;
    enum via_status blocking; /* VIA_OK when usable */
    char reason[VIA_MESSAGE_SIZE];
    char remediation[VIA_REMEDY_SIZE];
};

void via_readiness_decide(const struct via_readiness_facts *f, struct via_readiness *out);

#endif
