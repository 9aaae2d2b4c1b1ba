#include "vfs/context.h"

#include "base/error.h"
#include "control/store.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define IDLE_CONTEXTS 4
#define LOOK_EVERY_MS 1000

static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t use_lock = PTHREAD_MUTEX_INITIALIZER; /* taken alone or inside list_lock */
static struct via_context *contexts;

static void
context_free(struct via_context *c)
{
    if (!c)
        return;
    via_witness_free(c->witness);
    via_access_free(c->access);
    via_keyring_free(c->keys);
    via_epoch_close(&c->epoch);
    free(c);
}

/* NULL with the reason in *e. */
static struct via_context *
context_new(const struct via_root *root, struct via_error *e)
{
    struct via_context *c = calloc(1, sizeof *c);

    if (!c) {
        via_error_set(e, VIA_OUT_OF_MEMORY, "out of memory");
        return NULL;
    }
    c->root = *root;
    c->process = getpid();
    c->epoch.lock.fd = -1;
    if (via_epoch_open(&c->epoch, root, e) != VIA_OK) {
        context_free(c);
        return NULL;
    }
    return c;
}

/* One that serves `root` as it is on disk now. */
static struct via_context *
context_find(const struct via_root *root)
{
    for (struct via_context *c = contexts; c; c = c->next)
        if (c->process == getpid() && strcmp(c->root.path, root->path) == 0 &&
            via_epoch_is_current(&c->epoch, &c->root))
            return c;
    return NULL;
}

enum via_status
via_context_take(struct via_context **out, struct via_error *e)
{
    struct via_root root;
    struct via_context *c;

    *out = NULL;
    if (via_root_find(&root, e) != VIA_OK)
        return e->status;
    pthread_mutex_lock(&list_lock);
    c = context_find(&root);
    if (!c && (c = context_new(&root, e)) != NULL) {
        c->next = contexts;
        contexts = c;
    }
    if (c)
        c->users++;
    pthread_mutex_unlock(&list_lock);
    *out = c;
    return c ? VIA_OK : e->status;
}

/* Keep a few unused ones for the next open; the oldest go. Under list_lock. */
static void
context_trim(void)
{
    struct via_context **at = &contexts;
    int idle = 0;

    while (*at) {
        struct via_context *c = *at;

        if (c->users == 0 && c->process == getpid() && ++idle > IDLE_CONTEXTS) {
            *at = c->next;
            context_free(c);
        } else {
            at = &c->next;
        }
    }
}

void
via_context_drop(struct via_context *c)
{
    if (!c)
        return;
    pthread_mutex_lock(&list_lock);
    if (--c->users == 0 && c->process == getpid()) {
        if (c->has_counts) { /* nobody may come by again to write them down */
            via_witness_free(c->witness);
            c->witness = NULL;
            c->has_counts = false;
        }
        context_trim();
    }
    pthread_mutex_unlock(&list_lock);
}

enum via_status
via_context_begin(struct via_context *c, struct via_error *e)
{
    pthread_mutex_lock(&use_lock);
    if ((c->access || via_access_new(&c->root, &c->epoch, &c->access, e) == VIA_OK) &&
        (c->keys || via_keyring_new(&c->root, &c->keys, e) == VIA_OK))
        return VIA_OK;
    pthread_mutex_unlock(&use_lock);
    return e->status;
}

void
via_context_end(struct via_context *c)
{
    (void)c;
    pthread_mutex_unlock(&use_lock);
}

struct via_witness *
via_context_witness(struct via_context *c, struct via_error *e)
{
    struct via_witness *w;

    pthread_mutex_lock(&use_lock);
    if (!c->witness && via_witness_new(&c->root, &c->witness, e) != VIA_OK)
        c->witness = NULL;
    w = c->witness;
    pthread_mutex_unlock(&use_lock);
    return w;
}

void
via_context_refusal(struct via_context *c, const struct via_claims *claims, const char *binding,
                    enum via_status code)
{
    struct via_error ignored = {0};
    struct via_witness *w = via_context_witness(c, &ignored);
    char actor[VIA_ACTOR_SIZE];

    if (!w)
        return;
    if (claims)
        (void)snprintf(actor, sizeof actor, "instance:%s", claims->instance);
    else
        via_store_actor(actor);
    (void)via_witness_refusal(w, claims, binding, code, actor);
    via_witness_tick(w);
    pthread_mutex_lock(&use_lock);
    c->has_counts = true;
    pthread_mutex_unlock(&use_lock);
}

/* Is the page lost? */
static bool
context_look(struct via_context *c, int64_t now_ms)
{
    int64_t looked_ms = atomic_load_explicit(&c->looked_ms, memory_order_relaxed);

    if (now_ms - looked_ms >= LOOK_EVERY_MS || now_ms < looked_ms) {
        atomic_store_explicit(&c->looked_ms, now_ms, memory_order_relaxed);
        /* Somebody replaced the page: nobody will ever move this one, so ask every time. */
        if (!via_epoch_is_current(&c->epoch, &c->root))
            atomic_store_explicit(&c->is_lost, true, memory_order_relaxed);
    }
    return atomic_load_explicit(&c->is_lost, memory_order_relaxed);
}

bool
via_context_is_fresh(struct via_context *c, const struct via_grant *grant, int64_t now_ms)
{
    return !context_look(c, now_ms) && via_grant_is_fresh(grant, &c->epoch, now_ms);
}

uint64_t
via_context_epoch(struct via_context *c)
{
    return atomic_load_explicit(&c->is_lost, memory_order_relaxed) ? 0 : via_epoch_now(&c->epoch);
}

bool
via_context_is_epoch(struct via_context *c, uint64_t epoch, int64_t now_ms)
{
    return !context_look(c, now_ms) && via_epoch_is(&c->epoch, epoch);
}
