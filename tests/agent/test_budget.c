/* The focus of this file is the memory of one add-on: what it may take, and that others are not
 * touched by its having taken it. */
#include "check.h"
#include "proxy/budget.h"

#include <sqlite3.h>

static int
sort(sqlite3 *db, int rows)
{
    sqlite3_stmt *q = NULL;
    int rc = sqlite3_prepare_v2(db,
                                "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM n "
                                "LIMIT ?1) SELECT randomblob(1000) AS b FROM n ORDER BY b",
                                -1, &q, NULL);

    sqlite3_bind_int(q, 1, rows);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(q);
    sqlite3_finalize(q);
    return rc;
}

int
main(void)
{
    _Atomic int64_t first = 0, second = 0;
    struct via_budget a = {.shared = &first, .limit_bytes = 1 << 20}, b = a;
    struct via_budget c = {.shared = &second, .limit_bytes = 8 << 20};
    sqlite3 *db;

    via_budget_install();
    sqlite3_open(":memory:", &db);
    sqlite3_exec(db, "PRAGMA temp_store=MEMORY", NULL, NULL, NULL);
    CHECK(sort(db, 3000) == SQLITE_ROW, "without a budget SQLite takes what it needs");
    via_budget_enter(&a);
    CHECK(sort(db, 100) == SQLITE_ROW, "a small sort is within its budget");
    CHECK(sort(db, 3000) == SQLITE_NOMEM, "a large one is not");
    CHECK(first < 1 << 20, "and gave back what it had taken: %lld", (long long)first);
    via_budget_leave();
    first += 1 << 20; /* another operation of the same add-on holds all there is */
    via_budget_enter(&b);
    CHECK(sort(db, 100) == SQLITE_NOMEM, "the operations of an add-on share theirs");
    via_budget_leave();
    first -= 1 << 20;
    via_budget_enter(&c);
    CHECK(sort(db, 3000) == SQLITE_ROW, "another add-on has its own");
    via_budget_leave();
    CHECK(sqlite3_close(db) == SQLITE_OK, "it closes outside of any");
    via_budget_end(&a);
    via_budget_end(&b);
    via_budget_end(&c);
    CHECK(first == 0 && second == 0, "and in the end nothing is counted: %lld %lld",
          (long long)first, (long long)second);
    return check_end();
}
