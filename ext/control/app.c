#include "control/app.h"

#include "control/audit.h"
#include "rules/names.h"

bool
via_app_exists(struct via_sql *db, const char *name)
{
    sqlite3_stmt *q = via_sql_stmt(db, "SELECT 1 FROM main.apps WHERE name = ?1");
    bool found;

    via_sql_bind_text(db, q, 1, name);
    found = via_sql_row(db, q);
    via_sql_end(db, q);
    return found;
}

void
via_app_get(struct via_store *s, const char *name)
{
    if (!name || !name[0])
        via_sql_fail(&s->write, VIA_VALUE_REQUIRED, "say which app: column app is empty");
    else if (!via_app_exists(&s->write, name))
        via_sql_fail(&s->write, VIA_APP_NOT_FOUND, "there is no app %s", name);
}

int64_t
via_app_put(struct via_store *s, const char *name)
{
    struct via_sql *db = &s->write;
    sqlite3_stmt *q;
    int64_t rid;

    if (!via_name_is_plain(name))
        via_sql_fail(db, VIA_NAME_INVALID,
                     "an app's name is a letter or digit, then up to 62 letters, digits, dots,"
                     " underscores or dashes");
    else if (via_app_exists(db, name))
        via_sql_fail(db, VIA_APP_EXISTS, "app %s already exists", name);
    q = via_sql_stmt(db, "INSERT INTO main.apps(name, created_at) VALUES(?1, ?2)");
    via_sql_bind_text(db, q, 1, name);
    via_sql_bind_text(db, q, 2, s->now);
    via_sql_run(db, q);
    rid = via_sql_ok(db) ? sqlite3_last_insert_rowid(db->db) : 0;
    if (via_sql_ok(db))
        via_audit_control(s, "app.create", name, NULL, NULL, NULL);
    return rid;
}

void
via_app_ensure(struct via_store *s, const char *name)
{
    if (!name || !via_app_exists(&s->write, name))
        (void)via_app_put(s, name);
}

void
via_app_remove(struct via_store *s, int64_t rid)
{
    struct via_sql *db = &s->write;
    char name[VIA_NAME_SIZE] = "";
    bool in_use;
    sqlite3_stmt *q = via_sql_stmt(
        db, "SELECT name, EXISTS(SELECT 1 FROM main.addons AS x WHERE x.app = a.name AND"
            " (x.state NOT IN ('destroyed', 'failed') OR x.purge_at IS NOT NULL)) OR"
            " EXISTS(SELECT 1 FROM main.bindings AS x WHERE x.app = a.name) OR"
            " EXISTS(SELECT 1 FROM v_env AS x WHERE x.app = a.name) OR"
            " EXISTS(SELECT 1 FROM v_deploys AS x WHERE x.app = a.name AND"
            " x.state IN ('pending', 'running')) OR"
            " EXISTS(SELECT 1 FROM v_instances AS x WHERE x.app = a.name AND x.state = 'running')"
            " FROM main.apps AS a WHERE a.rid = ?1");

    via_sql_bind_int(db, q, 1, rid);
    if (!via_sql_row(db, q))
        return;
    via_sql_text(q, 0, name, sizeof name);
    in_use = sqlite3_column_int(q, 1) != 0;
    via_sql_end(db, q);
    if (in_use)
        via_sql_fail(
            db, VIA_APP_IN_USE,
            "app %s still has add-ons, bindings, values, deploys or instances; remove those first",
            name);
    q = via_sql_stmt(db, "DELETE FROM main.apps WHERE rid = ?1");
    via_sql_bind_int(db, q, 1, rid);
    via_sql_run(db, q);
    if (via_sql_ok(db))
        via_audit_control(s, "app.remove", name, NULL, NULL, NULL);
}
