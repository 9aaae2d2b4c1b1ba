/* backup.c: the whole host as one file. `verify` and `restore` need no state root that opens: they
 * are the command line's own, and run no SQL. */
#include "base/error.h"
#include "base/json.h"
#include "base/root.h"
#include "cli/progress.h"
#include "cli/remedy.h"
#include "cli/verbs.h"
#include "effects/host.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define BACKUP_COLUMNS                                                                             \
    "id, path, state, size_bytes, digest, fingerprint, sealed, absent, left_out, created_at"
#define FINGERPRINT_LENGTH 64

/* Say on stderr what a person should know besides. */
static void
warn(const char *sentence)
{
    (void)fprintf(stderr, "warning: %s\n", sentence);
}

/* -- what is not in it ---------------------------------------------------------------- */

/* One element of `left_out`, borrowed; "" is what it does not say. */
struct left_out {
    const char *addon;
    const char *addon_id;
    const char *app;
    const char *snapshot_id; /* NULL: it is the content */
    const char *code;
};

static const char *
text_of(const via_json *each, const char *key)
{
    const char *text = via_json_string(via_json_member(each, key), NULL);

    return text ? text : "";
}

/* Visit each element of the JSON array `text`. */
static void
left_out_each(struct cli *cli, const char *text,
              void (*fn)(struct cli *cli, const struct left_out *l))
{
    via_json *doc = NULL;

    if (!text || via_json_parse(text, strlen(text), 4, &doc, NULL) != VIA_OK)
        return;
    for (size_t i = 0; i < via_json_count(doc); i++) {
        const via_json *each = via_json_at(doc, i);
        const struct left_out l = {
            text_of(each, "addon"), text_of(each, "addon_id"), text_of(each, "app"),
            via_json_string(via_json_member(each, "snapshot"), NULL), text_of(each, "code")};

        fn(cli, &l);
    }
    via_json_free(doc);
}

/* Anybody may have made the archive. */
static void
plain_put(struct via_buf *b, const char *text)
{
    cli_put_plain(b, text, strlen(text));
}

static void
left_out_name(const struct left_out *l, struct via_buf *b)
{
    if (l->snapshot_id) {
        via_buf_puts(b, "snapshot ");
        plain_put(b, l->snapshot_id);
        via_buf_puts(b, " of ");
    }
    via_buf_puts(b, "add-on ");
    plain_put(b, l->addon);
    via_buf_puts(b, " of app ");
    plain_put(b, l->app);
    via_buf_puts(b, ": ");
    plain_put(b, l->code);
}

/* On stderr: a backup that is not of everything must not pass for one. */
static void
left_out_warn(struct cli *cli, const struct left_out *l)
{
    struct via_buf b;

    via_buf_init(&b);
    via_buf_puts(&b, "warning: not in the archive: ");
    left_out_name(l, &b);
    via_buf_puts(&b, "\ntry: ");
    cli_remedy_put_left_out(cli, via_status_parse(l->code, strlen(l->code)), l->addon_id,
                            l->snapshot_id, &b);
    (void)fprintf(stderr, "%s\n", via_buf_text(&b));
    via_buf_deinit(&b);
}

static void
left_out_put(struct cli *cli, const struct left_out *l)
{
    via_buf_puts(&cli->out, "not in the archive: ");
    left_out_name(l, &cli->out);
    via_buf_putc(&cli->out, '\n');
}

/* -- create and list ------------------------------------------------------------------ */

static void
created_put(struct cli *cli, const struct cli_rows *rows)
{
    if (!cli_answers(cli) || rows->count == 0)
        return;
    if (!cli_rows_integer(rows, 0, "sealed"))
        warn("the archive holds this host's private keys in plain: keep it as safe as the host,"
             " or seal them with --passphrase-file");
    left_out_each(cli, cli_rows_text(rows, 0, "left_out"), left_out_warn);
    if (!cli_tell(cli, rows))
        return;
    via_buf_puts(&cli->out, "backed up this host: ");
    cli_rows_put_named(rows, 0, "path", &cli->out);
    via_buf_puts(&cli->out, ", ");
    cli_rows_put_named(rows, 0, "size_bytes", &cli->out);
    via_buf_puts(&cli->out, "\nfingerprint: ");
    cli_rows_put_named(rows, 0, "fingerprint", &cli->out);
    via_buf_putc(&cli->out, '\n');
}

int
cli_backup_create(struct cli *cli)
{
    const char *file = cli_operand(cli, "FILE");
    const char *secret = cli_option(cli, CLI_OPT_PASSPHRASE_FILE);
    struct cli_statement st;
    struct cli_rows rows;
    bool is_partial;

    cli_statement_init(&st, "INSERT INTO via_backups(path, passphrase_file)");
    cli_statement_text(&st, " VALUES(", file);
    cli_statement_text(&st, ", ", secret);
    cli_statement_put(&st, ")");
    cli_run(cli, &st);
    cli_query_new(cli, "SELECT " BACKUP_COLUMNS " FROM via_backups", &rows);
    created_put(cli, &rows);
    is_partial = cli_rows_integer(&rows, 0, "absent") > 0;
    cli_rows_deinit(&rows);
    return is_partial ? 1 : 0;
}

int
cli_backup_list(struct cli *cli)
{
    struct cli_statement st;
    struct cli_rows rows;

    cli_statement_init(&st, cli_is_json(cli)
                                ? "SELECT " BACKUP_COLUMNS " FROM via_backups ORDER BY id"
                                : "SELECT id, state, size_bytes, sealed, created_at, path FROM"
                                  " via_backups ORDER BY id");
    cli_query(cli, &st, &rows);
    cli_put_list(cli, &rows, "no backups", "via backup create");
    cli_rows_deinit(&rows);
    return 0;
}

/* -- verify and restore ---------------------------------------------------------------- */

/* The fingerprint as it is compared: lower case. */
static bool
fingerprint_read(struct cli *cli, char out[FINGERPRINT_LENGTH + 1])
{
    const char *given = cli_option(cli, CLI_OPT_FINGERPRINT);
    size_t n = 0;

    if (!given)
        return false;
    while (n < FINGERPRINT_LENGTH && isxdigit((unsigned char)given[n])) {
        out[n] = (char)tolower((unsigned char)given[n]);
        n++;
    }
    out[n] = '\0';
    if (n != FINGERPRINT_LENGTH || given[n])
        cli_refuse(cli, VIA_USAGE, "--fingerprint wants the %d characters that create printed",
                   FINGERPRINT_LENGTH);
    return true;
}

static void
member_text(struct via_buf *b, const char *key, const char *value)
{
    via_buf_printf(b, "%s\"%s\":", b->len > 0 && b->data[b->len - 1] != '{' ? "," : "", key);
    via_buf_put_json(b, value, strlen(value));
}

static void
report_put_json(struct cli *cli, const struct via_host_report *r, const char *state, bool trusted)
{
    struct via_buf *b = &cli->out;
    char root[VIA_PATH_SIZE];

    via_buf_putc(b, '{');
    member_text(b, "id", r->seal.id);
    member_text(b, "path", cli_operand(cli, "FILE"));
    member_text(b, "state", state);
    via_buf_printf(b, ",\"size_bytes\":%lld", (long long)r->seal.size_bytes);
    member_text(b, "digest", r->seal.digest);
    member_text(b, "fingerprint", r->seal.fingerprint);
    via_buf_printf(b, ",\"trusted\":%s,\"sealed\":%s,\"keys_opened\":%s",
                   trusted ? "true" : "false", r->head.sealed ? "true" : "false",
                   r->keys_opened ? "true" : "false");
    via_buf_printf(b, ",\"addons\":%lld,\"snapshots\":%lld", (long long)r->addons,
                   (long long)r->snapshots);
    via_buf_printf(b, ",\"absent\":%lld,\"left_out\":[%s]", (long long)r->head.absent,
                   via_buf_text(&r->head.left_out));
    member_text(b, "host", r->head.host);
    member_text(b, "created_at", r->head.created_at);
    if (strcmp(state, "restored") == 0 && via_root_path(root, sizeof root))
        member_text(b, "state_dir", root);
    via_buf_puts(b, "}\n");
}

static void
report_put_left_out(struct cli *cli, const struct via_host_report *r)
{
    struct via_buf list;

    via_buf_init(&list);
    via_buf_printf(&list, "[%s]", via_buf_text(&r->head.left_out));
    left_out_each(cli, via_buf_text(&list), left_out_put);
    via_buf_deinit(&list);
}

static void
report_put(struct cli *cli, const struct via_host_report *r, const char *state, bool trusted)
{
    if (!trusted)
        warn("without --fingerprint the archive itself says whose it is: it is unaltered, but"
             " anybody may have made it");
    if (r->head.sealed && !r->keys_opened)
        warn("its keys are sealed and were not opened; name the passphrase by --passphrase-file");
    if (cli_is_json(cli)) {
        report_put_json(cli, r, state, trusted);
        return;
    }
    via_buf_printf(&cli->out, "%s: %s of %s, %s\n", cli_operand(cli, "FILE"), state, r->head.host,
                   r->head.created_at);
    via_buf_printf(&cli->out, "%lld add-ons, %lld snapshots, keys %s\nfingerprint: %s\n",
                   (long long)r->addons, (long long)r->snapshots,
                   r->head.sealed ? "sealed" : "in plain", r->seal.fingerprint);
    report_put_left_out(cli, r);
}

/* What verify and restore share: both take a request and report. */
static int
backup_read(struct cli *cli, const char *state,
            enum via_status (*read)(const struct via_host_request *r, struct via_host_report *out,
                                    struct via_error *e))
{
    char fingerprint[FINGERPRINT_LENGTH + 1];
    struct via_host_request request = {.file = cli_operand(cli, "FILE"),
                                       .passphrase_file = cli_option(cli, CLI_OPT_PASSPHRASE_FILE),
                                       .progress = cli_is_json(cli) ? NULL : cli_progress()};
    struct via_host_report report;

    if (cli_is_shown(cli)) {
        via_buf_puts(&cli->out, "-- this reads a file and runs no SQL\n");
        return 0;
    }
    if (fingerprint_read(cli, fingerprint))
        request.fingerprint = fingerprint;
    if (!cli_ok(cli))
        return 0;
    if (read(&request, &report, &cli->error) == VIA_OK)
        report_put(cli, &report, state, request.fingerprint != NULL);
    via_host_report_deinit(&report);
    cli_progress_end();
    return 0;
}

int
cli_backup_verify(struct cli *cli)
{
    return backup_read(cli, "valid", via_host_verify);
}

int
cli_backup_restore(struct cli *cli)
{
    return backup_read(cli, "restored", via_host_restore);
}
