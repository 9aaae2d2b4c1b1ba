/* The focus of this file is a file system that can share blocks, which ioctl(2) plays here: every
 * copy asks for it, and is checked none the less. */
#include "check.h"
#include "live.h"

#include <errno.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* Seen by the processes that copy, too. */
static struct played {
    enum { REFUSES, SHARES, LIES, BREAKS } how;
    _Atomic int asked;
} * played;

/* All of `from`, whatever its length, becomes what `to` is. */
static int
share(int to, int from)
{
    static char page[4096];
    off_t at = 0;
    ssize_t got;

    while ((got = pread(from, page, sizeof page, at)) > 0) {
        if (played->how == LIES && at == 3 * 4096)
            memset(page, 0x5a, 64);
        if (pwrite(to, page, (size_t)got, at) != got)
            return -1;
        at += got;
    }
    return got < 0 ? -1 : 0;
}

int
ioctl(int fd, unsigned long request, ...)
{
    va_list args;
    long arg;

    va_start(args, request);
    arg = va_arg(args, long);
    va_end(args);
    if (request != FICLONE)
        return (int)syscall(SYS_ioctl, fd, request, arg);
    played->asked++;
    if (played->how == SHARES || played->how == LIES)
        return share(fd, (int)arg);
    errno = played->how == BREAKS ? EIO : EOPNOTSUPP;
    return -1;
}

static char source[300];

static const char *
try_sql(const char *format, const char *text)
{
    static char answer[300];
    char *sql = sqlite3_mprintf(format, text), *words = NULL;

    answer[0] = '\0';
    if (sqlite3_exec(live_db, sql, NULL, NULL, &words) != SQLITE_OK)
        snprintf(answer, sizeof answer, "%s", words);
    sqlite3_free(words);
    sqlite3_free(sql);
    return answer;
}

/* Run a statement that makes one copy. */
static void
check_copy(const char *what, const char *format, const char *text)
{
    const char *said;

    played->asked = 0;
    said = try_sql(format, text);
    CHECK(said[0] == '\0', "%s: it is made (%s)", what, said);
    CHECK(played->asked == 1, "%s: the file system is asked to share (%d times)", what,
          played->asked);
}

static const char *
sum_of(const char *path)
{
    static char sum[64];
    char uri[VIA_PATH_SIZE + 32];
    sqlite3_stmt *q = NULL;
    sqlite3 *db;

    snprintf(uri, sizeof uri, "file:%s?immutable=1", path);
    sum[0] = '\0';
    if (sqlite3_open_v2(uri, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL) == SQLITE_OK &&
        sqlite3_prepare_v2(db, "SELECT count(*)||' '||sum(length(a)) FROM t", -1, &q, NULL) ==
            SQLITE_OK &&
        sqlite3_step(q) == SQLITE_ROW)
        snprintf(sum, sizeof sum, "%s", (const char *)sqlite3_column_text(q, 0));
    sqlite3_finalize(q);
    sqlite3_close(db);
    return sum;
}

static void
check_content(const char *what, const char *path)
{
    char whole[VIA_PATH_SIZE];

    via_root_join(&live_root, path, whole);
    CHECK(strcmp(sum_of(path[0] == '/' ? path : whole), "4000 4000000") == 0,
          "%s: its content is what it was", what);
}

static void
test_sharing(void)
{
    char path[300];
    struct stat st;
    off_t bytes;

    played->how = SHARES;
    check_copy("import", "INSERT INTO via_addons(name,app,source) VALUES('db','api',%Q)", source);
    snprintf(path, sizeof path, "addons/sqlite/%s/data.sqlite",
             live_sql("SELECT id FROM via_addons WHERE name='db'"));
    check_content("import", path);
    check_copy("snapshot", "INSERT INTO via_snapshots(addon) VALUES('db')", "");
    check_copy("restore",
               "INSERT INTO via_restores(addon,snapshot) SELECT 'db', id FROM"
               " via_snapshots WHERE reason IS NOT 'safety'",
               "");
    check_content("restore", path);
    snprintf(path, sizeof path, "%s/export", scratch_path);
    check_copy("export", "INSERT INTO via_exports(addon,path) VALUES('db',%Q)", path);
    check_content("export", path);
    check_copy("backup", "INSERT INTO via_backups DEFAULT VALUES", "");

    /* Blocks are shared to the end of the file, which is not the end of the database. */
    if (stat(source, &st) != 0 || truncate(source, (bytes = st.st_size) + 10000) != 0)
        live_die("the source does not grow");
    check_copy("import of a longer file",
               "INSERT INTO via_addons(name,app,source) VALUES('cut','api',%Q)", source);
    CHECK(atoll(live_sql("SELECT size_bytes FROM via_addons WHERE name='cut'")) == bytes,
          "import of a longer file: what is behind the database is cut off");
    if (truncate(source, bytes) != 0)
        live_die("the source does not shrink");
}

/* What the file system gives is read back like any other copy. */
static void
test_lying(void)
{
    const char *said;

    played->how = LIES;
    said = try_sql("INSERT INTO via_snapshots(addon) VALUES('db')", "");
    CHECK(strncmp(said, "storage_corrupt: ", 17) == 0, "a snapshot that is shared wrongly: %s",
          said);
    CHECK(live_sql("SELECT id FROM via_snapshots WHERE state='ready' AND reason IS NOT 'safety'"
                   " LIMIT 1 OFFSET 1")[0] == '\0',
          "it is none");
    said = try_sql("INSERT INTO via_addons(name,app,source) VALUES('wrong','api',%Q)", source);
    CHECK(strncmp(said, "source_corrupt: ", 16) == 0, "an import that is shared wrongly: %s", said);
    CHECK(strcmp(live_sql("SELECT state||' '||coalesce(size_bytes,'none') FROM via_addons"
                          " WHERE name='wrong'"),
                 "failed none") == 0,
          "it is failed, and has no bytes");
}

static void
test_not_sharing(void)
{
    char path[300];

    for (int how = REFUSES; how <= BREAKS; how += BREAKS - REFUSES) {
        const char *what = how == BREAKS ? "sharing that breaks" : "no sharing";

        played->how = how;
        snprintf(path, sizeof path, "%s/export-%d", scratch_path, how);
        check_copy(what, "INSERT INTO via_exports(addon,path) VALUES('db',%Q)", path);
        check_content(what, path);
    }
}

static void
make_source(void)
{
    sqlite3 *db;

    snprintf(source, sizeof source, "%s/source", scratch_path);
    if (sqlite3_open(source, &db) != SQLITE_OK ||
        sqlite3_exec(db,
                     "CREATE TABLE t(a); INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL"
                     " SELECT i+1 FROM n WHERE i<4000) SELECT randomblob(1000) FROM n",
                     NULL, NULL, NULL) != SQLITE_OK)
        live_die("no source");
    sqlite3_close(db);
}

int
main(void)
{
    played = mmap(NULL, sizeof *played, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (played == MAP_FAILED)
        return 1;
    scratch_root(&live_root);
    live_db = live_connect();
    live_sql("INSERT INTO via_apps(name) VALUES('api')");
    make_source();
    test_sharing();
    test_lying();
    test_not_sharing();
    sqlite3_close(live_db);
    return check_end();
}
