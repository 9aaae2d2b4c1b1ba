/* The focus of this file is the SQLite provider: what may be imported, that a copy is
 * whole, that the source is left as it was, and that failure leaves nothing behind. */
#include "base/id.h"
#include "check.h"
#include "provider/provider.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char scratch[64];
static struct via_root root;
static const struct via_provider *sqlite;

static void
put_path(char out[256], const char *name)
{
    (void)snprintf(out, 256, "%s/%s", scratch, name);
}

static sqlite3 *
db_open(const char *name)
{
    char path[256];
    sqlite3 *db;

    put_path(path, name);
    if (sqlite3_open(path, &db) != SQLITE_OK)
        abort();
    return db;
}

static void
db_run(sqlite3 *db, const char *sql)
{
    char *words = NULL;

    if (sqlite3_exec(db, sql, NULL, NULL, &words) != SQLITE_OK) {
        printf("not ok - %s: %s\n", sql, words);
        exit(1);
    }
}

static int64_t
db_int(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *q = NULL;
    int64_t value = -1;

    if (sqlite3_prepare_v2(db, sql, -1, &q, NULL) == SQLITE_OK && sqlite3_step(q) == SQLITE_ROW)
        value = sqlite3_column_int64(q, 0);
    sqlite3_finalize(q);
    return value;
}

#define TABLE_SQL                                                                                  \
    "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT); CREATE INDEX tv ON t(v);"                     \
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<3000)"                   \
    " INSERT INTO t(v) SELECT 'value '||i FROM n;"

static void
db_make(const char *name, const char *sql)
{
    sqlite3 *db = db_open(name);

    db_run(db, sql);
    sqlite3_close(db);
}

static void
file_write(const char *name, const void *bytes, size_t n, off_t at)
{
    char path[256];
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
    char path[256];
    struct stat st;

    put_path(path, name);
    return lstat(path, &st) == 0 ? st.st_size : -1;
}

/* Copy by another process: closing a database here would drop SQLite's locks. */
static void
file_copy(const char *from, const char *to)
{
    char command[600];

    (void)snprintf(command, sizeof command, "cp '%s/%s' '%s/%s'", scratch, from, scratch, to);
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
        sqlite3 *db = db_open(name);

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
    struct dirent *entry;
    int n = 0;
    DIR *dir;

    via_root_join(&root, "addons/sqlite", path);
    dir = opendir(path);
    while (dir && (entry = readdir(dir)) != NULL)
        n += entry->d_name[0] != '.';
    if (dir)
        closedir(dir);
    return n;
}

/* The source is refused as `expected`, by the check and by the import, without a trace. */
static void
check_refused(const char *name, enum via_status expected, const char *sentence)
{
    struct via_error checked = {0}, made = {0};
    char path[256], id[VIA_ID_SIZE];
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
    char path[256], data[VIA_PATH_SIZE], id[VIA_ID_SIZE];
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

/* Does the header of `name`, or of what was imported last (NULL), say how many pages there are? */
static int
header_tells_size(const char *name)
{
    unsigned char header[100] = {0};
    char path[256];
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

    db_make("rollback.db", TABLE_SQL);
    copy = import_open("rollback.db", "a rollback database");
    CHECK(copy && db_int(copy, "SELECT count(*) FROM t") == 3000, "its rows are all there");
    sqlite3_close(copy);

    db_make("clean-wal.db", "PRAGMA journal_mode=WAL; PRAGMA page_size=8192;" TABLE_SQL);
    copy = import_open("clean-wal.db", "a cleanly closed WAL database");
    CHECK(copy && db_int(copy, "SELECT count(*) FROM t") == 3000, "its rows are all there");
    sqlite3_close(copy);
    CHECK(file_size("clean-wal.db-wal") < 0 && file_size("clean-wal.db-shm") < 0,
          "reading it leaves no log and no index beside it");

    source = db_open("live-wal.db");
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

    db_make("utf16.db", "PRAGMA encoding='UTF-16le'; PRAGMA auto_vacuum=FULL;" TABLE_SQL);
    copy = import_open("utf16.db", "a UTF-16 database with auto_vacuum");
    CHECK(copy && db_int(copy, "PRAGMA auto_vacuum") == 1, "keeps its properties");
    sqlite3_close(copy);

    db_make("rich.db",
            TABLE_SQL "CREATE TABLE j(a CHECK(json_valid(a)), b AS (json_extract(a,'$.x')));"
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

    db_make("sp ace%?#.db", TABLE_SQL);
    sqlite3_close(import_open("sp ace%?#.db", "a path with signs that mean something in a URI"));
    db_make("wal ?%20.db", "PRAGMA journal_mode=WAL;" TABLE_SQL);
    sqlite3_close(import_open("wal ?%20.db", "the same for a WAL database"));
}

/* Files that are longer or older than what is written today. */
static void
test_import_odd_sizes(void)
{
    char tail[5000] = {0};
    int64_t bytes;
    sqlite3 *copy;

    db_make("tail.db", TABLE_SQL);
    bytes = file_size("tail.db");
    file_write("tail.db", tail, sizeof tail, bytes);
    copy = import_open("tail.db", "a database with something behind its end");
    CHECK(copy && db_int(copy, "SELECT count(*) FROM t") == 3000 &&
              db_int(copy, "PRAGMA page_count") * 4096 == bytes,
          "is imported without it");
    sqlite3_close(copy);

    db_make("old.db", TABLE_SQL);
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
    char path[256], id[VIA_ID_SIZE];
    struct via_error e = {0};
    int before = addon_count();

    db_make("broken-row.db", "CREATE TABLE t(a CHECK(a > 0)); PRAGMA ignore_check_constraints=ON;"
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
    char path[256], other[256], garbage[8192];

    check_refused("absent.db", VIA_SOURCE_NOT_FOUND, "a missing file");
    check_refused("", VIA_SOURCE_NOT_A_FILE, "a folder");
    put_path(path, "fifo");
    (void)mkfifo(path, 0600);
    check_refused("fifo", VIA_SOURCE_NOT_A_FILE, "a FIFO");
    db_make("plain.db", TABLE_SQL);
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
    db_make("half-cipher.db", TABLE_SQL);
    file_write("half-cipher.db", garbage + 200, 4000, 16);
    check_refused("half-cipher.db", VIA_SOURCE_NOT_A_DATABASE, "one encrypted after its magic");
    db_make("fifo-log.db", "PRAGMA journal_mode=WAL;" TABLE_SQL);
    put_path(path, "fifo-log.db-wal");
    (void)mkfifo(path, 0600);
    check_refused("fifo-log.db", VIA_SOURCE_NOT_A_FILE, "a FIFO in place of the log");
}

static void
test_corrupt(void)
{
    char junk[512];
    char path[256];

    memset(junk, 0xa5, sizeof junk);
    db_make("bad-page.db", TABLE_SQL);
    file_write("bad-page.db", junk, sizeof junk, 5 * 4096);
    check_refused("bad-page.db", VIA_SOURCE_CORRUPT, "a database with a broken page");
    db_make("cut.db", TABLE_SQL);
    put_path(path, "cut.db");
    if (truncate(path, 4096 * 6) != 0)
        abort();
    check_refused("cut.db", VIA_SOURCE_CORRUPT, "a database that was cut short");
    db_make("bad-index.db",
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

    db_make("busy.db", TABLE_SQL);
    pid = writer_start("busy.db", "BEGIN IMMEDIATE");
    check_refused("busy.db", VIA_SOURCE_BUSY, "a database with a RESERVED lock");
    writer_kill(pid);
    pid = writer_start("busy.db", "BEGIN EXCLUSIVE");
    check_refused("busy.db", VIA_SOURCE_BUSY, "a database with an EXCLUSIVE lock");
    writer_kill(pid);

    db_make("hot.db", TABLE_SQL);
    pid = writer_start("hot.db", "PRAGMA cache_size=2; PRAGMA cache_spill=1; BEGIN;"
                                 "UPDATE t SET v=v||' changed and made longer';");
    writer_kill(pid);
    CHECK(file_size("hot.db-journal") > 0, "a killed writer leaves a journal");
    check_refused("hot.db", VIA_SOURCE_HOT_JOURNAL, "a database with a hot journal");
    CHECK(file_size("hot.db-journal") > 0, "the journal is still there");

    db_make("kept.db", "PRAGMA journal_mode=PERSIST;" TABLE_SQL "DELETE FROM t WHERE id=1;");
    CHECK(file_size("kept.db-journal") > 0, "PERSIST leaves a journal that is not hot");
    sqlite3_close(import_open("kept.db", "a database with a spent journal"));

    db_make("wal-busy.db", "PRAGMA journal_mode=WAL;" TABLE_SQL);
    pid = writer_start("wal-busy.db", "BEGIN IMMEDIATE");
    check_refused("wal-busy.db", VIA_SOURCE_BUSY, "a WAL database with a writer elsewhere");
    writer_kill(pid);
    sqlite3_close(import_open("wal-busy.db", "the same when the writer died"));

    db = db_open("own-busy.db");
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
    struct via_progress meddling = {meddle, db_open("moving.db")}, stopping;
    char path[256], id[VIA_ID_SIZE];
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
    char id[VIA_ID_SIZE], other[VIA_ID_SIZE], data[VIA_PATH_SIZE], path[256];
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
    char path[256], id[VIA_ID_SIZE];
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
    char path[256], words[128] = "";
    struct via_error e = {0};
    int out[2];
    pid_t pid;

    if (geteuid() != 0)
        return;
    db_make("secret.db", TABLE_SQL);
    put_path(path, "secret.db");
    if (chmod(path, 0600) != 0 || chmod(scratch, 0755) != 0 || pipe(out) != 0)
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
    struct via_error e = {0};
    char command[128];

    (void)snprintf(scratch, sizeof scratch, "/tmp/via-provider-XXXXXX");
    if (!mkdtemp(scratch))
        return 1;
    (void)snprintf(command, sizeof command, "%s/state", scratch);
    via_root_set_path(command);
    if (via_root_open(&root, &e) != VIA_OK) {
        printf("not ok - the state root opens: %s\n", e.message);
        return 1;
    }
    sqlite = via_provider_find("sqlite");
    CHECK(sqlite && !via_provider_find("other"), "sqlite is a type, other is none");
    test_empty("first");
    test_empty("second");
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
    test_leftovers();
    test_cut();
    (void)snprintf(command, sizeof command, "rm -rf '%s'", scratch);
    return system(command) == 0 ? check_end() : 1;
}
