/* doctor_rows.c: rows without files, files without rows, and what was not finished. The walk has
 * been made before the rows are read: a folder is made after its row is committed. */
#include "base/clock.h"
#include "control/backup.h"
#include "control/damage.h"
#include "control/env.h"
#include "control/schedule.h"
#include "control/snapshot.h"
#include "effects/doctor_look.h"
#include "provider/provider.h"
#include "rules/remedy.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CLOCK_LEEWAY_MS 5000
#define PURGE_LEEWAY_MS 300000 /* an agent gets to it long before */

static const char *
row_text(sqlite3_stmt *q, int i)
{
    const char *text = (const char *)sqlite3_column_text(q, i);

    return text ? text : "";
}

/* Is it still there, or not yet? The walk was a moment ago. */
static bool
path_exists(struct doctor *d, const char *relative)
{
    char path[VIA_PATH_SIZE];
    struct stat st;

    via_root_join(&d->s->root, relative, path);
    return lstat(path, &st) == 0;
}

/* The line that makes the storage of an add-on sound, which is missing, damaged or left by a
 * failure: columns name, app, binding, target, id. */
static void
advise_repair(struct doctor *d, struct doctor_finding *f, enum via_status why, bool is_unreadable,
              sqlite3_stmt *q)
{
    char snapshot[VIA_ID_SIZE] = "", backup[VIA_PATH_SIZE] = "";
    struct via_remedy_facts facts = {.why = why,
                                     .addon = row_text(q, 0),
                                     .app = row_text(q, 1),
                                     .binding = row_text(q, 2),
                                     .target = row_text(q, 3),
                                     .snapshot = snapshot,
                                     .backup = backup,
                                     .is_unreadable = is_unreadable};

    (void)via_snapshot_newest(d->db, row_text(q, 4), snapshot);
    (void)via_backup_newest(d->db, row_text(q, 4), backup, &facts.backup_sealed);
    via_remedy_text(&facts, f->remediation, sizeof f->remediation);
}

#define ADDON_AND_BINDING                                                                          \
    "a.name, a.app,"                                                                               \
    " (SELECT b.binding FROM main.bindings AS b WHERE b.addon_id = a.id ORDER BY b.rid LIMIT 1),"  \
    " (SELECT b.target FROM main.bindings AS b WHERE b.addon_id = a.id ORDER BY b.rid LIMIT 1)"

/* The file of an add-on that is not there: columns as advise_repair has them. */
static void
find_missing(struct doctor *d, sqlite3_stmt *q)
{
    char relative[VIA_ID_SIZE + 64];
    struct doctor_finding f;

    (void)snprintf(relative, sizeof relative, "addons/sqlite/%s/data.sqlite", row_text(q, 4));
    doctor_begin(&f, DOCTOR_STORAGE_MISSING, row_text(q, 4));
    doctor_say(&f, "the database file of add-on %s of app %s is %s", row_text(q, 0), row_text(q, 1),
               path_exists(d, relative) ? "empty" : "missing");
    advise_repair(d, &f, VIA_STORAGE_MISSING, false, q);
    doctor_end(d, &f);
}

/* Something else is where the file should be: whose it is, a person has to see. */
static void
find_obstacle(struct doctor *d, const struct via_provider *provider, const char *obstacle,
              sqlite3_stmt *q)
{
    char path[VIA_PATH_SIZE];
    struct via_remedy_facts facts = {.why = VIA_STORAGE_UNREADABLE, .obstacle = path};
    struct doctor_finding f;

    doctor_begin(&f, DOCTOR_STORAGE_UNREADABLE, row_text(q, 4));
    doctor_say(&f, "the database file of add-on %s of app %s %s", row_text(q, 0), row_text(q, 1),
               obstacle);
    if (provider->locate(&d->s->root, row_text(q, 4), path))
        via_remedy_text(&facts, f.remediation, sizeof f.remediation);
    doctor_end(d, &f);
}

/* There is no database in its place; the same columns. */
static void
find_absent(struct doctor *d, const struct via_provider *provider, sqlite3_stmt *q)
{
    struct via_storage_facts facts = {0};

    if (provider)
        provider->probe(&d->s->root, row_text(q, 4), &facts);
    if (facts.obstacle)
        find_obstacle(d, provider, facts.obstacle, q);
    else
        find_missing(d, q);
}

/* The file of an add-on that is none of a database; the same columns. */
static void
find_corrupt(struct doctor *d, sqlite3_stmt *q)
{
    struct doctor_finding f;

    doctor_begin(&f, DOCTOR_STORAGE_CORRUPT, row_text(q, 4));
    doctor_say(&f, "the database file of add-on %s of app %s is damaged", row_text(q, 0),
               row_text(q, 1));
    advise_repair(d, &f, VIA_STORAGE_CORRUPT, true, q);
    doctor_end(d, &f);
}

/* One that was found to be damaged inside, and not to be sound since; the same columns. */
static void
find_damaged(struct doctor *d, const struct via_damage *damage, sqlite3_stmt *q)
{
    struct doctor_finding f;

    doctor_begin(&f, DOCTOR_STORAGE_CORRUPT, row_text(q, 4));
    doctor_say(&f, "the database file of add-on %s of app %s is damaged, as %s found at %s",
               row_text(q, 0), row_text(q, 1), damage->kind, damage->at);
    advise_repair(d, &f, VIA_STORAGE_CORRUPT, false, q);
    doctor_end(d, &f);
}

static void
look_storage(struct doctor *d)
{
    sqlite3_stmt *q = via_sql_stmt(d->db, "SELECT " ADDON_AND_BINDING
                                          ", a.id, a.type, w.present IS 1 FROM main.addons AS a"
                                          " LEFT JOIN temp.seen_storage AS w ON w.addon_id = a.id"
                                          " WHERE a.state IN ('ready', 'suspended')"
                                          " AND (w.addon_id IS NOT NULL OR NOT ?1)");

    via_sql_bind_int(d->db, q, 1, d->is_storage_hidden);
    while (via_sql_row(d->db, q)) {
        const struct via_provider *provider = via_provider_find(row_text(q, 5));
        struct via_damage damage;

        if (!sqlite3_column_int(q, 6))
            find_absent(d, provider, q);
        else if (provider && !provider->looks_sound(&d->s->root, row_text(q, 4)))
            find_corrupt(d, q);
        else if (via_damage_find(d->db, row_text(q, 4), &damage))
            find_damaged(d, &damage, q);
    }
}

/* Destroyed ones wait for their time; when that is over and the files are not, nobody claims them.
 */
static void
look_orphans(struct doctor *d)
{
    sqlite3_stmt *q = via_sql_stmt(
        d->db, "SELECT w.addon_id, w.size_bytes, w.present FROM temp.seen_storage AS w"
               " WHERE NOT w.hidden AND NOT EXISTS (SELECT 1 FROM main.addons AS a"
               " WHERE a.id = w.addon_id AND (a.state <> 'destroyed' OR a.purge_at IS NOT NULL))");
    char relative[VIA_PATH_SIZE], path[DOCTOR_SHELL_SIZE];
    struct doctor_finding f;

    while (via_sql_row(d->db, q)) {
        (void)snprintf(relative, sizeof relative, "addons/sqlite/%s", row_text(q, 0));
        if (!path_exists(d, relative))
            continue;
        doctor_begin(&f, DOCTOR_STORAGE_ORPHANED, relative);
        doctor_quote_path(&d->s->root, relative, path);
        f.fixable = sqlite3_column_int64(q, 1) == 0 && sqlite3_column_int(q, 2) == 0;
        if (f.fixable) {
            doctor_say(&f, "%.600s belongs to no add-on, and no data is in it", relative);
            doctor_advise(&f, "rm -r %s", path);
        } else {
            doctor_say(&f,
                       "%.600s belongs to no add-on and holds %lld bytes; taken out of the state"
                       " root, its data.sqlite can be imported by via addon create … --from",
                       relative, (long long)sqlite3_column_int64(q, 1));
            doctor_advise(&f, "mv -n %s .", path);
        }
        doctor_end(d, &f);
    }
}

/* A failed one with bytes is adopted by a repair; without, the next create starts again. */
static void
look_failed(struct doctor *d)
{
    sqlite3_stmt *q = via_sql_stmt(
        d->db, "SELECT " ADDON_AND_BINDING ", a.id, a.error, w.present,"
               " (SELECT o.payload FROM main.operations AS o WHERE o.addon_id = a.id AND"
               " o.kind = 'addon.create' ORDER BY o.rid DESC LIMIT 1)"
               " FROM main.addons AS a LEFT JOIN temp.seen_storage AS w ON w.addon_id = a.id"
               " WHERE a.state = 'failed' AND instr(a.name, '#') = 0");
    char path[DOCTOR_SHELL_SIZE];
    struct doctor_finding f;

    while (via_sql_row(d->db, q)) {
        const char *source = row_text(q, 7);

        doctor_begin(&f, DOCTOR_ADDON_FAILED, row_text(q, 4));
        doctor_say(&f, "making add-on %s of app %s failed: %s", row_text(q, 0), row_text(q, 1),
                   *row_text(q, 5) ? row_text(q, 5) : "its process died");
        if (sqlite3_column_int(q, 6))
            advise_repair(d, &f, VIA_ADDON_FAILED_WITH_DATA, false, q);
        else
            doctor_advise(&f, "via addon create sqlite %s --app %s%s%s", row_text(q, 0),
                          row_text(q, 1), *source ? " --from " : "",
                          *source ? doctor_quote(source, path) : "");
        doctor_end(d, &f);
    }
}

static void
look_snapshots(struct doctor *d)
{
    sqlite3_stmt *q = via_sql_stmt(
        d->db, "SELECT s.id, a.name, s.app, s.created_at FROM main.snapshots AS s"
               " JOIN main.addons AS a ON a.id = s.addon_id AND a.state <> 'destroyed'"
               " LEFT JOIN temp.seen_snapshots AS w ON w.id = s.id AND w.addon_id = s.addon_id"
               " LEFT JOIN temp.seen_storage AS f ON f.addon_id = s.addon_id"
               " WHERE s.state = 'ready' AND coalesce(w.size_bytes, 0) = 0"
               " AND NOT coalesce(f.hidden, ?1)");
    struct doctor_finding f;

    via_sql_bind_int(d->db, q, 1, d->is_storage_hidden);
    while (via_sql_row(d->db, q)) {
        doctor_begin(&f, DOCTOR_SNAPSHOT_MISSING, row_text(q, 0));
        doctor_say(&f, "the file of the snapshot of add-on %s of app %s from %s is missing",
                   row_text(q, 1), row_text(q, 2), row_text(q, 3));
        doctor_advise(&f, "via addon snapshot-delete %s", row_text(q, 0));
        doctor_end(d, &f);
    }
}

/* Snapshots that nothing knows, and those whose row says that they are gone. Not while an operation
 * of the add-on is under way: it may be about to remove the file. */
static void
look_snapshot_files(struct doctor *d)
{
    sqlite3_stmt *q = via_sql_stmt(
        d->db, "SELECT w.addon_id, w.id, w.size_bytes, s.state FROM temp.seen_snapshots AS w"
               " JOIN main.addons AS a ON a.id = w.addon_id AND a.state <> 'destroyed'"
               " LEFT JOIN main.snapshots AS s ON s.id = w.id AND s.addon_id = w.addon_id"
               " WHERE (s.id IS NULL OR s.state IN ('deleted', 'failed')) AND NOT EXISTS (SELECT 1"
               " FROM main.operations AS o WHERE o.addon_id = w.addon_id AND o.state IN"
               " ('pending', 'running') AND o.rid NOT IN (SELECT rid FROM temp.seen_dead))");
    char relative[3 * VIA_ID_SIZE + 64], path[DOCTOR_SHELL_SIZE];
    struct doctor_finding f;

    while (via_sql_row(d->db, q)) {
        (void)snprintf(relative, sizeof relative, "addons/sqlite/%s/snapshots/%s.sqlite",
                       row_text(q, 0), row_text(q, 1));
        if (!path_exists(d, relative))
            continue;
        doctor_begin(&f, DOCTOR_SNAPSHOT_ORPHANED, relative);
        doctor_quote_path(&d->s->root, relative, path);
        f.fixable = *row_text(q, 3) || sqlite3_column_int64(q, 2) == 0;
        if (f.fixable) {
            doctor_say(&f, "%s is of a snapshot that is %s", relative,
                       *row_text(q, 3) ? row_text(q, 3) : "empty and unknown");
            doctor_advise(&f, "rm -f %s", path);
        } else {
            doctor_say(&f, "%s belongs to no snapshot and holds %lld bytes", relative,
                       (long long)sqlite3_column_int64(q, 2));
            doctor_advise(&f, "mv -n %s .", path);
        }
        doctor_end(d, &f);
    }
}

/* Why the newest snapshot of an add-on was not taken. */
static void
failure_read(struct doctor *d, const char *addon_id, char out[VIA_MESSAGE_SIZE + 64])
{
    sqlite3_stmt *q = via_sql_stmt(d->db, "SELECT error FROM main.operations WHERE addon_id = ?1"
                                          " AND kind = 'addon.snapshot' AND error IS NOT NULL"
                                          " ORDER BY rid DESC LIMIT 1");

    (void)snprintf(out, VIA_MESSAGE_SIZE + 64, "the reason is not on record");
    via_sql_bind_text(d->db, q, 1, addon_id);
    if (via_sql_row(d->db, q))
        via_sql_text(q, 0, out, VIA_MESSAGE_SIZE + 64);
    via_sql_end(d->db, q);
}

/* Schedules that fail, and add-ons without a snapshot as fresh as was asked for. */
static void
look_schedules(struct doctor *d)
{
    int64_t now_ms = via_clock_now_ms();
    char why[VIA_MESSAGE_SIZE + 64];
    struct via_scheduled a = {0};
    struct doctor_finding f;

    while (via_scheduled_next(d->db, a.addon.rid, &a)) {
        bool fails = a.past.failures > 0;

        if (!fails && !via_scheduled_is_overdue(&a, now_ms))
            continue;
        doctor_begin(&f, fails ? DOCTOR_SNAPSHOT_FAILING : DOCTOR_SNAPSHOT_OVERDUE, a.addon.id);
        if (fails) {
            failure_read(d, a.addon.id, why);
            doctor_say(&f, "scheduled snapshots of add-on %s of app %s fail (%d in a row): %s",
                       a.addon.name, a.addon.app, a.past.failures, why);
        } else {
            doctor_say(&f, "add-on %s of app %s has no snapshot younger than %lld seconds%s",
                       a.addon.name, a.addon.app, (long long)via_schedule_fresh_s(&a.plan),
                       d->agent_lives ? "" : ", and no agent runs to take one");
        }
        doctor_advise(&f, "via addon snapshot %s --app %s", a.addon.name, a.addon.app);
        doctor_end(d, &f);
    }
}

/* Secrets that no key opens: lost with their key, or moved by somebody. */
static void
look_secrets(struct doctor *d)
{
    char *out = via_guarded_new(VIA_ENV_VALUE_BYTES);
    sqlite3_stmt *q = via_sql_stmt(d->db, "SELECT app, target, name, version, key_id, sealed"
                                          " FROM main.env WHERE sealed IS NOT NULL");
    struct doctor_finding f;

    while (out && via_sql_row(d->db, q)) {
        const struct via_env_sealed sealed = {.app = row_text(q, 0),
                                              .target = row_text(q, 1),
                                              .name = row_text(q, 2),
                                              .version = sqlite3_column_int64(q, 3),
                                              .kid = row_text(q, 4),
                                              .bytes = sqlite3_column_blob(q, 5),
                                              .n = (size_t)sqlite3_column_bytes(q, 5)};
        bool on = sealed.target[0] != '\0';

        if (sealed.n <= VIA_ENV_VALUE_BYTES + VIA_SEAL_OVERHEAD &&
            via_env_open(d->s->keys, &sealed, out))
            continue;
        doctor_begin(&f, DOCTOR_SECRET_UNREADABLE, sealed.name);
        doctor_say(&f, "the secret %s of app %s%s%s does not open with keys/%s.jwk", sealed.name,
                   sealed.app, on ? " on " : "", sealed.target, sealed.kid);
        doctor_advise(&f, "via app env set %s --secret %s%s%s", sealed.app, sealed.name,
                      on ? " --target " : "", sealed.target);
        doctor_end(d, &f);
    }
    via_sql_end(d->db, q);
    via_guarded_free(out);
}

/* Destroyed add-ons whose bytes should be gone: no agent runs, or they could not be removed. */
static void
look_purges(struct doctor *d)
{
    sqlite3_stmt *q = via_sql_stmt(d->db, "SELECT id, app, purge_at FROM main.addons WHERE"
                                          " state = 'destroyed' AND purge_at <= ?1");
    char due[VIA_TIME_SIZE];
    struct doctor_finding f;

    via_clock_format(via_clock_now_ms() - (d->agent_lives ? PURGE_LEEWAY_MS : 0), due);
    via_sql_bind_text(d->db, q, 1, due);
    while (via_sql_row(d->db, q)) {
        doctor_begin(&f, DOCTOR_PURGE_OVERDUE, row_text(q, 0));
        doctor_say(&f, "the bytes of a destroyed add-on of app %s were to go at %s, and are here",
                   row_text(q, 1), row_text(q, 2));
        doctor_advise(&f, "via doctor --fix");
        doctor_end(d, &f);
    }
}

static void
look_stuck(struct doctor *d)
{
    sqlite3_stmt *q =
        via_sql_stmt(d->db, "SELECT o.id, o.kind, o.subject, o.started_at FROM temp.seen_dead AS w"
                            " JOIN main.operations AS o ON o.rid = w.rid"
                            " WHERE o.state IN ('pending', 'running')");
    struct doctor_finding f;

    while (via_sql_row(d->db, q)) {
        doctor_begin(&f, DOCTOR_OPERATION_STUCK, row_text(q, 0));
        doctor_say(&f, "%s of %.400s, begun %s, was not finished: its process died", row_text(q, 1),
                   row_text(q, 2), row_text(q, 3));
        doctor_advise(&f, "via doctor --fix");
        doctor_end(d, &f);
    }
}

/* Time decides about leases, tokens and retention: it must not have been earlier than now. */
static void
look_clock(struct doctor *d)
{
    sqlite3_stmt *q = via_sql_stmt(
        d->db, "SELECT stream, max(at) FROM (SELECT 'control' AS stream, at FROM (SELECT at FROM"
               " main.audit ORDER BY seq DESC LIMIT 1) UNION ALL SELECT 'runtime', at FROM (SELECT"
               " at FROM rt.audit ORDER BY seq DESC LIMIT 1))");
    int64_t at_ms = 0, now_ms;
    char now[VIA_TIME_SIZE];
    struct doctor_finding f;

    if (via_sql_row(d->db, q) && via_clock_parse(row_text(q, 1), &at_ms)) {
        now_ms = via_clock_now_ms();
        if (at_ms > now_ms + CLOCK_LEEWAY_MS) {
            via_clock_format(now_ms, now);
            doctor_begin(&f, DOCTOR_CLOCK_BEHIND, row_text(q, 0));
            doctor_say(&f, "the clock says %s, but the newest audit record is from %s", now,
                       row_text(q, 1));
            doctor_advise(&f, "timedatectl set-ntp true");
            doctor_end(d, &f);
        }
    }
    via_sql_end(d->db, q);
}

void
doctor_look_rows(struct doctor *d)
{
    static const doctor_look_fn looks[] = {
        look_storage,   look_orphans, look_failed, look_snapshots, look_snapshot_files,
        look_schedules, look_secrets, look_purges, look_stuck,     look_clock};

    doctor_look_each(d, looks, sizeof looks / sizeof *looks);
}
