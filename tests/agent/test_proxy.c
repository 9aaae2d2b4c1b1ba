/* The focus of this file is the small parts of the proxy: remembered passes, remembered
 * statements, the names of result codes, and where a statement begins. */
#include "check.h"
#include "proxy/sqlerror.h"
#include "proxy/statements.h"
#include "proxy/tokens.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct via_epoch_page page;
static const struct via_epoch epoch = {.page = &page};
static const struct via_epoch other_epoch = {.page = &page};

static struct via_grant
grant_at(uint64_t number, int64_t expires_ms)
{
    return (struct via_grant){.epoch = number, .expires_ms = expires_ms};
}

static void
check_tokens(void)
{
    struct via_tokens *t = via_tokens_new();
    struct via_grant good = grant_at(7, 1000), once = grant_at(0, 1000);
    struct via_token_key a, b, c, d;
    struct via_pass *p;

    atomic_store(&page.begun, 7);
    via_tokens_key("token", 5, "DATABASE", 0, &a);
    via_tokens_key("token", 5, "DATABASE", 1, &b);
    via_tokens_key("token", 5, "OTHER", 0, &c);
    via_tokens_key("tokeN", 5, "DATABASE", 0, &d);
    CHECK(memcmp(&a, &b, sizeof a) && memcmp(&a, &c, sizeof a) && memcmp(&a, &d, sizeof a),
          "token, binding and generation make the key");
    CHECK(!via_tokens_find(t, &a, &epoch, 1), "nothing is found before it is put");
    via_pass_drop(via_tokens_put(t, &a, &epoch, &good));
    p = via_tokens_find(t, &a, &epoch, 1);
    CHECK(p && p->grant.epoch == 7, "then it is");
    via_pass_drop(p);
    CHECK(!via_tokens_find(t, &a, &epoch, 1000), "not once it has expired");
    CHECK(!via_tokens_find(t, &a, &other_epoch, 1), "nor under another page");
    atomic_store(&page.begun, 8);
    CHECK(!via_tokens_find(t, &a, &epoch, 1), "nor when the epoch moved");
    via_pass_drop(via_tokens_put(t, &b, &epoch, &once));
    CHECK(!via_tokens_find(t, &b, &epoch, 1), "a grant for once is not remembered");
    via_tokens_tick(t, 2000);
    via_tokens_free(t);
}

/* What is remembered of a connection gives the keys that are made anew, whatever came before. */
static void
check_memo(void)
{
    static const char *const bindings[] = {"", "DATABASE", "DATABASF"};
    static const size_t lengths[] = {0, 7, 8, 900, 901, 1500, 1536, 4096, 5000};
    static struct via_token_memo memo;
    static char token[5000];
    int wrong = 0;

    memset(token, 'a', sizeof token);
    for (int i = 0; i < 20000; i++) {
        size_t n = lengths[i / 2 % 9 * (size_t)(i / 7) % 9];
        const char *binding = bindings[i / 5 % 3];
        struct via_token_key anew, again;

        if (i % 3 == 0 && n > 0)
            token[(size_t)i * 31 % n] ^= 1;
        via_tokens_key(token, n, binding, i / 11 % 2, &anew);
        via_tokens_key_again(&memo, token, n, binding, i / 11 % 2, &again);
        wrong += memcmp(&anew, &again, sizeof anew) != 0;
    }
    CHECK(wrong == 0, "a key that is remembered is the key of this token, binding and generation");
}

#define STACK_BYTES (1 << 20)

static char lone[1000];

static void *
key_make(void *arg)
{
    struct via_token_key key;

    via_tokens_key(lone, sizeof lone, "DATABASE", 0, &key);
    via_tokens_key_again(arg, lone, sizeof lone, "DATABASE", 0, &key);
    return NULL;
}

/* Of the token that a key was made of, on a stack of its own. */
static void
check_wiped(void)
{
    static struct via_token_memo memo;
    char *stack = aligned_alloc(4096, STACK_BYTES);
    pthread_attr_t attr;
    pthread_t thread;
    bool ran;

    memset(stack, 0, STACK_BYTES);
    for (size_t i = 0; i < sizeof lone; i++)
        lone[i] = (char)('0' + i * 7 % 61);
    pthread_attr_init(&attr);
    pthread_attr_setstack(&attr, stack, STACK_BYTES);
    ran = pthread_create(&thread, &attr, key_make, &memo) == 0 && pthread_join(thread, NULL) == 0;
    pthread_attr_destroy(&attr);
    CHECK(ran && !memmem(stack, STACK_BYTES, lone + 500, 40), "no token is left on the stack");
    free(stack);
}

static void
check_bounded(void)
{
    struct via_tokens *t = via_tokens_new();
    struct via_grant good = grant_at(8, 1000);
    struct via_token_key key;
    int found = 0;

    for (int i = 0; i < 20000; i++) {
        via_tokens_key((const char *)&i, sizeof i, "DATABASE", 0, &key);
        via_pass_drop(via_tokens_put(t, &key, &epoch, &good));
    }
    for (int i = 0; i < 20000; i++) {
        struct via_pass *p;

        via_tokens_key((const char *)&i, sizeof i, "DATABASE", 0, &key);
        p = via_tokens_find(t, &key, &epoch, 1);
        found += p != NULL;
        via_pass_drop(p);
    }
    CHECK(found > 1000 && found <= 4096, "a flood of tokens is forgotten: %d of 20000 kept", found);
    via_tokens_free(t);
}

static void
check_skip(void)
{
    static const struct {
        const char *sql;
        size_t skip;
    } cases[] = {
        {"", 0},         {"SELECT", 0},        {"  \n;; x", 6}, {"-- a\nx", 5},        {"-- a", 4},
        {"/* a */x", 7}, {"/* a", 4},          {"/**/x", 4},    {"/*/ */x", 6},        {"-x", 0},
        {"/x", 0},       {"\xef\xbb\xbfx", 3}, {"/*", 2},       {"-- a\n/*b*/;x", 11},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        CHECK(via_sql_skip(cases[i].sql, strlen(cases[i].sql)) == cases[i].skip,
              "a statement begins after %zu bytes (case %zu)", cases[i].skip, i);
}

static void
check_statements(void)
{
    struct via_policy policy = {.writer = true};
    struct via_statements cache = {0};
    struct via_statement *first, *again;
    struct via_error e = {0};
    const char *name;
    sqlite3 *db;
    char sql[64];
    int rc;

    sqlite3_open(":memory:", &db);
    via_policy_attach(&policy, db);
    first = via_statements_get(&cache, db, &policy, "SELECT 1", 8, &rc, &e, &name);
    again = via_statements_get(&cache, db, &policy, "SELECT 1", 8, &rc, &e, &name);
    CHECK(first && first == again, "a statement is prepared once");
    for (int i = 0; i < 3 * VIA_STATEMENTS; i++) {
        int n = snprintf(sql, sizeof sql, "SELECT %d", i + 2);

        CHECK(via_statements_get(&cache, db, &policy, sql, (size_t)n, &rc, &e, &name) != NULL,
              "statement %d of many is prepared", i);
    }
    again = via_statements_get(&cache, db, &policy, "SELECT 1", 8, &rc, &e, &name);
    CHECK(again && strcmp(sqlite3_sql(again->stmt), "SELECT 1") == 0, "also once it was forgotten");
    CHECK(!via_statements_get(&cache, db, &policy, "ATTACH 'x' AS y", 15, &rc, &e, &name) &&
              e.status == VIA_STATEMENT_FORBIDDEN,
          "what the policy refuses is not");
    via_statements_clear(&cache);
    CHECK(sqlite3_close(db) == SQLITE_OK, "and none is left behind");
}

static void
check_names(void)
{
    CHECK(strcmp(via_sqlite_name(2067), "SQLITE_CONSTRAINT_UNIQUE") == 0, "an extended name");
    CHECK(strcmp(via_sqlite_name(1), "SQLITE_ERROR") == 0, "a primary one");
    CHECK(strcmp(via_sqlite_name(19 | (99 << 8)), "SQLITE_CONSTRAINT") == 0,
          "an unknown extension");
    CHECK(strcmp(via_sqlite_name(250), "SQLITE_ERROR") == 0, "an unknown code");
}

int
main(void)
{
    check_tokens();
    check_memo();
    check_wiped();
    check_bounded();
    check_skip();
    check_statements();
    check_names();
    return check_end();
}
