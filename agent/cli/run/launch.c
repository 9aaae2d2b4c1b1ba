/* launch.c: `via run`: an instance, its command, and the loop that looks after both.
 *
 * Renewal and stopping are SQL on the control plane, so they go on while the agent is
 * away. One thread; signals are blocked and taken one by one. */
#include "cli/run/run.h"

#include "base/clock.h"
#include "base/epoch.h"
#include "base/error.h"
#include "base/log.h"
#include "cli/verbs.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LOOK_MS 1000
#define REFUSED_MS 10000 /* until a new deploy that was refused is tried again */
#define STEADY_MS 60000  /* a command that ran so long begins its back-off anew */
#define BACKOFF_MIN_MS 1000
#define BACKOFF_MAX_MS 60000

static const int forwarded[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGQUIT, SIGWINCH};

struct launch {
    struct cli *cli;
    struct run_user user;
    struct cli_agent agent;
    char url[VIA_PATH_SIZE + 16];
    struct run_place place;
    struct run_child child;
    struct run_instance instance;
    struct run_instance next; /* registered to take over; "" when none is */
    struct run_process process;
    struct via_epoch epoch; /* says without a query that nothing has changed */
    uint64_t seen_epoch;    /* of the last look that answered; 0 for none */
    int64_t started_ms;     /* 0: this instance's command has not been started yet */
    int64_t start_at_ms;    /* when a command that does not run is started */
    int64_t look_at_ms;
    int64_t backoff_ms;
    char refused[VIA_ID_SIZE]; /* the deploy that could not be started, "" for none */
    int64_t switch_at_ms;      /* when that one is tried again */
    bool ending;               /* a signal asked for the end */
    bool over;                 /* leave with `code` */
    int code;                  /* to exit with */
    bool stop_logged;          /* once is enough */
    bool fault_logged;
    bool refusal_logged;
};

/* -- where the agent is ---------------------------------------------------------- */

/* http:// in front of where it listens; the wildcard is no address to call. */
static void
url_from_listen(const char *listen, char *out, size_t size)
{
    const char *host = "";

    if (strncmp(listen, "0.0.0.0:", 8) == 0) {
        host = "127.0.0.1:";
        listen += 8;
    } else if (strncmp(listen, "[::]:", 5) == 0) {
        host = "[::1]:";
        listen += 5;
    }
    (void)snprintf(out, size, "http://%.12s%.255s", host, listen);
}

/* What the operator advertises, else where the agent listens, else its socket. */
static void
launch_find_url(struct launch *l)
{
    struct cli_statement st;
    struct cli_rows rows;
    const char *advertised;

    cli_statement_init(&st, "SELECT value FROM via_settings WHERE name = 'advertised_url'");
    cli_query(l->cli, &st, &rows);
    advertised = cli_rows_text(&rows, 0, "value");
    if (advertised && *advertised)
        (void)snprintf(l->url, sizeof l->url, "%s", advertised);
    else if (l->agent.listen[0] && strcmp(l->agent.listen, "none") != 0)
        url_from_listen(l->agent.listen, l->url, sizeof l->url);
    else
        (void)snprintf(l->url, sizeof l->url, "unix:%s", l->agent.socket);
    cli_rows_deinit(&rows);
}

/* An agent that was started anew may listen elsewhere. */
static void
launch_refresh_url(struct launch *l)
{
    struct via_error gone = {VIA_OK, ""};
    struct cli_agent agent;

    if (cli_agent_find(&agent, &gone) != VIA_OK)
        return;
    l->agent = agent;
    launch_find_url(l);
}

/* Find the agent, or, when nobody insists, where it would be. One that is slow to answer is
 * not refused: the command may start meanwhile. */
static void
launch_find_agent(struct launch *l)
{
    bool insist = !cli_option(l->cli, CLI_OPT_NO_AGENT_CHECK) && !cli_is_shown(l->cli);
    struct via_error e = {VIA_OK, ""};
    struct via_root root;

    if (cli_agent_find(&l->agent, &e) == VIA_OK)
        via_ignore(cli_agent_check(&l->agent, &e));
    if (insist && e.status == VIA_AGENT_NOT_RUNNING)
        l->cli->error = e;
    if (!l->agent.socket[0] && via_root_find(&root, NULL) == VIA_OK)
        via_root_join(&root, "run/agent.sock", l->agent.socket);
}

/* -- the command ----------------------------------------------------------------- */

/* Say a failure once, forget it, and open the connection anew next time. */
static void
launch_forgive(struct launch *l, const char *what, bool *logged)
{
    if (!*logged)
        via_log(VIA_LOG_WARN, "%s: %s: %s", what, via_status_word(l->cli->error.status),
                l->cli->error.message);
    *logged = true;
    via_error_clear(&l->cli->error);
    cli_close(l->cli);
}

static void
launch_back_off(struct launch *l)
{
    int64_t now_ms = via_clock_mono_ms();

    if (l->backoff_ms == 0 || now_ms - l->started_ms >= STEADY_MS)
        l->backoff_ms = BACKOFF_MIN_MS;
    else
        l->backoff_ms *= 2;
    if (l->backoff_ms > BACKOFF_MAX_MS)
        l->backoff_ms = BACKOFF_MAX_MS;
    l->start_at_ms = now_ms + l->backoff_ms;
}

/* A command that is started again is given fresh tokens; minting them verifies the manifest once
 * more. Any other failure is no reason to keep it from running. */
static bool
launch_may_start(struct launch *l)
{
    bool refused;

    if (l->started_ms == 0 || run_token_renew(&l->instance, l->cli, &l->place))
        return true;
    refused = l->cli->error.status == VIA_MANIFEST_INVALID;
    launch_forgive(l, refused ? "the command is not started" : "the tokens cannot be renewed",
                   &l->fault_logged);
    if (refused)
        launch_back_off(l);
    return !refused;
}

static void
launch_start_child(struct launch *l)
{
    int code;

    if (!launch_may_start(l))
        return;
    /* A connection must not live on in the child. */
    cli_close(l->cli);
    if (run_child_start(&l->child, &l->instance, &l->process, &code, &l->cli->error) != VIA_OK) {
        l->code = code;
        l->over = true;
        return;
    }
    l->started_ms = via_clock_mono_ms();
}

/* The command ended: leave as it did, or start it again after a pause. */
static void
launch_child_ended(struct launch *l, int wait_status)
{
    const char *restart = cli_option(l->cli, CLI_OPT_RESTART);

    run_child_sweep(&l->process);
    l->code = run_child_code(wait_status);
    if (!restart || l->ending || (l->code == 0 && strcmp(restart, "always") != 0)) {
        l->over = true;
        return;
    }
    launch_back_off(l);
    via_log(VIA_LOG_WARN, "the command ended with %d; starting it again in %lld s", l->code,
            (long long)l->backoff_ms / 1000);
}

static void
launch_signal(struct launch *l, const siginfo_t *info)
{
    bool by_terminal = info->si_code == SI_KERNEL;
    int wait_status;

    if (info->si_signo == SIGCHLD) {
        if (l->process.pid && waitpid(l->process.pid, &wait_status, WNOHANG) == l->process.pid)
            launch_child_ended(l, wait_status);
        return;
    }
    if (info->si_signo == SIGTERM || info->si_signo == SIGINT || info->si_signo == SIGQUIT ||
        (info->si_signo == SIGHUP && by_terminal))
        l->ending = true;
    if (!l->process.pid && l->ending) {
        l->code = 128 + info->si_signo;
        l->over = true;
    }
    /* What the terminal sends, it sends to a command in its foreground too. */
    if (l->process.leads || !by_terminal)
        run_child_signal(&l->process, info->si_signo);
}

/* -- looking after the instance --------------------------------------------------- */

/* The first instance: any failure is the answer. */
static bool
launch_open(struct launch *l)
{
    struct via_error *e = &l->cli->error;

    if (cli_is_shown(l->cli))
        (void)snprintf(l->place.folder, sizeof l->place.folder, "DIR/run/instances/RUN/files");
    else if (run_place_make(&l->place, cli_option(l->cli, CLI_OPT_TOKEN_DIR), e) == VIA_OK)
        via_ignore(run_place_stage(&l->place, e));
    if (run_instance_register(&l->instance, l->cli, &l->place) &&
        run_instance_equip(&l->instance, l->cli, &l->place, l->url))
        via_ignore(run_instance_publish(&l->instance, &l->place, e));
    return cli_answers(l->cli);
}

/* Is there a newer deploy, a wish, or a token in the environment that is no good any more; and not
 * a deploy that was refused just now? */
static bool
launch_may_switch(const struct launch *l, const struct run_sight *sight)
{
    if (!sight->restart[0] && !sight->outdated && strcmp(sight->deploy, l->instance.deploy) == 0)
        return false;
    return strcmp(sight->deploy, l->refused) != 0 || via_clock_mono_ms() >= l->switch_at_ms;
}

/* Register the next instance. What is refused before that (a manifest, a full disk) harms nobody;
 * registering makes the deploy the running one, and the one before then lives for its hand-over
 * only. */
static bool
launch_register(struct launch *l, const char *deploy)
{
    run_instance_close(&l->next, l->cli);
    if (run_place_stage(&l->place, &l->cli->error) == VIA_OK &&
        run_instance_register(&l->next, l->cli, &l->place))
        return true;
    if (strcmp(deploy, l->refused) != 0)
        l->refusal_logged = false;
    (void)snprintf(l->refused, sizeof l->refused, "%s", deploy);
    l->switch_at_ms = via_clock_mono_ms() + REFUSED_MS;
    launch_forgive(l, "the new deploy cannot be started", &l->refusal_logged);
    return false;
}

/* Move to an instance of the newest deploy: that first, with all its files, the running command's
 * end afterwards. An instance that was registered is kept until its tokens can be minted: its
 * deploy is the running one already. True when the command is to be started. */
static bool
launch_switch(struct launch *l, const struct run_sight *sight)
{
    struct via_error *e = &l->cli->error;

    if (strcmp(l->next.deploy, sight->deploy) != 0 && !launch_register(l, sight->deploy))
        return false;
    launch_refresh_url(l);
    if (!l->next.equipped && !run_instance_equip(&l->next, l->cli, &l->place, l->url)) {
        launch_forgive(l, "the new deploy has no tokens yet", &l->fault_logged);
        return false;
    }
    via_log(VIA_LOG_INFO, "deploy %s: restarting the command: %s", l->next.deploy,
            sight->restart[0] ? sight->restart
            : sight->outdated ? "a credential in its environment was revoked"
                              : "it is new");
    run_child_stop(&l->process);
    l->started_ms = l->start_at_ms = l->backoff_ms = 0;
    if (run_instance_publish(&l->next, &l->place, e) != VIA_OK) {
        l->code = 1;
        l->over = true;
    }
    run_instance_close(&l->instance, l->cli);
    l->instance = l->next;
    run_instance_init(&l->next);
    l->refused[0] = '\0';
    l->stop_logged = l->fault_logged = false;
    return true;
}

/* Does anything call for a look at the control plane? One load and one stat, mostly. */
static bool
launch_is_due(struct launch *l)
{
    struct via_root root;

    if (l->next.id[0] || (l->refused[0] && via_clock_mono_ms() >= l->switch_at_ms) ||
        run_token_is_due(&l->instance))
        return true;
    if (via_root_find(&root, NULL) != VIA_OK)
        return true;
    if (!l->epoch.page || !via_epoch_is_current(&l->epoch, &root)) {
        via_epoch_close(&l->epoch);
        l->seen_epoch = 0;
        via_ignore(via_epoch_open(&l->epoch, &root, NULL));
    }
    return !l->epoch.page || !via_epoch_is(&l->epoch, l->seen_epoch);
}

/* An operator has ended it. The command may end as it likes; a new deploy or a repair brings it its
 * data back. */
static void
launch_note_end(struct launch *l, const struct run_sight *sight)
{
    if (!l->stop_logged)
        via_log(VIA_LOG_WARN, "%s %s was stopped; the command has no data until %s",
                sight->stopped ? "deploy" : "instance",
                sight->stopped ? l->instance.deploy : l->instance.id,
                sight->stopped ? "the next one" : "a repair or the next deploy");
    l->stop_logged = true;
    l->instance.renew_at_ms = INT64_MAX;
}

static void
launch_look(struct launch *l)
{
    struct run_sight sight;
    uint64_t epoch;

    l->look_at_ms = via_clock_mono_ms() + LOOK_MS;
    if (!launch_is_due(l))
        return;
    epoch = l->epoch.page ? via_epoch_now(&l->epoch) : 0; /* before it is read */
    if (!run_instance_look(&l->instance, l->cli, &sight)) {
        launch_forgive(l, "the control plane cannot be read", &l->fault_logged);
        return;
    }
    l->seen_epoch = epoch;
    if (!sight.stopped && launch_may_switch(l, &sight) && launch_switch(l, &sight))
        return;
    if (sight.stopped || sight.instance_stopped) {
        launch_note_end(l, &sight);
        return;
    }
    /* When a new deploy is refused the command goes on, and its tokens fall due as before. */
    if (!sight.rotated && !sight.restart[0] && !run_token_is_due(&l->instance))
        return;
    if (run_token_renew(&l->instance, l->cli, &l->place))
        l->fault_logged = false;
    else
        launch_forgive(l, "the tokens cannot be renewed", &l->fault_logged);
}

/* -- the loop --------------------------------------------------------------------- */

static void
signals_block(sigset_t *set)
{
    (void)sigemptyset(set);
    (void)sigaddset(set, SIGCHLD);
    for (size_t i = 0; i < sizeof forwarded / sizeof *forwarded; i++)
        (void)sigaddset(set, forwarded[i]);
    (void)sigprocmask(SIG_BLOCK, set, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
}

/* Wait for a signal, at most until the next look or start. */
static void
launch_wait(struct launch *l, const sigset_t *set)
{
    int64_t until_ms = l->look_at_ms, left_ms;
    struct timespec limit;
    siginfo_t info;

    if (!l->process.pid && l->start_at_ms < until_ms)
        until_ms = l->start_at_ms;
    left_ms = until_ms - via_clock_mono_ms();
    if (left_ms < 0)
        left_ms = 0;
    limit.tv_sec = left_ms / 1000;
    limit.tv_nsec = left_ms % 1000 * 1000000;
    if (sigtimedwait(set, &info, &limit) > 0)
        launch_signal(l, &info);
}

static void
launch_loop(struct launch *l, const sigset_t *set)
{
    l->look_at_ms = via_clock_mono_ms() + LOOK_MS;
    while (!l->over) {
        if (!l->process.pid && via_clock_mono_ms() >= l->start_at_ms)
            launch_start_child(l);
        if (!l->over)
            launch_wait(l, set);
        if (!l->over && via_clock_mono_ms() >= l->look_at_ms)
            launch_look(l);
    }
}

static void
launch_end(struct launch *l)
{
    run_instance_close(&l->next, l->cli);
    run_instance_close(&l->instance, l->cli);
    run_environment_remove(&l->child);
    run_place_remove(&l->place);
    via_epoch_close(&l->epoch);
}

int
cli_launch(struct cli *cli)
{
    struct launch l;
    sigset_t set;

    memset(&l, 0, sizeof l);
    l.cli = cli;
    l.epoch.lock.fd = -1;
    run_place_init(&l.place, &l.user);
    run_instance_init(&l.instance);
    run_instance_init(&l.next);
    l.child = (struct run_child){.command = cli->args.command,
                                 .place = &l.place,
                                 .url = l.url,
                                 .socket = l.agent.socket,
                                 .env_file = cli_option(cli, CLI_OPT_ENV_FILE)};
    via_log_set_level("via run", VIA_LOG_INFO);
    if (!cli_is_shown(cli) &&
        run_user_find(cli_option(cli, CLI_OPT_USER), &l.user, &cli->error) != VIA_OK)
        return 1;
    launch_find_agent(&l);
    if (!cli_ok(cli))
        return 1;
    signals_block(&set);
    if (!cli_is_shown(cli))
        launch_find_url(&l);
    run_place_sweep(cli);
    if (launch_open(&l))
        launch_loop(&l, &set);
    launch_end(&l);
    return l.code;
}
