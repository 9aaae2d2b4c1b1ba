/* appstatus.c: `vary app status` and `vary app doctor`: the same judgement, whole or findings
 * alone. */
#include "cli/appstate.h"
#include "cli/identity.h"
#include "cli/verbs.h"

#include <string.h>

/* -- JSON ------------------------------------------------------------------------ */

static void
member_put(struct via_buf *b, const char *before, const char *text)
{
    via_buf_puts(b, before);
    if (text && *text)
        via_buf_put_json(b, text, strlen(text));
    else
        via_buf_puts(b, "null");
}

static void
finding_put_json(const struct cli_finding *f, struct via_buf *b)
{
    member_put(b, "{\"code\":", via_status_word(f->status));
    member_put(b, ",\"owner\":", via_status_owner(f->status));
    member_put(b, ",\"subject\":", f->subject);
    member_put(b, ",\"gate\":", f->gate);
    member_put(b, ",\"reason\":", f->reason);
    member_put(b, ",\"remediation\":", f->remediation);
    via_buf_putc(b, '}');
}

static void
findings_put_json(const struct cli_appstate *s, struct via_buf *b)
{
    via_buf_putc(b, '[');
    for (size_t i = 0; i < s->count; i++) {
        via_buf_puts(b, i ? ",\n" : "");
        finding_put_json(&s->findings[i], b);
    }
    via_buf_putc(b, ']');
}

/* One row as an object, or null. */
static void
row_put_json(const struct cli_rows *rows, struct via_buf *b)
{
    if (rows->count == 0) {
        via_buf_puts(b, "null");
        return;
    }
    via_buf_putc(b, '{');
    (void)cli_rows_put_members(rows, 0, NULL, false, b);
    via_buf_putc(b, '}');
}

static const struct cli_finding *
finding_of(const struct cli_appstate *s, const char *subject)
{
    for (size_t i = 0; i < s->count; i++)
        if (strcmp(s->findings[i].subject, subject) == 0)
            return &s->findings[i];
    return NULL;
}

/* Each row with a last member of its own. */
static void
rows_put_json(const struct cli_appstate *s, const struct cli_rows *rows, bool are_instances,
              struct via_buf *b)
{
    via_buf_putc(b, '[');
    for (size_t i = 0; i < rows->count; i++) {
        const struct cli_finding *f =
            finding_of(s, cli_rows_text(rows, i, are_instances ? "id" : "binding"));

        via_buf_puts(b, i ? ",\n{" : "{");
        (void)cli_rows_put_members(rows, i, NULL, false, b);
        if (are_instances)
            member_put(b, ",\"identity\":", cli_identity_word(cli_identity_of(rows, i)));
        member_put(b, ",\"blocking\":", f ? via_status_word(f->status) : NULL);
        via_buf_putc(b, '}');
    }
    via_buf_putc(b, ']');
}

static void
status_put_json(const struct cli_appstate *s, struct via_buf *b)
{
    const struct cli_finding *first = s->count ? &s->findings[0] : NULL;

    member_put(b, "{\"app\":", s->app);
    via_buf_puts(b, ",\"target\":");
    via_buf_put_json(b, s->target, strlen(s->target));
    via_buf_printf(b, ",\"ready\":%s", first ? "false" : "true");
    member_put(b, ",\"blocking\":", first ? via_status_word(first->status) : NULL);
    member_put(b, ",\"owner\":", first ? via_status_owner(first->status) : NULL);
    member_put(b, ",\"reason\":", first ? first->reason : NULL);
    member_put(b, ",\"remediation\":", first ? first->remediation : NULL);
    via_buf_puts(b, ",\n\"release\":");
    row_put_json(&s->release, b);
    via_buf_puts(b, ",\n\"deploy\":");
    row_put_json(&s->deploy, b);
    via_buf_puts(b, ",\n\"instances\":");
    rows_put_json(s, &s->instances, true, b);
    via_buf_puts(b, ",\n\"bindings\":");
    rows_put_json(s, &s->bindings, false, b);
    via_buf_puts(b, ",\n\"findings\":");
    findings_put_json(s, b);
    via_buf_puts(b, "}\n");
}

/* -- for people ------------------------------------------------------------------ */

static void
findings_put(const struct cli_appstate *s, struct via_buf *b)
{
    for (size_t i = 0; i < s->count; i++) {
        const struct cli_finding *f = &s->findings[i];

        via_buf_printf(b, "%s: %s\n  %s%s%s%s (%s)\n  try: %s\n", via_status_word(f->status),
                       f->subject, f->gate[0] ? "the " : "", f->gate, f->gate[0] ? " gate: " : "",
                       f->reason, via_status_owner(f->status),
                       f->remediation ? f->remediation : "");
    }
}

static const char *
or_none(const char *text)
{
    return text ? text : "none";
}

static void
instances_put(const struct cli_appstate *s, struct via_buf *b)
{
    for (size_t i = 0; i < s->instances.count; i++)
        via_buf_printf(b, "instance    %s %s, launcher %s, lease until %s, token %s\n",
                       cli_rows_text(&s->instances, i, "id"),
                       cli_rows_text(&s->instances, i, "state"),
                       or_none(cli_rows_text(&s->instances, i, "launcher")),
                       cli_rows_text(&s->instances, i, "lease_expires_at"),
                       cli_identity_word(cli_identity_of(&s->instances, i)));
}

static void
bindings_put(const struct cli_appstate *s, struct via_buf *b)
{
    for (size_t i = 0; i < s->bindings.count; i++) {
        via_buf_printf(
            b, "binding     %s to %s (%s), generation ", cli_rows_text(&s->bindings, i, "binding"),
            cli_rows_text(&s->bindings, i, "addon"), cli_rows_text(&s->bindings, i, "mode"));
        cli_rows_put_named(&s->bindings, i, "generation", b);
        via_buf_printf(b, ", %s\n", cli_rows_text(&s->bindings, i, "state"));
    }
}

static void
status_put(const struct cli_appstate *s, struct via_buf *b)
{
    via_buf_printf(b, "app         %s on target '%s': %s\n", s->app, s->target,
                   s->count ? via_status_word(s->findings[0].status) : "ready");
    if (s->release.count > 0) {
        const char *artifact = cli_rows_text(&s->release, 0, "artifact");

        via_buf_printf(b, "release     %lld, %s%s%s, manifest %s\n",
                       (long long)cli_rows_integer(&s->release, 0, "version"),
                       cli_rows_text(&s->release, 0, "id"), artifact ? " of " : "",
                       artifact ? artifact : "",
                       cli_rows_integer(&s->release, 0, "manifest_ok") ? "ok" : "invalid");
    }
    if (s->deploy.count > 0)
        via_buf_printf(b, "deploy      %s, %s\n", cli_rows_text(&s->deploy, 0, "id"),
                       cli_rows_text(&s->deploy, 0, "state"));
    instances_put(s, b);
    bindings_put(s, b);
    via_buf_puts(b, s->count ? "\n" : "");
    findings_put(s, b);
}

/* -- the verbs ------------------------------------------------------------------- */

int
cli_app_status(struct cli *cli)
{
    struct cli_appstate s;

    cli_appstate_find(cli, &s);
    if (cli_answers(cli) && cli_is_json(cli))
        status_put_json(&s, &cli->out);
    else if (cli_answers(cli))
        status_put(&s, &cli->out);
    cli_appstate_deinit(&s);
    return 0;
}

int
cli_app_doctor(struct cli *cli)
{
    struct cli_appstate s;
    bool wrong;

    cli_appstate_find(cli, &s);
    wrong = s.count > 0;
    if (cli_answers(cli) && cli_is_json(cli)) {
        findings_put_json(&s, &cli->out);
        via_buf_putc(&cli->out, '\n');
    } else if (cli_answers(cli)) {
        via_buf_puts(&cli->out, wrong ? "" : "nothing is wrong\n");
        findings_put(&s, &cli->out);
    }
    cli_appstate_deinit(&s);
    return wrong;
}
