#include "control/instance.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/id.h"
#include "control/app.h"
#include "control/audit.h"
#include "control/manifest.h"
#include "control/release.h"
#include "control/setting.h"

#include <stdio.h>
#include <string.h>

#define INSTANCE_COLUMNS                                                                           \
    "SELECT rid, id, app, target, deploy, release, state, lease_expires_at, token_path,"           \
    " restart_reason IS NOT NULL FROM v_instances"

static bool
instance_read(struct via_sql *db, sqlite3_stmt *q, struct via_instance *out)
{
    bool found = via_sql_row(db, q);

    memset(out, 0, sizeof *out);
    if (found) {
        out->rid = sqlite3_column_int64(q, 0);
        via_sql_text(q, 1, out->id, sizeof out->id);
        via_sql_text(q, 2, out->app, sizeof out->app);
        via_sql_text(q, 3, out->target, sizeof out->target);
        via_sql_text(q, 4, out->deploy, sizeof out->deploy);
        via_sql_text(q, 5, out->release, sizeof out->release);
        via_sql_text(q, 6, out->state, sizeof out->state);
        via_sql_text(q, 7, out->lease_expires_at, sizeof out->lease_expires_at);
        via_sql_text(q, 8, out->token_path, sizeof out->token_path);
        out->restart_asked = sqlite3_column_int(q, 9) != 0;
    }
    via_sql_end(db, q);
    return found;
}

bool
via_instance_find_id(struct via_sql *db, const char *id, struct via_instance *out)
{
    sqlite3_stmt *q = via_sql_stmt(db, INSTANCE_COLUMNS " WHERE id = ?1");

    via_sql_bind_text(db, q, 1, id);
    return instance_read(db, q, out);
}

bool
via_instance_find_row(struct via_sql *db, int64_t rid, struct via_instance *out)
{
    sqlite3_stmt *q = via_sql_stmt(db, INSTANCE_COLUMNS " WHERE rid = ?1");

    via_sql_bind_int(db, q, 1, rid);
    return instance_read(db, q, out);
}

/* Find the deploy an instance is to belong to; its facts go into `in`, its state is returned. */
static bool
instance_deploy(struct via_store *s, const struct via_instance_spec *spec, struct via_instance *in,
                char state[16])
{
    struct via_sql *db = &s->write;
    char target[VIA_NAME_SIZE] = "";
    bool found;
    sqlite3_stmt *q;

    if (spec->deploy) {
        q = via_sql_stmt(db, "SELECT id, app, release, target, state FROM v_deploys WHERE id = ?1");
        via_sql_bind_text(db, q, 1, spec->deploy);
    } else {
        via_app_get(s, spec->app);
        if (spec->target)
            (void)snprintf(target, sizeof target, "%s", spec->target);
        else if (via_sql_ok(db))
            via_deploy_only_target(s, spec->app, target);
        q = via_sql_stmt(db, "SELECT id, app, release, target, state FROM v_deploys"
                             " WHERE app = ?1 AND target = ?2 ORDER BY rid DESC LIMIT 1");
        via_sql_bind_text(db, q, 1, spec->app);
        via_sql_bind_text(db, q, 2, target);
    }
    found = via_sql_row(db, q);
    if (found) {
        via_sql_text(q, 0, in->deploy, sizeof in->deploy);
        via_sql_text(q, 1, in->app, sizeof in->app);
        via_sql_text(q, 2, in->release, sizeof in->release);
        via_sql_text(q, 3, in->target, sizeof in->target);
        via_sql_text(q, 4, state, 16);
    }
    via_sql_end(db, q);
    if (!found && spec->deploy)
        via_sql_fail(db, VIA_DEPLOY_NOT_FOUND, "there is no deploy %s", spec->deploy);
    else if (!found)
        via_sql_fail(db, VIA_DEPLOY_NOT_FOUND,
                     "app %s has no deploy on target '%s'; deploy it first",
                     spec->app ? spec->app : "NULL", target);
    return found && via_sql_ok(db);
}

/* The deploy's first instance makes it the running one of its app and target. */
static void
instance_activate(struct via_store *s, const struct via_instance *in)
{
    struct via_sql *db = &s->write;
    sqlite3_stmt *q = via_sql_stmt(
        db, "INSERT INTO temp.o_activations(seq, deploy, app, target, at)"
            " SELECT (1 << 60) + (SELECT count(*) FROM temp.o_activations), ?1, ?2, ?3, ?4");

    via_sql_bind_text(db, q, 1, in->deploy);
    via_sql_bind_text(db, q, 2, in->app);
    via_sql_bind_text(db, q, 3, in->target);
    via_sql_bind_text(db, q, 4, s->now);
    via_sql_run(db, q);
    s->takes_right = true; /* it starts the hand-over of the one before */
}

static void
instance_check(struct via_store *s, const struct via_instance *in, const char *state)
{
    struct via_sql *db = &s->write;
    struct via_buf text;

    if (strcmp(state, "stopped") == 0 || strcmp(state, "failed") == 0)
        via_sql_fail(db, VIA_DEPLOY_STOPPED, "deploy %s of app %s is %s; deploy the app again",
                     in->deploy, in->app, state);
    else if (strcmp(state, "superseded") == 0)
        via_sql_fail(db, VIA_DEPLOY_SUPERSEDED, "deploy %s of app %s was superseded by a newer one",
                     in->deploy, in->app);
    if (!via_sql_ok(db))
        return;
    via_buf_init(&text);
    if (!via_manifest_verify(db, s->keys, in->release, in->app, &text))
        via_sql_fail(db, VIA_MANIFEST_INVALID,
                     "the manifest of release %s does not match its signature", in->release);
    via_buf_deinit(&text);
}

int64_t
via_instance_put(struct via_store *s, const struct via_instance_spec *spec)
{
    struct via_sql *db = &s->write;
    struct via_instance in = {0};
    char state[16] = "";
    int64_t lease_s = via_setting_int(db, "lease_ttl_s");
    sqlite3_stmt *q;

    if (!instance_deploy(s, spec, &in, state))
        return 0;
    if (spec->app && strcmp(spec->app, in.app) != 0)
        via_sql_fail(db, VIA_DEPLOY_NOT_FOUND, "deploy %s is of app %s, not of %s", in.deploy,
                     in.app, spec->app);
    if (spec->token_path &&
        (spec->token_path[0] != '/' || strlen(spec->token_path) >= sizeof in.token_path))
        via_sql_fail(db, VIA_PATH_INVALID, "the token of an instance is at an absolute path");
    instance_check(s, &in, state);
    in.rid = via_store_rid();
    via_id_make("inst", in.id);
    via_clock_format(via_clock_now_ms() + lease_s * 1000, in.lease_expires_at);
    q = via_sql_stmt(db, "INSERT INTO temp.o_instances(rid, id, app, target, deploy, release, pid,"
                         " state, started_at, lease_expires_at, token_path)"
                         " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, 'running', ?8, ?9, ?10)");
    via_sql_bind_int(db, q, 1, in.rid);
    via_sql_bind_text(db, q, 2, in.id);
    via_sql_bind_text(db, q, 3, in.app);
    via_sql_bind_text(db, q, 4, in.target);
    via_sql_bind_text(db, q, 5, in.deploy);
    via_sql_bind_text(db, q, 6, in.release);
    if (spec->pid > 0)
        via_sql_bind_int(db, q, 7, spec->pid);
    via_sql_bind_text(db, q, 8, s->now);
    via_sql_bind_text(db, q, 9, in.lease_expires_at);
    via_sql_bind_text(db, q, 10, spec->token_path);
    via_sql_run(db, q);
    if (strcmp(state, "pending") == 0)
        instance_activate(s, &in);
    via_audit_runtime(s, &(struct via_record){.action = "instance.register",
                                              .outcome = "ok",
                                              .app = in.app,
                                              .deploy = in.deploy,
                                              .instance = in.id});
    return in.rid;
}

/* Take the instance's row into the transaction, to be changed there. */
static void
instance_take(struct via_store *s, int64_t rid)
{
    struct via_sql *db = &s->write;
    sqlite3_stmt *q = via_sql_stmt(db, "INSERT INTO temp.o_instances SELECT rid, id, app, target,"
                                       " deploy, release, pid, state, started_at, lease_expires_at,"
                                       " stopped_at, token_path, restart_reason, 0"
                                       " FROM rt.instances WHERE rid = ?1"
                                       " ON CONFLICT DO NOTHING");

    via_sql_bind_int(db, q, 1, rid);
    via_sql_run(db, q);
}

void
via_instance_stop(struct via_store *s, int64_t rid)
{
    struct via_sql *db = &s->write;
    struct via_instance in;
    sqlite3_stmt *q;

    if (!via_instance_find_row(db, rid, &in) || strcmp(in.state, "stopped") == 0)
        return;
    instance_take(s, rid);
    q = via_sql_stmt(db, "UPDATE temp.o_instances SET state = 'stopped', stopped_at = ?2"
                         " WHERE rid = ?1");
    via_sql_bind_int(db, q, 1, rid);
    via_sql_bind_text(db, q, 2, s->now);
    via_sql_run(db, q);
    s->takes_right = true;
    via_audit_runtime(s, &(struct via_record){.action = "instance.stop",
                                              .outcome = "ok",
                                              .app = in.app,
                                              .deploy = in.deploy,
                                              .instance = in.id});
}

void
via_instance_renew(struct via_store *s, int64_t rid, const char *lease_expires_at, bool exact)
{
    struct via_sql *db = &s->write;
    char exact_time[VIA_TIME_SIZE];
    struct via_instance in;
    int64_t until_ms;
    sqlite3_stmt *q;

    if (!lease_expires_at || !via_clock_parse(lease_expires_at, &until_ms)) {
        via_sql_fail(db, VIA_VALUE_INVALID,
                     "a lease ends at a time such as 2030-01-01T00:00:00.000Z");
        return;
    }
    via_clock_format(until_ms, exact_time);
    if (!via_instance_find_row(db, rid, &in))
        return;
    if (strcmp(in.state, "stopped") == 0) {
        via_sql_fail(db, VIA_INSTANCE_STOPPED, "instance %s is stopped; register a new one", in.id);
        return;
    }
    instance_take(s, rid);
    q = via_sql_stmt(db, "UPDATE temp.o_instances SET lease_exact = lease_exact OR ?3,"
                         " lease_expires_at = iif(?3, ?2, max(lease_expires_at, ?2))"
                         " WHERE rid = ?1");
    via_sql_bind_int(db, q, 1, rid);
    via_sql_bind_text(db, q, 2, exact_time);
    via_sql_bind_int(db, q, 3, exact);
    via_sql_run(db, q);
    /* It may be shorter than what somebody else has made of it meanwhile. */
    if (exact)
        s->takes_right = true;
}

/* -- the launcher ---------------------------------------------------------------- */

enum via_launcher
via_instance_launcher(const struct via_store *s, const struct via_instance *in)
{
    if (!in->token_path[0])
        return VIA_LAUNCHER_IS_NONE;
    return via_lock_is_held(&s->lock, in->rid) ? VIA_LAUNCHER_IS_ALIVE : VIA_LAUNCHER_IS_GONE;
}

void
via_instance_ask_restart(struct via_store *s, int64_t rid, const char *reason)
{
    struct via_sql *db = &s->write;
    struct via_instance in;
    sqlite3_stmt *q;

    if (!reason || !reason[0] || strlen(reason) > 200) {
        via_sql_fail(db, VIA_VALUE_INVALID, "say in at most 200 bytes why it is to restart");
        return;
    }
    if (!via_instance_find_row(db, rid, &in) || in.restart_asked)
        return;
    instance_take(s, rid);
    q = via_sql_stmt(db, "UPDATE temp.o_instances SET restart_reason = ?2 WHERE rid = ?1");
    via_sql_bind_int(db, q, 1, rid);
    via_sql_bind_text(db, q, 2, reason);
    via_sql_run(db, q);
    s->takes_right = true; /* launchers look when the epoch moves */
    via_audit_runtime(s, &(struct via_record){.action = "instance.restart",
                                              .outcome = "ok",
                                              .app = in.app,
                                              .deploy = in.deploy,
                                              .instance = in.id,
                                              .reason = reason});
}

void
via_instance_ask_restart_bound(struct via_store *s, const char *addon_id, const char *reason)
{
    struct via_sql *db = &s->write;
    int64_t rid = 0;
    sqlite3_stmt *q;
    bool found;

    do {
        q = via_sql_stmt(db, "SELECT min(i.rid) FROM main.release_bindings AS r"
                             " JOIN v_instances AS i ON i.release = r.release"
                             " WHERE r.addon_id = ?1 AND i.state = 'running' AND i.rid > ?2");
        via_sql_bind_text(db, q, 1, addon_id);
        via_sql_bind_int(db, q, 2, rid);
        found = via_sql_row(db, q) && sqlite3_column_type(q, 0) != SQLITE_NULL;
        rid = found ? sqlite3_column_int64(q, 0) : 0;
        via_sql_end(db, q);
        if (found)
            via_instance_ask_restart(s, rid, reason);
    } while (found && via_sql_ok(db));
}

void
via_instance_list_bound(struct via_sql *db, const char *addon_id, char *out, size_t size)
{
    size_t n = 0;
    sqlite3_stmt *q = via_sql_stmt(db, "SELECT DISTINCT i.id FROM main.release_bindings AS r"
                                       " JOIN v_instances AS i ON i.release = r.release"
                                       " WHERE r.addon_id = ?1 AND i.state = 'running'"
                                       " ORDER BY i.id DESC");

    out[0] = '\0';
    via_sql_bind_text(db, q, 1, addon_id);
    while (via_sql_row(db, q)) {
        bool fits = n + VIA_ID_SIZE + sizeof ", …" < size;

        n += (size_t)snprintf(out + n, size - n, "%s%s", n ? ", " : "",
                              fits ? (const char *)sqlite3_column_text(q, 0) : "…");
        if (!fits)
            break;
    }
    via_sql_end(db, q);
}
