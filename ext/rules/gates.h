/* gates.h: the four gates, decided from facts. Pure; the one definition for agent and VFS.
 *
 * Callers gather the facts; a fact that was not looked for because an earlier one
 * already refuses stays zero. */
#ifndef VIA_RULES_GATES_H
#define VIA_RULES_GATES_H

#include "rules/lifecycle.h"
#include "via/model.h"

enum via_gate { VIA_GATE_IDENTITY, VIA_GATE_WORKLOAD, VIA_GATE_MANIFEST, VIA_GATE_ADDON };

enum via_instance_state { VIA_INSTANCE_IS_RUNNING, VIA_INSTANCE_IS_STOPPED };
enum via_deploy_state {
    VIA_DEPLOY_IS_PENDING,
    VIA_DEPLOY_IS_RUNNING,
    VIA_DEPLOY_IS_SUPERSEDED,
    VIA_DEPLOY_IS_FAILED,
    VIA_DEPLOY_IS_STOPPED
};

struct via_gate_facts {
    int64_t now_ms;
    const struct via_claims *claims;
    enum via_status identity; /* what the verification of the token said */

    /* the instance named by the token, as it is registered now */
    bool instance_known;
    enum via_instance_state instance_state;
    int64_t lease_expires_ms;
    bool instance_matches; /* app, deploy and release are the token's */

    /* its deploy */
    bool deploy_known;
    bool deploy_matches; /* app and release are the token's */
    enum via_deploy_state deploy_state;
    int64_t superseded_ms;
    int64_t handover_ms;

    /* what is asked for, beside what the token is for */
    bool token_of_other_binding;
    bool token_of_other_generation;

    /* its release's manifest */
    bool manifest_holds; /* present, and its signature verifies */
    bool binding_listed;
    enum via_mode manifest_mode;

    /* the generation: the one asked for, or the newest active one */
    bool generation_asked;
    bool generation_known; /* it exists and belongs to the binding's add-on */
    bool generation_revoked;
    int64_t generation_expires_ms; /* 0: does not expire */

    /* the add-on */
    bool addon_known;
    bool addon_matches; /* belongs to the app, and is of the type in the manifest */
    enum via_addon_state addon_state;
};

/* Decide gate `gate` alone. VIA_OK, or the refusal with its sentence in *e. */
VIA_MUST_USE enum via_status via_gate_check(enum via_gate gate, const struct via_gate_facts *f,
                                            struct via_error *e);

/* Decide all four in order; the first refusal is the answer. */
VIA_MUST_USE enum via_status via_gates_check(const struct via_gate_facts *f, struct via_error *e);

/* Is `status` a gate's word, rather than a failure to ask one? */
bool via_gate_is_refusal(enum via_status status);

/* How long what the gates allowed stays true if nobody changes anything: Unix ms. */
int64_t via_gates_expiry_ms(const struct via_gate_facts *f);

/* May a grant of `mode` under `policy` do `kind`? */
VIA_MUST_USE enum via_status via_gate_operation(enum via_mode mode,
                                                const struct via_addon_policy *policy,
                                                enum via_operation_kind kind, struct via_error *e);

#endif
