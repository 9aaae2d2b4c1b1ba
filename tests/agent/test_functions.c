/* The focus of this file is the functions that Via puts in the place of SQLite's: the same
 * answers, in linear time, and which statements are marked as long or short. */
#include "check.h"
#include "proxy/functions.h"
#include "proxy/policy.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static sqlite3 *plain, *mended;

/* The one value of `sql`, quoted, or the error. */
static void
answer(sqlite3 *db, const char *sql, char out[512])
{
    sqlite3_stmt *q = NULL;

    out[0] = '\0';
    if (sqlite3_prepare_v2(db, sql, -1, &q, NULL) == SQLITE_OK && sqlite3_step(q) == SQLITE_ROW)
        snprintf(out, 512, "%s", (const char *)sqlite3_column_text(q, 0));
    else
        snprintf(out, 512, "%s", sqlite3_errmsg(db));
    sqlite3_finalize(q);
}

static void
check_same(void)
{
    static const char *const values[] = {
        "NULL",      "''",    "'a'",       "'aaa'", "'abcabcab'", "'é'",  "'aéa€b𝄞é'",
        "x''",       "x'61'", "x'c3a961'", "12",    "1212.5",     "'12'", "'ca'",
        "'  a b  '", "' '",   "'abcé'",    "'ab'",  "x'616261'",  "'a€'", "zeroblob(3)",
        "x'00'",     "'%_'",  "'€'",       "'aab'", "'baabaab'"};
    static const char *const calls[] = {
        "instr(a,b)",        "trim(a,b)",        "ltrim(a,b)",          "rtrim(a,b)",
        "trim(a)||ltrim(b)", "replace(a,b,'x')", "replace('aéab',a,b)", "replace('aabaa',b,'')"};
    char sql[160], a[512], b[512];
    int n = (int)(sizeof values / sizeof values[0]), wrong = 0;

    for (size_t c = 0; c < sizeof calls / sizeof calls[0]; c++)
        for (int i = 0; i < n * n; i++) {
            snprintf(sql, sizeof sql, "SELECT quote(%s) FROM (SELECT %s AS a, %s AS b)", calls[c],
                     values[i / n], values[i % n]);
            answer(plain, sql, a);
            answer(mended, sql, b);
            if (strcmp(a, b) != 0) {
                wrong++;
                printf("%s: %s, not %s\n", sql, b, a);
            }
        }
    CHECK(wrong == 0, "instr, replace and the trims answer as SQLite's: %d differ", wrong);
}

static void
check_patch(void)
{
    static const char *const sql[] = {
        "SELECT json_patch('{\"a\":1,\"b\":2}','{\"a\":9,\"b\":null,\"c\":[1]}')",
        "SELECT json_patch('{','{}')", "SELECT json_patch(NULL,'{}')",
        "SELECT json_array(json_patch('{}','{\"a\":1}'))"};
    char a[512], b[512];

    for (size_t i = 0; i < sizeof sql / sizeof sql[0]; i++) {
        answer(plain, sql[i], a);
        answer(mended, sql[i], b);
        CHECK(strcmp(a, b) == 0, "json_patch answers as SQLite's (%zu): %s, %s", i, a, b);
    }
}

static double
seconds(const char *sql, char out[512])
{
    struct timespec a, b;

    clock_gettime(CLOCK_MONOTONIC, &a);
    answer(mended, sql, out);
    clock_gettime(CLOCK_MONOTONIC, &b);
    return (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9;
}

/* Each of these takes SQLite's own functions minutes to days. */
static void
check_linear(void)
{
    static const char *const sql[] = {
        "SELECT instr(zeroblob(6000000), zeroblob(3000000)||x'01')",
        "SELECT length(replace(hex(zeroblob(3000000)), hex(zeroblob(1500000))||'1', 'x'))",
        "SELECT length(trim(hex(zeroblob(6000000)), '123456789abcdefghijklmnopqrstuvwxyz'))",
        "SELECT "
        "length(json_patch('{'||substr(replace(hex(zeroblob(500000)),'0','\"a\":1,'),2)||'}',"
        "'{'||substr(replace(hex(zeroblob(500000)),'0','\"b\":1,'),2)||'}'))"};
    char out[512];

    for (size_t i = 0; i < sizeof sql / sizeof sql[0]; i++) {
        double s = seconds(sql[i], out);

        CHECK(s < 5, "one call of a long value ends (case %zu): %.3f s, %.40s", i, s, out);
    }
    answer(mended, "SELECT trim('a', hex(zeroblob(200)))", out);
    CHECK(strcmp(out, "string or blob too big") == 0, "trim takes 256 characters: %s", out);
    answer(mended, "SELECT trim('a', hex(zeroblob(128)))", out);
    CHECK(strcmp(out, "a") == 0, "and no more");
}

static void
check_marks(void)
{
    static const struct {
        const char *sql;
        bool heavy, counts;
    } cases[] = {{"SELECT 1", false, false},
                 {"SELECT Lower('A')||date('now')||json_extract('{}','$')", false, false},
                 {"SELECT zeroblob(9)", true, false},
                 {"SELECT json_patch('{}','{}')", true, false},
                 {"SELECT soundex('a')", true, false},
                 {"SELECT count(*) FROM sqlite_schema", false, true},
                 {"PRAGMA integrity_check", true, false},
                 {"PRAGMA quick_check", true, false},
                 {"PRAGMA table_info(t)", false, false}};
    struct via_policy policy = {0};
    struct via_error e = {0};
    sqlite3 *db;
    sqlite3_stmt *q;

    sqlite3_open(":memory:", &db);
    via_policy_attach(&policy, db);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        via_policy_begin(&policy);
        sqlite3_prepare_v2(db, cases[i].sql, -1, &q, NULL);
        CHECK(q && via_policy_end(&policy, q, &e) == VIA_OK && policy.heavy == cases[i].heavy &&
                  policy.counts == cases[i].counts,
              "%s is%s heavy", cases[i].sql, cases[i].heavy ? "" : " not");
        sqlite3_finalize(q);
    }
    sqlite3_close(db);
}

int
main(void)
{
    sqlite3_open(":memory:", &plain);
    sqlite3_open(":memory:", &mended);
    CHECK(via_functions_attach(mended) == SQLITE_OK, "they are put in place");
    check_same();
    check_patch();
    check_linear();
    check_marks();
    CHECK(sqlite3_close(plain) == SQLITE_OK && sqlite3_close(mended) == SQLITE_OK, "and go");
    return check_end();
}
