#include "control/witness.h"

#include "base/clock.h"
#include "base/error.h"
#include "control/audit.h"
#include "control/reason.h"
#include "control/schema.h"
#include "identity/codec.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW_MS 1000
#define STEADY_WINDOWS 8 /* after so many in a row a kind's window is the long one */
#define STEADY_MS 10000
#define WAIT_MS 500
#define KINDS 256       /* kinds of refusal remembered at once */
#define OWN_KINDS 192   /* of which may name an instance */
#define OWN_RECORDS 256 /* records of such kinds in hand; each RECORD_EVERY_MS brings one more */
#define RECORD_EVERY_MS 1000
#define SEVERAL "several" /* the actor of those that have no records of their own */
#define GRANTS 16384      /* grants this process knows to be on record; a power of two */

/* A kind of refusal in its window: the first is written at once, `more` are still to be. */
struct kind {
    enum via_status code; /* VIA_OK: free */
    char app[VIA_NAME_SIZE];
    char deploy[VIA_ID_SIZE];
    char instance[VIA_ID_SIZE];
    char binding[VIA_NAME_SIZE];
    char actor[VIA_ACTOR_SIZE];
    int64_t since_ms; /* when the window began */
    int64_t last_ms;  /* the newest of it */
    int64_t more;
    int windows; /* one after the other, each with something in it */
};

struct via_witness {
    pthread_mutex_t mutex;
    struct via_sql db;
    int64_t blocked_until_ms; /* nothing is tried before: somebody holds runtime.db */
    struct kind kinds[KINDS];
    int own_count;           /* of them with an identity */
    int own_records;         /* of such that may be written now */
    int64_t counted_ms;      /* when own_records was last counted up */
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
    w->own_records = OWN_RECORDS;
    w->counted_ms = via_clock_mono_ms();
    if (via_sql_ok(&w->db)) /* an answer waits for this; what cannot be written now is owed */
        (void)sqlite3_busy_timeout(w->db.db, WAIT_MS);
    if (via_sql_take(&w->db, e) != VIA_OK) {
        via_witness_free(w);
        return e->status;
    }
    *out = w;
    return VIA_OK;
}

/* Begin a transaction. What goes wrong in it is told by witness_end(). */
static enum via_status
witness_begin(struct via_witness *w, struct via_error *e)
{
    if (via_clock_mono_ms() < w->blocked_until_ms)
        return via_error_set(e, VIA_CONTROL_BUSY, "runtime.db is held by another process");
    via_sql_run(&w->db, via_sql_stmt(&w->db, "BEGIN IMMEDIATE"));
    return VIA_OK;
}

static enum via_status
witness_end(struct via_witness *w, struct via_error *e)
{
    struct via_error failed = {0};

    via_sql_run(&w->db, via_sql_stmt(&w->db, "COMMIT"));
    via_ignore(via_sql_take(&w->db, &failed));
    if (failed.status == VIA_OK)
        return VIA_OK;
    if (failed.status == VIA_CONTROL_BUSY) /* everybody waiting in turn would be worse */
        w->blocked_until_ms = via_clock_mono_ms() + WINDOW_MS;
    if (!sqlite3_get_autocommit(w->db.db))
        via_sql_exec(&w->db, "ROLLBACK");
    via_ignore(via_sql_take(&w->db, NULL));
    return via_error_set(e, failed.status, "%s", failed.message);
}

/* Write one record of the runtime stream in a transaction of its own. */
static enum via_status
witness_write(struct via_witness *w, const struct via_record *record, struct via_error *e)
{
    if (witness_begin(w, e) != VIA_OK)
        return e->status;
    via_audit_put(&w->db, record);
    return witness_end(w, e);
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

static void
kind_drop(struct via_witness *w, struct kind *k)
{
    w->own_count -= k->instance[0] != '\0';
    k->code = VIA_OK;
}

/* Write what a kind still owes. False: it cannot be written now. */
static bool
kind_flush(struct via_witness *w, struct kind *k)
{
    struct via_error e = {0};

    if (k->more > 0 && kind_write(w, k, k->more, &e) != VIA_OK)
        return false;
    k->more = 0;
    return true;
}

static bool
kind_is(const struct kind *a, const struct kind *b)
{
    return a->code == b->code && strcmp(a->app, b->app) == 0 &&
           strcmp(a->instance, b->instance) == 0 && strcmp(a->binding, b->binding) == 0;
}

static struct kind *
kind_find(struct via_witness *w, const struct kind *wanted)
{
    for (int i = 0; i < KINDS; i++)
        if (kind_is(&w->kinds[i], wanted))
            return &w->kinds[i];
    return NULL;
}

static struct kind *
kind_free(struct via_witness *w)
{
    for (int i = 0; i < KINDS; i++)
        if (w->kinds[i].code == VIA_OK)
            return &w->kinds[i];
    return NULL;
}

/* Is the window of `k` over at `now_ms`? A kind that goes on and on has long ones, which end early
 * once it stops. */
static bool
kind_is_over(const struct kind *k, int64_t now_ms)
{
    int64_t age_ms = now_ms - k->since_ms;

    return age_ms >= STEADY_MS || (age_ms >= WINDOW_MS && (k->windows < STEADY_WINDOWS ||
                                                           now_ms - k->last_ms >= WINDOW_MS));
}

/* May one more record be written for a kind with an identity? Whoever makes up bindings, or brings
 * thousands of old identities, must not fill the disk. */
static bool
witness_affords(struct via_witness *w, int64_t now_ms)
{
    int64_t due = (now_ms - w->counted_ms) / RECORD_EVERY_MS;

    if (due > 0) {
        w->own_records += due < OWN_RECORDS ? (int)due : OWN_RECORDS;
        if (w->own_records > OWN_RECORDS)
            w->own_records = OWN_RECORDS;
        w->counted_ms += due * RECORD_EVERY_MS;
    }
    return w->own_records > 0;
}

static void
kind_fill(struct kind *k, const struct via_claims *claims, const char *binding,
          enum via_status code, const char *actor)
{
    memset(k, 0, sizeof *k);
    k->code = code;
    k->since_ms = k->last_ms = via_clock_mono_ms();
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

/* The first of its kind: on disk when this returns, or owed. NULL: there is no room for it. */
static struct kind *
kind_begin(struct via_witness *w, const struct kind *wanted, int64_t count, struct via_error *e)
{
    struct kind *k = kind_free(w);

    if (!k) {
        via_ignore(via_error_set(e, VIA_OVERLOADED, "refusals cannot be written"));
        return NULL;
    }
    *k = *wanted;
    if (k->instance[0]) {
        w->own_count++;
        w->own_records--;
    }
    if (kind_write(w, k, count, e) != VIA_OK)
        k->more = count; /* the tick tries again */
    return k;
}

/* Count what `k` owes among those of its code that have no records of their own. */
static bool
kind_fold(struct via_witness *w, struct kind *k)
{
    struct via_error e = {0};
    struct kind wanted;
    struct kind *into;

    kind_fill(&wanted, NULL, NULL, k->code, SEVERAL);
    into = kind_find(w, &wanted);
    if (into)
        into->more += k->more;
    else if (!kind_begin(w, &wanted, k->more, &e))
        return false;
    k->more = 0;
    return true;
}

/* The window of `k` is over: settle it, and let the next begin when it goes on. */
static void
kind_turn(struct via_witness *w, struct kind *k, int64_t now_ms, bool goes_on)
{
    if (k->instance[0] && k->more > 0 && !witness_affords(w, now_ms)) {
        if (kind_fold(w, k))
            kind_drop(w, k);
        return;
    }
    w->own_records -= k->instance[0] && k->more > 0;
    if (!kind_flush(w, k))
        return;
    k->windows++;
    k->since_ms = now_ms;
    if (!goes_on)
        kind_drop(w, k);
}

enum via_status
via_witness_refusal(struct via_witness *w, const struct via_claims *claims, const char *binding,
                    enum via_status code, const char *actor)
{
    struct via_error e = {0};
    struct kind wanted;
    struct kind *k;

    kind_fill(&wanted, claims, binding, code, actor);
    (void)pthread_mutex_lock(&w->mutex);
    k = kind_find(w, &wanted);
    if (!k && wanted.instance[0] &&
        (w->own_count >= OWN_KINDS || !witness_affords(w, wanted.last_ms))) {
        kind_fill(&wanted, NULL, NULL, code, SEVERAL);
        k = kind_find(w, &wanted);
    }
    if (!k) {
        (void)kind_begin(w, &wanted, 1, &e);
    } else {
        k->more++;
        k->last_ms = wanted.last_ms;
        if (kind_is_over(k, wanted.last_ms))
            kind_turn(w, k, wanted.last_ms, true);
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
        if (w->kinds[i].code != VIA_OK && kind_is_over(&w->kinds[i], now_ms))
            kind_turn(w, &w->kinds[i], now_ms, now_ms - w->kinds[i].last_ms < WINDOW_MS);
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

/* Remember the grant in runtime.db, and with a new one write its record. */
static enum via_status
grant_write(struct via_witness *w, const struct via_claims *claims, const char *binding,
            struct via_error *e)
{
    char actor[VIA_ACTOR_SIZE];
    sqlite3_stmt *q;

    if (witness_begin(w, e) != VIA_OK)
        return e->status;
    (void)snprintf(actor, sizeof actor, "instance:%s", claims->instance);
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
    return witness_end(w, e);
}

enum via_status
via_witness_grant(struct via_witness *w, const struct via_claims *claims, const char *binding)
{
    uint64_t digest = grant_digest(claims, binding);
    uint64_t *seen = &w->grants[(digest >> 8) & (GRANTS - 1)];
    struct via_error e = {0};

    (void)pthread_mutex_lock(&w->mutex);
    if (*seen != digest && grant_write(w, claims, binding, &e) == VIA_OK)
        *seen = digest;
    (void)pthread_mutex_unlock(&w->mutex);
    return e.status;
}

enum via_status
via_witness_interrupt(struct via_witness *w, const struct via_claims *claims, const char *binding,
                      enum via_status code)
{
    struct via_error e = {0};

    (void)pthread_mutex_lock(&w->mutex);
    via_ignore(witness_write(w,
                             &(struct via_record){.actor = "agent",
                                                  .action = "binding.interrupt",
                                                  .outcome = "ok",
                                                  .app = present(claims->app),
                                                  .deploy = present(claims->deploy),
                                                  .instance = present(claims->instance),
                                                  .binding = present(binding),
                                                  .reason = via_status_word(code)},
                             &e));
    (void)pthread_mutex_unlock(&w->mutex);
    return e.status;
}

enum via_status
via_witness_operator_open(struct via_witness *w, const char *actor, const char *app,
                          const char *addon)
{
    struct via_reason why = {0};
    struct via_error e = {0};

    via_reason_put(&why, "add-on", addon);
    (void)pthread_mutex_lock(&w->mutex);
    via_ignore(witness_write(w,
                             &(struct via_record){.actor = actor,
                                                  .action = "addon.open",
                                                  .outcome = "ok",
                                                  .app = app,
                                                  .reason = why.text},
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
            (void)kind_flush(w, &w->kinds[i]);
    via_sql_close(&w->db);
    (void)pthread_mutex_destroy(&w->mutex);
    free(w);
}
