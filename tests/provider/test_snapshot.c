/* The focus of this file is snapshots and checks of content: that a copy is one committed state
 * while writers go on, that it is read back, and that failure and death leave nothing. */
#include "ledger.h"

#include <sys/resource.h>

/* -- looking at files ----------------------------------------------------------------- */

static void
put_snapshot(char out[VIA_PATH_SIZE], const char *id, const char *suffix)
{
    (void)snprintf(out, VIA_PATH_SIZE, "%s/addons/sqlite/%s/snapshots/%s%s", root.path, addon, id,
                   suffix);
}

static int
count_snapshots(void)
{
    char path[VIA_PATH_SIZE];

    put_snapshot(path, "", "");
    return count_in(path);
}

static void
flip_byte(const char *path, off_t at)
{
    unsigned char byte;
    int fd = open(path, O_RDWR);

    if (fd < 0 || pread(fd, &byte, 1, at) != 1)
        abort();
    byte ^= 0x40;
    if (pwrite(fd, &byte, 1, at) != 1)
        abort();
    close(fd);
}

/* BLAKE2b-256 by a program that is not ours. */
static void
digest_by_other(const char *path, char out[65])
{
    char command[VIA_PATH_SIZE + 32];
    FILE *in;

    (void)snprintf(command, sizeof command, "b2sum -l 256 '%s'", path);
    in = popen(command, "r");
    if (!in || fscanf(in, "%64s", out) != 1)
        abort();
    pclose(in);
}

static enum via_status
take(int way, const char *id, const struct via_progress *progress, struct via_snapshot_facts *out,
     struct via_error *e)
{
    *e = (struct via_error){0};
    (void)sqlite->snapshot(&root, &ways[way].opener, addon, id, progress, out, e);
    return e->status;
}

/* -- the tests ------------------------------------------------------------------------- */

static int
mark_of(sqlite3 *db)
{
    int mark = -2;

    return sqlite3_file_control(db, "main", VIA_FCNTL_MARK, &mark) == SQLITE_OK ? mark : -3;
}

static void
test_mark(void)
{
    sqlite3 *writer = db_open(data);
    struct via_sql sql;

    open_guarded(NULL, addon, &sql);
    db_run(sql.db, "SELECT * FROM sqlite_schema");
    CHECK(mark_of(sql.db) == -1, "outside a transaction no mark is held");
    db_run(sql.db, "PRAGMA wal_checkpoint(FULL); BEGIN; SELECT * FROM sqlite_schema");
    CHECK(mark_of(sql.db) == 0, "mark 0 when the whole log is in the main file");
    db_run(sql.db, "COMMIT");
    CHECK(mark_of(sql.db) == -1, "and none after it");
    db_run(writer, "PRAGMA user_version=1");
    db_run(sql.db, "BEGIN; SELECT * FROM sqlite_schema");
    CHECK(mark_of(sql.db) > 0, "another one when something is in the log (%d)", mark_of(sql.db));
    db_run(sql.db, "COMMIT");
    CHECK(mark_of(writer) == -3, "another VFS tells no marks");
    via_sql_close(&sql);
    sqlite3_close(writer);
}

static void
test_quiet(int way)
{
    char id[VIA_ID_SIZE], path[VIA_PATH_SIZE], folder[VIA_PATH_SIZE], other[65];
    struct via_snapshot_facts facts, again;
    struct via_error e;
    struct stat st, later;
    sqlite3 *db;

    via_id_make("snap", id);
    put_snapshot(path, id, ".sqlite");
    put_snapshot(folder, "", "");
    CHECK(take(way, id, NULL, &facts, &e) == VIA_OK, "%s: a snapshot is made (%s)", ways[way].name,
          e.message);
    CHECK(stat(path, &st) == 0 && st.st_size == facts.size_bytes && st.st_size > 30000000 &&
              (st.st_mode & 07777) == 0600,
          "%s: its file is there, 0600, of the size that is told", ways[way].name);
    CHECK(stat(folder, &later) == 0 && (later.st_mode & 07777) == 0700, "%s: in a folder 0700",
          ways[way].name);
    digest_by_other(path, other);
    CHECK(strcmp(other, facts.digest) == 0, "%s: its digest is the BLAKE2b-256 of the file",
          ways[way].name);
    CHECK(sqlite->check_snapshot(&root, addon, id, facts.digest, &e) == VIA_OK,
          "%s: the check finds it sound", ways[way].name);

    db = db_open(data);
    db_run(db, "INSERT INTO bulk(body) VALUES('later')");
    CHECK(take(way, id, NULL, &again, &e) == VIA_OK && strcmp(again.digest, facts.digest) == 0 &&
              stat(path, &later) == 0 && later.st_ino == st.st_ino,
          "%s: made again, it is kept", ways[way].name);
    db_run(db, "DELETE FROM bulk WHERE body='later'");
    sqlite3_close(db);
    db = db_open_frozen(path);
    ledger_check(db, ledger->done, ledger->done, ways[way].name);
    CHECK(db_int(db, "SELECT count(*) FROM bulk WHERE body='later'") == 0,
          "%s: it does not know what came after it", ways[way].name);
    sqlite3_close(db);

    facts.digest[5] ^= 1;
    e = (struct via_error){0};
    CHECK(sqlite->check_snapshot(&root, addon, id, facts.digest, &e) == VIA_SNAPSHOT_CORRUPT,
          "%s: another digest is not its own", ways[way].name);
    facts.digest[5] ^= 1;
    for (off_t at = 40; at < st.st_size; at += st.st_size / 3) {
        flip_byte(path, at);
        e = (struct via_error){0};
        CHECK(sqlite->check_snapshot(&root, addon, id, facts.digest, &e) == VIA_SNAPSHOT_CORRUPT &&
                  !strstr(e.message, root.path),
              "%s: one byte altered at %lld is found (%s)", ways[way].name, (long long)at,
              e.message);
        flip_byte(path, at);
    }
    for (int i = 0; i < 4; i++) /* the header of a page of the table bulk */
        flip_byte(path, 4096 * 9 + i);
    digest_by_other(path, other);
    e = (struct via_error){0};
    CHECK(sqlite->check_snapshot(&root, addon, id, other, &e) == VIA_SNAPSHOT_CORRUPT,
          "%s: a broken page is found even if the digest fits (%s)", ways[way].name, e.message);

    CHECK(sqlite->remove_snapshot(&root, addon, id, &e) == VIA_OK && count_snapshots() == 0,
          "%s: it is removed", ways[way].name);
    CHECK(sqlite->remove_snapshot(&root, addon, id, &e) == VIA_OK, "%s: and again, in peace",
          ways[way].name);
    e = (struct via_error){0};
    CHECK(sqlite->check_snapshot(&root, addon, id, facts.digest, &e) == VIA_SNAPSHOT_MISSING,
          "%s: then it is missing", ways[way].name);
}

/* How many children has this process? -1 where the kernel does not tell. */
static int
count_children(void)
{
    char path[64];
    int n = 0, pid;
    FILE *in;

    (void)snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    in = fopen(path, "r");
    if (!in)
        return -1;
    while (fscanf(in, "%d", &pid) == 1)
        n++;
    fclose(in);
    return n;
}

/* Waits, at the first word of progress, until the writer has done more. */
struct patience {
    int64_t at_first, later;
    int last, words, children;
    bool is_falling;
};

static bool
wait_for_writer(void *arg, int percent)
{
    struct patience *p = arg;

    p->is_falling |= percent < p->last;
    p->last = percent;
    if (p->words++ == 0) {
        int64_t until_ms = via_clock_mono_ms() + 20000;

        p->at_first = ledger->begun;
        p->children = count_children();
        while (ledger->done < p->at_first + 20 && via_clock_mono_ms() < until_ms)
            usleep(500);
        p->later = ledger->done;
    }
    return true;
}

static void
test_busy(int way)
{
    pid_t writer = ledger_start();
    int copied_by_child = 0;

    for (int i = 0; i < 4; i++) {
        char id[VIA_ID_SIZE], path[VIA_PATH_SIZE];
        struct patience patience = {0};
        struct via_progress progress = {wait_for_writer, &patience};
        struct via_snapshot_facts facts;
        struct via_error e;
        int64_t before = ledger->done;
        sqlite3 *db;

        via_id_make("snap", id);
        put_snapshot(path, id, ".sqlite");
        if (!CHECK(take(way, id, &progress, &facts, &e) == VIA_OK,
                   "%s: a snapshot is made under a writer (%s)", ways[way].name, e.message))
            break;
        CHECK(patience.later >= patience.at_first + 20, "%s: the writer goes on meanwhile",
              ways[way].name);
        CHECK(patience.words > 2 && !patience.is_falling && patience.last <= 100,
              "%s: progress is told and never falls", ways[way].name);
        copied_by_child += patience.children != 1;
        db = db_open_frozen(path);
        ledger_check(db, before, patience.at_first, ways[way].name);
        sqlite3_close(db);
        CHECK(sqlite->check_snapshot(&root, addon, id, facts.digest, &e) == VIA_OK,
              "%s: it is checked", ways[way].name);
        via_ignore(sqlite->remove_snapshot(&root, addon, id, &e));
    }
    ledger_stop(writer);
    CHECK(way == 1 ? !copied_by_child || count_children() < 0 : copied_by_child > 0,
          "%s: so it was, %d of 4 times by a child", ways[way].name, copied_by_child);
    CHECK(count_snapshots() == 0, "%s: nothing else is left", ways[way].name);
}

/* A reader that stays in the log's past keeps the log from being folded in. */
static void
test_old_reader(void)
{
    char id[VIA_ID_SIZE], path[VIA_PATH_SIZE];
    struct via_snapshot_facts facts;
    sqlite3 *reader = db_open(data), *writer = db_open(data);
    int64_t took_ms, entries;
    struct via_error e;
    struct via_sql sql;

    db_run(writer, "INSERT INTO entry(note) VALUES('old')");
    db_run(reader, "BEGIN; SELECT * FROM account");
    db_run(writer, "INSERT INTO entry(note) VALUES('new')");
    entries = db_int(writer, "SELECT count(*) FROM entry");
    ledger->begun = ledger->done = entries;
    open_guarded(NULL, addon, &sql);
    db_run(sql.db, "PRAGMA wal_checkpoint(PASSIVE); BEGIN; SELECT * FROM account");
    CHECK(mark_of(sql.db) > 0, "with a reader in the past the log cannot be folded in");
    via_sql_close(&sql);

    via_id_make("snap", id);
    put_snapshot(path, id, ".sqlite");
    took_ms = via_clock_mono_ms();
    CHECK(take(0, id, NULL, &facts, &e) == VIA_OK, "a snapshot is made all the same (%s)",
          e.message);
    took_ms = via_clock_mono_ms() - took_ms;
    CHECK(took_ms < 20000, "without waiting for the reader (%lld ms)", (long long)took_ms);
    sqlite3_close(db_open_frozen(path));
    sqlite3 *db = db_open_frozen(path);
    ledger_check(db, entries, entries, "with a reader in the past");
    sqlite3_close(db);
    db_run(reader, "COMMIT");
    sqlite3_close(reader);
    sqlite3_close(writer);
    via_ignore(sqlite->remove_snapshot(&root, addon, id, &e));
}

/* Does another process see that we hold a lock on the live file? */
static bool
is_locked_by_us(void)
{
    struct flock probe = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    pid_t child = fork(), parent = getppid();
    int status;

    if (child == 0) {
        int fd = open(data, O_RDWR);

        parent = getppid();
        _exit(fd >= 0 && fcntl(fd, F_GETLK, &probe) == 0 && probe.l_type != F_UNLCK &&
                      probe.l_pid == parent
                  ? 0
                  : 1);
    }
    return waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void
test_locks_stay(void)
{
    char id[VIA_ID_SIZE];
    struct via_snapshot_facts facts;
    struct via_error e;
    sqlite3 *db = db_open(data);

    db_run(db, "SELECT * FROM account");
    CHECK(is_locked_by_us(), "a connection of this process holds its lock");
    via_id_make("snap", id);
    CHECK(take(0, id, NULL, &facts, &e) == VIA_OK && is_locked_by_us(),
          "and holds it after a snapshot");
    sqlite3_close(db);
    CHECK(!is_locked_by_us(), "until it is closed");
    via_ignore(sqlite->remove_snapshot(&root, addon, id, &e));
}

static bool
stop_at(void *arg, int percent)
{
    return percent < *(int *)arg;
}

static void
test_stop(int way)
{
    for (int at = 1; at <= 50; at += 49) {
        struct via_progress progress = {stop_at, &at};
        char id[VIA_ID_SIZE];
        struct via_snapshot_facts facts;
        struct via_error e;

        via_id_make("snap", id);
        CHECK(take(way, id, &progress, &facts, &e) == VIA_OPERATION_INTERRUPTED,
              "%s: stopped at %d percent (%s: %s)", ways[way].name, at, via_status_word(e.status),
              e.message);
        CHECK(count_snapshots() == 0, "%s: and nothing is left", ways[way].name);
    }
}

static bool
die_at(void *arg, int percent)
{
    if (percent >= *(int *)arg)
        (void)raise(SIGKILL);
    return true;
}

static void
test_killed(int way)
{
    pid_t writer = ledger_start();

    for (int at = 0; at <= 50; at += 25) {
        struct via_progress progress = {die_at, &at};
        char id[VIA_ID_SIZE], path[VIA_PATH_SIZE];
        struct via_snapshot_facts facts;
        int64_t until_ms;
        struct via_error e;
        sqlite3 *db;
        int status;
        pid_t pid;

        via_id_make("snap", id);
        put_snapshot(path, id, ".sqlite");
        pid = fork();
        if (pid == 0) {
            (void)take(way, id, &progress, &facts, &e);
            _exit(0);
        }
        waitpid(pid, &status, 0);
        CHECK(WIFSIGNALED(status) && access(path, F_OK) < 0,
              "%s: killed at %d percent nothing is visible", ways[way].name, at);
        /* The copying child dies with it, a moment later. */
        until_ms = via_clock_mono_ms() + 5000;
        while (take(way, id, NULL, &facts, &e) == VIA_ADDON_BUSY && via_clock_mono_ms() < until_ms)
            usleep(10000);
        CHECK(e.status == VIA_OK, "%s: the next try makes it (%s)", ways[way].name, e.message);
        CHECK(count_snapshots() == 1, "%s: over what was left", ways[way].name);
        db = db_open_frozen(path);
        ledger_check(db, 0, ledger->begun, ways[way].name);
        sqlite3_close(db);
        via_ignore(sqlite->remove_snapshot(&root, addon, id, &e));
    }
    ledger_stop(writer);
}

static bool
take_the_same(void *arg, int percent)
{
    struct via_snapshot_facts facts;
    struct via_error e;

    (void)percent;
    if (take(0, arg, NULL, &facts, &e) != VIA_ADDON_BUSY)
        check_failures++;
    return true;
}

static void
test_twice_at_once(void)
{
    char id[VIA_ID_SIZE];
    struct via_progress progress = {take_the_same, id};
    struct via_snapshot_facts facts;
    struct via_error e;
    int before = check_failures;

    via_id_make("snap", id);
    CHECK(take(0, id, &progress, &facts, &e) == VIA_OK && check_failures == before,
          "a second one at the same snapshot is turned away, and does the first no harm (%s)",
          e.message);
    via_ignore(sqlite->remove_snapshot(&root, addon, id, &e));
}

static void
test_no_room(int way)
{
    struct rlimit all, limit;
    struct via_snapshot_facts facts;
    char id[VIA_ID_SIZE];
    struct via_error e;

    /* A file size limit is the nearest thing to a full disk that needs no mount. */
    via_id_make("snap", id);
    if (getrlimit(RLIMIT_FSIZE, &all) != 0)
        abort();
    limit = (struct rlimit){4 << 20, all.rlim_max};
    (void)setrlimit(RLIMIT_FSIZE, &limit);
    (void)take(way, id, NULL, &facts, &e);
    (void)setrlimit(RLIMIT_FSIZE, &all);
    CHECK(e.status == VIA_STORAGE_FULL, "%s: a snapshot that does not fit is refused (%s: %s)",
          ways[way].name, via_status_word(e.status), e.message);
    CHECK(count_snapshots() == 0, "%s: and nothing is left", ways[way].name);
    CHECK(take(way, id, NULL, &facts, &e) == VIA_OK, "%s: with room it works (%s)", ways[way].name,
          e.message);
    via_ignore(sqlite->remove_snapshot(&root, addon, id, &e));
}

static void
test_integrity(void)
{
    char id[VIA_ID_SIZE], path[VIA_PATH_SIZE];
    struct via_snapshot_facts facts;
    struct via_error e = {0};

    CHECK(sqlite->check_integrity(&root, &ways[0].opener, addon, NULL, &e) == VIA_OK,
          "sound content is found sound (%s)", e.message);
    for (off_t at = 0; at < 4; at++)
        flip_byte(data, 4096 * 9 + at);
    CHECK(sqlite->check_integrity(&root, &ways[0].opener, addon, NULL, &e) == VIA_STORAGE_CORRUPT &&
              !strstr(e.message, root.path) && strlen(e.message) > 30,
          "a broken page is found and told (%s)", e.message);
    via_id_make("snap", id);
    for (int way = 0; way < WAYS; way++) {
        CHECK(take(way, id, NULL, &facts, &e) == VIA_STORAGE_CORRUPT && count_snapshots() == 0,
              "%s: damaged content makes no snapshot (%s)", ways[way].name, e.message);
    }
    for (off_t at = 0; at < 4; at++)
        flip_byte(data, 4096 * 9 + at);
    via_id_make("addon", path);
    e = (struct via_error){0};
    CHECK(sqlite->check_integrity(&root, &ways[0].opener, path, NULL, &e) == VIA_STORAGE_MISSING,
          "without storage there is nothing to check");
    e = (struct via_error){0};
    CHECK(sqlite->snapshot(&root, &ways[0].opener, path, id, NULL, &facts, &e) ==
              VIA_STORAGE_MISSING,
          "nor to copy");
    e = (struct via_error){0};
    CHECK(sqlite->snapshot(&root, &ways[0].opener, addon, "../x", NULL, &facts, &e) ==
              VIA_INTERNAL_ERROR,
          "what is no id is no snapshot's name");
}

int
main(void)
{
    ledger_begin();
    test_mark();
    for (int way = 0; way < WAYS; way++) {
        test_quiet(way);
        test_busy(way);
        test_stop(way);
        test_killed(way);
        test_no_room(way);
    }
    test_twice_at_once();
    test_old_reader();
    test_locks_stay();
    test_integrity();
    return ledger_end();
}
