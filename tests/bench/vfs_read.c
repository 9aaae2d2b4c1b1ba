/* vfs_read.c: what the guarded VFS costs a point read, against the plain unix VFS.
 *
 * Usage: vfs_read PLAIN_PATH GUARDED_URI ROWS. Both connections live in this process, pinned to one
 * core; rounds alternate and the median of the per-round ratios is printed, so that a noisy
 * machine moves both sides alike. Every read is a transaction of its own, as in an app. */
#include "via/ext.h"

#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ROUNDS 41
#define READS 20000

static double
now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
die(const char *what, sqlite3 *db)
{
    fprintf(stderr, "vfs_read: %s: %s\n", what, db ? sqlite3_errmsg(db) : "");
    exit(1);
}

static sqlite3_stmt *
reader_open(const char *name, const char *vfs)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *q = NULL;

    if (sqlite3_open_v2(name, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_URI, vfs) ||
        sqlite3_prepare_v3(db, "SELECT body FROM item WHERE id = ?1", -1, SQLITE_PREPARE_PERSISTENT,
                           &q, NULL))
        die(name, db);
    return q;
}

/* Seconds that READS point reads take. */
static double
round_run(sqlite3_stmt *q, uint32_t rows, uint32_t *seed)
{
    double begin = now_s();

    for (int i = 0; i < READS; i++) {
        *seed = *seed * 1664525U + 1013904223U;
        sqlite3_bind_int64(q, 1, (sqlite3_int64)((*seed >> 8) % rows) + 1);
        if (sqlite3_step(q) != SQLITE_ROW)
            die("step", sqlite3_db_handle(q));
        sqlite3_reset(q);
    }
    return now_s() - begin;
}

static int
by_value(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return (x > y) - (x < y);
}

static void
pin_to_core(int core)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(core, &set);
    sched_setaffinity(0, sizeof(set), &set);
}

int
main(int argc, char **argv)
{
    double ratio[ROUNDS];
    double plain_s = 0;
    double guarded_s = 0;
    uint32_t seed = 1;
    sqlite3 *door = NULL;
    char *error = NULL;

    if (argc != 4) {
        fprintf(stderr, "usage: vfs_read PLAIN_PATH GUARDED_URI ROWS\n");
        return 2;
    }
    pin_to_core(0);
    int rc = sqlite3_open(":memory:", &door);
    if (rc == SQLITE_OK)
        rc = sqlite3_via_init(door, &error, NULL);
    if (rc != SQLITE_OK && rc != SQLITE_OK_LOAD_PERMANENTLY)
        die(error ? error : "cannot load the extension", door);

    uint32_t rows = (uint32_t)strtoul(argv[3], NULL, 10);
    sqlite3_stmt *plain = reader_open(argv[1], "unix");
    sqlite3_stmt *guarded = reader_open(argv[2], NULL);

    round_run(plain, rows, &seed);
    round_run(guarded, rows, &seed);
    for (int i = 0; i < ROUNDS; i++) {
        /* Whoever goes second finds warmer caches: take turns. */
        double p = 0;
        double g = 0;

        if (i % 2)
            g = round_run(guarded, rows, &seed);
        p = round_run(plain, rows, &seed);
        if (!(i % 2))
            g = round_run(guarded, rows, &seed);
        ratio[i] = g / p;
        plain_s += p;
        guarded_s += g;
    }
    qsort(ratio, ROUNDS, sizeof(ratio[0]), by_value);
    printf("%.4f %.0f %.0f\n", ratio[ROUNDS / 2], ROUNDS * READS / guarded_s,
           ROUNDS * READS / plain_s);
    return 0;
}
