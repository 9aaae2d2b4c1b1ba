/* The focus of this file is how far an operation is, in its row and for who sits before it: long
 * work is running from its beginning, what is told never falls, and what is done is at 100. */
#include "check.h"
#include "effects/effects.h"
#include "effects/host.h"
#include "live.h"

/* What the observer was told, and what the operation's row said meanwhile. */
static struct seen {
    sqlite3 *db;
    int words, first, last;
    int first_of_row; /* what was told when its row was seen first */
    bool is_falling;
    bool is_idle; /* its row did not say running, with a progress */
    int stop_at;  /* 0: never */
} seen;

static sqlite3_int64
control_int(const char *sql)
{
    sqlite3_stmt *q = NULL;
    sqlite3_int64 value = -1;

    if (sqlite3_prepare_v2(seen.db, sql, -1, &q, NULL) == SQLITE_OK &&
        sqlite3_step(q) == SQLITE_ROW)
        value = sqlite3_column_int64(q, 0);
    sqlite3_finalize(q);
    return value;
}

static bool
look(void *arg, int percent)
{
    (void)arg;
    if (seen.words++ == 0)
        seen.first = percent;
    seen.is_falling |= percent < seen.last;
    seen.last = percent;
    /* The check of a source comes before there is an operation. */
    if (control_int("SELECT count(*) FROM operations WHERE state IN ('pending','running')") > 0) {
        if (seen.first_of_row < 0)
            seen.first_of_row = percent;
        seen.is_idle |= control_int("SELECT state='running' AND progress BETWEEN 0 AND 99"
                                    " FROM operations WHERE state IN ('pending','running')") != 1;
    }
    return seen.stop_at == 0 || percent < seen.stop_at;
}

static void
look_begin(int stop_at)
{
    static const struct via_progress looking = {look, NULL};

    seen = (struct seen){.db = seen.db, .first_of_row = -1, .stop_at = stop_at};
    via_effects_observe(&looking);
}

/* The operation that `statement` asked for was told of as it should be; from `from` to at least
 * `to`. */
static void
check_told(const char *what, int from, int to)
{
    via_effects_observe(NULL);
    CHECK(seen.words > 0 && !seen.is_falling && seen.last >= to && seen.last <= 100,
          "%s: what is told grows (%d words, to %d)", what, seen.words, seen.last);
    CHECK(seen.first_of_row >= from && !seen.is_idle, "%s: its row says running at once (at %d)",
          what, seen.first_of_row);
    CHECK(strcmp(live_sql("SELECT state||' '||progress FROM via_operations ORDER BY id DESC"
                          " LIMIT 1"),
                 "done 100") == 0,
          "%s: and done at 100 in the end", what);
}

static void
make_source(const char *path)
{
    sqlite3 *db;

    if (sqlite3_open(path, &db) != SQLITE_OK ||
        sqlite3_exec(db,
                     "CREATE TABLE t(a); INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL"
                     " SELECT i+1 FROM n WHERE i<4000) SELECT randomblob(1000) FROM n",
                     NULL, NULL, NULL) != SQLITE_OK)
        live_die("no source");
    sqlite3_close(db);
}

static void
test_long_work(const char *source)
{
    char snapshot[VIA_ID_SIZE];

    look_begin(0);
    live_sql("INSERT INTO via_addons(name,app,source) VALUES('db','api',%Q)", source);
    CHECK(seen.first < 50, "import: the check of the source is told (from %d)", seen.first);
    check_told("import", 50, 55);
    look_begin(0);
    live_sql("INSERT INTO via_snapshots(addon) VALUES('db')");
    check_told("snapshot", 0, 50);
    snprintf(snapshot, sizeof snapshot, "%s", live_sql("SELECT id FROM via_snapshots"));
    look_begin(0);
    live_sql("INSERT INTO via_exports(addon,path) VALUES('db','%q/export')", scratch_path);
    check_told("export", 0, 50);
    look_begin(0);
    live_sql("INSERT INTO via_restores(addon,snapshot) VALUES('db',%Q)", snapshot);
    check_told("restore, to the reading of what was there", 0, 66);
    look_begin(0);
    live_sql("UPDATE via_storage SET repair=1 WHERE addon='db'");
    check_told("repair, by a look at what is there", 0, 20);
    look_begin(0);
    live_sql("INSERT INTO via_backups(path) VALUES('%q/backup')", scratch_path);
    check_told("backup", 0, 90);
}

/* Nobody is told of what takes a moment, but it is done in its row, too. */
static void
test_short_work(void)
{
    const char *other;

    live_sql("INSERT INTO via_addons(name,app,bind) VALUES('a','api','A'), ('b','api','B');"
             "INSERT INTO via_generations(app,binding) VALUES('api','A');"
             "INSERT INTO via_keys(use) VALUES('manifest');"
             "DELETE FROM via_snapshots WHERE state='ready';"
             "UPDATE via_settings SET value=0 WHERE name='destroy_retention_s';"
             "DELETE FROM via_addons WHERE name='b' AND force=1");
    other = live_sql("SELECT group_concat(DISTINCT kind) FROM via_operations"
                     " WHERE state<>'undone' AND progress IS NOT 100");
    CHECK(other[0] == '\0', "what takes a moment is at 100, too (not %s)", other);
}

static void
test_stopped(void)
{
    look_begin(10);
    (void)sqlite3_exec(live_db, "INSERT INTO via_snapshots(addon) VALUES('db')", NULL, NULL, NULL);
    via_effects_observe(NULL);
    CHECK(strcmp(live_sql("SELECT state||' '||(progress<50) FROM via_operations"
                          " ORDER BY id DESC LIMIT 1"),
                 "undone 1") == 0,
          "what is stopped stays where it was");
}

/* Stopped after the exchange it is not undone: the new content is served, and whoever recovers
 * reads the old. How far it was is not forgotten meanwhile. */
static void
test_restore_stopped_late(void)
{
    char snapshot[VIA_ID_SIZE], query[100];
    struct via_error e = {0};
    int settled = 0;

    snprintf(
        snapshot, sizeof snapshot, "%s",
        live_sql("SELECT id FROM via_snapshots WHERE state='ready' AND reason IS NOT 'safety'"));
    snprintf(query, sizeof query, "INSERT INTO via_restores(addon,snapshot) VALUES('db','%s')",
             snapshot);
    look_begin(66);
    CHECK(sqlite3_exec(live_db, query, NULL, NULL, NULL) != SQLITE_OK && seen.last >= 66,
          "a restore is stopped while it reads what was there (at %d)", seen.last);
    look_begin(0);
    CHECK(strcmp(live_sql("SELECT state||' '||phase FROM via_operations ORDER BY id DESC LIMIT 1"),
                 "running check") == 0,
          "then it is not over");
    CHECK(via_effects_recover(&settled, &e) == VIA_OK && settled == 1 && !seen.is_falling,
          "whoever recovers ends it (%s)", e.message);
    check_told("a restore that was resumed", 0, 0);
    CHECK(strcmp(live_sql("SELECT state||' '||(safety_snapshot IS NOT NULL) FROM via_restores"
                          " ORDER BY id DESC LIMIT 1"),
                 "done 1") == 0,
          "with what was there as a snapshot");
}

static void
check_host(const char *what, const struct via_host_report *report, const struct via_error *e)
{
    via_effects_observe(NULL);
    CHECK(e->status == VIA_OK && report->addons == 1 && !seen.is_falling && seen.first < 10 &&
              seen.last > 90 && seen.words > 20,
          "%s: what is told grows from %d to %d in %d words (%s)", what, seen.first, seen.last,
          seen.words, e->message);
}

/* Of an archive two readings are told as one, and of a restore the checks between. */
static void
test_host(void)
{
    static const struct via_progress looking = {look, NULL};
    struct via_host_request r = {.progress = &looking};
    char file[VIA_PATH_SIZE], folder[VIA_PATH_SIZE];
    struct via_host_report report;
    struct via_error e = {0};

    snprintf(file, sizeof file, "%s/backup", scratch_path);
    r.file = file;
    look_begin(0);
    via_ignore(via_host_verify(&r, &report, &e));
    check_host("verify", &report, &e);
    look_begin(50);
    via_ignore(via_host_verify(&r, &report, &e));
    CHECK(e.status == VIA_OPERATION_INTERRUPTED && seen.last < 60,
          "it can be stopped on the way (at %d)", seen.last);

    e = (struct via_error){0};
    snprintf(folder, sizeof folder, "%s/other", scratch_path);
    via_root_set_path(folder);
    look_begin(0);
    via_ignore(via_host_restore(&r, &report, &e));
    check_host("restore", &report, &e);
}

int
main(void)
{
    char path[VIA_PATH_SIZE];

    scratch_root(&live_root);
    live_db = live_connect();
    live_sql("INSERT INTO via_apps(name) VALUES('api')");
    via_root_join(&live_root, "control-plane.db", path);
    if (sqlite3_open_v2(path, &seen.db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK)
        live_die("the control database does not open");
    snprintf(path, sizeof path, "%s/source", scratch_path);
    make_source(path);
    test_long_work(path);
    test_stopped();
    test_restore_stopped_late();
    test_host();
    via_root_set_path(live_root.path);
    test_short_work();
    sqlite3_close(seen.db);
    sqlite3_close(live_db);
    return check_end();
}
