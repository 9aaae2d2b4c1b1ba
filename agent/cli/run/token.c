/* token.c: the tokens of an instance: minted by SQL, put where the command finds them. */
#include "cli/run/run.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "identity/keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RENEW_MIN_MS 200
#define RETRY_MS 5000
#define CLOCK_SET_MS 2000 /* more than any clock is slewed by in the life of a token */

/* What token is wanted, and for whom. */
struct minting {
    struct cli *cli;
    struct run_instance *in;
    const struct run_place *place;
    const char *binding; /* NULL: the workload token */
    bool lasting;        /* for clients that cannot renew it */
};

static int64_t
clocks_lead_ms(void)
{
    return via_clock_now_ms() - via_clock_mono_ms();
}

/* Half of what is left of a token is when it is due again. */
static void
token_note_expiry(struct run_instance *in, const char *expires_at)
{
    int64_t expires_ms, left_ms, at_ms;

    if (!expires_at || !via_clock_parse(expires_at, &expires_ms))
        return;
    left_ms = (expires_ms - via_clock_now_ms()) / 2;
    at_ms = via_clock_mono_ms() + (left_ms < RENEW_MIN_MS ? RENEW_MIN_MS : left_ms);
    if (at_ms < in->renew_at_ms)
        in->renew_at_ms = at_ms;
}

/* Mint one and take it; the caller frees it by via_guarded_free(). NULL with cli->error. */
static char *
token_mint(const struct minting *m, size_t *n)
{
    char path[VIA_PATH_SIZE];
    struct cli_statement st;
    struct cli_rows rows;
    char *token = NULL;

    run_place_mint(m->place, path);
    cli_statement_init(&st, "INSERT INTO via_tokens(kind, instance, path");
    cli_statement_put(&st, m->binding ? ", binding" : "");
    cli_statement_put(&st, m->lasting ? ", ttl_s" : "");
    cli_statement_text(&st, ") VALUES(", m->binding ? "generation" : "workload");
    cli_statement_text(&st, ", ", m->in->id);
    cli_statement_text(&st, ", ", path);
    if (m->binding)
        cli_statement_text(&st, ", ", m->binding);
    if (m->lasting)
        cli_statement_put(&st, ", (SELECT CAST(value AS INTEGER) FROM via_settings"
                               " WHERE name = 'client_token_ttl_s')");
    cli_statement_put(&st, ")");
    cli_run(m->cli, &st);
    cli_statement_init(&st, "SELECT expires_at FROM via_tokens WHERE rowid = last_insert_rowid()");
    cli_query(m->cli, &st, &rows);
    if (cli_ok(m->cli)) {
        if (!m->lasting)
            token_note_expiry(m->in, cli_rows_text(&rows, 0, "expires_at"));
        via_ignore(run_place_take_token(m->place, &token, n, &m->cli->error));
    }
    cli_rows_deinit(&rows);
    return token;
}

/* A binding whose generations are all revoked has no token now; the others live on. Its first
 * minting is a refusal like any other. */
static bool
token_is_refused(const struct minting *m)
{
    if (!m->binding || m->cli->error.status != VIA_GENERATION_REVOKED)
        return false;
    via_log(VIA_LOG_WARN, "binding %s has no active generation; rotate it to go on", m->binding);
    via_error_clear(&m->cli->error);
    return true;
}

/* Mint a token into its file; none leaves the file empty. */
static void
token_put(const struct minting *m)
{
    char relative[VIA_NAME_SIZE * 2];
    size_t n = 0;
    char *token = cli_ok(m->cli) ? token_mint(m, &n) : NULL;

    (void)snprintf(relative, sizeof relative, "%s%s%s%s", m->in->staged ? "next/" : "",
                   m->binding ? "bindings/" : "", m->binding ? m->binding : "",
                   m->binding ? "/token" : "token");
    if (token || token_is_refused(m))
        via_ignore(run_place_put(m->place, relative, token ? token : "", n, &m->cli->error));
    via_guarded_free(token);
}

/* The rows of the newest generations, which tokens are minted of now if they are active. The caller
 * frees it. */
static char *
token_held(const struct run_instance *in, struct cli *cli)
{
    struct cli_statement st;
    struct cli_rows rows;
    const char *text;
    char *copy;

    cli_statement_init(&st, "SELECT json_group_array(rid) AS held FROM (SELECT g.rowid AS rid,"
                            " max(g.generation) FROM via_release_bindings AS r JOIN"
                            " via_generations AS g ON g.binding = r.binding AND g.target ="
                            " r.binding_target AND g.addon_id = r.addon_id");
    cli_statement_text(&st, " WHERE r.release = ", in->release);
    cli_statement_text(&st, " AND g.app = ", cli_app(cli));
    cli_statement_put(&st, " GROUP BY g.binding)");
    cli_query(cli, &st, &rows);
    text = cli_rows_text(&rows, 0, "held");
    copy = strdup(text ? text : "[]");
    cli_rows_deinit(&rows);
    return copy;
}

bool
run_token_is_outdated(const struct run_instance *in, struct cli *cli)
{
    struct cli_statement st;
    struct cli_rows rows;
    bool is_outdated;

    if (!in->client || !in->held)
        return false;
    cli_statement_init(&st, "SELECT 1 FROM via_generations AS g WHERE g.status = 'active'");
    cli_statement_text(&st, " AND g.app = ", cli_app(cli));
    cli_statement_text(&st, " AND g.rowid NOT IN (SELECT value FROM json_each(", in->held);
    cli_statement_put(&st, ")) AND EXISTS (SELECT 1 FROM via_generations AS h WHERE h.app = g.app"
                           " AND h.binding = g.binding AND h.target = g.target"
                           " AND h.addon_id = g.addon_id AND h.status = 'revoked'");
    cli_statement_text(&st, " AND h.rowid IN (SELECT value FROM json_each(", in->held);
    cli_statement_put(&st, "))) LIMIT 1");
    cli_query(cli, &st, &rows);
    is_outdated = rows.count > 0;
    cli_rows_deinit(&rows);
    return is_outdated;
}

/* Mint the tokens that go into the environment, once in the life of an instance. */
static void
token_put_client(const struct minting *m)
{
    struct run_instance *in = m->in;
    size_t count = in->bindings.count, n;
    struct minting lasting = *m;

    if (in->client || !cli_option(m->cli, CLI_OPT_CLIENT_ENV))
        return;
    in->client = calloc(count + 1, sizeof *in->client);
    if (!in->client) {
        cli_refuse(m->cli, VIA_OUT_OF_MEMORY, "out of memory");
        return;
    }
    lasting.lasting = true;
    /* Read first, as above. */
    in->held = token_held(in, m->cli);
    for (size_t i = 0; cli_ok(m->cli) && i < count; i++) {
        lasting.binding = cli_rows_text(&in->bindings, i, "binding");
        in->client[i] = token_mint(&lasting, &n);
        if (!in->client[i])
            (void)token_is_refused(&lasting);
    }
    if (!cli_ok(m->cli))
        run_token_forget(in);
}

void
run_token_forget(struct run_instance *in)
{
    for (size_t i = 0; in->client && i < in->bindings.count; i++)
        via_guarded_free(in->client[i]);
    free(in->client);
    free(in->held);
    in->client = NULL;
    in->held = NULL;
}

char *
run_token_active(const struct run_instance *in, struct cli *cli)
{
    struct cli_statement st;
    struct cli_rows rows;
    const char *text;
    char *copy;

    cli_statement_init(&st, "SELECT group_concat(binding || ':' || target || ':' || generation)"
                            " AS active FROM (SELECT g.binding, g.target, g.generation"
                            " FROM via_release_bindings AS r JOIN via_generations AS g"
                            " ON g.binding = r.binding AND g.addon_id = r.addon_id");
    cli_statement_text(&st, " WHERE r.release = ", in->release);
    cli_statement_text(&st, " AND g.app = ", cli_app(cli));
    cli_statement_put(&st, " AND g.status = 'active' ORDER BY 1, 2, 3)");
    cli_query(cli, &st, &rows);
    text = cli_rows_text(&rows, 0, "active");
    copy = strdup(text ? text : "");
    cli_rows_deinit(&rows);
    return copy;
}

char *
run_token_keys(struct cli *cli)
{
    struct cli_statement st;
    struct cli_rows rows;
    const char *text;
    char *copy;

    cli_statement_init(&st, "SELECT group_concat(kid) AS keys FROM (SELECT kid FROM via_keys WHERE"
                            " state = 'active' AND use IN ('workload', 'generation') ORDER BY 1)");
    cli_query(cli, &st, &rows);
    text = cli_rows_text(&rows, 0, "keys");
    copy = strdup(text ? text : "");
    cli_rows_deinit(&rows);
    return copy;
}

bool
run_token_is_due(const struct run_instance *in)
{
    /* Tokens are of the wall clock: set forward they expire, set back they are not valid yet. */
    return via_clock_mono_ms() >= in->renew_at_ms ||
           llabs(clocks_lead_ms() - in->clocks_ms) > CLOCK_SET_MS;
}

bool
run_token_renew(struct run_instance *in, struct cli *cli, const struct run_place *place)
{
    struct minting m = {.cli = cli, .in = in, .place = place};
    /* Read first: a rotation in between is then seen at the next look. */
    char *active = run_token_active(in, cli);
    /* But the first minting of a host makes them. */
    char *keys = in->keys ? run_token_keys(cli) : NULL;

    in->renew_at_ms = INT64_MAX;
    in->clocks_ms = clocks_lead_ms();
    token_put(&m);
    for (size_t i = 0; i < in->bindings.count; i++) {
        m.binding = cli_rows_text(&in->bindings, i, "binding");
        token_put(&m);
    }
    m.binding = NULL;
    token_put_client(&m);
    if (cli_ok(cli)) {
        free(in->active);
        free(in->keys);
        in->active = active;
        in->keys = keys ? keys : run_token_keys(cli);
        return true;
    }
    free(active);
    free(keys);
    in->renew_at_ms = via_clock_mono_ms() + RETRY_MS;
    return false;
}
