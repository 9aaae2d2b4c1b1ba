/* The focus of this file is imports: what may be imported, that a copy is whole, that the source is
 * left as it was, and that failure leaves nothing behind. */
#include "base/id.h"
#include "check.h"
#include "db.h"
#include "provider/provider.h"
#include "scratch.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

static const struct via_provider *sqlite = &via_provider_sqlite;
static struct via_root root;

static void
put_path(char out[512], const char *name)
{
    (void)snprintf(out, 512, "%s/%s", scratch_path, name);
}

/* The database `name` of the scratch folder. */
static sqlite3 *
source_open(const char *name)
{
    char path[512];

    put_path(path, name);
    return db_open(path);
}

#define TABLE_SQL                                                                                  \
    "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT); CREATE INDEX tv ON t(v);"                     \
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<3000)"                   \
    " INSERT INTO t(v) SELECT 'value '||i FROM n;"

static void
source_make(const char *name, const char *sql)
{
    sqlite3 *db = source_open(name);

    db_run(db, sql);
    sqlite3_close(db);
}

static void
file_write(const char *name, const void *bytes, size_t n, off_t at)
{
    char path[512];
    int fd;

    put_path(path, name);
    fd = open(path, O_WRONLY | O_CREAT, 0600);
    if (fd < 0 || pwrite(fd, bytes, n, at) != (ssize_t)n)
        abort();
    close(fd);
}

static int64_t
file_size(const char *name)
{
    char path[512];
    struct stat st;

    put_path(path, name);
    return lstat(path, &st) == 0 ? st.st_size : -1;
}

/* Copy by another process: closing a database here would drop SQLite's locks. */
static void
file_copy(const char *from, const char *to)
{
    char command[600];

    (void)snprintf(command, sizeof command, "cp '%s/%s' '%s/%s'", scratch_path, from, scratch_path,
                   to);
    if (system(command) != 0)
        abort();
}

/* Run `sql` on `name` in another process, which then waits for its end. */
static pid_t
writer_start(const char *name, const char *sql)
{
    int ready[2];
    char byte;
    pid_t pid;

    if (pipe(ready) != 0)
        abort();
    pid = fork();
    if (pid == 0) {
        sqlite3 *db = source_open(name);

        close(ready[0]);
        db_run(db, sql);
        if (write(ready[1], "x", 1) != 1)
            _exit(1);
        pause();
        _exit(0);
    }
    close(ready[1]);
    if (read(ready[0], &byte, 1) != 1)
        abort();
    close(ready[0]);
    return pid;
}

static void
writer_kill(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

/* How many entries are in addons/sqlite? */
static int
addon_count(void)
{
    char path[VIA_PATH_SIZE];

    via_root_join(&root, "addons/sqlite", path);
    return count_in(path);
}

/* The source is refused as `expected`, by the check and by the import, without a trace. */
static void
check_refused(const char *name, enum via_status expected, const char *sentence)
{
    struct via_error checked = {0}, made = {0};
    char path[512], id[VIA_ID_SIZE];
    int before = addon_count();

    put_path(path, name);
    via_id_make("addon", id);
    (void)sqlite->check_source(path, NULL, &checked);
    CHECK(checked.status == expected, "%s is refused as %s (was %s: %s)", sentence,
          via_status_word(expected), via_status_word(checked.status), checked.message);
    (void)sqlite->provision(&root, id, path, NULL, &made);
    CHECK(made.status == expected, "importing %s is refused as %s (was %s: %s)", sentence,
          via_status_word(expected), via_status_word(made.status), made.message);
    CHECK(strstr(made.message, root.path) == NULL, "%s: the sentence names no path of Via's",
          sentence);
    CHECK(addon_count() == before, "%s leaves nothing behind", sentence);
}

static char imported[VIA_PATH_SIZE]; /* the file that was imported last */

/* Import `name`; returns the copy opened, or NULL. */
static sqlite3 *
import_open(const char *name, const char *sentence)
{
    char path[512], data[VIA_PATH_SIZE], id[VIA_ID_SIZE];
    struct via_storage_facts facts;
    struct via_error e = {0};
    sqlite3 *db = NULL;

    put_path(path, name);
    via_id_make("addon", id);
    if (!CHECK(sqlite->check_source(path, NULL, &e) == VIA_OK, "%s may be imported (%s)", sentence,
               e.message) ||
        !CHECK(sqlite->provision(&root, id, path, NULL, &e) == VIA_OK, "%s is imported (%s)",
               sentence, e.message))
        return NULL;
    sqlite->probe(&root, id, &facts);
    CHECK(facts.present && facts.readable && facts.writable && !facts.leftovers &&
              facts.wal_bytes == 0,
          "%s: the copy is there, closed, without leftovers", sentence);
    if (!sqlite->locate(&root, id, data) || sqlite3_open(data, &db) != SQLITE_OK)
        return NULL;
    memcpy(imported, data, sizeof imported);
    return db;
}

/* Does the header of `name`, or of what was imported last (NULL), say how many pages there are? */
static int
header_tells_size(const char *name)
{
    unsigned char header[100] = {0};
    char path[512];
    FILE *in;

    if (name)
        put_path(path, name);
    in = fopen(name ? path : imported, "rb");
    if (!in || fread(header, 1, sizeof header, in) != sizeof header)
        abort();
    fclose(in);
    return memcmp(header + 24, header + 92, 4) == 0;
}

static void
test_import_kinds(void)
{
    sqlite3 *copy, *source;
    pid_t reader;

    source_make("rollback.db", TABLE_SQL);
    copy = import_open("rollback.db", "a rollback database");
    CHECK(copy && db_int(copy, "SELECT count(*) FROM t") == 3000, "its rows are all there");
    sqlite3_close(copy);

    source_make("clean-wal.db", "PRAGMA journal_mode=WAL; PRAGMA page_size=8192;" TABLE_SQL);
    copy = import_open("clean-wal.db", "a cleanly closed WAL database");
    CHECK(copy && db_int(copy, "SELECT count(*) FROM t") == 3000, "its rows are all there");
    sqlite3_close(copy);
    CHECK(file_size("clean-wal.db-wal") < 0 && file_size("clean-wal.db-shm") < 0,
          "reading it leaves no log and no index beside it");

    source = source_open("live-wal.db");
    db_run(source, "PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0;" TABLE_SQL);
    CHECK(file_size("live-wal.db-wal") > 0, "the rows are in the log alone");
    copy = import_open("live-wal.db", "a WAL database that is open and idle in this process");
    CHECK(copy && db_int(copy, "SELECT count(*) FROM t") == 3000, "its log is imported");
    sqlite3_close(copy);
    CHECK(db_int(source, "SELECT count(*) FROM t") == 3000, "its own connection goes on");
    file_copy("live-wal.db", "crashed.db");
    file_copy("live-wal.db-wal", "crashed.db-wal");
    sqlite3_close(source);
    int64_t log_bytes = file_size("crashed.db-wal");
    copy = import_open("crashed.db", "a WAL database with the log of a crash");
    CHECK(copy && db_int(copy, "SELECT count(*) FROM t") == 3000, "the log is recovered");
    sqlite3_close(copy);
    CHECK(file_size("crashed.db-wal") == log_bytes && file_size("crashed.db") <= 4096,
          "the source keeps its log, unfolded");

    source_make("utf16.db", "PRAGMA encoding='UTF-16le'; PRAGMA auto_vacuum=FULL;" TABLE_SQL);
    copy = import_open("utf16.db", "a UTF-16 database with auto_vacuum");
    CHECK(copy && db_int(copy, "PRAGMA auto_vacuum") == 1, "keeps its properties");
    sqlite3_close(copy);

    source_make("rich.db", TABLE_SQL
                "CREATE TABLE j(a CHECK(json_valid(a)), b AS (json_extract(a,'$.x')));"
                "CREATE INDEX ji ON j(json_extract(a,'$.x')); CREATE INDEX jl ON t(lower(v));"
                "INSERT INTO j(a) VALUES('{\"x\":5}'); CREATE VIEW w AS SELECT b FROM j;"
                "CREATE VIRTUAL TABLE f USING fts5(v); INSERT INTO f SELECT v FROM t;"
                "CREATE TRIGGER g AFTER INSERT ON t BEGIN INSERT INTO f VALUES(new.v); END;"
                "CREATE TABLE k(a PRIMARY KEY, b) WITHOUT ROWID; PRAGMA user_version=7;");
    copy = import_open("rich.db", "a schema with JSON checks, generated columns and full text");
    CHECK(copy && db_int(copy, "SELECT b FROM w") == 5 &&
              db_int(copy, "PRAGMA user_version") == 7 &&
              db_int(copy, "SELECT count(*) FROM f WHERE f MATCH 'value'") == 3000,
          "works as before");
    sqlite3_close(copy);

    reader = writer_start("rollback.db", "BEGIN; SELECT count(*) FROM t");
    copy = import_open("rollback.db", "a database that another process reads");
    sqlite3_close(copy);
    writer_kill(reader);

    source_make("sp ace%?#.db", TABLE_SQL);
    sqlite3_close(import_open("sp ace%?#.db", "a path with signs that mean something in a URI"));
    source_make("wal ?%20.db", "PRAGMA journal_mode=WAL;" TABLE_SQL);
    sqlite3_close(import_open("wal ?%20.db", "the same for a WAL database"));
}

/* Files that are longer or older than what is written today. */
static void
test_import_odd_sizes(void)
{
    char tail[5000] = {0};
    int64_t bytes;
    sqlite3 *copy;

    source_make("tail.db", TABLE_SQL);
    bytes = file_size("tail.db");
    file_write("tail.db", tail, sizeof tail, bytes);
    copy = import_open("tail.db", "a database with something behind its end");
    CHECK(copy && db_int(copy, "SELECT count(*) FROM t") == 3000 &&
              db_int(copy, "PRAGMA page_count") * 4096 == bytes,
          "is imported without it");
    sqlite3_close(copy);

    source_make("old.db", TABLE_SQL);
    file_write("old.db", "\0\0\0\0", 4, 92); /* as before 3.7.0: its size in pages is not valid */
    copy = import_open("old.db", "a database of an old writer, which does not tell its size");
    CHECK(copy && db_int(copy, "SELECT count(*) FROM t") == 3000, "has all its rows");
    sqlite3_close(copy);
    CHECK(header_tells_size("old.db") == 0 && header_tells_size(NULL) == 1,
          "and tells its size when it is imported");
}

/* Pages and indexes are sound, a row is not: no reader sees it, and no database gets in with it. */
static void
test_import_broken_rows(void)
{
    char path[512], id[VIA_ID_SIZE];
    struct via_error e = {0};
    int before = addon_count();

    source_make("broken-row.db",
                "CREATE TABLE t(a CHECK(a > 0)); PRAGMA ignore_check_constraints=ON;"
                "INSERT INTO t VALUES(-1)");
    put_path(path, "broken-row.db");
    via_id_make("addon", id);
    (void)sqlite->provision(&root, id, path, NULL, &e);
    CHECK(e.status == VIA_SOURCE_CORRUPT && addon_count() == before,
          "a row that breaks a CHECK is refused, and nothing is left (%s)", e.message);
}

static void
test_refused_kinds(void)
{
    char path[512], other[512], garbage[8192];

    check_refused("absent.db", VIA_SOURCE_NOT_FOUND, "a missing file");
    check_refused("", VIA_SOURCE_NOT_A_FILE, "a folder");
    put_path(path, "fifo");
    (void)mkfifo(path, 0600);
    check_refused("fifo", VIA_SOURCE_NOT_A_FILE, "a FIFO");
    source_make("plain.db", TABLE_SQL);
    put_path(other, "plain.db");
    put_path(path, "link.db");
    (void)symlink(other, path);
    check_refused("link.db", VIA_SOURCE_SYMLINK, "a symbolic link");
    file_write("zero.db", "", 0, 0);
    check_refused("zero.db", VIA_SOURCE_NOT_A_DATABASE, "an empty file");
    file_write("short.db", "hello", 5, 0);
    check_refused("short.db", VIA_SOURCE_NOT_A_DATABASE, "a short text");
    for (size_t i = 0; i < sizeof garbage; i++)
        garbage[i] = (char)(i * 7919 >> 3);
    file_write("cipher.db", garbage, sizeof garbage, 0);
    check_refused("cipher.db", VIA_SOURCE_NOT_A_DATABASE, "an encrypted file");
    source_make("half-cipher.db", TABLE_SQL);
    file_write("half-cipher.db", garbage + 200, 4000, 16);
    check_refused("half-cipher.db", VIA_SOURCE_NOT_A_DATABASE, "one encrypted after its magic");
    source_make("fifo-log.db", "PRAGMA journal_mode=WAL;" TABLE_SQL);
    put_path(path, "fifo-log.db-wal");
    (void)mkfifo(path, 0600);
    check_refused("fifo-log.db", VIA_SOURCE_NOT_A_FILE, "a FIFO in place of the log");
}

static void
test_corrupt(void)
{
    char junk[512];
    char path[512];

    memset(junk, 0xa5, sizeof junk);
    source_make("bad-page.db", TABLE_SQL);
    file_write("bad-page.db", junk, sizeof junk, 5 * 4096);
    check_refused("bad-page.db", VIA_SOURCE_CORRUPT, "a database with a broken page");
    source_make("cut.db", TABLE_SQL);
    put_path(path, "cut.db");
    if (truncate(path, 4096 * 6) != 0)
        abort();
    check_refused("cut.db", VIA_SOURCE_CORRUPT, "a database that was cut short");
    source_make("bad-index.db",
                TABLE_SQL "PRAGMA writable_schema=ON;"
                          "UPDATE sqlite_schema SET rootpage=(SELECT rootpage FROM sqlite_schema"
                          " WHERE name='t') WHERE name='tv';");
    check_refused("bad-index.db", VIA_SOURCE_CORRUPT, "an index that is another table's tree");
}

static void
test_busy(void)
{
    sqlite3 *db;
    pid_t pid;

    source_make("busy.db", TABLE_SQL);
    pid = writer_start("busy.db", "BEGIN IMMEDIATE");
    check_refused("busy.db", VIA_SOURCE_BUSY, "a database with a RESERVED lock");
    writer_kill(pid);
    pid = writer_start("busy.db", "BEGIN EXCLUSIVE");
    check_refused("busy.db", VIA_SOURCE_BUSY, "a database with an EXCLUSIVE lock");
    writer_kill(pid);

    source_make("hot.db", TABLE_SQL);
    pid = writer_start("hot.db", "PRAGMA cache_size=2; PRAGMA cache_spill=1; BEGIN;"
                                 "UPDATE t SET v=v||' changed and made longer';");
    writer_kill(pid);
    CHECK(file_size("hot.db-journal") > 0, "a killed writer leaves a journal");
    check_refused("hot.db", VIA_SOURCE_HOT_JOURNAL, "a database with a hot journal");
    CHECK(file_size("hot.db-journal") > 0, "the journal is still there");

    source_make("kept.db", "PRAGMA journal_mode=PERSIST;" TABLE_SQL "DELETE FROM t WHERE id=1;");
    CHECK(file_size("kept.db-journal") > 0, "PERSIST leaves a journal that is not hot");
    sqlite3_close(import_open("kept.db", "a database with a spent journal"));

    source_make("wal-busy.db", "PRAGMA journal_mode=WAL;" TABLE_SQL);
    pid = writer_start("wal-busy.db", "BEGIN IMMEDIATE");
    check_refused("wal-busy.db", VIA_SOURCE_BUSY, "a WAL database with a writer elsewhere");
    writer_kill(pid);
    sqlite3_close(import_open("wal-busy.db", "the same when the writer died"));

    db = source_open("own-busy.db");
    db_run(db, "PRAGMA journal_mode=WAL;" TABLE_SQL "BEGIN IMMEDIATE");
    check_refused("own-busy.db", VIA_SOURCE_BUSY, "a WAL database with a writer in this process");
    db_run(db, "COMMIT");
    sqlite3_close(import_open("own-busy.db", "the same when the writer is done"));
    sqlite3_close(db);
}

/* A writer that commits between two steps of the copy. */
static bool
meddle(void *arg, int percent)
{
    (void)percent;
    db_run(arg, "UPDATE t SET v='meddled' WHERE id=1");
    return true;
}

static bool
refuse(void *arg, int percent)
{
    *(int *)arg = percent;
    return percent == 0;
}

static void
test_moving(void)
{
    struct via_progress meddling = {meddle, source_open("moving.db")}, stopping;
    char path[512], id[VIA_ID_SIZE];
    struct via_error e = {0};
    int before = addon_count(), percent = -1;

    db_run(meddling.arg, "PRAGMA journal_mode=WAL; CREATE TABLE big(b); " TABLE_SQL
                         "INSERT INTO big SELECT zeroblob(3000) FROM t");
    put_path(path, "moving.db");
    via_id_make("addon", id);
    (void)sqlite->provision(&root, id, path, &meddling, &e);
    CHECK(e.status == VIA_SOURCE_BUSY, "a source that changes under the copy is refused (%s)",
          via_status_word(e.status));
    CHECK(addon_count() == before, "and nothing is left");
    sqlite3_close(meddling.arg);

    stopping = (struct via_progress){refuse, &percent};
    e = (struct via_error){0};
    (void)sqlite->provision(&root, id, path, &stopping, &e);
    CHECK(e.status == VIA_OPERATION_INTERRUPTED && percent > 0 && percent < 100,
          "a copy can be stopped half-way (%s at %d)", via_status_word(e.status), percent);
    CHECK(addon_count() == before, "and nothing is left");
}

static void
test_own_files(void)
{
    char id[VIA_ID_SIZE], other[VIA_ID_SIZE], data[VIA_PATH_SIZE], path[512];
    struct via_error e = {0};

    via_id_make("addon", id);
    via_id_make("addon", other);
    if (sqlite->provision(&root, id, NULL, NULL, &e) != VIA_OK || !sqlite->locate(&root, id, data))
        abort();
    (void)sqlite->provision(&root, other, data, NULL, &e);
    CHECK(e.status == VIA_PATH_INVALID && !strstr(e.message, "addons"),
          "an add-on's own file is no source (%s)", e.message);
    put_path(path, "second-name.db");
    if (link(data, path) != 0)
        abort();
    check_refused("second-name.db", VIA_PATH_INVALID, "a hard link to an add-on's file");
    (void)unlink(path);
}

static void
test_no_room(void)
{
    struct rlimit limit = {256 * 1024, 256 * 1024}, all;
    char path[512], id[VIA_ID_SIZE];
    struct via_error e = {0};
    int before = addon_count();

    /* A file size limit is the nearest thing to a full disk that needs no mount. */
    put_path(path, "moving.db");
    via_id_make("addon", id);
    (void)signal(SIGXFSZ, SIG_IGN);
    if (getrlimit(RLIMIT_FSIZE, &all) != 0)
        abort();
    limit.rlim_max = all.rlim_max;
    (void)setrlimit(RLIMIT_FSIZE, &limit);
    (void)sqlite->provision(&root, id, path, NULL, &e);
    (void)setrlimit(RLIMIT_FSIZE, &all);
    CHECK(e.status != VIA_OK, "a copy that does not fit is refused (%s: %s)",
          via_status_word(e.status), e.message);
    CHECK(addon_count() == before, "and nothing is left");
    e = (struct via_error){0};
    CHECK(sqlite->provision(&root, id, path, NULL, &e) == VIA_OK, "with room it works (%s)",
          e.message);
}

/* An ordinary user meets a file that only root may read. */
static void
test_unreadable(void)
{
    char path[512], words[128] = "";
    struct via_error e = {0};
    int out[2];
    pid_t pid;

    if (geteuid() != 0)
        return;
    source_make("secret.db", TABLE_SQL);
    put_path(path, "secret.db");
    if (chmod(path, 0600) != 0 || chmod(scratch_path, 0755) != 0 || pipe(out) != 0)
        abort();
    pid = fork();
    if (pid == 0) {
        if (setgid(65534) != 0 || setuid(65534) != 0)
            _exit(1);
        (void)sqlite->check_source(path, NULL, &e);
        if (write(out[1], via_status_word(e.status), strlen(via_status_word(e.status))) < 0)
            _exit(1);
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    if (read(out[0], words, sizeof words - 1) < 0)
        abort();
    CHECK(strcmp(words, "source_unreadable") == 0, "an unreadable file is refused (%s)", words);
}

int
main(void)
{
    scratch_root(&root);
    test_import_kinds();
    test_import_odd_sizes();
    test_import_broken_rows();
    test_refused_kinds();
    test_corrupt();
    test_busy();
    test_moving();
    test_own_files();
    test_no_room();
    test_unreadable();
    return check_end();
}
