/* access.h: from a token to a grant, through the four gates.
 *
 * Gathers the facts (token, instance, deploy, release, generation, add-on) and lets
 * rules/gates decide, so that the agent and the VFS share one definition. Holds a
 * read connection of its own. One thread at a time: each thread, or each lock, has
 * its own. */
#ifndef VIA_CONTROL_ACCESS_H
#define VIA_CONTROL_ACCESS_H

#include "base/epoch.h"
#include "identity/keys.h"
#include "rules/gates.h"
#include "sql/sql.h"
#include "via/model.h"

#include <stddef.h>

struct via_access;

/* Open. `epoch` is borrowed for the life of *out. The caller frees *out. */
VIA_MUST_USE enum via_status via_access_new(const struct via_root *root,
                                            const struct via_epoch *epoch, struct via_access **out,
                                            struct via_error *e);
void via_access_free(struct via_access *a);

/* Verify a token (gate 1). Fills *claims as via_jwt_verify does. */
VIA_MUST_USE enum via_status via_access_identify(struct via_access *a, const char *token, size_t n,
                                                 struct via_claims *claims, struct via_error *e);

/* Gates 2 to 4 for `claims` on `binding`, at the epoch of now. With a generation token
 * `binding` may be "" (the token's own is taken) and else must be the token's. `generation` 0
 * takes the token's own or the newest active one. Read or write is decided later, by
 * via_grant_allows(), for one grant serves both.
 *
 * VIA_OK fills *out; out->epoch is 0 when it is good for this operation only. */
VIA_MUST_USE enum via_status via_access_check(struct via_access *a, const struct via_claims *claims,
                                              const char *binding, int64_t generation,
                                              struct via_grant *out, struct via_error *e);

/* Why may an instance use a binding, or not? */
struct via_gate_question {
    const char *instance;
    const char *binding;
    enum via_operation_kind operation;
};

struct via_gate_answer {
    enum via_gate reached;      /* the last gate that was asked; those before it let it pass */
    struct via_error why;       /* VIA_OK: that one too */
    char addon_id[VIA_ID_SIZE]; /* behind the binding, "" when the manifest gate was not passed */
    char type[32];
};

/* The four gates as they would decide now, without a token at hand: the one that was
 * minted last for the instance stands for it. Reads on `db`, a transaction of which may be
 * open; the handle holds the error. Nothing is audited. */
void via_access_explain(struct via_sql *db, struct via_keyring *keys,
                        const struct via_gate_question *ask, struct via_gate_answer *out);

/* The workload without a binding: gates 1 and 2, and the signature of its manifest. */
struct via_workload {
    const char *manifest; /* its text; borrowed until the next call on the access */
    size_t manifest_len;
    uint64_t epoch;     /* as in a grant */
    int64_t expires_ms; /* how long that stands if nobody changes anything */
};
VIA_MUST_USE enum via_status via_access_workload(struct via_access *a,
                                                 const struct via_claims *claims,
                                                 struct via_workload *out, struct via_error *e);

/* What it reads with, for other reads of its owner. Borrowed. */
struct via_sql *via_access_db(struct via_access *a);
struct via_keyring *via_access_keys(struct via_access *a);

/* A setting's value now (via_settings), as integer or text (copied, "" when empty). */
int64_t via_access_setting_int(struct via_access *a, const char *name);
void via_access_setting_text(struct via_access *a, const char *name, char *out, size_t size);

/* The app, name and state of an add-on, for the operator's door. VIA_ADDON_NOT_FOUND. */
VIA_MUST_USE enum via_status via_access_addon(struct via_access *a, const char *addon_id,
                                              char app[VIA_NAME_SIZE],
                                              char name[VIA_ADDON_ROW_NAME_SIZE], char state[16],
                                              struct via_error *e);

/* Is a restore just putting other content in the place of this add-on's? */
VIA_MUST_USE bool via_access_is_exchanged(struct via_access *a, const char *addon_id);

/* The next add-on after `addon_id` ("": the first) whose running operations are to be interrupted,
 * because a restore waits for them. Writes it over `addon_id`; false when there is none. */
bool via_access_next_interrupted(struct via_access *a, char addon_id[VIA_ID_SIZE]);

/* Is `grant` still good without asking again? */
static inline bool
via_grant_is_fresh(const struct via_grant *g, const struct via_epoch *ep, int64_t now_ms)
{
    return via_epoch_is(ep, g->epoch) && now_ms < g->expires_ms;
}

/* The rest of gate 4: may this grant read, or write? VIA_READ_ONLY_BINDING, VIA_ADDON_BLOCKED. */
VIA_MUST_USE enum via_status via_grant_allows(const struct via_grant *g,
                                              enum via_operation_kind kind, struct via_error *e);

#endif
