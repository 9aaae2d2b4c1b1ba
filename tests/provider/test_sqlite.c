/* The focus of this file is the storage of an add-on: that an empty database is made and destroyed,
 * that death on the way leaves nothing in the way, and that a file cut short is seen at a glance.
 */
#include "base/id.h"
#include "check.h"
#include "provider/provider.h"
#include "scratch.h"

#include <sqlite3.h>
#include <sys/stat.h>

static struct via_root root;
static const struct via_provider *sqlite;

/* The first is made by SQLite, and the next out of what it made. */
static void
test_empty(const char *which)
{
    char id[VIA_ID_SIZE], data[VIA_PATH_SIZE];
    struct via_storage_facts facts;
    unsigned char header[100] = {0};
    struct via_error e = {0};
    char log[VIA_PATH_SIZE + 8];
    sqlite3_stmt *q = NULL;
    struct stat st;
    sqlite3 *db;
    FILE *in;

    via_id_make("addon", id);
    CHECK(sqlite->provision(&root, id, NULL, NULL, &e) == VIA_OK,
          "the %s empty database is made (%s)", which, e.message);
    sqlite->probe(&root, id, &facts);
    CHECK(facts.present && facts.size_bytes > 0 && facts.wal_bytes == 0,
          "it has a header page and no log");
    CHECK(sqlite->locate(&root, id, data) && stat(data, &st) == 0 && (st.st_mode & 0777) == 0600,
          "its file is 0600");
    in = fopen(data, "rb");
    CHECK(in && fread(header, 1, 100, in) == 100 && header[18] == 2 && header[19] == 2,
          "its header says write-ahead log");
    if (in)
        fclose(in);
    CHECK(sqlite->provision(&root, id, NULL, NULL, &e) == VIA_OK, "making it again finds it there");
    CHECK(stat(data, &st) == 0 && st.st_size == facts.size_bytes, "and leaves it alone");
    CHECK(sqlite3_open(data, &db) == SQLITE_OK &&
              sqlite3_exec(db, "CREATE TABLE t(a); INSERT INTO t VALUES(1)", NULL, NULL, NULL) ==
                  SQLITE_OK,
          "it can be written");
    (void)snprintf(log, sizeof log, "%s-wal", data);
    CHECK(stat(log, &st) == 0 && st.st_size > 0, "through its log");
    CHECK(sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &q, NULL) == SQLITE_OK &&
              sqlite3_step(q) == SQLITE_ROW &&
              strcmp((const char *)sqlite3_column_text(q, 0), "ok") == 0,
          "and is sound");
    sqlite3_finalize(q);
    sqlite3_close(db);
    CHECK(sqlite->destroy(&root, id, &e) == VIA_OK && stat(data, &st) < 0, "destroy removes it");
    CHECK(sqlite->destroy(&root, id, &e) == VIA_OK, "destroying what is gone is fine");
    CHECK(!sqlite->locate(&root, "../../etc", data), "what is no id has no place");
}

/* A crash between building and publishing: the next attempt finishes. */
static void
test_leftovers(void)
{
    char id[VIA_ID_SIZE], data[VIA_PATH_SIZE], name[VIA_PATH_SIZE + 32];
    struct via_storage_facts facts;
    struct via_error e = {0};
    FILE *out;

    via_id_make("addon", id);
    if (!sqlite->locate(&root, id, data))
        abort();
    (void)snprintf(name, sizeof name, "%.*s", (int)(strrchr(data, '/') - data), data);
    if (mkdir(name, 0700) != 0)
        abort();
    (void)snprintf(name, sizeof name, "%.*s/incoming.sqlite", (int)(strrchr(data, '/') - data),
                   data);
    out = fopen(name, "w");
    fputs("half a database", out);
    fclose(out);
    (void)snprintf(name, sizeof name, "%s-wal", data);
    out = fopen(name, "w");
    fputs("the log of a file that is gone", out);
    fclose(out);
    sqlite->probe(&root, id, &facts);
    CHECK(!facts.present && facts.leftovers, "what a crash left is told as leftovers");
    CHECK(sqlite->provision(&root, id, NULL, NULL, &e) == VIA_OK, "provisioning goes over it (%s)",
          e.message);
    sqlite->probe(&root, id, &facts);
    CHECK(facts.present && !facts.leftovers && facts.wal_bytes == 0,
          "and neither leftovers nor a stale log remain");
}

/* A file that ends before its header says is told from one whose rest is in its log. */
static void
test_cut(void)
{
    static const char fill[] = "PRAGMA wal_autocheckpoint = 0; CREATE TABLE t(a);"
                               "INSERT INTO t VALUES(zeroblob(40000))";
    char id[VIA_ID_SIZE], data[VIA_PATH_SIZE];
    struct via_error e = {0};
    sqlite3 *db = NULL;
    struct stat st;

    via_id_make("addon", id);
    if (!CHECK(sqlite->provision(&root, id, NULL, NULL, &e) == VIA_OK &&
                   sqlite->locate(&root, id, data) && sqlite3_open(data, &db) == SQLITE_OK &&
                   sqlite3_exec(db, fill, NULL, NULL, NULL) == SQLITE_OK,
               "a database grows in its log (%s)", e.message))
        return;
    CHECK(sqlite->looks_sound(&root, id), "one whose pages are in its log looks sound");
    sqlite3_exec(db, "PRAGMA wal_checkpoint(PASSIVE)", NULL, NULL, NULL);
    CHECK(sqlite->looks_sound(&root, id), "and one that was written from it");
    CHECK(stat(data, &st) == 0 && truncate(data, st.st_size - 4096) == 0 &&
              sqlite->looks_sound(&root, id),
          "and one that was not written to its end yet, with its log");
    CHECK(truncate(data, st.st_size) == 0 &&
              sqlite3_exec(db, "PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL) == SQLITE_OK &&
              sqlite->looks_sound(&root, id),
          "and one that has no log any more");
    sqlite3_close(db);
    CHECK(truncate(data, st.st_size - 1) == 0 && !sqlite->looks_sound(&root, id),
          "one that lacks its last byte is damaged");
    CHECK(truncate(data, st.st_size + 4096) == 0 && sqlite->looks_sound(&root, id),
          "what follows the last page is nobody's");
}

int
main(void)
{
    scratch_root(&root);
    sqlite = via_provider_find("sqlite");
    CHECK(sqlite && !via_provider_find("other"), "sqlite is a type, other is none");
    test_empty("first");
    test_empty("second");
    test_leftovers();
    test_cut();
    return check_end();
}
