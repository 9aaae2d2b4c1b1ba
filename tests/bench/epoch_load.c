/* The focus of this file is what an operator's change costs the apps: 1,000 grants live, each with
 * a token of its own, operations with all of them in turn over 16 kept connections, and the 99th
 * percentile of their times in the second before an epoch change and in the second after it.
 *
 *     epoch_load [GRANTS [ROUNDS]]
 *
 * Prints the median of the rounds: ms before, ms after, and after / before. */
#include "live.h"

#include <time.h>

#define CONNECTIONS 16
#define OPERATIONS_MAX 400000

static char (*tokens)[VIA_TOKEN_SIZE];
static struct live_http connections[CONNECTIONS];
static double took_ms[OPERATIONS_MAX];

static double
now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int
compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* The 99th percentile of a second's operations with each of `grants` tokens in turn. */
static double
second_p99(long grants)
{
    double begun = now_ms();
    size_t n = 0;

    while (now_ms() - begun < 1000 && n < OPERATIONS_MAX) {
        double sent = now_ms();

        if (!live_call(&connections[n % CONNECTIONS], "query", tokens[n % (size_t)grants],
                       "DATABASE", "SELECT a FROM t") ||
            connections[n % CONNECTIONS].status != 200)
            live_die("an operation failed: %s", connections[n % CONNECTIONS].body);
        took_ms[n++] = now_ms() - sent;
    }
    qsort(took_ms, n, sizeof *took_ms, compare);
    return took_ms[n * 99 / 100];
}

static void
make_grants(long grants)
{
    char instance[VIA_ID_SIZE], uri[128];
    sqlite3 *db = NULL;

    live_sql("INSERT INTO via_addons(type,name,app,bind) VALUES('sqlite','db','api','DATABASE');"
             "INSERT INTO via_deploys(app,target) VALUES('api','')");
    snprintf(uri, sizeof uri, "file:%s?vfs=via&operator=1",
             live_sql("SELECT id FROM via_addons WHERE name='db'"));
    if (sqlite3_open_v2(uri, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_URI, NULL) != SQLITE_OK ||
        sqlite3_exec(db, "CREATE TABLE t(a); INSERT INTO t VALUES(1)", NULL, NULL, NULL) != 0)
        live_die("the add-on does not open");
    sqlite3_close(db);
    for (long i = 0; i < grants; i++) {
        snprintf(instance, sizeof instance, "%s",
                 live_sql("INSERT INTO via_instances(app) VALUES('api');"
                          "SELECT id FROM via_instances WHERE rowid=last_insert_rowid()"));
        live_mint("workload", instance, "", 3600, tokens[i]);
    }
}

int
main(int argc, char **argv)
{
    long grants = argc > 1 ? strtol(argv[1], NULL, 10) : 1000;
    long rounds = argc > 2 ? strtol(argv[2], NULL, 10) : 5;
    double before[64], after[64], ratios[64];

    if (grants < 1 || rounds < 1 || rounds > 64)
        return 2;
    tokens = calloc((size_t)grants, sizeof *tokens);
    if (!tokens)
        return 1;
    for (int i = 0; i < CONNECTIONS; i++)
        connections[i].fd = -1;
    live_start();
    make_grants(grants);
    (void)second_p99(grants); /* every grant is live */
    for (long i = 0; i < rounds; i++) {
        before[i] = second_p99(grants);
        live_sql("INSERT INTO via_apps(name) VALUES('other%ld')", i);
        after[i] = second_p99(grants);
        ratios[i] = after[i] / before[i];
    }
    qsort(before, (size_t)rounds, sizeof *before, compare);
    qsort(after, (size_t)rounds, sizeof *after, compare);
    qsort(ratios, (size_t)rounds, sizeof *ratios, compare);
    printf("%.3f %.3f %.2f\n", before[rounds / 2], after[rounds / 2], ratios[rounds / 2]);
    sqlite3_close(live_db);
    return 0;
}
