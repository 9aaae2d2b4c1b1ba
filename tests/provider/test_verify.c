/* The focus of this file is damage of every kind that a look at the pages alone must find, in a
 * database whose rows are too many to be read on the way. */
#include "provider/sqlite/verify.h"

#include "check.h"
#include "scratch.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <string.h>
#include <unistd.h>

#define PAGE 4096

static char path[512];

static void
db_run(const char *sql)
{
    sqlite3 *db = NULL;
    int rc = sqlite3_open(path, &db);

    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
    if (rc != SQLITE_OK)
        CHECK(false, "%.40s: %s", sql, sqlite3_errmsg(db));
    sqlite3_close(db);
}

/* A page of the tree `name`, by its path in the tree. */
static long
page_of(const char *name, const char *like)
{
    sqlite3 *db;
    sqlite3_stmt *q = NULL;
    long page = 0;

    sqlite3_open(path, &db);
    sqlite3_prepare_v2(db, "SELECT pageno FROM dbstat WHERE name = ?1 AND path LIKE ?2", -1, &q, 0);
    sqlite3_bind_text(q, 1, name, -1, SQLITE_STATIC);
    sqlite3_bind_text(q, 2, like, -1, SQLITE_STATIC);
    if (sqlite3_step(q) == SQLITE_ROW)
        page = (long)sqlite3_column_int64(q, 0);
    sqlite3_finalize(q);
    sqlite3_close(db);
    return page;
}

static enum via_status
verify_as(bool is_foreign, struct via_error *e)
{
    struct via_verify v;

    *e = (struct via_error){0};
    via_verify_begin(&v, path, is_foreign);
    via_verify_give_way(&v);
    via_verify_attend(&v, NULL, NULL);
    return via_verify_end(&v, e);
}

static enum via_status
verify(struct via_error *e)
{
    return verify_as(false, e);
}

static bool
refuse(void *arg, int percent)
{
    (void)arg;
    (void)percent;
    return false;
}

/* Overwrite `n` bytes, see that it is found, and put them back. */
static void
damage(long page, long at, const char *bytes, size_t n, const char *what)
{
    int fd = open(path, O_RDWR);
    off_t where = (off_t)(page - 1) * PAGE + at;
    struct via_error e;
    char before[16];

    CHECK(page > 0 && pread(fd, before, n, where) == (ssize_t)n &&
              pwrite(fd, bytes, n, where) == (ssize_t)n,
          "%s is made", what);
    CHECK(verify(&e) == VIA_STORAGE_CORRUPT && strstr(e.message, "damaged"), "%s is found (%s)",
          what, e.message);
    CHECK(pwrite(fd, before, n, where) == (ssize_t)n, "%s is taken back", what);
    close(fd);
}

/* The rows are many, small, and of a table whose program is long. */
static void
make(void)
{
    db_run("CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT NOT NULL CHECK(length(b) > 1), c,"
           " d AS (printf('%d.%02d', a, 7)) VIRTUAL);"
           "CREATE INDEX t_b ON t(b); CREATE TABLE w(k PRIMARY KEY, v) WITHOUT ROWID;"
           "CREATE TABLE big(x); CREATE TABLE gone(x);"
           "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 20000)"
           " INSERT INTO t(a, b, c) SELECT i, hex(randomblob(20)), i FROM n;"
           "INSERT INTO w SELECT a, b FROM t; INSERT INTO big VALUES(randomblob(50000));"
           "INSERT INTO gone VALUES(randomblob(50000)); DELETE FROM gone");
}

static void
test_sound(void)
{
    const struct via_progress refusing = {refuse, NULL};
    struct via_verify v;
    struct via_error e;

    CHECK(verify(&e) == VIA_OK, "a sound file is sound (%s)", e.message);
    CHECK(verify_as(true, &e) == VIA_OK, "rows and indexes, too (%s)", e.message);
    /* Rows are what they were in the content: no reason to refuse a copy of it. */
    db_run("PRAGMA ignore_check_constraints = ON; INSERT INTO t(a, b) VALUES(-1, 'x')");
    CHECK(verify(&e) == VIA_OK, "a row that breaks a CHECK is no damage (%s)", e.message);

    CHECK(verify_as(true, &e) == VIA_STORAGE_CORRUPT && strstr(e.message, "CHECK"),
          "but it is where it comes from elsewhere (%s)", e.message);
    for (int is_foreign = 0; is_foreign < 2; is_foreign++) {
        e = (struct via_error){0};
        via_verify_begin(&v, path, is_foreign);
        via_verify_attend(&v, NULL, &refusing);
        CHECK(via_verify_end(&v, &e) == VIA_OPERATION_INTERRUPTED, "it can be stopped");
    }
}

static void
test_damage(void)
{
    long leaf = page_of("t", "/001/"), other = page_of("t", "/002/");
    long freed = page_of("gone", "/");

    damage(leaf, 0, "\x7a\x7a", 2, "a leaf with a wrong type");
    damage(leaf, 3, "\x0f\xff", 2, "a leaf with too many cells");
    damage(leaf, 8, "\xff\xff", 2, "a cell that lies outside its page");
    damage(page_of("t", "/"), 8, "\0\0\0\x02", 4, "a tree that leads to another one's page");
    damage(page_of("t_b", "/003/"), 5, "\0\1", 2, "a leaf of an index with its content too low");
    damage(page_of("w", "/002/"), 0, "\x0d", 1, "a leaf of another kind of tree");
    damage(page_of("big", "/000+000001"), 0, "\0\0\0\0", 4, "an overflow chain cut short");
    damage(1, 36, "\0\0\0\x63", 4, "a free list of another length");
    CHECK(freed > 0 && other > 0 && leaf != other, "the pages are what they are taken for");
}

/* What cannot be read for want of memory is not damaged, wherever it ends. */
static void
test_no_memory(void)
{
    sqlite3_int64 before = sqlite3_hard_heap_limit64(0);
    int refused = 0;

    for (int spare = 100000; spare < 12000000; spare += 200000) {
        enum via_status said;
        struct via_error e;

        (void)sqlite3_hard_heap_limit64(sqlite3_memory_used() + spare);
        said = verify_as(true, &e);
        (void)sqlite3_hard_heap_limit64(before);
        refused += said == VIA_OUT_OF_MEMORY;
        if (said != VIA_OUT_OF_MEMORY && !strstr(e.message, "CHECK"))
            CHECK(false, "with %d bytes to spare: %s: %s", spare, via_status_word(said), e.message);
    }
    CHECK(refused > 0, "without memory nothing is said of a file (%d times)", refused);
}

static void
test_no_database(void)
{
    struct via_error e;
    int fd;

    db_run("VACUUM");
    fd = open(path, O_RDWR);
    CHECK(pwrite(fd, "no SQLite", 9, 0) == 9 && verify(&e) == VIA_STORAGE_CORRUPT,
          "no database at all is found (%s)", e.message);
    close(fd);
    unlink(path);
    CHECK(verify(&e) == VIA_IO_ERROR, "of a file that cannot be opened nothing is said (%s)",
          e.message);
}

int
main(void)
{
    snprintf(path, sizeof path, "%s/t.db", scratch_folder());
    make();
    test_sound();
    test_damage();
    test_no_memory();
    test_no_database();
    return check_end();
}
