/* db.h: a database of one's own in a C test. What cannot go wrong in a test ends it. */
#ifndef VIA_TESTS_PROVIDER_DB_H
#define VIA_TESTS_PROVIDER_DB_H

#include <dirent.h>
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline sqlite3 *
db_open(const char *path)
{
    sqlite3 *db;

    if (sqlite3_open(path, &db) != SQLITE_OK)
        abort();
    sqlite3_busy_timeout(db, 10000);
    return db;
}

/* Only to be read, and nobody else writes it: no log is looked for. */
static inline sqlite3 *
db_open_frozen(const char *path)
{
    char uri[4200];
    sqlite3 *db;

    (void)snprintf(uri, sizeof uri, "file:%s?immutable=1", path);
    if (sqlite3_open_v2(uri, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL) != SQLITE_OK)
        abort();
    return db;
}

static inline void
db_run(sqlite3 *db, const char *sql)
{
    char *words = NULL;

    if (sqlite3_exec(db, sql, NULL, NULL, &words) != SQLITE_OK) {
        printf("not ok - %s: %s\n", sql, words);
        exit(1);
    }
}

static inline int64_t
db_int(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *q = NULL;
    int64_t value = -1;

    if (sqlite3_prepare_v2(db, sql, -1, &q, NULL) == SQLITE_OK && sqlite3_step(q) == SQLITE_ROW)
        value = sqlite3_column_int64(q, 0);
    sqlite3_finalize(q);
    return value;
}

/* How many entries has the folder `path`? */
static inline int
count_in(const char *path)
{
    struct dirent *entry;
    int n = 0;
    DIR *dir = opendir(path);

    while (dir && (entry = readdir(dir)) != NULL)
        n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    if (dir)
        closedir(dir);
    return n;
}

#endif
