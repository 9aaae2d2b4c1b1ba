#include "control/witness.h"

#include "base/clock.h"
#include "base/error.h"
#include "control/audit.h"
#include "control/schema.h"
#include "identity/codec.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW_MS 1000
#define WAIT_MS 500
#define KINDS 256    /* kinds of refusal remembered at once */
#define GRANTS 16384 /* grants this process knows to be on record; a power of two */

/* A kind of refusal in its second: the first is written at once, `more` are still to be. */
struct kind {
    enum via_status code; /* VIA_OK: free */
    char app[VIA_NAME_SIZE];
    char deploy[VIA_ID_SIZE];
    char instance[VIA_ID_SIZE];
    char binding[VIA_NAME_SIZE];
    char actor[VIA_ACTOR_SIZE];
    int64_t since_ms;
    int64_t more;
};

struct via_witness {
    pthread_mutex_t mutex;
    struct via_sql db;
    int64_t blocked_until_ms; /* nothing is tried before: somebody holds runtime.db */
    struct kind kinds[KINDS];
    uint64_t grants[GRANTS]; /* digests; 0 is free; a full bucket is overwritten */
};

enum via_status
via_witness_new(const struct via_root *root, struct via_witness **out, struct via_error *e)
{
    struct via_witness *w = calloc(1, sizeof *w);

    *out = NULL;
    if (!w)
        return via_error_set(e, VIA_OUT_OF_MEMORY, "out of memory");
    (void)pthread_mutex_init(&w->mutex, NULL);
    if (via_schema_ensure(root, e) != VIA_OK) {
        via_witness_free(w);
        return e->status;
    }
    via_schema_open_runtime(&w->db, root);
    if (via_sql_ok(&w->db)) /* an answer waits for this; what cannot be written now is owed */
        (void)sqlite3_busy_timeout(w->db.db, WAIT_MS);
    if (via_sql_take(&w->db, e) != VIA_OK) {
        via_witness_free(w);
        return e->status;
    }
    *out = w;
    return VIA_OK;
}

/* End a transaction that failed. */
static void
witness_abandon(struct via_witness *w)
{
    if (!sqlite3_get_autocommit(w->db.db))
        via_sql_exec(&w->db, "ROLLBACK");
    via_ignore(via_sql_take(&w->db, NULL));
}

/* Write one record of the runtime stream in a transaction of its own. */
static enum via_status
witness_write(struct via_witness *w, const struct via_record *record, struct via_error *e)
{
    struct via_error failed = {0};

    if (via_clock_mono_ms() < w->blocked_until_ms)
        return via_error_set(e, VIA_CONTROL_BUSY, "runtime.db is held by another process");
    via_sql_run(&w->db, via_sql_stmt(&w->db, "BEGIN IMMEDIATE"));
    via_audit_put(&w->db, record);
    via_sql_run(&w->db, via_sql_stmt(&w->db, "COMMIT"));
    via_ignore(via_sql_take(&w->db, &failed));
    if (failed.status == VIA_OK)
        return VIA_OK;
    if (failed.status == VIA_CONTROL_BUSY) /* everybody waiting in turn would be worse */
        w->blocked_until_ms = via_clock_mono_ms() + WINDOW_MS;
    witness_abandon(w);
    return via_error_set(e, failed.status, "%s", failed.message);
}

static const char *
present(const char *text)
{
    return text[0] ? text : NULL;
}

static enum via_status
kind_write(struct via_witness *w, const struct kind *k, int64_t count, struct via_error *e)
{
    return witness_write(w,
                         &(struct via_record){.actor = k->actor,
                                              .action = "binding.use",
                                              .outcome = "refused",
                                              .app = present(k->app),
                                              .deploy = present(k->deploy),
                                              .instance = present(k->instance),
                                              .binding = present(k->binding),
                                              .reason = via_status_word(k->code),
                                              .count = count},
                         e);
}

/* Write what a kind still owes and free it. It stays when it cannot be written. */
static void
kind_flush(struct via_witness *w, struct kind *k)
{
    struct via_error e = {0};

    if (k->more == 0 || kind_write(w, k, k->more, &e) == VIA_OK)
        k->code = VIA_OK;
}

static bool
kind_is(const struct kind *a, const struct kind *b)
{
    return a->code == b->code && strcmp(a->app, b->app) == 0 &&
           strcmp(a->instance, b->instance) == 0 && strcmp(a->binding, b->binding) == 0;
}

/* The slot of a kind: its own, else a free one, else the oldest, written out. NULL when none can
 * be freed because nothing can be written. */
static struct kind *
kind_slot(struct via_witness *w, const struct kind *wanted, bool *known)
{
    struct kind *free_slot = NULL;
    struct kind *oldest = &w->kinds[0];

    *known = false;
    for (int i = 0; i < KINDS; i++) {
        struct kind *k = &w->kinds[i];

        if (k->code == VIA_OK) {
            free_slot = free_slot ? free_slot : k;
            continue;
        }
        if (kind_is(k, wanted)) {
            *known = true;
            return k;
        }
        if (k->since_ms < oldest->since_ms)
            oldest = k;
    }
    if (free_slot)
        return free_slot;
    kind_flush(w, oldest);
    return oldest->code == VIA_OK ? oldest : NULL;
}

static void
kind_fill(struct kind *k, const struct via_claims *claims, const char *binding,
          enum via_status code, const char *actor)
{
    memset(k, 0, sizeof *k);
    k->code = code;
    k->since_ms = via_clock_mono_ms();
    if (claims && claims->instance[0]) {
        (void)snprintf(k->app, sizeof k->app, "%s", claims->app);
        (void)snprintf(k->deploy, sizeof k->deploy, "%s", claims->deploy);
        (void)snprintf(k->instance, sizeof k->instance, "%s", claims->instance);
        (void)snprintf(k->binding, sizeof k->binding, "%s", binding ? binding : "");
        (void)snprintf(k->actor, sizeof k->actor, "instance:%s", claims->instance);
    } else {
        (void)snprintf(k->actor, sizeof k->actor, "%s", actor ? actor : "unknown");
    }
}

enum via_status
via_witness_refusal(struct via_witness *w, const struct via_claims *claims, const char *binding,
                    enum via_status code, const char *actor)
{
    struct via_error e = {0};
    struct kind wanted;
    struct kind *k;
    bool known;

    kind_fill(&wanted, claims, binding, code, actor);
    (void)pthread_mutex_lock(&w->mutex);
    k = kind_slot(w, &wanted, &known);
    if (known && wanted.since_ms - k->since_ms >= WINDOW_MS) {
        kind_flush(w, k);
        known = k->code != VIA_OK;
    }
    if (k && known) {
        k->more++;
    } else if (k) {
        *k = wanted;
        if (kind_write(w, k, 1, &e) != VIA_OK)
            k->more = 1; /* owed: the tick tries again */
    } else {
        via_ignore(via_error_set(&e, VIA_OVERLOADED, "refusals cannot be written"));
    }
    (void)pthread_mutex_unlock(&w->mutex);
    return e.status;
}

void
via_witness_tick(struct via_witness *w)
{
    int64_t now_ms = via_clock_mono_ms();

    (void)pthread_mutex_lock(&w->mutex);
    for (int i = 0; i < KINDS; i++)
        if (w->kinds[i].code != VIA_OK && now_ms - w->kinds[i].since_ms >= WINDOW_MS)
            kind_flush(w, &w->kinds[i]);
    (void)pthread_mutex_unlock(&w->mutex);
}

static uint64_t
grant_digest(const struct via_claims *claims, const char *binding)
{
    char text[VIA_ID_SIZE + VIA_NAME_SIZE + 2];
    uint8_t digest[16];
    uint64_t value;

    (void)snprintf(text, sizeof text, "%s %s", claims->instance, binding);
    via_digest_short(text, strlen(text), digest);
    memcpy(&value, digest, sizeof value);
    return value | 1;
}

enum via_status
via_witness_grant(struct via_witness *w, const struct via_claims *claims, const char *binding)
{
    uint64_t digest = grant_digest(claims, binding);
    uint64_t *seen = &w->grants[(digest >> 8) & (GRANTS - 1)];
    char actor[VIA_ACTOR_SIZE];
    struct via_error e = {0};
    sqlite3_stmt *q;

    (void)pthread_mutex_lock(&w->mutex);
    if (*seen != digest) {
        (void)snprintf(actor, sizeof actor, "instance:%s", claims->instance);
        via_sql_run(&w->db, via_sql_stmt(&w->db, "BEGIN IMMEDIATE"));
        q = via_sql_stmt(&w->db, "INSERT INTO grants(instance, binding) VALUES(?1, ?2)"
                                 " ON CONFLICT DO NOTHING");
        via_sql_bind_text(&w->db, q, 1, claims->instance);
        via_sql_bind_text(&w->db, q, 2, binding);
        via_sql_run(&w->db, q);
        if (via_sql_ok(&w->db) && via_sql_changes(&w->db) > 0)
            via_audit_put(&w->db, &(struct via_record){.actor = actor,
                                                       .action = "binding.grant",
                                                       .outcome = "ok",
                                                       .app = claims->app,
                                                       .deploy = claims->deploy,
                                                       .instance = claims->instance,
                                                       .binding = binding});
        via_sql_run(&w->db, via_sql_stmt(&w->db, "COMMIT"));
        if (via_sql_take(&w->db, &e) == VIA_OK)
            *seen = digest;
        else
            witness_abandon(w);
    }
    (void)pthread_mutex_unlock(&w->mutex);
    return e.status;
}

enum via_status
via_witness_operator_open(struct via_witness *w, const char *actor, const char *app,
                          const char *addon)
{
    struct via_error e = {0};

    (void)pthread_mutex_lock(&w->mutex);
    via_ignore(witness_write(
        w,
        &(struct via_record){
            .actor = actor, .action = "addon.open", .outcome = "ok", .app = app, .reason = addon},
        &e));
    (void)pthread_mutex_unlock(&w->mutex);
    return e.status;
}

void
via_witness_free(struct via_witness *w)
{
    if (!w)
        return;
    for (int i = 0; w->db.db && i < KINDS; i++)
        if (w->kinds[i].code != VIA_OK)
            kind_flush(w, &w->kinds[i]);
    via_sql_close(&w->db);
    (void)pthread_mutex_destroy(&w->mutex);
    free(w);
}
