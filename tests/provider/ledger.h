/* ledger.h: an add-on whose copies tell whether they are one committed state: a ledger in which no
 * money is lost and no entry missing, a writer that keeps it, and two ways to its content. */
#ifndef VIA_TESTS_PROVIDER_LEDGER_H
#define VIA_TESTS_PROVIDER_LEDGER_H

#include "base/clock.h"
#include "base/epoch.h"
#include "base/id.h"
#include "check.h"
#include "db.h"
#include "provider/provider.h"
#include "scratch.h"
#include "vfs/vfs.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define ACCOUNTS 50
#define EACH 1000

static const struct via_provider *sqlite = &via_provider_sqlite;
static struct via_root root;
static struct via_epoch epoch;
static char addon[VIA_ID_SIZE], data[VIA_PATH_SIZE];

/* -- ways to the content ------------------------------------------------------------ */

static struct via_grant grant;
static struct via_grant_slot slot = {&grant, true};

/* Through the guarded VFS, as the agent opens: the marks are told. */
static inline void
open_guarded(void *arg, const char *id, struct via_sql *out)
{
    char uri[128];

    (void)arg;
    (void)snprintf(uri, sizeof uri, "file:%s?vfs=via&locked=1", id);
    via_sql_open(out, uri, SQLITE_OPEN_READWRITE | SQLITE_OPEN_URI);
    grant = (struct via_grant){.generation = 1,
                               .claims.generation = 1,
                               .mode = VIA_MODE_RW,
                               .epoch = via_epoch_now(&epoch),
                               .expires_ms = via_clock_now_ms() + 600000};
    (void)snprintf(grant.addon_id, sizeof grant.addon_id, "%s", id);
    grant.claims.expires_s = grant.expires_ms / 1000;
    if (via_sql_ok(out) &&
        sqlite3_file_control(out->db, "main", VIA_FCNTL_GRANT, &slot) != SQLITE_OK)
        abort();
}

/* Without it: nobody tells the marks, so that SQLite copies page by page. */
static inline void
open_plain(void *arg, const char *id, struct via_sql *out)
{
    char path[VIA_PATH_SIZE];

    (void)arg;
    if (!sqlite->locate(&root, id, path))
        abort();
    via_sql_open(out, path, SQLITE_OPEN_READWRITE);
}

static const struct {
    const char *name;
    struct via_opener opener;
} ways[] = {{"by a child", {open_guarded, NULL}}, {"by pages", {open_plain, NULL}}};
#define WAYS 2

/* -- a ledger, and somebody who keeps it ---------------------------------------------- */

/* What the writer tells: shared with its process. */
static struct ledger {
    _Atomic int64_t begun, done;
    _Atomic bool stop;
} * ledger;

static inline void
ledger_make(void)
{
    sqlite3 *db = db_open(data);
    char sql[600];

    (void)snprintf(sql, sizeof sql,
                   "CREATE TABLE account(id INTEGER PRIMARY KEY, balance INTEGER);"
                   "CREATE TABLE entry(id INTEGER PRIMARY KEY, note TEXT);"
                   "CREATE TABLE bulk(id INTEGER PRIMARY KEY, body BLOB);"
                   "CREATE INDEX notes ON entry(note);"
                   "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<%d)"
                   " INSERT INTO account SELECT i, %d FROM n;"
                   "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<1600)"
                   " INSERT INTO bulk SELECT i, randomblob(20000) FROM n;",
                   ACCOUNTS, EACH);
    db_run(db, sql);
    sqlite3_close(db);
}

/* Move money about, and change the bulk so that the log is folded in all the time. */
static inline void
ledger_keep(void)
{
    sqlite3 *db = db_open(data);
    char sql[400];

    db_run(db, "PRAGMA wal_autocheckpoint=200");
    while (!ledger->stop) {
        int64_t i = ++ledger->begun;

        (void)snprintf(sql, sizeof sql,
                       "BEGIN IMMEDIATE;"
                       "UPDATE account SET balance=balance-%d WHERE id=%d;"
                       "INSERT INTO entry(id,note) VALUES(%lld,'entry %lld');"
                       "UPDATE bulk SET body=randomblob(20000) WHERE id=%d;"
                       "UPDATE account SET balance=balance+%d WHERE id=%d; COMMIT",
                       (int)(i % 17), (int)(i % ACCOUNTS) + 1, (long long)i, (long long)i,
                       (int)(i * 7 % 1600) + 1, (int)(i % 17), (int)(i * 3 % ACCOUNTS) + 1);
        db_run(db, sql);
        ledger->done = i;
    }
    sqlite3_close(db);
    _exit(0);
}

static inline pid_t
ledger_start(void)
{
    int64_t before = ledger->done;
    pid_t pid;

    ledger->stop = false;
    pid = fork();
    if (pid == 0)
        ledger_keep();
    while (ledger->done < before + 5)
        usleep(1000);
    return pid;
}

static inline void
ledger_stop(pid_t pid)
{
    ledger->stop = true;
    waitpid(pid, NULL, 0);
}

/* Is what `db` shows one committed state, with `least` to `most` entries? */
static inline void
ledger_check(sqlite3 *db, int64_t least, int64_t most, const char *sentence)
{
    int64_t entries = db_int(db, "SELECT count(*) FROM entry");

    CHECK(db_int(db, "SELECT sum(balance) FROM account") == (int64_t)ACCOUNTS * EACH,
          "%s: no money is lost", sentence);
    CHECK(entries == db_int(db, "SELECT coalesce(max(id),0) FROM entry"), "%s: no entry is missing",
          sentence);
    CHECK(entries >= least && entries <= most, "%s: it is of its time (%lld in %lld..%lld)",
          sentence, (long long)entries, (long long)least, (long long)most);
    CHECK(db_int(db, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check='ok'") == 1,
          "%s: its integrity holds", sentence);
}

/* A state root with one add-on that has a ledger. */
static inline void
ledger_begin(void)
{
    struct via_error e = {0};

    (void)signal(SIGXFSZ, SIG_IGN);
    setvbuf(stdout, NULL, _IONBF, 0); /* children that are killed or exit repeat nothing */
    scratch_root(&root);
    via_id_make("addon", addon);
    ledger = mmap(NULL, sizeof *ledger, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (ledger == MAP_FAILED || via_epoch_open(&epoch, &root, &e) != VIA_OK ||
        sqlite->provision(&root, addon, NULL, NULL, &e) != VIA_OK ||
        !sqlite->locate(&root, addon, data) || via_vfs_register() != SQLITE_OK) {
        printf("not ok - the state root is made: %s\n", e.message);
        exit(1);
    }
    ledger_make();
}

static inline int
ledger_end(void)
{
    via_epoch_close(&epoch);
    return check_end();
}

#endif
