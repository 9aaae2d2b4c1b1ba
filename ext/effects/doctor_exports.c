/* doctor_exports.c: what an export that was cut short left beside its path. A confined agent, which
 * settles it, cannot reach such a place. */
#include "base/fs.h"
#include "control/snapshot.h"
#include "effects/doctor_look.h"
#include "provider/provider.h"

#define LEFT_SQL                                                                                   \
    "SELECT x.addon_id, x.path, a.type, x.id, a.name FROM main.exports AS x"                       \
    " JOIN main.addons AS a ON a.id = x.addon_id"

/* The file that the export at `q` (of LEFT_SQL) left. */
static bool
export_find_left(sqlite3_stmt *q, char out[VIA_PATH_SIZE])
{
    const struct via_provider *provider =
        via_provider_find((const char *)sqlite3_column_text(q, 2));

    return provider && provider->export_left((const char *)sqlite3_column_text(q, 0),
                                             (const char *)sqlite3_column_text(q, 1), out);
}

void
doctor_look_exports(struct doctor *d)
{
    sqlite3_stmt *q = via_sql_stmt(d->db, LEFT_SQL " WHERE x.state = 'failed'");
    char left[VIA_PATH_SIZE];

    while (via_sql_row(d->db, q)) {
        struct doctor_finding f;

        if (!export_find_left(q, left))
            continue;
        doctor_begin(&f, DOCTOR_EXPORT_LEFT, (const char *)sqlite3_column_text(q, 3));
        doctor_say(&f, "an export of add-on %s was cut short and left a part of it, %.600s",
                   (const char *)sqlite3_column_text(q, 4), left);
        doctor_advise(&f, "via doctor --fix");
        doctor_end(d, &f);
    }
    via_sql_end(d->db, q);
}

enum via_status
doctor_mend_export(struct via_store *s, const char *subject, struct via_error *e)
{
    struct via_sql *db = &s->write;
    sqlite3_stmt *q = via_sql_stmt(db, LEFT_SQL " WHERE x.id = ?1 AND x.state = 'failed'");
    char left[VIA_PATH_SIZE];
    bool is_left;

    via_sql_bind_text(db, q, 1, subject);
    is_left = via_sql_row(db, q) && export_find_left(q, left);
    via_sql_end(db, q);
    if (via_sql_take(db, e) != VIA_OK || !is_left)
        return e->status;
    return via_fs_remove(left, e);
}
