/* The focus of this file is the instant at which a right ends: 64 connections work, an operator
 * takes the right away, and no operation that began after the COMMIT returned is admitted. */
#include "check.h"
#include "live.h"

#include <pthread.h>
#include <stdatomic.h>

#define WORKERS 64
#define BY_FILE 16   /* of them at the guarded VFS, the rest on kept HTTP connections */
#define INSTANCES 8  /* that the workers speak for */
#define WARM 20      /* operations that each is allowed before the right ends */
#define AFTERWARDS 8 /* operations of each after it */
#define ROUNDS 3

struct worker {
    pthread_t thread;
    bool by_file, writes, workload;
    char token[VIA_TOKEN_SIZE], token_path[VIA_PATH_SIZE];
    struct live_http http;
    sqlite3 *db;
    /* of this round; read by main while nobody works */
    long allowed, late, refused, wrong;
    enum via_status want, odd;
};

static struct worker workers[WORKERS];
static pthread_barrier_t start, finish;
static _Atomic bool ended; /* the COMMIT that takes the right away has returned */
static _Atomic bool done;
static _Atomic int warm; /* workers that have done WARM operations */

static enum via_status
work_http(struct worker *w)
{
    if (!live_call(&w->http, w->writes ? "execute" : "query", w->token,
                   w->workload ? "DATABASE" : "",
                   w->writes ? "UPDATE t SET a = a + 1" : "SELECT a FROM t"))
        return VIA_IO_ERROR;
    return w->http.status == 200 ? VIA_OK : via_status_parse(w->http.code, strlen(w->http.code));
}

static enum via_status
work_file(struct worker *w)
{
    char uri[VIA_PATH_SIZE + 64];
    enum via_status refusal;
    int rc = SQLITE_OK;

    via_vfs_clear_refusal();
    if (!w->db) {
        snprintf(uri, sizeof uri, "file:DATABASE?vfs=via&token_file=%s", w->token_path);
        rc = sqlite3_open_v2(uri, &w->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_URI, NULL);
        if (rc != SQLITE_OK) {
            sqlite3_close(w->db);
            w->db = NULL;
        } else
            sqlite3_busy_timeout(w->db, 10000);
    }
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(w->db, w->writes ? "UPDATE t SET a = a + 1" : "SELECT a FROM t", NULL,
                          NULL, NULL);
    refusal = via_vfs_refusal(NULL);
    if (rc == SQLITE_OK)
        return VIA_OK;
    return refusal == VIA_OK ? VIA_DATABASE_BUSY : refusal;
}

/* Work until the right has ended and AFTERWARDS operations more. */
static void
work(struct worker *w)
{
    for (int i = 0, after = 0; after < AFTERWARDS; i++) {
        bool late = atomic_load(&ended);
        enum via_status status = w->by_file ? work_file(w) : work_http(w);

        w->allowed += status == VIA_OK;
        w->late += late && status == VIA_OK;
        w->refused += late && status == w->want;
        if (late && status != w->want) {
            w->wrong++;
            w->odd = status;
        }
        after += late;
        if (i == WARM)
            atomic_fetch_add(&warm, 1);
    }
}

static void *
worker_main(void *arg)
{
    struct worker *w = arg;

    for (;;) {
        pthread_barrier_wait(&start);
        if (atomic_load(&done))
            break;
        work(w);
        pthread_barrier_wait(&finish);
    }
    sqlite3_close(w->db);
    return NULL;
}

/* -- rounds --------------------------------------------------------------------- */

static const struct way {
    const char *name, *sql;
    enum via_status want;
    int rounds;
} ways[] = {
    {"revoking the generation",
     "UPDATE via_generations SET status='revoked' WHERE app='api' AND status='active'",
     VIA_GENERATION_REVOKED, ROUNDS},
    {"suspending the add-on", "UPDATE via_addons SET state='suspended' WHERE name='api-db'",
     VIA_ADDON_UNAVAILABLE, ROUNDS},
    {"stopping the deploy",
     "UPDATE via_deploys SET state='stopped' WHERE app='api' AND state='running'",
     VIA_WORKLOAD_UNBOUND, ROUNDS},
    {"stopping the instances",
     "UPDATE via_instances SET state='stopped' WHERE app='api' AND state='running'",
     VIA_WORKLOAD_UNBOUND, ROUNDS},
    {"blocking reads", "UPDATE via_addons SET options='{\"block_reads\":true}' WHERE name='api-db'",
     VIA_ADDON_BLOCKED, ROUNDS},
    {"a deploy that takes over at once",
     "INSERT INTO via_deploys(app,target) VALUES('api','');"
     "INSERT INTO via_instances(app) VALUES('api')",
     VIA_WORKLOAD_UNBOUND, ROUNDS},
    {"retiring the keys",
     "INSERT INTO via_keys(use) VALUES('workload'); INSERT INTO via_keys(use) VALUES('generation');"
     "UPDATE via_keys SET state='retired' WHERE state='verify' AND use IN"
     " ('workload','generation')",
     VIA_TOKEN_INVALID, ROUNDS},
    {"destroying the add-on", "DELETE FROM via_addons WHERE name='api-db' AND force=1",
     VIA_ADDON_UNAVAILABLE, 1},
};

/* A new deploy with new instances, and everybody a new token. */
static void
scene_renew(void)
{
    char instances[INSTANCES][VIA_ID_SIZE];

    live_sql("UPDATE via_addons SET state='ready', options='{\"block_reads\":null}'"
             " WHERE name='api-db';"
             "INSERT INTO via_generations(app,binding) VALUES('api','DATABASE');"
             "INSERT INTO via_deploys(app,target) VALUES('api','')");
    for (int i = 0; i < INSTANCES; i++)
        strcpy(instances[i],
               live_sql("INSERT INTO via_instances(app) VALUES('api');"
                        "SELECT id FROM via_instances WHERE rowid=last_insert_rowid()"));
    for (int i = 0; i < WORKERS; i++) {
        struct worker *w = &workers[i];
        FILE *out;

        live_mint(w->workload ? "workload" : "generation", instances[i % INSTANCES],
                  w->workload ? "" : "DATABASE", 900, w->token);
        if (!w->by_file)
            continue;
        out = fopen(w->token_path, "we");
        if (!out || fputs(w->token, out) < 0 || fclose(out) != 0)
            live_die("the token file cannot be written");
    }
}

static void
run_round(const struct way *way)
{
    long allowed = 0, by_file = 0, late = 0, refused = 0, wrong = 0;
    enum via_status odd = VIA_OK;

    scene_renew();
    atomic_store(&ended, false);
    atomic_store(&warm, 0);
    for (int i = 0; i < WORKERS; i++) {
        struct worker *w = &workers[i];

        w->allowed = w->late = w->refused = w->wrong = 0;
        w->want = way->want;
    }
    pthread_barrier_wait(&start);
    while (atomic_load(&warm) < WORKERS)
        usleep(1000);
    live_sql(way->sql);
    atomic_store(&ended, true);
    pthread_barrier_wait(&finish);
    for (int i = 0; i < WORKERS; i++) {
        const struct worker *w = &workers[i];

        allowed += w->allowed;
        by_file += w->by_file ? w->allowed : 0;
        late += w->late;
        refused += w->refused;
        wrong += w->wrong;
        if (w->wrong)
            odd = w->odd;
    }
    CHECK(
        late == 0 && wrong == 0 && refused == WORKERS * AFTERWARDS && by_file > 0 &&
            allowed > by_file,
        "%s: %ld operations admitted (%ld by file) until it was committed, %ld after; %ld %s, %ld "
        "otherwise (%s)",
        way->name, allowed - late, by_file, late, refused, via_status_word(way->want), wrong,
        via_status_word(odd));
}

int
main(void)
{
    char uri[128];
    sqlite3 *db = NULL;

    live_start();
    live_sql(
        "INSERT INTO via_addons(type,name,app,bind) VALUES('sqlite','api-db','api','DATABASE');"
        "UPDATE via_settings SET value=0 WHERE name='handover_s'");
    snprintf(uri, sizeof uri, "file:%s?vfs=via&operator=1",
             live_sql("SELECT id FROM via_addons WHERE name='api-db'"));
    if (sqlite3_open_v2(uri, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_URI, NULL) != SQLITE_OK ||
        sqlite3_exec(db, "CREATE TABLE t(a); INSERT INTO t VALUES(0)", NULL, NULL, NULL) != 0)
        live_die("the add-on does not open");
    sqlite3_close(db);
    pthread_barrier_init(&start, NULL, WORKERS + 1);
    pthread_barrier_init(&finish, NULL, WORKERS + 1);
    for (int i = 0; i < WORKERS; i++) {
        struct worker *w = &workers[i];

        w->http.fd = -1;
        w->by_file = i < BY_FILE;
        w->writes = i % 4 == 3;
        w->workload = !w->by_file && i % 2 == 0;
        snprintf(w->token_path, sizeof w->token_path, "%s/token-%d", scratch_path, i);
        if (pthread_create(&w->thread, NULL, worker_main, w) != 0)
            live_die("no thread");
    }
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++)
        for (int n = 0; n < ways[i].rounds; n++)
            run_round(&ways[i]);
    atomic_store(&done, true);
    pthread_barrier_wait(&start);
    for (int i = 0; i < WORKERS; i++)
        pthread_join(workers[i].thread, NULL);
    sqlite3_close(live_db);
    return check_end();
}
