/* doctor_backups.c: archives of the host: what there is to go back to, and whether it is where it
 * was written. One in backups/ is expected there; one written elsewhere may have been moved on
 * purpose, as it should be. */
#include "base/error.h"
#include "effects/doctor_look.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define FOLDER "backups/"

/* The first archive of `q` (path, fingerprint, created_at, sealed) that is where it was written. */
static bool
backup_read(struct doctor *d, sqlite3_stmt *q, struct doctor_backup *out)
{
    bool found = false;
    struct stat st;

    while (!found && via_sql_row(d->db, q)) {
        via_sql_text(q, 0, out->path, sizeof out->path);
        via_sql_text(q, 1, out->fingerprint, sizeof out->fingerprint);
        out->is_sealed = sqlite3_column_int(q, 2) != 0;
        found = lstat(out->path, &st) == 0;
    }
    via_sql_end(d->db, q);
    doctor_pass_over(d);
    return found;
}

bool
doctor_backup_newest(struct doctor *d, struct doctor_backup *out)
{
    return backup_read(d,
                       via_sql_stmt(d->db, "SELECT path, fingerprint, sealed FROM main.backups"
                                           " WHERE state = 'ready' ORDER BY rid DESC"),
                       out);
}

bool
doctor_backup_with_key(struct doctor *d, const char *kid, struct doctor_backup *out)
{
    /* Ids sort by time: what was written before the key was made has it not, but for the archive
     * that it was made for. */
    sqlite3_stmt *q = via_sql_stmt(d->db, "SELECT path, fingerprint, sealed FROM main.backups"
                                          " WHERE state = 'ready' AND NOT sealed AND"
                                          " (key_id = ?1 OR substr(id, length('backup_') + 1) >"
                                          " substr(?1, length('key_') + 1)) ORDER BY rid");

    via_sql_bind_text(d->db, q, 1, kid);
    return backup_read(d, q, out);
}

/* -- what is gone -------------------------------------------------------------------- */

static bool
path_is_gone(const char *path)
{
    struct stat st;

    return lstat(path, &st) < 0 && errno == ENOENT;
}

/* The path below the root of an archive in backups/; NULL for one elsewhere. */
static const char *
path_inside(const struct via_root *root, const char *path)
{
    size_t n = strlen(root->path);

    return strncmp(path, root->path, n) == 0 && path[n] == '/' &&
                   strncmp(path + n + 1, FOLDER, strlen(FOLDER)) == 0
               ? path + n + 1
               : NULL;
}

static void
find_missing(struct doctor *d, const char *relative, const char *created_at)
{
    struct doctor_finding f;

    doctor_begin(&f, DOCTOR_BACKUP_MISSING, relative);
    doctor_say(&f,
               "the backup of %s is not where it was written, %.600s; --fix notes that it is"
               " deleted",
               created_at, relative);
    doctor_advise(&f, "via doctor --fix");
    doctor_end(d, &f);
}

static void
find_elsewhere(struct doctor *d, int count, const char *newest)
{
    struct doctor_finding f;

    doctor_begin(&f, DOCTOR_BACKUP_ELSEWHERE, "backups");
    doctor_say(&f, "%d backups are not where they were written, the newest %.600s: moved, or lost",
               count, newest);
    doctor_advise(&f, "via backup list");
    doctor_end(d, &f);
}

void
doctor_look_backups(struct doctor *d)
{
    sqlite3_stmt *q = via_sql_stmt(d->db, "SELECT path, created_at FROM main.backups WHERE"
                                          " state = 'ready' ORDER BY rid DESC");
    char newest[VIA_PATH_SIZE] = "";
    int count = 0;

    while (via_sql_row(d->db, q)) {
        const char *path = (const char *)sqlite3_column_text(q, 0);
        const char *inside = path_inside(&d->s->root, path);

        if (!path_is_gone(path))
            continue;
        if (inside)
            find_missing(d, inside, (const char *)sqlite3_column_text(q, 1));
        else if (count++ == 0)
            (void)snprintf(newest, sizeof newest, "%s", path);
    }
    if (count > 0)
        find_elsewhere(d, count, newest);
}

enum via_status
doctor_mend_backup(struct via_store *s, const char *subject, struct via_error *e)
{
    struct via_sql *db = &s->write;
    char path[VIA_PATH_SIZE];
    sqlite3_stmt *q;

    via_root_join(&s->root, subject, path);
    if (!path_is_gone(path))
        return VIA_OK;
    q = via_sql_stmt(db, "UPDATE main.backups SET state = 'deleted' WHERE path = ?1 AND"
                         " state = 'ready'");
    via_sql_bind_text(db, q, 1, path);
    via_sql_run(db, q);
    return via_sql_take(db, e);
}
