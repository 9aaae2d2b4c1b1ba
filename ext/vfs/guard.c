#include "vfs/guard.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"
#include "control/store.h"
#include "provider/provider.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The coarse clock may be late by a tick; a grant in its last moments is asked again instead. */
#define COARSE_LAG_MS 10

#define EXCHANGE_MS 10000 /* longer than an agent takes to find what a dead process left */
#define EXCHANGE_NAP_NS 20000000

void
via_guard_refusal(struct via_guard *g, const struct via_error *e)
{
    /* The agent records what it refuses itself, with the request it belongs to. */
    if (g->context && g->door != VIA_VFS_LOCKED)
        via_context_refusal(g->context, g->has_claims ? &g->claims : NULL, g->name, e->status);
}

/* Gate 1: read and verify the token. Between via_context_begin and _end. */
static enum via_status
guard_identify(struct via_guard *g, struct via_claims *claims, struct via_error *e)
{
    struct via_error unread = {0};
    enum via_status status;
    char *token;
    size_t n;

    status = via_fs_read(g->token_file, VIA_TOKEN_SIZE, &token, &n, &unread);
    if (status == VIA_VALUE_INVALID)
        return via_error_set(e, VIA_TOKEN_INVALID, "the token is too long");
    if (status != VIA_OK)
        return via_error_set(e, VIA_TOKEN_MISSING, "the token file cannot be read: %.400s",
                             unread.message);
    while (n > 0 && (token[n - 1] == '\n' || token[n - 1] == '\r'))
        n--;
    status = via_access_identify(g->context->access, token, n, claims, e);
    explicit_bzero(token, n);
    free(token);
    if (status == VIA_OK && (strcmp(claims->audience, "via-addon") != 0 || !claims->binding[0]))
        status = via_error_set(e, VIA_TOKEN_INVALID,
                               "the guarded VFS wants the generation token of a binding");
    return status;
}

/* Gates 2 to 4 for proved claims; the first time they also choose the add-on. */
static enum via_status
guard_ask(struct via_guard *g, const struct via_claims *claims, const char *binding,
          int64_t generation, struct via_error *e)
{
    struct via_grant fresh;
    enum via_status status;

    if (claims->expires_s * 1000 <= via_clock_now_ms())
        return via_error_set(e, VIA_RUNTIME_IDENTITY_EXPIRED, "the token has expired");
    status = via_access_check(g->context->access, claims, binding, generation, &fresh, e);
    if (status == VIA_OK)
        status = via_grant_allows(&fresh, VIA_OP_READ, e);
    if (status == VIA_OK && g->addon_id[0] && strcmp(g->addon_id, fresh.addon_id) != 0)
        status = via_error_set(e, VIA_ADDON_UNAVAILABLE,
                               "the binding stands for another add-on now; open it again");
    if (status != VIA_OK)
        return status;
    memcpy(g->addon_id, fresh.addon_id, sizeof g->addon_id);
    g->own = fresh;
    g->grant = &g->own;
    return VIA_OK;
}

static enum via_status
guard_authenticate(struct via_guard *g, struct via_error *e)
{
    struct via_claims claims = {0};
    enum via_status status = guard_identify(g, &claims, e);

    if (claims.instance[0]) { /* signed by Via: they name who is refused */
        g->claims = claims;
        g->has_claims = true;
    }
    return status == VIA_OK ? guard_ask(g, &g->claims, g->name, 0, e) : status;
}

static enum via_status
guard_open_workload(struct via_guard *g, struct via_error *e)
{
    struct via_error ignored = {0};
    struct via_witness *w;
    enum via_status status;

    if (via_context_begin(g->context, e) != VIA_OK)
        return e->status;
    status = guard_authenticate(g, e);
    via_context_end(g->context);
    if (status == VIA_OK && (w = via_context_witness(g->context, &ignored)) != NULL)
        (void)via_witness_grant(w, &g->claims, g->name);
    return status;
}

/* Wait while a restore exchanges the content. Whoever opened the new one before the old one's index
 * is away would share that, and keep away who has to remove it. */
static enum via_status
guard_await_exchange(struct via_guard *g, struct via_error *e)
{
    int64_t until_ms = via_clock_mono_ms() + EXCHANGE_MS;
    bool is_exchanged;

    for (;;) {
        if (via_context_begin(g->context, e) != VIA_OK)
            return e->status;
        is_exchanged = via_access_is_exchanged(g->context->access, g->name);
        via_context_end(g->context);
        if (!is_exchanged)
            return VIA_OK;
        if (via_clock_mono_ms() >= until_ms)
            return via_error_set(e, VIA_ADDON_DRAINING,
                                 "a restore of the add-on is at its end;"
                                 " if its process died, via doctor --fix"
                                 " ends it");
        (void)nanosleep(&(struct timespec){.tv_nsec = EXCHANGE_NAP_NS}, NULL);
    }
}

/* The operator's door: proof, a look at the add-on, and a record before anything opens. */
static enum via_status
guard_open_operator(struct via_guard *g, struct via_error *e)
{
    char app[VIA_NAME_SIZE], name[VIA_ADDON_ROW_NAME_SIZE], state[16], actor[VIA_ACTOR_SIZE];
    struct via_witness *w;
    enum via_status status;

    if (via_context_begin(g->context, e) != VIA_OK)
        return e->status;
    status = via_keyring_prove(g->context->keys, e);
    if (status == VIA_OK)
        status = via_access_addon(g->context->access, g->name, app, name, state, e);
    via_context_end(g->context);
    if (status == VIA_OK && strcmp(state, "destroyed") == 0)
        status = via_error_set(e, VIA_ADDON_UNAVAILABLE, "the add-on has been destroyed");
    if (status == VIA_OK)
        status = guard_await_exchange(g, e);
    if (status != VIA_OK)
        return status;
    w = via_context_witness(g->context, e);
    if (!w)
        return e->status;
    via_store_actor(actor);
    status = via_witness_operator_open(w, actor, app, g->name);
    return status == VIA_OK
               ? VIA_OK
               : via_error_set(e, status, "the opening cannot be recorded, so it is refused");
}

void
via_guard_turn_away(const char *name, enum via_status code)
{
    struct via_error ignored = {0};
    struct via_context *c;

    if (via_context_take(&c, &ignored) == VIA_OK)
        via_context_refusal(c, NULL, name, code);
    via_context_drop(c);
}

enum via_status
via_guard_open(struct via_guard *g, const char *name, const struct via_vfs_request *request,
               char path[VIA_PATH_SIZE], struct via_error *e)
{
    enum via_status status;

    *g = (struct via_guard){.door = request->door, .name = name, .may_write = true};
    g->token_file = request->token_file;
    if (via_context_take(&g->context, e) != VIA_OK)
        return e->status;
    if (g->door == VIA_VFS_WORKLOAD) {
        status = guard_open_workload(g, e);
    } else {
        memcpy(g->addon_id, name, strlen(name) + 1); /* via_policy_check_name saw that it fits */
        status = g->door == VIA_VFS_OPERATOR ? guard_open_operator(g, e) : VIA_OK;
    }
    if (status == VIA_OK && !via_provider_sqlite.locate(&g->context->root, g->addon_id, path))
        status = via_error_set(e, VIA_STATE_UNAVAILABLE, "the state root's path is too long");
    if (status != VIA_OK)
        via_guard_refusal(g, e);
    return status;
}

void
via_guard_close(struct via_guard *g)
{
    via_context_drop(g->context);
    explicit_bzero(g, sizeof *g);
}

bool
via_guard_is_readonly(const struct via_guard *g)
{
    return g->door == VIA_VFS_WORKLOAD && g->own.mode == VIA_MODE_RO;
}

/* Ask the gates again. A workload whose token no longer serves may have been given a new one. */
static enum via_status
guard_renew(struct via_guard *g, struct via_error *e)
{
    const struct via_grant *old = g->grant ? g->grant : &g->own;
    struct via_claims claims = old->claims;
    char binding[VIA_NAME_SIZE];
    int64_t generation = old->generation;
    struct via_error again = {0};
    enum via_status status;

    memcpy(binding, old->binding, sizeof binding);
    if (via_context_begin(g->context, e) != VIA_OK)
        return e->status;
    status = guard_ask(g, &claims, binding, generation, e);
    if (status != VIA_OK && g->door == VIA_VFS_WORKLOAD &&
        guard_authenticate(g, &again) == VIA_OK) {
        via_error_clear(e);
        status = VIA_OK;
    }
    via_context_end(g->context);
    return status;
}

bool
via_guard_is_open(const struct via_guard *g)
{
    if (g->door == VIA_VFS_OPERATOR)
        return true;
    return g->grant && !g->grant->policy.block_reads &&
           via_context_is_fresh(g->context, g->grant, via_clock_coarse_ms() + COARSE_LAG_MS);
}

enum via_status
via_guard_check_read(struct via_guard *g, struct via_error *e)
{
    enum via_status status;

    if (via_guard_is_open(g))
        return VIA_OK;
    if (g->door == VIA_VFS_LOCKED && !g->grant)
        return via_error_set(e, VIA_TOKEN_MISSING, "no grant is attached to this connection");
    status = guard_renew(g, e);
    if (status != VIA_OK)
        via_guard_refusal(g, e);
    return status;
}

enum via_status
via_guard_check_write(struct via_guard *g, struct via_error *e)
{
    enum via_status status;

    if (g->door == VIA_VFS_OPERATOR)
        return VIA_OK;
    if (!g->grant)
        return via_error_set(e, VIA_TOKEN_MISSING, "no grant is attached to this connection");
    if (!g->may_write)
        return via_error_set(e, VIA_READ_ONLY_BINDING, "this connection may only read now");
    status = via_grant_allows(g->grant, VIA_OP_WRITE, e);
    if (status != VIA_OK)
        via_guard_refusal(g, e);
    return status;
}

bool
via_guard_is_placed(const struct via_guard *g)
{
    return via_context_is_epoch(g->context, g->placed_epoch, via_clock_coarse_ms());
}

void
via_guard_place(struct via_guard *g, uint64_t epoch)
{
    g->placed_epoch = epoch;
}

enum via_status
via_guard_set(struct via_guard *g, const struct via_grant_slot *slot, struct via_error *e)
{
    g->grant = NULL;
    g->may_write = false;
    if (!slot || !slot->grant)
        return VIA_OK;
    if (strcmp(slot->grant->addon_id, g->addon_id) != 0)
        return via_error_set(e, VIA_ADDON_UNAVAILABLE, "the grant is for another add-on");
    g->grant = slot->grant;
    g->may_write = slot->write;
    return VIA_OK;
}
