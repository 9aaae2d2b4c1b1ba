#include "rules/gates.h"

#include "base/clock.h"
#include "base/error.h"

#include <stddef.h>

static enum via_status
token_expired(const struct via_gate_facts *f, struct via_error *e)
{
    char at[VIA_TIME_SIZE];

    via_clock_format(f->claims->expires_s * 1000, at);
    return via_error_set(e, VIA_RUNTIME_IDENTITY_EXPIRED, "the token expired at %s", at);
}

static enum via_status
gate_identity(const struct via_gate_facts *f, struct via_error *e)
{
    switch (f->identity) {
    case VIA_OK:
        break;
    case VIA_TOKEN_MISSING:
        return via_error_set(e, f->identity, "the request carries no token");
    case VIA_RUNTIME_IDENTITY_EXPIRED:
        return token_expired(f, e);
    default:
        return via_error_set(e, f->identity, "the token is not one that Via issued for this use");
    }
    if (f->now_ms >= f->claims->expires_s * 1000)
        return token_expired(f, e);
    return VIA_OK;
}

static enum via_status
gate_workload(const struct via_gate_facts *f, struct via_error *e)
{
    if (!f->instance_known || !f->instance_matches || !f->deploy_known || !f->deploy_matches)
        return via_error_set(
            e, VIA_WORKLOAD_UNBOUND,
            "the token's app, release, deploy and instance are not what is running");
    if (f->instance_state != VIA_INSTANCE_IS_RUNNING)
        return via_error_set(e, VIA_WORKLOAD_UNBOUND, "instance %s is stopped",
                             f->claims->instance);
    if (f->now_ms >= f->lease_expires_ms)
        return via_error_set(e, VIA_RUNTIME_IDENTITY_EXPIRED,
                             "the lease of instance %s has run out", f->claims->instance);
    switch (f->deploy_state) {
    case VIA_DEPLOY_IS_PENDING:
    case VIA_DEPLOY_IS_RUNNING:
        return VIA_OK;
    case VIA_DEPLOY_IS_SUPERSEDED:
        if (f->now_ms < f->superseded_ms + f->handover_ms)
            return VIA_OK;
        return via_error_set(e, VIA_WORKLOAD_UNBOUND,
                             "deploy %s was superseded and its hand-over is over",
                             f->claims->deploy);
    case VIA_DEPLOY_IS_FAILED:
    case VIA_DEPLOY_IS_STOPPED:
        break;
    }
    return via_error_set(e, VIA_WORKLOAD_UNBOUND, "deploy %s is stopped", f->claims->deploy);
}

static enum via_status
gate_manifest(const struct via_gate_facts *f, struct via_error *e)
{
    if (!f->manifest_holds)
        return via_error_set(e, VIA_MANIFEST_INVALID,
                             "the manifest of release %s does not match its signature",
                             f->claims->release);
    if (f->token_of_other_binding)
        return via_error_set(e, VIA_BINDING_NOT_IN_RELEASE, "the token is for another binding");
    if (!f->binding_listed)
        return via_error_set(e, VIA_BINDING_NOT_IN_RELEASE, "release %s does not list this binding",
                             f->claims->release);
    if (f->token_of_other_generation)
        return via_error_set(e, VIA_GENERATION_UNKNOWN, "the token is for another generation");
    if (!f->generation_known && f->generation_asked)
        return via_error_set(e, VIA_GENERATION_UNKNOWN,
                             "this binding has no such generation for its add-on");
    if (!f->generation_known || f->generation_revoked ||
        (f->generation_expires_ms != 0 && f->now_ms >= f->generation_expires_ms))
        return via_error_set(e, VIA_GENERATION_REVOKED,
                             f->generation_asked ? "this generation of the binding is revoked"
                                                 : "no generation of the binding is active");
    return VIA_OK;
}

static enum via_status
gate_addon(const struct via_gate_facts *f, struct via_error *e)
{
    if (!f->addon_known || !f->addon_matches)
        return via_error_set(e, VIA_ADDON_UNAVAILABLE, "the add-on behind this binding is gone");
    if (f->addon_state == VIA_ADDON_IS_DRAINING)
        return via_error_set(e, VIA_ADDON_DRAINING,
                             "the add-on behind this binding is being restored; try again soon");
    if (f->addon_state != VIA_ADDON_IS_READY)
        return via_error_set(e, VIA_ADDON_UNAVAILABLE, "the add-on behind this binding is %s",
                             via_addon_state_word(f->addon_state));
    return VIA_OK;
}

enum via_status
via_gate_check(enum via_gate gate, const struct via_gate_facts *f, struct via_error *e)
{
    switch (gate) {
    case VIA_GATE_IDENTITY:
        return gate_identity(f, e);
    case VIA_GATE_WORKLOAD:
        return gate_workload(f, e);
    case VIA_GATE_MANIFEST:
        return gate_manifest(f, e);
    case VIA_GATE_ADDON:
        return gate_addon(f, e);
    }
    return via_error_set(e, VIA_INTERNAL_ERROR, "no such gate");
}

enum via_status
via_gates_check(const struct via_gate_facts *f, struct via_error *e)
{
    static const enum via_gate order[] = {VIA_GATE_IDENTITY, VIA_GATE_WORKLOAD, VIA_GATE_MANIFEST,
                                          VIA_GATE_ADDON};
    enum via_status status = VIA_OK;

    for (size_t i = 0; status == VIA_OK && i < sizeof order / sizeof order[0]; i++)
        status = via_gate_check(order[i], f, e);
    return status;
}

bool
via_gate_is_refusal(enum via_status status)
{
    return (status >= VIA_TOKEN_MISSING && status <= VIA_ADDON_DRAINING) ||
           status == VIA_STORAGE_MISSING;
}

static int64_t
earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t
via_gates_expiry_ms(const struct via_gate_facts *f)
{
    int64_t at = earlier(f->claims->expires_s * 1000, f->lease_expires_ms);

    if (f->deploy_state == VIA_DEPLOY_IS_SUPERSEDED)
        at = earlier(at, f->superseded_ms + f->handover_ms);
    if (f->generation_expires_ms != 0)
        at = earlier(at, f->generation_expires_ms);
    return at;
}

static enum via_status
refuse_blocked(const struct via_addon_policy *policy, const char *what, struct via_error *e)
{
    return via_error_set(e, VIA_ADDON_BLOCKED, "the operator has blocked %s on this add-on%s%s",
                         what, policy->block_reason[0] ? ": " : "", policy->block_reason);
}

enum via_status
via_gate_operation(enum via_mode mode, const struct via_addon_policy *policy,
                   enum via_operation_kind kind, struct via_error *e)
{
    /* A write reads what it changes, and may tell it. */
    if (policy->block_reads)
        return refuse_blocked(policy, "reads", e);
    if (kind == VIA_OP_READ)
        return VIA_OK;
    /* The mode first, as a file that was opened read-only has it. */
    if (mode != VIA_MODE_RW)
        return via_error_set(e, VIA_READ_ONLY_BINDING, "this binding may only read");
    if (policy->block_writes)
        return refuse_blocked(policy, "writes", e);
    return VIA_OK;
}
