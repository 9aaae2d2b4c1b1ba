/* The focus of this file is damage of every kind that a look at the pages alone must find, in a
 * database whose rows are too many to be read on the way. */
#include "provider/sqlite/verify.h"

#include "check.h"
#include "scratch.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
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
    via_verify_begin(&v, path, is_foreign, NULL);
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
        via_verify_begin(&v, path, is_foreign, NULL);
        via_verify_attend(&v, NULL, &refusing);
        CHECK(via_verify_end(&v, &e) == VIA_OPERATION_INTERRUPTED, "it can be stopped");
    }
}

struct writer {
    struct via_growth growth;
    int from, to;
    int64_t bytes, given_up_at; /* -1: never */
};

/* Write a copy behind the check's back, piece by piece. */
static void *
grow(void *arg)
{
    struct writer *w = arg;
    char piece[16 * PAGE];

    for (int64_t at = 0; at < w->bytes; at += (int64_t)sizeof piece) {
        ssize_t n = pread(w->from, piece, sizeof piece, at);

        if (w->given_up_at >= 0 && at >= w->given_up_at) {
            via_growth_give_up(&w->growth);
            return NULL;
        }
        (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        if (n <= 0 || pwrite(w->to, piece, (size_t)n, at) != n)
            CHECK(false, "a piece is written");
        via_growth_tell(&w->growth, at + n);
    }
    via_growth_end(&w->growth);
    return NULL;
}

/* Check the database at `path` while it is copied. */
static enum via_status
verify_growing(int64_t given_up_at, char digest[65], struct via_error *e)
{
    struct writer w = {.given_up_at = given_up_at};
    char copy[600];
    struct via_follow follow;
    struct via_error ignored = {0};
    struct via_verify v;
    pthread_t thread;
    struct stat st;

    (void)snprintf(copy, sizeof copy, "%s.copy", path);
    w.from = open(path, O_RDONLY);
    w.to = open(copy, O_RDWR | O_CREAT | O_TRUNC, 0600);
    CHECK(fstat(w.from, &st) == 0 && ftruncate(w.to, w.bytes = st.st_size) == 0, "a copy begins");
    via_growth_init(&w.growth);
    via_growth_give_way(&w.growth);
    *e = (struct via_error){0};
    via_follow_begin(&follow, w.to, &w.growth);
    via_verify_begin(&v, copy, false, &w.growth);
    pthread_create(&thread, NULL, grow, &w);
    via_verify_attend(&v, &follow, NULL);
    pthread_join(thread, NULL);
    via_ignore(via_verify_end(&v, e));
    via_ignore(via_follow_end(&follow, digest, &ignored));
    CHECK(sched_getscheduler(0) == SCHED_OTHER, "only those who read behind give way");
    via_growth_deinit(&w.growth);
    close(w.to);
    close(w.from);
    unlink(copy);
    return e->status;
}

static void
test_growing(void)
{
    char digest[65] = "", whole[65] = "none";
    struct via_growth growth;
    struct via_follow follow;
    long leaf = page_of("t", "/002/");
    struct via_error e = {0};
    struct stat st;
    int fd = open(path, O_RDWR);
    char before[2];

    CHECK(fd >= 0 && fstat(fd, &st) == 0, "there is a database");
    via_growth_init(&growth);
    via_growth_tell(&growth, st.st_size);
    via_growth_end(&growth);
    via_follow_begin(&follow, fd, &growth);
    CHECK(via_follow_end(&follow, whole, &e) == VIA_OK, "it has a digest");
    via_growth_deinit(&growth);
    CHECK(verify_growing(-1, digest, &e) == VIA_OK && strcmp(digest, whole) == 0,
          "a copy that grows is sound, and the same (%s)", e.message);
    CHECK(pread(fd, before, 2, (leaf - 1) * PAGE) == 2 &&
              pwrite(fd, "zz", 2, (leaf - 1) * PAGE) == 2 &&
              verify_growing(-1, digest, &e) == VIA_STORAGE_CORRUPT && strcmp(digest, whole) != 0,
          "damage in it is found (%s)", e.message);
    CHECK(pwrite(fd, before, 2, (leaf - 1) * PAGE) == 2, "and taken back");
    digest[0] = '\0';
    CHECK(verify_growing(st.st_size / 2, digest, &e) != VIA_OK && !digest[0],
          "who copies gives up, and nobody waits or says that it is sound (%s)", e.message);
    close(fd);
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
    test_growing();
    test_damage();
    test_no_memory();
    test_no_database();
    return check_end();
}
