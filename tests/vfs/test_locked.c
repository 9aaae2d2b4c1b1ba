/* The focus of this file is the agent's door: connections opened locked, the grant that a
 * file control sets and clears, and what only a program can ask of the VFS. */
#include "base/clock.h"
#include "base/epoch.h"
#include "base/id.h"
#include "check.h"
#include "provider/provider.h"
#include "vfs/vfs.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char scratch[64];
static struct via_root root;
static struct via_epoch epoch;
static char addon[VIA_ID_SIZE];

static struct via_grant
grant_make(enum via_mode mode)
{
    struct via_grant grant = {.generation = 1,
                              .claims.generation = 1,
                              .mode = mode,
                              .epoch = via_epoch_now(&epoch),
                              .expires_ms = via_clock_now_ms() + 600000};

    (void)snprintf(grant.addon_id, sizeof grant.addon_id, "%s", addon);
    (void)snprintf(grant.binding, sizeof grant.binding, "DATABASE");
    (void)snprintf(grant.claims.binding, sizeof grant.claims.binding, "DATABASE");
    (void)snprintf(grant.claims.app, sizeof grant.claims.app, "api");
    grant.claims.expires_s = grant.expires_ms / 1000;
    return grant;
}

static sqlite3 *
locked_open(const char *more, int flags)
{
    char uri[256];
    sqlite3 *db = NULL;

    (void)snprintf(uri, sizeof uri, "file:%s?vfs=via%s", addon, more);
    if (sqlite3_open_v2(uri, &db, flags | SQLITE_OPEN_READWRITE | SQLITE_OPEN_URI, NULL) !=
        SQLITE_OK) {
        sqlite3_close(db);
        return NULL;
    }
    (void)sqlite3_extended_result_codes(db, 1);
    return db;
}

static int
grant_set(sqlite3 *db, const struct via_grant *grant, bool write)
{
    struct via_grant_slot slot = {grant, write};

    return sqlite3_file_control(db, "main", VIA_FCNTL_GRANT, &slot);
}

static int
run(sqlite3 *db, const char *sql)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

/* Something somewhere lost a right. */
static void
epoch_move(void)
{
    if (!via_epoch_begin(&epoch))
        abort();
    via_epoch_end(&epoch);
}

static void
test_grant(void)
{
    struct via_grant rw = grant_make(VIA_MODE_RW), ro = grant_make(VIA_MODE_RO);
    sqlite3 *db = locked_open("&locked=1", 0);

    if (!CHECK(db != NULL, "a locked connection opens"))
        return;
    CHECK(run(db, "SELECT * FROM sqlite_schema") == SQLITE_IOERR_AUTH, "it reads nothing");
    CHECK(via_vfs_refusal(NULL) == VIA_TOKEN_MISSING, "and says that it has no grant");
    via_vfs_clear_refusal();
    CHECK(via_vfs_refusal(NULL) == VIA_OK, "the refusal can be cleared");
    CHECK(run(db, "SELECT 1") == SQLITE_OK, "what touches no page is not refused here");

    CHECK(grant_set(db, &rw, true) == SQLITE_OK, "a grant is set");
    CHECK(run(db, "CREATE TABLE IF NOT EXISTS t(a); INSERT INTO t VALUES(1)") == SQLITE_OK,
          "with it the connection writes");
    CHECK(grant_set(db, NULL, false) == SQLITE_OK, "it is cleared");
    CHECK(run(db, "SELECT * FROM t") == SQLITE_IOERR_AUTH, "without it nothing is read");

    CHECK(grant_set(db, &rw, false) == SQLITE_OK && run(db, "SELECT * FROM t") == SQLITE_OK,
          "a grant for reading reads");
    CHECK(run(db, "INSERT INTO t VALUES(2)") == SQLITE_READONLY &&
              run(db, "BEGIN IMMEDIATE") == SQLITE_READONLY &&
              run(db, "PRAGMA user_version=4") == SQLITE_READONLY,
          "and is refused the write slot");
    CHECK(via_vfs_refusal(NULL) == VIA_READ_ONLY_BINDING, "with the reason");
    CHECK(run(db, "CREATE TEMP TABLE x(a); INSERT INTO x VALUES(1); DROP TABLE x") == SQLITE_OK,
          "temporary tables are nobody's business");
    CHECK(grant_set(db, &ro, true) == SQLITE_OK &&
              run(db, "INSERT INTO t VALUES(2)") == SQLITE_READONLY,
          "a read-only grant does not write, whatever the slot says");
    ro.mode = VIA_MODE_RW;
    ro.policy.block_writes = true;
    CHECK(grant_set(db, &ro, true) == SQLITE_OK &&
              run(db, "INSERT INTO t VALUES(2)") == SQLITE_READONLY &&
              via_vfs_refusal(NULL) == VIA_ADDON_BLOCKED,
          "nor does one whose add-on blocks writes");
    sqlite3_close(db);
}

static void
test_other_addon(void)
{
    struct via_grant grant = grant_make(VIA_MODE_RW);
    sqlite3 *db = locked_open("&locked=1", 0);

    CHECK(grant_set(db, &grant, true) == SQLITE_OK, "the right grant is set");
    via_id_make("addon", grant.addon_id);
    CHECK(grant_set(db, &grant, true) == SQLITE_AUTH, "the grant of another add-on is refused");
    CHECK(run(db, "SELECT * FROM t") == SQLITE_IOERR_AUTH, "and the earlier one is gone with it");
    sqlite3_close(db);
}

static void
test_transaction(void)
{
    struct via_grant grant = grant_make(VIA_MODE_RW), next = grant_make(VIA_MODE_RW);
    sqlite3 *db = locked_open("&locked=1", 0);

    CHECK(grant_set(db, &grant, true) == SQLITE_OK &&
              run(db, "BEGIN; SELECT * FROM t") == SQLITE_OK,
          "a transaction is open");
    CHECK(grant_set(db, &next, true) == SQLITE_MISUSE, "no other grant is set into it");
    CHECK(run(db, "INSERT INTO t VALUES(3)") == SQLITE_READONLY, "nor has it one to write with");
    CHECK(run(db, "ROLLBACK; SELECT * FROM t") == SQLITE_IOERR_AUTH,
          "the next transaction has none either");
    sqlite3_close(db);
}

/* The token of these grants names nobody, so that asking again is always refused: what is
 * allowed was allowed by the grant alone. */
static void
test_stale(void)
{
    struct via_grant grant = grant_make(VIA_MODE_RW);
    sqlite3 *db = locked_open("&locked=1", 0);
    sqlite3_stmt *q = NULL;

    (void)grant_set(db, &grant, true);
    if (sqlite3_prepare_v2(db, "SELECT * FROM t", -1, &q, NULL) != SQLITE_OK)
        abort();
    CHECK(sqlite3_step(q) == SQLITE_ROW, "a cached statement reads");
    epoch_move();
    CHECK(sqlite3_reset(q) == SQLITE_OK && sqlite3_step(q) == SQLITE_IOERR_AUTH,
          "when the epoch has moved the gates are asked again, and refuse");
    CHECK(via_vfs_refusal(NULL) == VIA_WORKLOAD_UNBOUND, "with their own reason (%s)",
          via_status_word(via_vfs_refusal(NULL)));
    (void)sqlite3_reset(q);
    grant = grant_make(VIA_MODE_RW);
    CHECK(grant_set(db, &grant, true) == SQLITE_OK && sqlite3_step(q) == SQLITE_ROW,
          "a fresh grant serves the same statement");
    (void)sqlite3_reset(q);

    grant.expires_ms = via_clock_now_ms() - 1;
    CHECK(sqlite3_step(q) == SQLITE_IOERR_AUTH, "a grant past its time is asked again");
    (void)sqlite3_reset(q);

    grant = grant_make(VIA_MODE_RW);
    (void)grant_set(db, &grant, true);
    CHECK(run(db, "BEGIN IMMEDIATE; INSERT INTO t VALUES(5)") == SQLITE_OK, "a write begins");
    epoch_move();
    CHECK(run(db, "INSERT INTO t VALUES(6); COMMIT") == SQLITE_OK,
          "and ends, though the epoch moved meanwhile");
    CHECK(run(db, "INSERT INTO t VALUES(7)") == SQLITE_IOERR_AUTH, "the next one does not begin");

    grant = grant_make(VIA_MODE_RW);
    if (!via_epoch_begin(&epoch))
        abort();
    CHECK(grant_set(db, &grant, true) == SQLITE_OK && sqlite3_step(q) == SQLITE_IOERR_AUTH,
          "while a revocation is being committed nothing is fresh");
    via_epoch_end(&epoch);
    sqlite3_finalize(q);
    sqlite3_close(db);
}

static void
test_only_locked(void)
{
    struct via_grant grant = grant_make(VIA_MODE_RW);
    sqlite3 *db = locked_open("&operator=1", 0);
    sqlite3 *plain = NULL;

    CHECK(db == NULL, "an id that is no add-on is refused to the operator");
    sqlite3_close(db);
    if (sqlite3_open(":memory:", &plain) != SQLITE_OK)
        abort();
    CHECK(grant_set(plain, &grant, true) != SQLITE_OK, "another VFS knows no grants");
    sqlite3_close(plain);
}

static void
test_shared_cache(void)
{
    sqlite3 *db = locked_open("&locked=1", SQLITE_OPEN_SHAREDCACHE);

    CHECK(db == NULL, "a shared cache is refused when asked for by flag");
    CHECK(via_vfs_refusal(NULL) == VIA_BAD_REQUEST, "with its reason");
    sqlite3_close(db);
    (void)sqlite3_enable_shared_cache(1);
    db = locked_open("&locked=1", 0);
    CHECK(db == NULL, "and when asked for by the whole process");
    sqlite3_close(db);
    (void)sqlite3_enable_shared_cache(0);
    db = locked_open("&locked=1", 0);
    CHECK(db != NULL, "a private one opens again");
    sqlite3_close(db);
}

/* Names are matched by pointer: strange ones must not send SQLite's look-up astray. */
static void
test_names(void)
{
    sqlite3_vfs *via = sqlite3_vfs_find("via");
    int there = 1;

    CHECK(via && via != sqlite3_vfs_find(NULL), "via is registered and not the default");
    CHECK(via->xAccess(via, "DATABASE-wal", SQLITE_ACCESS_EXISTS, &there) != SQLITE_OK && !there,
          "a name of one's own is not looked for");
    CHECK(via->xDelete(via, "/etc/passwd", 0) != SQLITE_OK, "nor deleted");
    sqlite3_file *file = sqlite3_malloc(via->szOsFile);
    CHECK(via->xOpen(via, "x-wal", file, SQLITE_OPEN_WAL | SQLITE_OPEN_READWRITE, NULL) ==
                  SQLITE_CANTOPEN &&
              !file->pMethods,
          "nor opened as a log");
    CHECK(via->xOpen(via, "x", file, SQLITE_OPEN_SUPER_JOURNAL | SQLITE_OPEN_READWRITE, NULL) ==
              SQLITE_CANTOPEN,
          "super-journals are refused");
    sqlite3_free(file);
}

/* A process may serve two state roots, one after the other and at once. */
static void
test_two_roots(void)
{
    char other[128], id[VIA_ID_SIZE];
    struct via_error e = {0};
    struct via_root second;
    sqlite3 *here = locked_open("&locked=1", 0), *there = NULL;
    struct via_grant grant = grant_make(VIA_MODE_RW);

    memcpy(id, addon, sizeof id);
    (void)snprintf(other, sizeof other, "%s/other", scratch);
    via_root_set_path(other);
    if (via_root_open(&second, &e) != VIA_OK)
        abort();
    CHECK(locked_open("&locked=1", 0) == NULL && via_vfs_refusal(NULL) == VIA_STORAGE_MISSING,
          "another state root does not have this add-on");
    via_id_make("addon", addon);
    CHECK(via_provider_sqlite.provision(&second, addon, NULL, NULL, &e) == VIA_OK &&
              (there = locked_open("&locked=1", 0)) != NULL,
          "but one of its own");
    CHECK(grant_set(here, &grant, true) == SQLITE_OK && run(here, "SELECT * FROM t") == SQLITE_OK,
          "a connection made earlier stays with its root");
    memcpy(addon, id, sizeof addon);
    via_root_set_path(root.path);
    sqlite3_close(here);
    sqlite3_close(there);
}

int
main(void)
{
    struct via_error e = {0};
    char path[128];

    (void)snprintf(scratch, sizeof scratch, "/tmp/via-locked-XXXXXX");
    if (!mkdtemp(scratch))
        return 1;
    (void)snprintf(path, sizeof path, "%s/state", scratch);
    via_root_set_path(path);
    via_id_make("addon", addon);
    if (via_root_open(&root, &e) != VIA_OK || via_epoch_open(&epoch, &root, &e) != VIA_OK ||
        via_provider_sqlite.provision(&root, addon, NULL, NULL, &e) != VIA_OK ||
        via_vfs_register() != SQLITE_OK || via_vfs_register() != SQLITE_OK) {
        printf("not ok - the state root is made: %s\n", e.message);
        return 1;
    }
    test_grant();
    test_other_addon();
    test_transaction();
    test_stale();
    test_only_locked();
    test_shared_cache();
    test_names();
    test_two_roots();
    via_epoch_close(&epoch);
    (void)snprintf(path, sizeof path, "rm -rf '%s'", scratch);
    return system(path) == 0 ? check_end() : 1;
}
