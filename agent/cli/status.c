/* status.c: this host on one screen. */
#include "base/clock.h"
#include "base/root.h"
#include "cli/agentfile.h"
#include "cli/remedy.h"
#include "cli/verbs.h"

#include <string.h>

#define STUCK_MS (60 * 1000)
#define RECENT_MS (86400 * 1000)
#define REFUSALS 5

struct status {
    char root[VIA_PATH_SIZE];
    struct cli_agent agent;
    struct via_error agent_error; /* why it does not serve; VIA_OK when it does */
    struct cli_rows counts;
    struct cli_rows addons;
    struct cli_rows refusals;
};

struct problem {
    enum via_status status;
    const char *message;
    const char *line; /* to type; NULL: the code's remedy */
};

/* -- facts ----------------------------------------------------------------------- */

static void
status_count(struct cli *cli, struct cli_rows *rows)
{
    char stuck[VIA_TIME_SIZE], recent[VIA_TIME_SIZE];
    struct cli_statement st;

    via_clock_format(via_clock_now_ms() - STUCK_MS, stuck);
    via_clock_format(via_clock_now_ms() - RECENT_MS, recent);
    cli_statement_init(
        &st, "SELECT (SELECT count(*) FROM via_apps) AS apps, "
             "(SELECT count(*) FROM via_bindings) AS bindings, "
             "(SELECT count(*) FROM via_deploys WHERE state = 'running') AS deploys_running, "
             "(SELECT count(*) FROM via_instances WHERE state = 'running') AS instances_running, "
             "(SELECT count(*) FROM via_operations WHERE state IN ('pending', 'running')) "
             "AS operations_pending, "
             "(SELECT count(*) FROM via_operations WHERE state IN ('pending', 'running')");
    cli_statement_text(&st, " AND started_at < ", stuck);
    cli_statement_put(&st, ") AS operations_stuck, "
                           "(SELECT count(*) FROM via_operations WHERE state = 'failed'");
    cli_statement_text(&st, " AND started_at >= ", recent);
    cli_statement_put(&st, ") AS operations_failed");
    cli_query(cli, &st, rows);
}

static void
status_gather(struct cli *cli, struct status *s)
{
    struct cli_statement st;

    if (!via_root_path(s->root, sizeof s->root))
        s->root[0] = '\0';
    status_count(cli, &s->counts);
    cli_statement_init(&st, "SELECT state, count(*) AS count FROM via_addons "
                            "WHERE state <> 'destroyed' GROUP BY state ORDER BY state");
    cli_query(cli, &st, &s->addons);
    cli_statement_init(&st, "SELECT at, app, binding, instance, reason, count FROM via_audit "
                            "WHERE outcome = 'refused'");
    cli_statement_integer(&st, " ORDER BY at DESC LIMIT ", REFUSALS);
    cli_query(cli, &st, &s->refusals);
    if (cli_is_shown(cli))
        return;
    if (cli_agent_find(&s->agent, &s->agent_error) == VIA_OK &&
        cli_agent_check(&s->agent, &s->agent_error) != VIA_OK)
        return;
}

static bool
has_failed_addons(const struct status *s)
{
    for (size_t i = 0; i < s->addons.count; i++)
        if (strcmp(cli_rows_text(&s->addons, i, "state"), "failed") == 0)
            return true;
    return false;
}

/* What is wrong with this host; at most 3. */
static size_t
status_problems(const struct status *s, struct problem out[3])
{
    size_t n = 0;

    if (s->agent_error.status != VIA_OK)
        out[n++] = (struct problem){s->agent_error.status, s->agent_error.message, NULL};
    if (has_failed_addons(s))
        out[n++] = (struct problem){VIA_ADDON_UNAVAILABLE, "some add-ons failed to be made",
                                    "via sql \"SELECT name, app, id FROM via_addons WHERE state = "
                                    "'failed'\""};
    if (cli_rows_integer(&s->counts, 0, "operations_stuck") > 0)
        out[n++] = (struct problem){VIA_OPERATION_INTERRUPTED,
                                    "some operations have been under way for over a minute",
                                    "via sql \"SELECT id, kind, subject, state, phase FROM "
                                    "via_operations WHERE state IN ('pending', 'running')\""};
    return n;
}

static void
problem_put_line(const struct cli *cli, const struct problem *p, struct via_buf *b)
{
    if (p->line)
        via_buf_puts(b, p->line);
    else
        cli_remedy_put(cli, p->status, b);
}

/* -- JSON ------------------------------------------------------------------------ */

static void
text_member(struct via_buf *b, const char *key, const char *text)
{
    via_buf_printf(b, ",\"%s\":", key);
    if (text && *text)
        via_buf_put_json(b, text, strlen(text));
    else
        via_buf_puts(b, "null");
}

static void
agent_put_json(const struct status *s, struct via_buf *b)
{
    bool runs = s->agent_error.status == VIA_OK;

    via_buf_printf(b, ",\"agent\":{\"running\":%s", runs ? "true" : "false");
    if (s->agent.pid > 0)
        via_buf_printf(b, ",\"pid\":%lld", (long long)s->agent.pid);
    else
        via_buf_puts(b, ",\"pid\":null");
    text_member(b, "socket", s->agent.socket);
    text_member(b, "listen", s->agent.listen);
    text_member(b, "version", s->agent.version);
    via_buf_putc(b, '}');
}

static void
problems_put_json(const struct cli *cli, const struct problem *problems, size_t count,
                  struct via_buf *b)
{
    struct via_buf line;

    via_buf_init(&line);
    via_buf_printf(b, ",\"degraded\":%s,\"problems\":[", count ? "true" : "false");
    for (size_t i = 0; i < count; i++) {
        via_buf_printf(b, "%s{\"code\":\"%s\"", i ? "," : "", via_status_word(problems[i].status));
        text_member(b, "message", problems[i].message);
        via_buf_reset(&line);
        problem_put_line(cli, &problems[i], &line);
        text_member(b, "remediation", via_buf_text(&line));
        via_buf_putc(b, '}');
    }
    via_buf_puts(b, "]}\n");
    via_buf_deinit(&line);
}

static void
status_put_json(struct cli *cli, const struct status *s, const struct problem *problems,
                size_t count)
{
    struct via_buf *b = &cli->out;

    via_buf_puts(b, "{\"version\":\"" VIA_VERSION "\"");
    text_member(b, "state_dir", s->root);
    agent_put_json(s, b);
    (void)cli_rows_put_members(&s->counts, 0, NULL, true, b);
    via_buf_puts(b, ",\"addons\":{");
    for (size_t i = 0; i < s->addons.count; i++)
        via_buf_printf(b, "%s\"%s\":%lld", i ? "," : "", cli_rows_text(&s->addons, i, "state"),
                       (long long)cli_rows_integer(&s->addons, i, "count"));
    via_buf_puts(b, "},\"refusals\":");
    cli_rows_put_array(&s->refusals, b);
    problems_put_json(cli, problems, count, b);
}

/* -- for people ------------------------------------------------------------------ */

static void
agent_put(const struct status *s, struct via_buf *b)
{
    if (s->agent_error.status != VIA_OK)
        via_buf_puts(b, "agent       not running\n");
    else
        via_buf_printf(b, "agent       %s, pid %lld, listen %s, socket %s\n", s->agent.version,
                       (long long)s->agent.pid, s->agent.listen, s->agent.socket);
}

static void
status_put(struct cli *cli, const struct status *s, const struct problem *problems, size_t count)
{
    struct via_buf *b = &cli->out;
    const struct cli_rows *c = &s->counts;

    via_buf_printf(b, "state root  %s\nversion     %s\n", s->root, VIA_VERSION);
    agent_put(s, b);
    via_buf_printf(b, "apps        %lld\nadd-ons     ", (long long)cli_rows_integer(c, 0, "apps"));
    for (size_t i = 0; i < s->addons.count; i++)
        via_buf_printf(b, "%s%lld %s", i ? ", " : "",
                       (long long)cli_rows_integer(&s->addons, i, "count"),
                       cli_rows_text(&s->addons, i, "state"));
    via_buf_printf(b, "%s\nbindings    %lld\n", s->addons.count ? "" : "none",
                   (long long)cli_rows_integer(c, 0, "bindings"));
    via_buf_printf(b, "deploys     %lld running\ninstances   %lld running\n",
                   (long long)cli_rows_integer(c, 0, "deploys_running"),
                   (long long)cli_rows_integer(c, 0, "instances_running"));
    via_buf_printf(b, "operations  %lld under way, %lld failed in the last day\n",
                   (long long)cli_rows_integer(c, 0, "operations_pending"),
                   (long long)cli_rows_integer(c, 0, "operations_failed"));
    if (s->refusals.count > 0)
        via_buf_puts(b, "\nlast refusals\n");
    cli_rows_put_table(&s->refusals, b);
    for (size_t i = 0; i < count; i++) {
        via_buf_printf(b, "%s%s: %s\ntry: ", i ? "" : "\n", via_status_word(problems[i].status),
                       problems[i].message);
        problem_put_line(cli, &problems[i], b);
        via_buf_putc(b, '\n');
    }
}

int
cli_status(struct cli *cli)
{
    struct problem problems[3];
    struct status s;
    size_t count = 0;

    memset(&s, 0, sizeof s);
    status_gather(cli, &s);
    if (cli_answers(cli)) {
        count = status_problems(&s, problems);
        if (cli_is_json(cli))
            status_put_json(cli, &s, problems, count);
        else
            status_put(cli, &s, problems, count);
    }
    cli_rows_deinit(&s.counts);
    cli_rows_deinit(&s.addons);
    cli_rows_deinit(&s.refusals);
    return count > 0;
}
