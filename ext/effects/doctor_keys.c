/* doctor_keys.c: keys against what needs them. A key whose file is gone is missed only by what it
 * signed: manifests that are in force, the audit, backups, tokens that are not over. (Secrets
 * sealed with it are doctor_rows.c's.) One that was retired is to be gone. */
#include "base/clock.h"
#include "base/error.h"
#include "base/id.h"
#include "control/backup.h"
#include "control/release.h"
#include "effects/doctor_look.h"
#include "identity/keyfile.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define LINES_MAX 16   /* to be pasted at once */
#define ISSUE_MS 60000 /* a token's row may be older than the key that was made to sign it */

/* -- a key that is gone -------------------------------------------------------------- */

/* Is there no file of that name? One that cannot be read or believed is a finding of the walk's. */
static bool
key_is_gone(struct doctor *d, const char *kid)
{
    char path[VIA_PATH_SIZE];
    struct stat st;

    if (!via_id_is("key", kid))
        return false;
    via_keyfile_path(&d->s->root, kid, path);
    return lstat(path, &st) < 0 && errno == ENOENT;
}

/* Begin the finding. True: a backup may have the key, and the line takes it from there. */
static bool
missing_begin(struct doctor *d, struct doctor_finding *f, const char *kid)
{
    char subject[VIA_ID_SIZE + 16], archive[DOCTOR_SHELL_SIZE], root[DOCTOR_SHELL_SIZE];
    struct doctor_backup b;

    (void)snprintf(subject, sizeof subject, "keys/%s.jwk", kid);
    doctor_begin(f, DOCTOR_KEY_MISSING, subject);
    if (!doctor_backup_with_key(d, kid, &b))
        return false;
    doctor_advise(f, "tar -xf %s -C %s %s", doctor_quote(b.path, archive),
                  doctor_quote(d->s->root.path, root), subject);
    return true;
}

/* -- manifests ------------------------------------------------------------------------- */

/* The deploys in force that were signed with `kid`: of each app and target the newest one. */
static void
find_manifest_key(struct doctor *d, const char *kid)
{
    sqlite3_stmt *q = via_sql_stmt(
        d->db, "SELECT d.app, d.target FROM v_deploys AS d JOIN main.releases AS r ON"
               " r.id = d.release WHERE r.key_id = ?1 AND d.state IN ('pending', 'running') AND"
               " NOT EXISTS (SELECT 1 FROM main.deploys AS n WHERE n.app = d.app AND"
               " n.target = d.target AND n.rid > d.rid AND n.state = 'open')"
               " ORDER BY d.app, d.target");
    char first[2 * VIA_NAME_SIZE + 16] = "";
    struct doctor_finding f;
    bool in_backup = missing_begin(d, &f, kid);
    int count = 0;

    via_sql_bind_text(d->db, q, 1, kid);
    for (; via_sql_row(d->db, q); count++) {
        const char *app = (const char *)sqlite3_column_text(q, 0);
        const char *target = (const char *)sqlite3_column_text(q, 1);

        if (count == 0)
            (void)snprintf(first, sizeof first, "%s%s%s", app, *target ? " on " : "", target);
        if (in_backup || count >= LINES_MAX)
            continue;
        if (*target || via_deploy_is_elsewhere(d->db, app))
            doctor_advise_more(&f, "vary app deploy %s --target %s", app, *target ? target : "''");
        else
            doctor_advise_more(&f, "vary app deploy %s", app);
    }
    if (count == 0)
        return;
    doctor_say(&f,
               "%s is missing: the release of app %s (%d in all) is signed with it and is not"
               " valid without; %s",
               f.subject, first, count,
               in_backup ? "take it out of a backup or, where none has it, deploy anew"
                         : "put a copy of the file back, or deploy anew");
    doctor_end(d, &f);
}

static void
look_manifest_keys(struct doctor *d)
{
    sqlite3_stmt *q = via_sql_stmt(
        d->db, "SELECT DISTINCT r.key_id FROM main.deploys AS d JOIN main.releases AS r ON"
               " r.id = d.release WHERE d.state = 'open' AND NOT EXISTS (SELECT 1 FROM"
               " main.retired_keys AS k WHERE k.kid = r.key_id)");

    while (via_sql_row(d->db, q)) {
        const char *kid = (const char *)sqlite3_column_text(q, 0);

        if (kid && key_is_gone(d, kid))
            find_manifest_key(d, kid);
    }
}

/* -- the audit ------------------------------------------------------------------------- */

static void
check_mark(struct doctor *d, const struct via_mark *m)
{
    struct doctor_finding f;

    if (m->seq == 0 || !key_is_gone(d, m->kid))
        return;
    if (missing_begin(d, &f, m->kid)) {
        doctor_say(&f,
                   "%s is missing: what the audit was signed with cannot be verified; take it out"
                   " of a backup or, where none has it, via keys rotate audit signs anew",
                   f.subject);
    } else {
        doctor_say(&f,
                   "%s is missing: what the audit was signed with cannot be verified; put a copy of"
                   " the file back, or sign anew what is whole",
                   f.subject);
        doctor_advise(&f, "via keys rotate audit");
    }
    doctor_end(d, &f);
}

static void
look_audit_keys(struct doctor *d)
{
    struct via_mark marks[VIA_STREAM_COUNT], m;
    struct via_error ignored = {0};

    if (via_mark_file_read(&d->s->root, marks, &ignored) != VIA_OK)
        memset(marks, 0, sizeof marks);
    for (int i = 0; i < VIA_STREAM_COUNT; i++) {
        check_mark(d, &marks[i]);
        via_mark_read(d->db, (enum via_audit_stream)i, false, &m);
        check_mark(d, &m);
        via_mark_read(d->db, (enum via_audit_stream)i, true, &m);
        check_mark(d, &m);
    }
}

/* -- backups --------------------------------------------------------------------------- */

static void
look_backup_key(struct doctor *d)
{
    char kid[VIA_ID_SIZE];
    struct doctor_finding f;

    if (!via_backup_key_is_lost(d->s, d->db, kid))
        return;
    if (missing_begin(d, &f, kid)) {
        doctor_say(&f,
                   "%s is missing: it signs this host's backups, and none is made without; take it"
                   " out of a backup or, where none has it, via keys rotate backup makes a new key,"
                   " whose fingerprint is another",
                   f.subject);
    } else {
        doctor_say(&f,
                   "%s is missing: it signs this host's backups, and none is made without; put a"
                   " copy of the file back, or make a new key, whose fingerprint is another",
                   f.subject);
        doctor_advise(&f, "via keys rotate backup");
    }
    doctor_end(d, &f);
}

/* -- tokens ---------------------------------------------------------------------------- */

/* When the oldest key of each use was made, "" for none. */
struct oldest {
    char at[VIA_KEY_USES][VIA_TIME_SIZE];
};

static void
oldest_add(struct oldest *o, enum via_key_use use, const char *at)
{
    if (!o->at[use][0] || strcmp(at, o->at[use]) < 0)
        (void)snprintf(o->at[use], VIA_TIME_SIZE, "%s", at);
}

static void
oldest_take(void *arg, const struct via_key_facts *key)
{
    oldest_add(arg, key->use, key->created_at);
}

/* What a retired key signed is refused because somebody wanted it so. */
static void
oldest_read(struct doctor *d, struct oldest *o)
{
    sqlite3_stmt *q = via_sql_stmt(d->db, "SELECT use, created_at FROM main.retired_keys");
    enum via_key_use use;

    *o = (struct oldest){0};
    if (via_keyring_each(d->s->keys, oldest_take, o, &d->db->error) != VIA_OK)
        return;
    while (via_sql_row(d->db, q))
        if (via_key_use_parse((const char *)sqlite3_column_text(q, 0), &use))
            oldest_add(o, use, (const char *)sqlite3_column_text(q, 1));
}

/* No row names the key of a token; but what was issued before any key that there is was signed with
 * one that is not. */
static void
look_tokens_of(struct doctor *d, enum via_key_use use, const char *oldest)
{
    sqlite3_stmt *q = via_sql_stmt(
        d->db, "SELECT DISTINCT i.app, i.target FROM v_instances AS i WHERE i.state = 'running' AND"
               " (SELECT max(t.issued_at) FROM rt.tokens AS t WHERE t.instance = i.id AND"
               " t.kind = ?1 AND t.expires_at > ?2) < ?3 ORDER BY i.app, i.target");
    char now[VIA_TIME_SIZE], before[VIA_TIME_SIZE] = "9999", first[VIA_NAME_SIZE] = "";
    int64_t at_ms;
    struct doctor_finding f;
    int count = 0;

    if (via_clock_parse(oldest, &at_ms))
        via_clock_format(at_ms - ISSUE_MS, before);
    via_clock_format(via_clock_now_ms(), now);
    doctor_begin(&f, DOCTOR_KEY_MISSING, via_key_use_word(use));
    via_sql_bind_text(d->db, q, 1, via_key_use_word(use));
    via_sql_bind_text(d->db, q, 2, now);
    via_sql_bind_text(d->db, q, 3, before);
    for (; via_sql_row(d->db, q); count++) {
        const char *target = (const char *)sqlite3_column_text(q, 1);

        if (count == 0)
            via_sql_text(q, 0, first, sizeof first);
        if (count < LINES_MAX)
            doctor_advise_more(&f, "vary app repair %s --target %s",
                               (const char *)sqlite3_column_text(q, 0), *target ? target : "''");
    }
    if (count == 0)
        return;
    doctor_say(&f,
               "the key of use %s that signed the tokens of app %s (%d in all) is missing: they are"
               " refused until new ones are minted",
               via_key_use_word(use), first, count);
    doctor_end(d, &f);
}

static void
look_token_keys(struct doctor *d)
{
    struct oldest o;

    /* A file that is not believed may be the one. */
    if (!via_keyring_is_operator(d->s->keys) ||
        via_sql_int(d->db,
                    "SELECT count(*) FROM temp.findings WHERE subject GLOB 'keys/*' AND"
                    " code NOT IN ('key_missing', 'temporary_left')",
                    0) > 0)
        return;
    oldest_read(d, &o);
    look_tokens_of(d, VIA_KEY_WORKLOAD, o.at[VIA_KEY_WORKLOAD]);
    look_tokens_of(d, VIA_KEY_GENERATION, o.at[VIA_KEY_GENERATION]);
}

/* -- a key that is back ---------------------------------------------------------------- */

/* A retired key whose file is back, as from a copy of the folder: what it signed holds again. */
static void
look_retired(struct doctor *d)
{
    sqlite3_stmt *q = via_sql_stmt(
        d->db, "SELECT kid, use FROM main.retired_keys WHERE NOT EXISTS (SELECT 1 FROM"
               " main.operations AS o WHERE o.subject = kid AND o.kind = 'key.retire' AND"
               " o.state IN ('pending', 'running') AND o.rid NOT IN (SELECT rid FROM"
               " temp.seen_dead))");
    char relative[VIA_ID_SIZE + 16];
    struct doctor_finding f;

    while (via_sql_row(d->db, q)) {
        const char *kid = (const char *)sqlite3_column_text(q, 0);

        if (!kid || !via_keyring_has(d->s->keys, kid))
            continue;
        (void)snprintf(relative, sizeof relative, "keys/%s.jwk", kid);
        doctor_begin(&f, DOCTOR_KEY_RETIRED_LEFT, relative);
        doctor_say(&f, "%s is a retired %s key, and its file is there: what it signed verifies",
                   relative, (const char *)sqlite3_column_text(q, 1));
        doctor_advise(&f, "via doctor --fix");
        doctor_end(d, &f);
    }
}

void
doctor_look_keys(struct doctor *d)
{
    static const doctor_look_fn looks[] = {look_manifest_keys, look_audit_keys, look_backup_key,
                                           look_token_keys, look_retired};

    doctor_look_each(d, looks, sizeof looks / sizeof *looks);
}

enum via_status
doctor_mend_retired(struct via_store *s, const char *subject, struct via_error *e)
{
    char kid[VIA_ID_SIZE];
    bool retired = false;
    sqlite3_stmt *q;

    if (strncmp(subject, "keys/", 5) == 0 && via_keyfile_kid(subject + 5, kid)) {
        q = via_sql_stmt(&s->write, "SELECT 1 FROM main.retired_keys WHERE kid = ?1");
        via_sql_bind_text(&s->write, q, 1, kid);
        retired = via_sql_row(&s->write, q);
        via_sql_end(&s->write, q);
    }
    if (via_sql_take(&s->write, e) != VIA_OK || !retired)
        return e->status;
    return via_keyring_remove(s->keys, kid, e);
}
