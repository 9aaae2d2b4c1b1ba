/* doctor_backups.c: archives of the host: what there is to go back to. */
#include "effects/doctor_look.h"

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
    /* Ids sort by time: what was written before the key was made has it not. */
    sqlite3_stmt *q = via_sql_stmt(d->db, "SELECT path, fingerprint, sealed FROM main.backups"
                                          " WHERE state = 'ready' AND NOT sealed AND"
                                          " substr(id, length('backup_') + 1) >"
                                          " substr(?1, length('key_') + 1) ORDER BY rid");

    via_sql_bind_text(d->db, q, 1, kid);
    return backup_read(d, q, out);
}
