/* doctor_backups.c: archives of the host: what there is to go back to. */
#include "effects/doctor_look.h"

bool
doctor_backup_newest(struct doctor *d, struct doctor_backup *out)
{
    sqlite3_stmt *q = via_sql_stmt(d->db, "SELECT path, fingerprint, created_at, sealed FROM"
                                          " main.backups WHERE state = 'ready' ORDER BY rid DESC");
    bool found = false;
    struct stat st;

    while (!found && via_sql_row(d->db, q)) {
        via_sql_text(q, 0, out->path, sizeof out->path);
        via_sql_text(q, 1, out->fingerprint, sizeof out->fingerprint);
        via_sql_text(q, 2, out->created_at, sizeof out->created_at);
        out->is_sealed = sqlite3_column_int(q, 3) != 0;
        found = lstat(out->path, &st) == 0;
    }
    via_sql_end(d->db, q);
    doctor_pass_over(d);
    return found;
}
