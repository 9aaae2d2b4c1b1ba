/* status.c: this host on one screen. */
#include "base/clock.h"
#include "base/root.h"
#include "cli/agentfile.h"
#include "cli/remedy.h"
#include "cli/verbs.h"

#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#define RECENT_MS (86400 * 1000)
#define REFUSED_MS (3600 * 1000)
#define REFUSALS 5
#define PROBLEMS 8

/* The disk of the state root, and the logs of the control plane's databases; -1: not to be seen. */
struct disk {
    int64_t free_bytes;
    int64_t total_bytes;
    int64_t control_wal_bytes;
};

struct status {
    char root[VIA_PATH_SIZE];
    struct cli_agent agent;
    struct via_error agent_error; /* why it does not serve; VIA_OK when it does */
    struct cli_rows counts;
    struct cli_rows addons;
    struct cli_rows refusals;
    struct cli_rows findings; /* of each code: severity, how many, and one of them */
    struct cli_rows storage;
    struct disk disk;
};

struct problem {
    const char *code;
    const char *message;
    int64_t more;           /* of the same code */
    enum via_status remedy; /* VIA_OK: `line` says it */
    const char *line;       /* to type */
};

/* -- facts ----------------------------------------------------------------------- */

static void
status_count(struct cli *cli, struct cli_rows *rows)
{
    char recent[VIA_TIME_SIZE];
    struct cli_statement st;

    via_clock_format(via_clock_now_ms() - RECENT_MS, recent);
    cli_statement_init(
        &st, "SELECT (SELECT count(*) FROM via_apps) AS apps, "
             "(SELECT count(*) FROM via_bindings) AS bindings, "
             "(SELECT count(*) FROM via_deploys WHERE state = 'running') AS deploys_running, "
             "(SELECT count(*) FROM via_instances WHERE state = 'running') AS instances_running, "
             "(SELECT count(*) FROM via_operations WHERE state IN ('pending', 'running')) "
             "AS operations_pending, "
             "(SELECT count(*) FROM via_operations WHERE state = 'failed'");
    cli_statement_text(&st, " AND started_at >= ", recent);
    cli_statement_put(&st, ") AS operations_failed");
    cli_query(cli, &st, rows);
}

static int64_t
file_bytes(const struct via_root *root, const char *relative)
{
    char path[VIA_PATH_SIZE];
    struct stat st;

    via_root_join(root, relative, path);
    return lstat(path, &st) == 0 ? (int64_t)st.st_size : 0;
}

static void
disk_look(struct disk *d)
{
    struct via_root root;
    struct statvfs fs;

    *d = (struct disk){-1, -1, -1};
    if (via_root_find(&root, NULL) != VIA_OK || statvfs(root.path, &fs) < 0)
        return;
    d->free_bytes = (int64_t)fs.f_bavail * (int64_t)fs.f_frsize;
    d->total_bytes = (int64_t)fs.f_blocks * (int64_t)fs.f_frsize;
    d->control_wal_bytes =
        file_bytes(&root, "control-plane.db-wal") + file_bytes(&root, "runtime.db-wal");
}

/* The last refusals of the last hour: a flood of long ago is not read again. */
static void
status_refusals(struct cli *cli, struct cli_rows *rows)
{
    char since[VIA_TIME_SIZE];
    struct cli_statement st;

    via_clock_format(via_clock_now_ms() - REFUSED_MS, since);
    cli_statement_init(&st, "SELECT at, app, binding, instance, reason, count FROM via_audit "
                            "WHERE outcome = 'refused'");
    cli_statement_text(&st, " AND at >= ", since);
    cli_statement_integer(&st, " ORDER BY at DESC LIMIT ", REFUSALS);
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
    status_refusals(cli, &s->refusals);
    cli_statement_init(&st, "SELECT code, severity, count(*) AS count, reason, remediation "
                            "FROM via_findings GROUP BY code ORDER BY severity, code");
    cli_query(cli, &st, &s->findings);
    cli_statement_init(&st, "SELECT sum(size_bytes) AS size_bytes, sum(wal_bytes) AS wal_bytes "
                            "FROM via_storage");
    cli_query(cli, &st, &s->storage);
    if (cli_is_shown(cli))
        return;
    disk_look(&s->disk);
    if (cli_agent_find(&s->agent, &s->agent_error) == VIA_OK &&
        cli_agent_check(&s->agent, &s->agent_error) != VIA_OK)
        return;
}

static bool
finding_matters(const struct status *s, size_t row)
{
    return strcmp(cli_rows_text(&s->findings, row, "severity"), "info") != 0;
}

/* How many findings of `code`, or, for NULL, of all that want mending. */
static int64_t
findings_count(const struct status *s, const char *code)
{
    int64_t n = 0;

    for (size_t i = 0; i < s->findings.count; i++)
        if (code ? strcmp(cli_rows_text(&s->findings, i, "code"), code) == 0
                 : finding_matters(s, i))
            n += cli_rows_integer(&s->findings, i, "count");
    return n;
}

static int64_t
findings_overdue(const struct status *s)
{
    return findings_count(s, "snapshot_overdue") + findings_count(s, "snapshot_failing");
}

/* What is wrong with this host: the agent, then what doctor finds, a line a code. How long an
 * operation takes says nothing: a large backup takes long, and doctor asks whether its process
 * lives. */
static size_t
status_problems(const struct status *s, struct problem out[PROBLEMS])
{
    size_t n = 0;

    if (s->agent_error.status != VIA_OK)
        out[n++] = (struct problem){.code = via_status_word(s->agent_error.status),
                                    .message = s->agent_error.message,
                                    .remedy = s->agent_error.status};
    for (size_t i = 0; n < PROBLEMS && i < s->findings.count; i++) {
        int64_t count = cli_rows_integer(&s->findings, i, "count");

        if (finding_matters(s, i))
            out[n++] = (struct problem){
                .code = cli_rows_text(&s->findings, i, "code"),
                .message = cli_rows_text(&s->findings, i, "reason"),
                .more = count - 1,
                .line = count > 1 ? "via doctor" : cli_rows_text(&s->findings, i, "remediation")};
    }
    return n;
}

static void
problem_put_line(const struct cli *cli, const struct problem *p, struct via_buf *b)
{
    if (p->remedy == VIA_OK)
        cli_remedy_put_line(cli, p->line, b);
    else
        cli_remedy_put(cli, p->remedy, b);
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
bytes_member(struct via_buf *b, const char *before, int64_t bytes)
{
    via_buf_puts(b, before);
    if (bytes >= 0)
        via_buf_printf(b, "%lld", (long long)bytes);
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
        long long more = problems[i].more;

        via_buf_printf(b, "%s{\"code\":\"%s\",\"count\":%lld", i ? "," : "", problems[i].code,
                       more + 1);
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
    via_buf_printf(b, "},\"findings\":%lld,\"operations_stuck\":%lld,\"snapshots_overdue\":%lld",
                   (long long)findings_count(s, NULL),
                   (long long)findings_count(s, "operation_stuck"), (long long)findings_overdue(s));
    via_buf_puts(b, ",\"storage\":{");
    (void)cli_rows_put_members(&s->storage, 0, NULL, false, b);
    via_buf_puts(b, "},\"disk\":{");
    bytes_member(b, "\"free_bytes\":", s->disk.free_bytes);
    bytes_member(b, ",\"total_bytes\":", s->disk.total_bytes);
    bytes_member(b, ",\"control_wal_bytes\":", s->disk.control_wal_bytes);
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
disk_put(const struct status *s, struct via_buf *b)
{
    via_buf_puts(b, "storage     ");
    cli_rows_put_named(&s->storage, 0, "size_bytes", b);
    via_buf_puts(b, ", logs ");
    cli_rows_put_named(&s->storage, 0, "wal_bytes", b);
    via_buf_printf(b, "\nsnapshots   %lld overdue\nfindings    %lld\n",
                   (long long)findings_overdue(s), (long long)findings_count(s, NULL));
    if (s->disk.total_bytes > 0)
        via_buf_printf(b, "disk        %lld of %lld MB free, control plane's logs %lld kB\n",
                       (long long)(s->disk.free_bytes >> 20),
                       (long long)(s->disk.total_bytes >> 20),
                       (long long)(s->disk.control_wal_bytes >> 10));
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
    disk_put(s, b);
    if (s->refusals.count > 0)
        via_buf_puts(b, "\nlast refusals of this hour\n");
    cli_rows_put_table(&s->refusals, b);
    for (size_t i = 0; i < count; i++) {
        via_buf_printf(b, "%s%s: %s", i ? "" : "\n", problems[i].code, problems[i].message);
        if (problems[i].more > 0)
            via_buf_printf(b, " (and %lld more)", (long long)problems[i].more);
        via_buf_puts(b, "\ntry: ");
        problem_put_line(cli, &problems[i], b);
        via_buf_putc(b, '\n');
    }
}

int
cli_status(struct cli *cli)
{
    struct problem problems[PROBLEMS];
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
    cli_rows_deinit(&s.findings);
    cli_rows_deinit(&s.storage);
    return count > 0;
}
