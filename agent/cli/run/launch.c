/* launch.c: `via run`: an instance, its command, and the loop that looks after both.
 *
 * Renewal and stopping are SQL on the control plane, so they go on while the agent is
 * away. One thread; signals are blocked and taken one by one. */
#include "cli/run/run.h"

#include "base/clock.h"
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
#define BACKOFF_MAX_MS 60000

static const int forwarded[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGQUIT, SIGWINCH};

struct launch {
    struct cli *cli;
    struct run_user user;
    struct cli_agent agent;
    char url[VIA_PATH_SIZE + 16];
    struct run_instance instance;
    pid_t child; /* 0: not running, starts at start_at_ms */
    int64_t started_ms;
    int64_t start_at_ms;
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

static void
launch_find_url(struct launch *l)
{
    struct cli_statement st;
    struct cli_rows rows;
    const char *advertised;

    if (l->agent.listen[0] && strcmp(l->agent.listen, "none") != 0) {
        url_from_listen(l->agent.listen, l->url, sizeof l->url);
        return;
    }
    cli_statement_init(&st, "SELECT value FROM via_settings WHERE name = 'advertised_url'");
    cli_query(l->cli, &st, &rows);
    advertised = cli_rows_text(&rows, 0, "value");
    if (advertised && *advertised)
        (void)snprintf(l->url, sizeof l->url, "%s", advertised);
    else
        (void)snprintf(l->url, sizeof l->url, "unix:%s", l->agent.socket);
    cli_rows_deinit(&rows);
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

static void
launch_start_child(struct launch *l)
{
    struct run_child child = {.command = l->cli->args.command,
                              .user = &l->user,
                              .url = l->url,
                              .socket = l->agent.socket};
    int code;

    /* A connection must not live on in the child. */
    cli_close(l->cli);
    if (run_child_start(&child, &l->instance, &l->child, &code, &l->cli->error) != VIA_OK) {
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
    int64_t now_ms = via_clock_mono_ms();

    l->child = 0;
    l->code = run_child_code(wait_status);
    if (!cli_option(l->cli, CLI_OPT_RESTART) || l->ending || l->code == 0) {
        l->over = true;
        return;
    }
    if (l->backoff_ms == 0 || now_ms - l->started_ms >= STEADY_MS)
        l->backoff_ms = 1000;
    else if (l->backoff_ms < BACKOFF_MAX_MS)
        l->backoff_ms *= 2;
    via_log(VIA_LOG_WARN, "the command ended with %d; starting it again in %lld s", l->code,
            (long long)l->backoff_ms / 1000);
    l->start_at_ms = now_ms + l->backoff_ms;
}

static void
launch_signal(struct launch *l, const siginfo_t *info)
{
    int wait_status;

    if (info->si_signo == SIGCHLD) {
        if (l->child && waitpid(l->child, &wait_status, WNOHANG) == l->child)
            launch_child_ended(l, wait_status);
        return;
    }
    if (info->si_signo == SIGTERM || info->si_signo == SIGINT)
        l->ending = true;
    if (!l->child && l->ending) {
        l->code = 128 + info->si_signo;
        l->over = true;
    }
    /* What the terminal sends, it sends to the command too. */
    if (l->child && info->si_code != SI_KERNEL)
        (void)kill(l->child, info->si_signo);
}

/* -- looking after the instance --------------------------------------------------- */

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

/* Is there a newer deploy or a wish, and not one that was refused just now? */
static bool
launch_may_switch(const struct launch *l, const struct run_sight *sight)
{
    if (!sight->restart[0] && strcmp(sight->deploy, l->instance.deploy) == 0)
        return false;
    return strcmp(sight->deploy, l->refused) != 0 || via_clock_mono_ms() >= l->switch_at_ms;
}

/* Move to an instance of the newest deploy: that first, the running command's end afterwards. What
 * is refused before the instance is registered (a manifest, a full disk) harms nobody; registering
 * makes the deploy the running one, and the one before then lives for its hand-over only. */
static void
launch_switch(struct launch *l, const struct run_sight *sight)
{
    const char *deploy = sight->deploy;
    struct run_instance next;

    if (!run_instance_open(&next, l->cli, &l->user, l->url)) {
        if (strcmp(deploy, l->refused) != 0)
            l->refusal_logged = false;
        (void)snprintf(l->refused, sizeof l->refused, "%s", deploy);
        l->switch_at_ms = via_clock_mono_ms() + REFUSED_MS;
        launch_forgive(l, "the new deploy cannot be started", &l->refusal_logged);
        return;
    }
    via_log(VIA_LOG_INFO, "deploy %s: restarting the command%s%s", deploy,
            sight->restart[0] ? ": " : "", sight->restart);
    if (l->child)
        run_child_stop(l->child);
    l->child = 0;
    l->start_at_ms = 0;
    l->backoff_ms = 0;
    run_instance_close(&l->instance, l->cli);
    l->instance = next;
    l->refused[0] = '\0';
    l->stop_logged = false;
}

static void
launch_look(struct launch *l)
{
    struct run_sight sight;

    l->look_at_ms = via_clock_mono_ms() + LOOK_MS;
    if (!run_instance_look(&l->instance, l->cli, &sight)) {
        launch_forgive(l, "the control plane cannot be read", &l->fault_logged);
        return;
    }
    if (sight.stopped && !l->stop_logged) {
        via_log(VIA_LOG_WARN, "deploy %s is over; the command has no data until the next one",
                l->instance.deploy);
        l->stop_logged = true;
    }
    if (sight.stopped)
        return;
    /* When that fails the command goes on, and its tokens fall due as before. */
    if (launch_may_switch(l, &sight))
        launch_switch(l, &sight);
    if (!sight.rotated && via_clock_mono_ms() < l->instance.renew_at_ms)
        return;
    if (run_instance_renew(&l->instance, l->cli, &l->user))
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

    if (!l->child && l->start_at_ms < until_ms)
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
        if (!l->child && via_clock_mono_ms() >= l->start_at_ms)
            launch_start_child(l);
        if (!l->over)
            launch_wait(l, set);
        if (!l->over && via_clock_mono_ms() >= l->look_at_ms)
            launch_look(l);
    }
}

int
cli_launch(struct cli *cli)
{
    struct launch l;
    sigset_t set;

    memset(&l, 0, sizeof l);
    l.cli = cli;
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
    if (run_instance_open(&l.instance, cli, &l.user, l.url)) {
        launch_loop(&l, &set);
        run_instance_close(&l.instance, cli);
    }
    return l.code;
}
