/* viad.c: the agent's process: its options, its limits, its start and its end. */
#include "api/agent.h"
#include "api/keeper.h"
#include "api/routes.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/log.h"
#include "confine/confine.h"
#include "control/schema.h"
#include "http/listen.h"
#include "http/server.h"
#include "identity/codec.h"
#include "proxy/budget.h"

#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define DEFAULT_LISTEN "127.0.0.1:8181"
#define HEAP_BYTES ((int64_t)1 << 30) /* the most that SQLite may take */
#define CLAIM_TRIES 20                /* of 50 ms each */
#define DRAIN_MS 5000                 /* before running statements are stopped */
#define GIVE_UP_MS 10000              /* before those that do not stop are left behind */
#define FAREWELL_MS 1000              /* for the last answers to leave */

struct options {
    const char *listen;
    const char *socket;
};

struct daemon {
    struct via_agent agent;
    struct via_http_handler handler;
    struct via_lock lock;
    int unix_fd, tcp_fd; /* listening, not served yet; else -1 */
    struct via_http_server *unix_server;
    struct via_http_server *tcp_server;
    char socket[VIA_PATH_SIZE];
    char listen[VIA_LISTEN_SIZE]; /* "none" without one */
    bool made_socket;
    pthread_t tick;
    bool ticking;
    _Atomic bool stop_tick;
    struct via_keeper keeper;
};

static const char help[] =
    "usage: viad [--state-dir DIR] [--listen HOST:PORT|none] [--socket PATH]\n"
    "\n"
    "Serves add-ons to apps, in the foreground, logging to stderr.\n"
    "\n"
    "  --state-dir DIR        the state root (default: VIA_STATE_DIR, else /var/lib/via)\n"
    "  --listen HOST:PORT     the TCP listener (default " DEFAULT_LISTEN "; port 0 picks one;\n"
    "                         none for none). TLS is a reverse proxy's work.\n"
    "  --socket PATH          the Unix listener (default run/agent.sock of the state root)\n"
    "  --help, --version\n"
    "\n"
    "Example: viad --state-dir /var/lib/via --listen 127.0.0.1:8181\n"
    "\n"
    "SIGTERM, SIGINT and SIGHUP let what is under way finish, then end the agent.\n";

/* -- the process ---------------------------------------------------------------- */

/* Parse the command line. Returns -1 to go on, else the exit code. */
static int
options_parse(struct options *o, int argc, char **argv)
{
    static const struct option longs[] = {
        {"state-dir", required_argument, NULL, 'd'}, {"listen", required_argument, NULL, 'l'},
        {"socket", required_argument, NULL, 's'},    {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'v'},         {NULL, 0, NULL, 0}};
    int c;

    *o = (struct options){0};
    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        switch (c) {
        case 'd':
            via_root_set_path(optarg);
            break;
        case 'l':
            o->listen = optarg;
            break;
        case 's':
            o->socket = optarg;
            break;
        case 'h':
            fputs(help, stdout);
            return 0;
        case 'v':
            puts("viad " VIA_VERSION);
            return 0;
        default:
            fputs("try: viad --help\n", stderr);
            return 2;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "viad: %s is not expected; try: viad --help\n", argv[optind]);
        return 2;
    }
    return -1;
}

static void
process_prepare(void)
{
    struct rlimit files;

    via_confine_process();
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    signal(SIGPIPE, SIG_IGN);
    via_budget_install();
    sqlite3_hard_heap_limit64(HEAP_BYTES);
}

static void
signals_block(sigset_t *set)
{
    struct sigaction hangup;

    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    /* The end of its terminal, unless nohup has it ignored. */
    if (sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler != SIG_IGN)
        sigaddset(set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, set, NULL);
}

/* -- start ---------------------------------------------------------------------- */

/* An agent that was just killed may hold the lock for a moment more, until its last thread is gone.
 */
static bool
daemon_lock(struct daemon *d)
{
    const struct timespec step = {.tv_nsec = 50 * 1000 * 1000};

    for (int i = 0; i < CLAIM_TRIES; i++) {
        if (via_lock_try(&d->lock, VIA_LOCK_AGENT))
            return true;
        nanosleep(&step, NULL);
    }
    return false;
}

static enum via_status
daemon_claim(struct daemon *d, struct via_error *e)
{
    if (via_root_open(&d->agent.root, e) != VIA_OK ||
        via_lock_open(&d->lock, &d->agent.root, e) != VIA_OK)
        return e->status;
    /* Before it is the agent itself: a schema is not changed under a living older one. */
    if (via_schema_ensure(&d->agent.root, e) != VIA_OK)
        return e->status;
    if (!daemon_lock(d))
        return via_error_set(e, VIA_AGENT_RUNNING, "another agent serves %s; stop it first",
                             d->agent.root.path);
    return VIA_OK;
}

static enum via_status
daemon_listen_unix(struct daemon *d, const struct options *o, struct via_error *e)
{
    if (o->socket)
        snprintf(d->socket, sizeof d->socket, "%s", o->socket);
    else
        via_root_join(&d->agent.root, "run/agent.sock", d->socket);
    if (d->unix_fd >= 0)
        return VIA_OK;
    if (via_listen_unix(d->socket, &d->unix_fd, e) != VIA_OK)
        return e->status;
    d->made_socket = true;
    return via_fs_own(d->socket, &d->agent.root, e);
}

static enum via_status
daemon_listen_tcp(struct daemon *d, const struct options *o, struct via_error *e)
{
    const char *address = o->listen ? o->listen : DEFAULT_LISTEN;
    bool loopback = true;

    if (d->tcp_fd < 0 && strcmp(address, "none") == 0) {
        snprintf(d->listen, sizeof d->listen, "none");
        return VIA_OK;
    }
    if (d->tcp_fd >= 0) {
        if (!via_listen_describe(d->tcp_fd, d->listen, &loopback))
            return via_error_set(e, VIA_LISTEN_FAILED, "the inherited socket has no address");
    } else if (via_listen_tcp(address, &d->tcp_fd, d->listen, &loopback, e) != VIA_OK)
        return e->status;
    if (!loopback)
        via_log(VIA_LOG_WARN,
                "%s can be reached from other hosts, unencrypted; put a TLS proxy before it",
                d->listen);
    memcpy(d->agent.listen, d->listen, sizeof d->agent.listen);
    return VIA_OK;
}

/* Once everything outside of the state root is open, and before the first thread: what confines a
 * thread is for itself and those that it starts. */
static enum via_status
daemon_confine(struct daemon *d, struct via_error *e)
{
    if (via_confine_user(&d->agent.root, e) != VIA_OK)
        return e->status;
    via_confine_files(&d->agent.root, d->socket);
    via_confine_calls();
    return VIA_OK;
}

/* Serve what was listened at; the listener is the server's from here on. */
static enum via_status
daemon_serve(struct daemon *d, int *fd, struct via_http_server **out, struct via_error *e)
{
    if (*fd < 0)
        return VIA_OK;
    *out = via_http_server_new(*fd, &d->handler);
    if (!*out)
        return via_error_set(e, VIA_LISTEN_FAILED, "cannot start the HTTP server");
    *fd = -1;
    return VIA_OK;
}

/* run/agent.json: where the agent is, for launchers and the command line. */
static enum via_status
daemon_announce(struct daemon *d, struct via_error *e)
{
    char path[VIA_PATH_SIZE];
    struct via_buf b;
    enum via_status status;

    via_buf_init(&b);
    via_buf_printf(&b, "{\"pid\":%ld,\"socket\":", (long)getpid());
    via_buf_put_json(&b, d->socket, strlen(d->socket));
    via_buf_puts(&b, ",\"listen\":");
    via_buf_put_json(&b, d->listen, strlen(d->listen));
    via_buf_puts(&b, ",\"version\":\"" VIA_VERSION "\"}\n");
    via_root_join(&d->agent.root, "run", path);
    via_fs_sweep(path);
    via_root_join(&d->agent.root, "run/agent.json", path);
    status = b.failed ? via_error_set(e, VIA_OUT_OF_MEMORY, "there is no memory for run/agent.json")
                      : via_fs_write(path, b.data, b.len, 0600, &d->agent.root, e);
    via_buf_deinit(&b);
    return status;
}

static void *
tick_main(void *arg)
{
    struct daemon *d = arg;
    const struct timespec step = {.tv_nsec = 100 * 1000 * 1000};

    for (int64_t tenth = 1; !atomic_load(&d->stop_tick); tenth++) {
        nanosleep(&step, NULL);
        if (tenth % 10 == 0)
            via_agent_tick(&d->agent, tenth / 10);
    }
    return NULL;
}

static enum via_status
daemon_start(struct daemon *d, const struct options *o, struct via_error *e)
{
    via_listen_inherited(&d->unix_fd, &d->tcp_fd);
    if (daemon_claim(d, e) != VIA_OK || daemon_listen_unix(d, o, e) != VIA_OK ||
        daemon_listen_tcp(d, o, e) != VIA_OK || via_agent_mend(e) != VIA_OK ||
        daemon_confine(d, e) != VIA_OK || via_agent_open(&d->agent, e) != VIA_OK)
        return e->status;
    via_routes_handler(&d->agent, &d->handler);
    /* Announced first: whoever is answered finds it there. Until then they wait to be accepted. */
    if (daemon_announce(d, e) != VIA_OK ||
        daemon_serve(d, &d->unix_fd, &d->unix_server, e) != VIA_OK ||
        daemon_serve(d, &d->tcp_fd, &d->tcp_server, e) != VIA_OK)
        return e->status;
    if (pthread_create(&d->tick, NULL, tick_main, d) != 0)
        return via_error_set(e, VIA_OUT_OF_MEMORY, "cannot start a thread");
    d->ticking = true;
    if (!via_keeper_start(&d->keeper))
        return via_error_set(e, VIA_OUT_OF_MEMORY, "cannot start a thread");
    fprintf(stderr, "viad: ready socket=%s listen=%s\n", d->socket, d->listen);
    via_listen_notify("READY=1");
    return VIA_OK;
}

/* -- end ------------------------------------------------------------------------ */

static int
daemon_busy(const struct daemon *d)
{
    return (d->unix_server ? via_http_server_busy(d->unix_server) : 0) +
           (d->tcp_server ? via_http_server_busy(d->tcp_server) : 0);
}

static int
daemon_serving(const struct daemon *d)
{
    return (d->unix_server ? via_http_server_serving(d->unix_server) : 0) +
           (d->tcp_server ? via_http_server_serving(d->tcp_server) : 0);
}

/* Wait until no request is under way; running statements are stopped once DRAIN_MS are over. */
static void
daemon_wait(const struct daemon *d, int64_t limit_ms)
{
    const struct timespec step = {.tv_nsec = 5 * 1000 * 1000};
    int64_t begun_ms = via_clock_mono_ms();

    while (daemon_busy(d) && via_clock_mono_ms() - begun_ms < limit_ms) {
        if (via_clock_mono_ms() - begun_ms > DRAIN_MS)
            via_conn_stop_all();
        nanosleep(&step, NULL);
    }
}

/* Answer what is under way: first in its own time, then by stopping statements, at last without
 * them. False: a thread is stuck in one of them, and its memory may not be touched any more. */
static bool
daemon_drain(struct daemon *d)
{
    int abandoned = 0;

    atomic_store(&d->agent.draining, true);
    if (d->unix_server)
        via_http_server_quiesce(d->unix_server);
    if (d->tcp_server)
        via_http_server_quiesce(d->tcp_server);
    daemon_wait(d, GIVE_UP_MS);
    if (!daemon_busy(d))
        return true;
    via_log(VIA_LOG_WARN, "%d requests did not end and are cut off", daemon_busy(d));
    if (d->unix_server)
        abandoned += via_http_server_abandon(d->unix_server);
    if (d->tcp_server)
        abandoned += via_http_server_abandon(d->tcp_server);
    daemon_wait(d, FAREWELL_MS);
    return abandoned == 0 && daemon_serving(d) == 0;
}

/* What says where the agent is. */
static void
daemon_remove_files(struct daemon *d)
{
    char path[VIA_PATH_SIZE];

    if (d->made_socket)
        (void)!via_fs_remove(d->socket, NULL);
    if (d->ticking) {
        via_root_join(&d->agent.root, "run/agent.json", path);
        (void)!via_fs_remove(path, NULL);
    }
}

static void
daemon_end(struct daemon *d)
{
    if ((d->unix_server || d->tcp_server) && !daemon_drain(d)) {
        via_log(VIA_LOG_WARN, "a statement cannot be stopped; leaving it behind");
        daemon_remove_files(d);
        via_witness_tick(d->agent.witness);
        _exit(0);
    }
    via_http_server_free(d->unix_server);
    via_http_server_free(d->tcp_server);
    via_keeper_stop(&d->keeper);
    atomic_store(&d->stop_tick, true);
    if (d->ticking)
        pthread_join(d->tick, NULL);
    via_agent_close(&d->agent);
    if (d->unix_fd >= 0)
        close(d->unix_fd);
    if (d->tcp_fd >= 0)
        close(d->tcp_fd);
    daemon_remove_files(d);
    via_lock_close(&d->lock);
}

int
main(int argc, char **argv)
{
    static struct daemon d = {.lock = {.fd = -1}, .unix_fd = -1, .tcp_fd = -1};
    struct options options;
    struct via_error e = {0};
    sigset_t set;
    int code = options_parse(&options, argc, argv), got = 0;

    if (code >= 0)
        return code;
    via_log_set_level("viad", VIA_LOG_INFO);
    process_prepare();
    signals_block(&set);
    if (!via_identity_init())
        via_error_set(&e, VIA_KEY_UNAVAILABLE, "the crypto library does not start");
    else if (daemon_start(&d, &options, &e) == VIA_OK) {
        sigwait(&set, &got);
        via_listen_notify("STOPPING=1");
        via_log(VIA_LOG_INFO, "%s: finishing what is under way", strsignal(got));
    }
    daemon_end(&d);
    if (e.status == VIA_OK)
        return 0;
    fprintf(stderr, "viad: %s: %s\n", via_status_word(e.status), e.message);
    return via_status_exit(e.status);
}
