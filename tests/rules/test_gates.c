/* The focus of this file is the four gates: with everything right they open; with one fact wrong
 * the gate that asks for it refuses with its own code; with two, the earlier gate speaks. */
#include "check.h"
#include "rules/gates.h"

#include <string.h>

#define NOW_MS INT64_C(1800000000000)
#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static struct via_claims claims;

/* Facts with which every gate opens, and far from every bound. */
static struct via_gate_facts
all_right(void)
{
    claims = (struct via_claims){.expires_s = NOW_MS / 1000 + 900};
    return (struct via_gate_facts){
        .now_ms = NOW_MS,
        .claims = &claims,
        .identity = VIA_OK,
        .instance_known = true,
        .instance_state = VIA_INSTANCE_IS_RUNNING,
        .lease_expires_ms = NOW_MS + 500000,
        .instance_matches = true,
        .deploy_known = true,
        .deploy_matches = true,
        .deploy_state = VIA_DEPLOY_IS_RUNNING,
        .handover_ms = 30000,
        .manifest_holds = true,
        .binding_listed = true,
        .generation_asked = true,
        .generation_known = true,
        .addon_known = true,
        .addon_matches = true,
        .addon_state = VIA_ADDON_IS_READY,
    };
}

/* One fact made wrong. */
static void
no_token(struct via_gate_facts *f)
{
    f->identity = VIA_TOKEN_MISSING;
}
static void
bad_token(struct via_gate_facts *f)
{
    f->identity = VIA_TOKEN_INVALID;
}
static void
old_token(struct via_gate_facts *f)
{
    f->identity = VIA_RUNTIME_IDENTITY_EXPIRED;
}
static void
past_token(struct via_gate_facts *f)
{
    claims.expires_s = f->now_ms / 1000;
}
static void
no_instance(struct via_gate_facts *f)
{
    f->instance_known = false;
}
static void
other_instance(struct via_gate_facts *f)
{
    f->instance_matches = false;
}
static void
stopped(struct via_gate_facts *f)
{
    f->instance_state = VIA_INSTANCE_IS_STOPPED;
}
static void
lease_over(struct via_gate_facts *f)
{
    f->lease_expires_ms = f->now_ms;
}
static void
no_deploy(struct via_gate_facts *f)
{
    f->deploy_known = false;
}
static void
other_deploy(struct via_gate_facts *f)
{
    f->deploy_matches = false;
}
static void
deploy_stopped(struct via_gate_facts *f)
{
    f->deploy_state = VIA_DEPLOY_IS_STOPPED;
}
static void
deploy_failed(struct via_gate_facts *f)
{
    f->deploy_state = VIA_DEPLOY_IS_FAILED;
}
static void
superseded(struct via_gate_facts *f)
{
    f->deploy_state = VIA_DEPLOY_IS_SUPERSEDED;
    f->superseded_ms = f->now_ms - f->handover_ms;
}
static void
forged(struct via_gate_facts *f)
{
    f->manifest_holds = false;
}
static void
unlisted(struct via_gate_facts *f)
{
    f->binding_listed = false;
}
static void
unknown(struct via_gate_facts *f)
{
    f->generation_known = false;
}
static void
none_active(struct via_gate_facts *f)
{
    f->generation_asked = false;
    f->generation_known = false;
}
static void
revoked(struct via_gate_facts *f)
{
    f->generation_revoked = true;
}
static void
grace_over(struct via_gate_facts *f)
{
    f->generation_expires_ms = f->now_ms;
}
static void
no_addon(struct via_gate_facts *f)
{
    f->addon_known = false;
}
static void
other_addon(struct via_gate_facts *f)
{
    f->addon_matches = false;
}
static void
suspended(struct via_gate_facts *f)
{
    f->addon_state = VIA_ADDON_IS_SUSPENDED;
}
static void
other_binding(struct via_gate_facts *f)
{
    f->token_of_other_binding = true;
}
static void
other_generation(struct via_gate_facts *f)
{
    f->token_of_other_generation = true;
}
static void
draining(struct via_gate_facts *f)
{
    f->addon_state = VIA_ADDON_IS_DRAINING;
}
static void
failed(struct via_gate_facts *f)
{
    f->addon_state = VIA_ADDON_IS_FAILED;
}
static void
making(struct via_gate_facts *f)
{
    f->addon_state = VIA_ADDON_IS_PROVISIONING;
}
static void
destroyed(struct via_gate_facts *f)
{
    f->addon_state = VIA_ADDON_IS_DESTROYED;
}

/* In the order in which the gates ask. */
static const struct {
    const char *what;
    void (*spoil)(struct via_gate_facts *f);
    enum via_gate gate;
    const char *code;
    int http;
} wrongs[] = {
    {"no token", no_token, VIA_GATE_IDENTITY, "token_missing", 401},
    {"a token that is not Via's", bad_token, VIA_GATE_IDENTITY, "token_invalid", 403},
    {"a token found expired", old_token, VIA_GATE_IDENTITY, "runtime_identity_expired", 403},
    {"a token that ends now", past_token, VIA_GATE_IDENTITY, "runtime_identity_expired", 403},
    {"an unknown instance", no_instance, VIA_GATE_WORKLOAD, "workload_unbound", 403},
    {"another's instance", other_instance, VIA_GATE_WORKLOAD, "workload_unbound", 403},
    {"an unknown deploy", no_deploy, VIA_GATE_WORKLOAD, "workload_unbound", 403},
    {"another's deploy", other_deploy, VIA_GATE_WORKLOAD, "workload_unbound", 403},
    {"a stopped instance", stopped, VIA_GATE_WORKLOAD, "workload_unbound", 403},
    {"a lease that ends now", lease_over, VIA_GATE_WORKLOAD, "runtime_identity_expired", 403},
    {"a stopped deploy", deploy_stopped, VIA_GATE_WORKLOAD, "workload_unbound", 403},
    {"a failed deploy", deploy_failed, VIA_GATE_WORKLOAD, "workload_unbound", 403},
    {"a hand-over that ends now", superseded, VIA_GATE_WORKLOAD, "workload_unbound", 403},
    {"a forged manifest", forged, VIA_GATE_MANIFEST, "manifest_invalid", 403},
    {"a token of another binding", other_binding, VIA_GATE_MANIFEST, "binding_not_in_release", 403},
    {"a binding not released", unlisted, VIA_GATE_MANIFEST, "binding_not_in_release", 403},
    {"a token of another generation", other_generation, VIA_GATE_MANIFEST, "generation_unknown",
     403},
    {"an unknown generation", unknown, VIA_GATE_MANIFEST, "generation_unknown", 403},
    {"no active generation", none_active, VIA_GATE_MANIFEST, "generation_revoked", 403},
    {"a revoked generation", revoked, VIA_GATE_MANIFEST, "generation_revoked", 403},
    {"a grace that ends now", grace_over, VIA_GATE_MANIFEST, "generation_revoked", 403},
    {"an add-on that is gone", no_addon, VIA_GATE_ADDON, "addon_unavailable", 403},
    {"another app's add-on", other_addon, VIA_GATE_ADDON, "addon_unavailable", 403},
    {"a draining add-on", draining, VIA_GATE_ADDON, "addon_draining", 503},
    {"a suspended add-on", suspended, VIA_GATE_ADDON, "addon_unavailable", 403},
    {"a failed add-on", failed, VIA_GATE_ADDON, "addon_unavailable", 403},
    {"an add-on being made", making, VIA_GATE_ADDON, "addon_unavailable", 403},
    {"a destroyed add-on", destroyed, VIA_GATE_ADDON, "addon_unavailable", 403},
};

static void
test_each(void)
{
    for (size_t i = 0; i < COUNT(wrongs); i++) {
        struct via_gate_facts f = all_right();
        struct via_error e = {0};
        enum via_status status;

        wrongs[i].spoil(&f);
        status = via_gates_check(&f, &e);
        CHECK(strcmp(via_status_word(status), wrongs[i].code) == 0 && e.status == status &&
                  e.message[0],
              "%s is %s", wrongs[i].what, wrongs[i].code);
        CHECK(via_status_http(status) == wrongs[i].http, "and answers %d", wrongs[i].http);
        for (int gate = VIA_GATE_IDENTITY; gate <= VIA_GATE_ADDON; gate++) {
            struct via_error own = {0};
            bool opens = via_gate_check((enum via_gate)gate, &f, &own) == VIA_OK;

            CHECK(opens == (gate != (int)wrongs[i].gate), "%s concerns gate %d: %s", wrongs[i].what,
                  gate + 1, opens ? "no" : "yes");
        }
    }
}

/* The facts of a later gate may be missing altogether when an earlier one refuses. */
static void
test_order(void)
{
    int out_of_order = 0;

    for (size_t i = 0; i < COUNT(wrongs); i++)
        for (size_t j = 0; j < COUNT(wrongs); j++) {
            struct via_gate_facts f = all_right();
            struct via_error e = {0};

            if (wrongs[i].gate >= wrongs[j].gate)
                continue;
            wrongs[j].spoil(&f);
            wrongs[i].spoil(&f);
            if (strcmp(via_status_word(via_gates_check(&f, &e)), wrongs[i].code) != 0)
                out_of_order++;
        }
    CHECK(out_of_order == 0, "of two wrong facts the earlier gate speaks, in every pair");
}

static void
test_open(void)
{
    struct via_gate_facts f = all_right();
    struct via_error e = {0};

    CHECK(via_gates_check(&f, &e) == VIA_OK && e.status == VIA_OK, "all gates open");
    f.deploy_state = VIA_DEPLOY_IS_PENDING;
    CHECK(via_gates_check(&f, &e) == VIA_OK, "before the deploy's first instance is recorded, too");
    f.generation_asked = false;
    CHECK(via_gates_check(&f, &e) == VIA_OK, "for a token that names no generation, too");
    f.deploy_state = VIA_DEPLOY_IS_SUPERSEDED;
    f.superseded_ms = f.now_ms - f.handover_ms + 1;
    CHECK(via_gates_check(&f, &e) == VIA_OK, "to the last millisecond of the hand-over");
    f.lease_expires_ms = f.now_ms + 1;
    CHECK(via_gates_check(&f, &e) == VIA_OK, "and of the lease");
    f.generation_expires_ms = f.now_ms + 1;
    CHECK(via_gates_check(&f, &e) == VIA_OK, "and of a grace");
    claims.expires_s = f.now_ms / 1000 + 1;
    f.now_ms = claims.expires_s * 1000 - 1;
    f.lease_expires_ms = f.generation_expires_ms = f.now_ms + 1;
    f.superseded_ms = f.now_ms;
    CHECK(via_gates_check(&f, &e) == VIA_OK, "and of the token");
}

static void
test_expiry(void)
{
    struct via_gate_facts f = all_right();

    CHECK(via_gates_expiry_ms(&f) == NOW_MS + 500000, "a grant ends with the lease");
    f.lease_expires_ms = NOW_MS + 1000000;
    CHECK(via_gates_expiry_ms(&f) == NOW_MS + 900000, "or with the token, if that is first");
    f.superseded_ms = NOW_MS - 10000;
    CHECK(via_gates_expiry_ms(&f) == NOW_MS + 900000, "a running deploy has no hand-over");
    f.deploy_state = VIA_DEPLOY_IS_SUPERSEDED;
    CHECK(via_gates_expiry_ms(&f) == NOW_MS + 20000, "or with the hand-over");
    f.generation_expires_ms = NOW_MS + 19999;
    CHECK(via_gates_expiry_ms(&f) == NOW_MS + 19999, "or with the grace of its generation");
}

static void
test_operation(void)
{
    static const struct {
        enum via_mode mode;
        bool block_reads, block_writes;
        enum via_operation_kind kind;
        enum via_status want;
    } cases[] = {
        {VIA_MODE_RW, false, false, VIA_OP_READ, VIA_OK},
        {VIA_MODE_RW, false, false, VIA_OP_WRITE, VIA_OK},
        {VIA_MODE_RO, false, false, VIA_OP_READ, VIA_OK},
        {VIA_MODE_RO, false, false, VIA_OP_WRITE, VIA_READ_ONLY_BINDING},
        {VIA_MODE_RW, true, false, VIA_OP_READ, VIA_ADDON_BLOCKED},
        {VIA_MODE_RW, true, false, VIA_OP_WRITE, VIA_ADDON_BLOCKED},
        {VIA_MODE_RW, false, true, VIA_OP_READ, VIA_OK},
        {VIA_MODE_RW, false, true, VIA_OP_WRITE, VIA_ADDON_BLOCKED},
        {VIA_MODE_RO, false, true, VIA_OP_WRITE, VIA_READ_ONLY_BINDING},
        {VIA_MODE_RO, true, true, VIA_OP_READ, VIA_ADDON_BLOCKED},
        {VIA_MODE_RO, true, true, VIA_OP_WRITE, VIA_ADDON_BLOCKED},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct via_addon_policy policy = {.block_reads = cases[i].block_reads,
                                          .block_writes = cases[i].block_writes};
        struct via_error e = {0};

        CHECK(via_gate_operation(cases[i].mode, &policy, cases[i].kind, &e) == cases[i].want,
              "%s on a binding that may %s%s%s is %s",
              cases[i].kind == VIA_OP_READ ? "reading" : "writing",
              cases[i].mode == VIA_MODE_RO ? "read" : "write",
              cases[i].block_reads ? ", reads blocked" : "",
              cases[i].block_writes ? ", writes blocked" : "", via_status_word(cases[i].want));
    }
}

int
main(void)
{
    test_each();
    test_order();
    test_open();
    test_expiry();
    test_operation();
    return check_end();
}
