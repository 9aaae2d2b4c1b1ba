/* The focus of this file is a flood of refusals: every one is counted, the database hardly grows,
 * and who makes up bindings or brings thousands of identities gains nothing by it; nor does who
 * holds the database make all others wait. */
#include "base/clock.h"
#include "check.h"
#include "control/chain.h"
#include "control/witness.h"
#include "scratch.h"
#include "sql/sql.h"

#include <sys/stat.h>

#define FLOOD 1000000

static struct via_root root;
static struct via_witness *witness;

static void
claims_make(struct via_claims *c, int app, int instance)
{
    *c = (struct via_claims){0};
    snprintf(c->app, sizeof c->app, "app%d", app);
    snprintf(c->instance, sizeof c->instance, "inst_01M7YZQ1ET9RYE7B42%08d", instance);
    snprintf(c->deploy, sizeof c->deploy, "dep_01M7YZQ1ET9RYE7B42KC9A67J4");
}

static void
refuse(const struct via_claims *c, const char *binding, enum via_status code)
{
    if (via_witness_refusal(witness, c, binding, code, "agent") != VIA_OK)
        CHECK(false, "a refusal is written");
}

static int64_t
ask(const char *text)
{
    struct via_sql db = {0};
    char path[VIA_PATH_SIZE];
    int64_t n;

    via_root_join(&root, "runtime.db", path);
    via_sql_open(&db, path, SQLITE_OPEN_READWRITE);
    n = via_sql_int(&db, text, -1);
    via_sql_close(&db);
    return n;
}

static int64_t
size_of(const char *name)
{
    char path[VIA_PATH_SIZE];
    struct stat st;

    via_root_join(&root, name, path);
    return stat(path, &st) == 0 ? st.st_size : 0;
}

static void
open_witness(void)
{
    struct via_error e = {0};

    CHECK(via_witness_new(&root, &witness, &e) == VIA_OK, "a witness opens: %s", e.message);
}

static void
test_first(void)
{
    struct via_claims c;

    claims_make(&c, 1, 1);
    refuse(&c, "DATABASE", VIA_GENERATION_REVOKED);
    CHECK(ask("SELECT count(*) FROM audit WHERE binding = 'DATABASE' AND count = 1") == 1,
          "the first of its kind is on disk at once");
    for (int i = 0; i < 100; i++)
        refuse(&c, "DATABASE", VIA_GENERATION_REVOKED);
    refuse(&c, "OTHER", VIA_GENERATION_REVOKED);
    refuse(&c, "DATABASE", VIA_ADDON_BLOCKED);
    refuse(NULL, "DATABASE", VIA_TOKEN_INVALID);
    refuse(NULL, "ELSE", VIA_TOKEN_INVALID);
    CHECK(ask("SELECT count(*) FROM audit") == 4,
          "another binding, code or identity is another kind; what is unproved is one kind");
    sleep(1);
    via_witness_tick(witness);
    CHECK(ask("SELECT count FROM audit WHERE binding = 'DATABASE' AND count > 1") == 100,
          "the rest of its second is one record with a count");
    CHECK(ask("SELECT sum(count) FROM audit") == 105, "each is counted once");
}

#define WAITERS 40

/* Somebody holds runtime.db, from a shell perhaps: one waits for it, not everybody after the other,
 * and what could not be written is, once it is let go. */
static void
test_held(void)
{
    int64_t begun_ms = via_clock_mono_ms(), took_ms;
    struct via_sql holder = {0};
    char path[VIA_PATH_SIZE];
    struct via_claims c;
    int busy = 0;

    via_root_join(&root, "runtime.db", path);
    via_sql_open(&holder, path, SQLITE_OPEN_READWRITE);
    via_sql_exec(&holder, "BEGIN IMMEDIATE");
    for (int i = 0; i < WAITERS; i++) {
        claims_make(&c, 2, i);
        busy += via_witness_grant(witness, &c, "DATABASE") == VIA_CONTROL_BUSY;
    }
    took_ms = via_clock_mono_ms() - begun_ms;
    CHECK(busy == WAITERS, "no grant is taken for recorded that is not");
    CHECK(took_ms < WAITERS * 500 / 2, "they do not wait in turn: %lld ms", (long long)took_ms);
    via_sql_close(&holder);
    sleep(1);
    for (int i = 0; i < 2; i++)
        CHECK(via_witness_grant(witness, &c, "DATABASE") == VIA_OK, "then it is written");
    CHECK(ask("SELECT count(*) FROM audit WHERE action = 'binding.grant'") == 1, "once");
}

/* What an attacker with one good token, many old ones and much imagination can bring. */
static void
test_flood(void)
{
    static const enum via_status codes[] = {VIA_BINDING_NOT_IN_RELEASE, VIA_WORKLOAD_UNBOUND,
                                            VIA_RUNTIME_IDENTITY_EXPIRED, VIA_TOKEN_INVALID};
    int64_t before = ask("SELECT sum(count) FROM audit");
    int64_t bytes = ask("SELECT page_count * 4096 FROM pragma_page_count");
    struct via_claims c;
    char binding[32];

    for (int i = 0; i < FLOOD; i++) {
        claims_make(&c, i % 50, i % 5000);
        snprintf(binding, sizeof binding, "B%d", i);
        refuse(i % 4 == 3 ? NULL : &c, binding, codes[i % 4]);
        if (i % 50000 == 0)
            via_witness_tick(witness);
    }
    via_witness_free(witness);
    CHECK(ask("SELECT sum(count) FROM audit") - before == FLOOD, "of a million each is counted");
    bytes = ask("SELECT page_count * 4096 FROM pragma_page_count") - bytes;
    printf("note: a million refusals of as many kinds: %lld records, %lld KiB more, log %lld KiB\n",
           (long long)ask("SELECT count(*) FROM audit"), (long long)bytes >> 10,
           (long long)size_of("runtime.db-wal") >> 10);
    CHECK(bytes < 1 << 20, "the database grows by less than a megabyte");
    CHECK(size_of("runtime.db-wal") < 1 << 20, "its log is shorter than a megabyte");
}

/* A new process has its budget; what it may not write by name is counted by code. */
static void
test_after(void)
{
    struct via_keyring *keys;
    struct via_error e = {0};
    struct via_claims c;
    struct via_verdict v;

    CHECK(ask("SELECT count(*) FROM audit WHERE actor = 'several' AND instance IS NULL") > 0,
          "those beyond the budget are told as of several");
    open_witness();
    claims_make(&c, 7, 7);
    refuse(&c, "DATABASE", VIA_ADDON_BLOCKED);
    CHECK(ask("SELECT app = 'app7' FROM audit ORDER BY seq DESC LIMIT 1") == 1,
          "after it a refusal has its own record again");
    via_witness_free(witness);
    CHECK(via_keyring_new(&root, &keys, &e) == VIA_OK &&
              via_chain_verify(&root, keys, &v, &e) == VIA_OK && !v.broken[0],
          "and the audit is whole");
    via_keyring_free(keys);
}

int
main(void)
{
    scratch_root(&root);
    open_witness();
    test_first();
    test_held();
    test_flood();
    test_after();
    return check_end();
}
