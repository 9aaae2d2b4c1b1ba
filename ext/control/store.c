#include "control/store.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/id.h"
#include "control/overlay.h"
#include "control/schema.h"

#include <assert.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void
via_store_actor(char out[VIA_ACTOR_SIZE])
{
    struct passwd entry;
    struct passwd *found = NULL;
    char buffer[1024];

    if (getpwuid_r(geteuid(), &entry, buffer, sizeof buffer, &found) == 0 && found)
        (void)snprintf(out, VIA_ACTOR_SIZE, "user:%s", found->pw_name);
    else
        (void)snprintf(out, VIA_ACTOR_SIZE, "user:%u", (unsigned)geteuid());
}

int64_t
via_store_rid(void)
{
    uint32_t random;

    via_random_fill(&random, sizeof random);
    return via_clock_now_ms() << 21 | (random & 0x1fffff);
}

/* See runtime.db as the control rows suppose it. While it cannot be written it is as it was before
 * the last change of both: what is asked of the control plane alone goes on. */
static void
store_pay(struct via_store *s)
{
    struct via_error ignored = {0};

    via_ignore(via_overlay_pay(s, &ignored));
}

enum via_status
via_store_new(struct via_store **out, struct via_error *e)
{
    struct via_store *s = calloc(1, sizeof *s);

    *out = NULL;
    if (!s)
        return via_error_set(e, VIA_OUT_OF_MEMORY, "out of memory");
    s->lock.fd = -1;
    s->epoch.lock.fd = -1;
    via_store_actor(s->actor);
    if (via_root_open(&s->root, e) != VIA_OK || via_schema_ensure(&s->root, e) != VIA_OK ||
        via_epoch_open(&s->epoch, &s->root, e) != VIA_OK ||
        via_lock_open(&s->lock, &s->root, e) != VIA_OK ||
        via_keyring_new(&s->root, &s->keys, e) != VIA_OK)
        goto failed;
    via_schema_open_runtime(&s->runtime, &s->root);
    if (via_sql_take(&s->runtime, e) != VIA_OK)
        goto failed;
    via_schema_open(&s->read, &s->root, true, false);
    if (via_sql_take(&s->read, e) != VIA_OK)
        goto failed;
    via_schema_open(&s->write, &s->root, true, true);
    if (via_sql_take(&s->write, e) != VIA_OK)
        goto failed;
    /* Nobody is kept waiting for it: whoever begins a change, or recovers, is. */
    (void)sqlite3_busy_timeout(s->runtime.db, 0);
    store_pay(s);
    (void)sqlite3_busy_timeout(s->runtime.db, VIA_RUNTIME_TIMEOUT_MS);
    *out = s;
    return VIA_OK;
failed:
    via_store_free(s);
    return e->status;
}

void
via_store_free(struct via_store *s)
{
    if (!s)
        return;
    via_store_rollback(s);
    via_store_forget_intents(s);
    via_sql_close(&s->read);
    via_sql_close(&s->write);
    via_sql_close(&s->runtime);
    via_keyring_free(s->keys);
    via_epoch_close(&s->epoch);
    via_lock_close(&s->lock);
    free(s);
}

bool
via_store_in_transaction(const struct via_store *s)
{
    return s->write.db && !sqlite3_get_autocommit(s->write.db);
}

struct via_sql *
via_store_db(struct via_store *s)
{
    return via_store_in_transaction(s) ? &s->write : &s->read;
}

/* Say who is in the way instead of SQLite's "database is locked". */
static enum via_status
store_busy(struct via_store *s, struct via_error *e)
{
    int64_t pid = atomic_load(&s->epoch.page->holder_pid);

    if (pid > 0)
        return via_error_set(e, VIA_CONTROL_BUSY,
                             "process %lld holds a change of the control plane open;"
                             " end its transaction, then try again",
                             (long long)pid);
    return via_error_set(e, VIA_CONTROL_BUSY,
                         "another process is changing the control plane; try again");
}

/* BEGIN IMMEDIATE begins to read runtime.db as well. */
static void
store_exec_begin(struct via_store *s, bool immediate)
{
    if (immediate)
        via_sql_exec(&s->write, "BEGIN IMMEDIATE");
    else
        via_sql_exec(&s->write, "BEGIN");
}

enum via_status
via_store_begin(struct via_store *s, bool immediate, struct via_error *e)
{
    struct via_error failed = {0};

    assert(!via_store_in_transaction(s));
    via_clock_format(via_clock_now_ms(), s->now);
    s->takes_right = false;
    s->immediate = immediate;
    via_store_forget_intents(s);
    store_exec_begin(s, immediate);
    if (immediate && via_overlay_is_owed(
                         &s->write)) { /* somebody is between two commits, died, or was refused */
        via_sql_exec(&s->write, "ROLLBACK");
        store_pay(s);
        store_exec_begin(s, immediate);
    }
    if (via_sql_take(&s->write, &failed) == VIA_CONTROL_BUSY)
        return store_busy(s, e);
    if (failed.status != VIA_OK)
        return via_error_set(e, failed.status, "%s", failed.message);
    if (immediate)
        atomic_store(&s->epoch.page->holder_pid, (int64_t)getpid());
    return VIA_OK;
}

static void
store_ended(struct via_store *s)
{
    int64_t own = (int64_t)getpid();

    if (s->immediate)
        (void)atomic_compare_exchange_strong(&s->epoch.page->holder_pid, &own, 0);
    s->immediate = false;
}

static enum via_status
store_savepoint_exec(struct via_store *s, const char *verb, int n, struct via_error *e)
{
    char text[64];

    if (!via_store_in_transaction(s))
        return VIA_OK;
    (void)snprintf(text, sizeof text, "%s s%d", verb, n);
    via_sql_exec(&s->write, text);
    return via_sql_take(&s->write, e);
}

enum via_status
via_store_savepoint(struct via_store *s, int n, struct via_error *e)
{
    return store_savepoint_exec(s, "SAVEPOINT", n, e);
}

enum via_status
via_store_release(struct via_store *s, int n, struct via_error *e)
{
    return store_savepoint_exec(s, "RELEASE", n, e);
}

enum via_status
via_store_rollback_to(struct via_store *s, int n, struct via_error *e)
{
    return store_savepoint_exec(s, "ROLLBACK TO", n, e);
}

void
via_store_intend(struct via_store *s, enum via_intent_kind kind, int64_t operation,
                 const char *subject, const char *argument, int64_t number)
{
    sqlite3_stmt *q =
        via_sql_stmt(&s->write, "INSERT INTO temp.o_intents(kind, operation, subject, argument,"
                                " number) VALUES(?1, ?2, ?3, ?4, ?5)");

    via_sql_bind_int(&s->write, q, 1, (int64_t)kind);
    via_sql_bind_int(&s->write, q, 2, operation);
    via_sql_bind_text(&s->write, q, 3, subject);
    via_sql_bind_text(&s->write, q, 4, argument);
    via_sql_bind_int(&s->write, q, 5, number);
    via_sql_run(&s->write, q);
}

void
via_store_forget_intents(struct via_store *s)
{
    for (size_t i = 0; i < s->intent_count; i++)
        free(s->intents[i].argument);
    free(s->intents);
    s->intents = NULL;
    s->intent_count = 0;
}

/* What must be there before the rows of the intent are. Errors stay in the handle. */
static void
store_prepare_intent(struct via_store *s, const struct via_intent *intent)
{
    struct via_sql *db = &s->write;
    char kid[VIA_ID_SIZE];

    /* A token's row without a key would speak of one that was lost. */
    if (intent->kind == VIA_INTENT_MINT && via_sql_ok(db))
        via_ignore(via_keyring_current(
            s->keys, intent->number > 0 ? VIA_KEY_GENERATION : VIA_KEY_WORKLOAD, kid, &db->error));
    if (intent->operation > 0 && !via_lock_try(&s->lock, VIA_LOCK_OPERATION + intent->operation))
        via_sql_fail(db, VIA_CONTROL_BUSY, "another process is carrying out this operation");
}

/* Read the intents of the transaction into memory, taking the byte of each operation: from the
 * moment its row is visible, everybody can see that it has a living owner. */
static void
store_collect_intents(struct via_store *s)
{
    struct via_sql *db = &s->write;
    size_t count = (size_t)via_sql_int(db, "SELECT count(*) FROM temp.o_intents", 0);
    const char *argument;
    struct via_intent *intent;
    sqlite3_stmt *q;

    if (count == 0)
        return;
    s->intents = calloc(count, sizeof *s->intents);
    if (!s->intents) {
        via_sql_fail(db, VIA_OUT_OF_MEMORY, "out of memory");
        return;
    }
    q = via_sql_stmt(db, "SELECT kind, operation, subject, argument, number FROM temp.o_intents"
                         " ORDER BY seq");
    while (s->intent_count < count && via_sql_row(db, q)) {
        intent = &s->intents[s->intent_count++];
        intent->kind = (enum via_intent_kind)sqlite3_column_int(q, 0);
        intent->operation = sqlite3_column_int64(q, 1);
        via_sql_text(q, 2, intent->subject, sizeof intent->subject);
        argument = (const char *)sqlite3_column_text(q, 3);
        intent->argument = argument ? strdup(argument) : NULL;
        intent->number = sqlite3_column_int64(q, 4);
        if (argument && !intent->argument)
            via_sql_fail(db, VIA_OUT_OF_MEMORY, "out of memory");
        store_prepare_intent(s, intent);
    }
    via_sql_end(db, q);
}

enum via_status
via_store_commit(struct via_store *s, struct via_error *e)
{
    struct via_error failed = {0};
    bool overlay;
    bool raise;
    bool committed = false;

    if (!via_store_in_transaction(s))
        return VIA_OK;
    store_collect_intents(s);
    overlay = via_overlay_apply(s);
    via_overlay_clear(s);
    via_sql_exec(&s->write, "DELETE FROM temp.o_intents");
    if (!via_sql_ok(&s->runtime) || !via_sql_ok(&s->write))
        goto failed;

    /* Every change an operator commits may take a right away; of runtime rows only a stop. */
    raise = s->immediate || s->takes_right;
    if (raise && !via_epoch_begin(&s->epoch)) {
        via_sql_fail(&s->write, VIA_STATE_UNAVAILABLE, "run/epoch cannot be locked");
        goto failed;
    }
    via_sql_exec(&s->write, "COMMIT");
    committed = via_sql_ok(&s->write);
    if (overlay && committed)
        via_sql_exec(&s->runtime, "COMMIT");
    if (raise)
        via_epoch_end(&s->epoch);
    if (committed && via_sql_ok(&s->runtime)) {
        store_ended(s);
        return VIA_OK;
    }
failed:
    via_ignore(via_sql_take(&s->write, &failed));
    via_ignore(via_sql_take(&s->runtime, &failed));
    if (committed && s->immediate) {
        store_ended(s);
        via_sql_exec(&s->runtime, "ROLLBACK");
        via_ignore(via_sql_take(&s->runtime, NULL));
        return via_error_set(e, failed.status,
                             "the change is committed, and its instances and tokens follow when"
                             " runtime.db can be written");
    }
    via_store_rollback(s);
    return via_error_set(e, failed.status, "%s", failed.message);
}

void
via_store_rollback(struct via_store *s)
{
    struct via_error ignored = {0};

    if (s->runtime.db && !sqlite3_get_autocommit(s->runtime.db))
        via_sql_exec(&s->runtime, "ROLLBACK");
    if (via_store_in_transaction(s)) {
        via_ignore(via_sql_take(&s->write, &ignored));
        via_sql_exec(&s->write, "ROLLBACK");
    }
    store_ended(s);
    via_ignore(via_sql_take(&s->write, &ignored));
    via_ignore(via_sql_take(&s->runtime, &ignored));
    for (size_t i = 0; i < s->intent_count; i++)
        if (s->intents[i].operation > 0)
            via_lock_drop(&s->lock, VIA_LOCK_OPERATION + s->intents[i].operation);
    via_store_forget_intents(s);
}
