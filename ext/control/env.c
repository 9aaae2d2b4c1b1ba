#include "control/env.h"

#include "base/error.h"
#include "base/fs.h"
#include "control/app.h"
#include "control/audit.h"
#include "control/reason.h"
#include "rules/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A row as it is. */
struct row {
    int64_t rid; /* 0: none */
    char app[VIA_NAME_SIZE];
    char target[VIA_NAME_SIZE];
    char name[VIA_NAME_SIZE];
    int64_t version;
    bool present; /* not unset */
    bool secret;
    bool same; /* its plain value is the one that was compared */
};

/* The value to be, from the statement or a file. */
struct value {
    const char *text;
    size_t len;
    char *owned; /* read from a file: wiped when it is done with */
};

/* -- names ------------------------------------------------------------------------ */

void
via_env_check_name(struct via_sql *db, const char *app, const char *name, enum via_name_owner with)
{
    bool bindings = with == VIA_NAMES_OF_BINDINGS;
    const char *other;
    sqlite3_stmt *q = bindings
                          ? via_sql_stmt(db, "SELECT DISTINCT binding FROM main.bindings"
                                             " WHERE app = ?1")
                          : via_sql_stmt(db, "SELECT DISTINCT name FROM main.env WHERE app = ?1"
                                             " AND (value IS NOT NULL OR sealed IS NOT NULL)");

    via_sql_bind_text(db, q, 1, app);
    while (via_sql_row(db, q)) {
        other = (const char *)sqlite3_column_text(q, 0);
        if (strcmp(name, other) == 0 || via_name_collides(name, other))
            via_sql_fail(db, VIA_NAME_TAKEN,
                         "%s collides with %s %s of app %s: a binding X is X, X_URL and"
                         " X_AUTH_TOKEN",
                         name, bindings ? "binding" : "environment value", other, app);
    }
    via_sql_end(db, q);
}

static void
env_check_names(struct via_store *s, const char *app, const char *target, const char *name)
{
    struct via_sql *db = &s->write;

    via_app_get(s, app);
    if (!via_name_is_binding(name))
        via_sql_fail(db, VIA_NAME_INVALID,
                     "a value's name is a capital letter, then up to 62 capital letters, digits or"
                     " underscores");
    if (!via_name_is_target(target))
        via_sql_fail(db, VIA_NAME_INVALID,
                     "a target's name is empty, or as an app's: letters, digits, dots, underscores,"
                     " dashes");
    if (via_sql_ok(db))
        via_env_check_name(db, app, name, VIA_NAMES_OF_BINDINGS);
}

/* -- values ----------------------------------------------------------------------- */

static void
value_deinit(struct value *v)
{
    if (v->owned)
        explicit_bzero(v->owned, v->len);
    free(v->owned);
}

static void
value_read_file(struct via_sql *db, const char *path, struct value *v)
{
    struct via_error e = {0};

    if (via_fs_read(path, VIA_ENV_VALUE_BYTES + 2, &v->owned, &v->len, &e) != VIA_OK) {
        via_sql_fail(db, VIA_PATH_INVALID, "the value's file: %s", e.message);
        return;
    }
    v->text = v->owned;
    if (v->len > 0 && v->text[v->len - 1] == '\n')
        v->len--;
    if (v->len > 0 && v->text[v->len - 1] == '\r')
        v->len--;
}

/* Have the value at hand, or a refusal that does not quote it. */
static void
value_take(struct via_sql *db, const struct via_env_spec *spec, struct value *v)
{
    if (spec->value && spec->value_file)
        via_sql_fail(db, VIA_VALUE_INVALID, "give value or value_file, not both");
    else if (spec->value_file)
        value_read_file(db, spec->value_file, v);
    else if (spec->value)
        *v = (struct value){.text = spec->value, .len = strlen(spec->value)};
    else
        via_sql_fail(db, VIA_VALUE_REQUIRED,
                     "give a value, or the file that holds it as"
                     " value_file");
    if (!via_sql_ok(db) || !v->text)
        return;
    if (v->len > VIA_ENV_VALUE_BYTES)
        via_sql_fail(db, VIA_VALUE_INVALID, "a value has at most %d bytes", VIA_ENV_VALUE_BYTES);
    else if (memchr(v->text, '\0', v->len) || !via_text_is_utf8(v->text, v->len))
        via_sql_fail(db, VIA_VALUE_INVALID, "a value is a text in UTF-8 without NUL");
}

/* What a secret is sealed together with. */
static void
context_write(struct via_buf *out, const char *app, const char *target, const char *name,
              int64_t version)
{
    const char *const parts[] = {"via-env", app, target, name};

    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        via_buf_putc(out, i ? ',' : '[');
        via_buf_put_json(out, parts[i], strlen(parts[i]));
    }
    via_buf_printf(out, ",%lld]", (long long)version);
}

bool
via_env_open(struct via_keyring *keys, const struct via_env_sealed *sealed, void *out)
{
    struct via_buf context;
    bool opened;

    via_buf_init(&context);
    context_write(&context, sealed->app, sealed->target, sealed->name, sealed->version);
    opened =
        sealed->kid && via_keyring_open(keys, sealed->kid, &context, sealed->bytes, sealed->n, out);
    via_buf_deinit(&context);
    return opened;
}

/* -- rows ------------------------------------------------------------------------- */

#define ROW_COLUMNS                                                                                \
    "SELECT rid, app, target, name, version, value IS NOT NULL OR sealed IS NOT NULL,"             \
    " sealed IS NOT NULL, value IS ?4 FROM main.env "

static void
row_read(struct via_sql *db, sqlite3_stmt *q, const struct value *v, struct row *out)
{
    if (v->text)
        via_sql_lend_text(db, q, 4, v->text, v->len);
    if (via_sql_row(db, q)) {
        out->rid = sqlite3_column_int64(q, 0);
        via_sql_text(q, 1, out->app, sizeof out->app);
        via_sql_text(q, 2, out->target, sizeof out->target);
        via_sql_text(q, 3, out->name, sizeof out->name);
        out->version = sqlite3_column_int64(q, 4);
        out->present = sqlite3_column_int(q, 5) != 0;
        out->secret = sqlite3_column_int(q, 6) != 0;
        out->same = v->text && sqlite3_column_int(q, 7) != 0;
    }
    via_sql_end(db, q);
    if (q) /* the value was lent to it */
        via_ignore(sqlite3_clear_bindings(q));
}

static void
row_find(struct via_sql *db, int64_t rid, const struct value *v, struct row *out)
{
    sqlite3_stmt *q = via_sql_stmt(db, ROW_COLUMNS "WHERE rid = ?1");

    via_sql_bind_int(db, q, 1, rid);
    row_read(db, q, v, out);
}

static void
row_find_name(struct via_sql *db, const struct value *v, struct row *row)
{
    sqlite3_stmt *q = via_sql_stmt(db, ROW_COLUMNS "WHERE app = ?1 AND target = ?2 AND name = ?3");

    via_sql_bind_text(db, q, 1, row->app);
    via_sql_bind_text(db, q, 2, row->target);
    via_sql_bind_text(db, q, 3, row->name);
    row_read(db, q, v, row);
}

/* A record names the value, never what it holds. */
static void
env_audit(struct via_store *s, const char *action, const struct row *row)
{
    struct via_reason why = {0};

    via_reason_put(&why, row->secret ? "secret" : "value", row->name);
    via_reason_put(&why, "target", row->target);
    via_audit_control(s, action, row->app, NULL, why.text, NULL);
}

/* Bind the value as it is stored: plain, or sealed under `kid`. */
static void
row_bind_value(struct via_store *s, sqlite3_stmt *q, const struct row *row, const struct value *v,
               struct via_buf *sealed)
{
    struct via_sql *db = &s->write;
    char kid[VIA_ID_SIZE];
    struct via_buf context;
    struct via_error e = {0};
    int rc = SQLITE_OK;

    if (!row->secret) {
        rc = sqlite3_bind_text(q, 4, v->text, (int)v->len, SQLITE_TRANSIENT);
    } else {
        via_buf_init(&context);
        context_write(&context, row->app, row->target, row->name, row->version);
        if (via_keyring_seal(s->keys, &context, v->text, v->len, sealed, kid, &e) != VIA_OK)
            via_sql_fail(db, e.status, "%s", e.message);
        else
            rc = sqlite3_bind_blob(q, 5, sealed->data, (int)sealed->len, SQLITE_TRANSIENT);
        via_buf_deinit(&context);
        if (via_sql_ok(db))
            via_sql_bind_text(db, q, 6, kid);
    }
    if (rc != SQLITE_OK)
        via_sql_fail(db, VIA_OUT_OF_MEMORY, "out of memory");
}

static void
row_write(struct via_store *s, struct row *row, const struct value *v)
{
    struct via_sql *db = &s->write;
    struct via_buf sealed;
    sqlite3_stmt *q = via_sql_stmt(
        db, "INSERT INTO main.env(app, target, name, value, sealed, key_id, version, updated_at)"
            " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT(app, target, name) DO UPDATE SET"
            " value = excluded.value, sealed = excluded.sealed, key_id = excluded.key_id,"
            " version = excluded.version, updated_at = excluded.updated_at");

    via_buf_init(&sealed);
    via_sql_bind_text(db, q, 1, row->app);
    via_sql_bind_text(db, q, 2, row->target);
    via_sql_bind_text(db, q, 3, row->name);
    if (via_sql_ok(db))
        row_bind_value(s, q, row, v, &sealed);
    via_sql_bind_int(db, q, 7, row->version);
    via_sql_bind_text(db, q, 8, s->now);
    via_sql_run(db, q);
    via_buf_deinit(&sealed);
    if (!via_sql_ok(db))
        return;
    if (!row->rid)
        row->rid = sqlite3_last_insert_rowid(db->db);
    env_audit(s, "env.set", row);
}

/* Put `v` into `row`, as `spec` wants it. */
static void
row_set(struct via_store *s, struct row *row, const struct via_env_spec *spec,
        const struct value *v)
{
    struct via_sql *db = &s->write;
    bool was_secret = row->present && row->secret;

    row->secret = spec->secret == 1 || (spec->secret < 0 && was_secret);
    if (was_secret && !row->secret)
        via_sql_fail(db, VIA_VALUE_INVALID,
                     "%s is a secret and stays one; unset it first to make it plain", row->name);
    else if (row->secret && spec->value && spec->value_is_open)
        via_sql_fail(db, VIA_SECRET_IN_SQL,
                     "a secret does not belong into the text of a statement; bind it as a"
                     " parameter, or give value_file");
    if (!via_sql_ok(db) || (row->present && !row->secret && row->same))
        return;
    row->version++;
    row_write(s, row, v);
}

int64_t
via_env_put(struct via_store *s, const struct via_env_spec *spec)
{
    struct via_sql *db = &s->write;
    const char *target = spec->target ? spec->target : "";
    struct row row = {0};
    struct value v = {0};

    env_check_names(s, spec->app, target, spec->name);
    if (!via_sql_ok(db))
        return 0;
    (void)snprintf(row.app, sizeof row.app, "%s", spec->app);
    (void)snprintf(row.target, sizeof row.target, "%s", target);
    (void)snprintf(row.name, sizeof row.name, "%s", spec->name);
    value_take(db, spec, &v);
    row_find_name(db, &v, &row);
    if (via_sql_ok(db) && !(spec->keep && row.present))
        row_set(s, &row, spec, &v);
    value_deinit(&v);
    return row.rid;
}

void
via_env_set(struct via_store *s, int64_t rid, const struct via_env_spec *spec)
{
    struct via_sql *db = &s->write;
    struct row row = {0};
    struct value v = {0};

    value_take(db, spec, &v);
    row_find(db, rid, &v, &row);
    if (via_sql_ok(db) && row.present)
        row_set(s, &row, spec, &v);
    value_deinit(&v);
}

void
via_env_remove(struct via_store *s, int64_t rid)
{
    struct via_sql *db = &s->write;
    struct row row = {0};
    sqlite3_stmt *q;

    row_find(db, rid, &(struct value){0}, &row);
    if (!row.present)
        return;
    q = via_sql_stmt(db, "UPDATE main.env SET value = NULL, sealed = NULL, key_id = NULL,"
                         " updated_at = ?2 WHERE rid = ?1");
    via_sql_bind_int(db, q, 1, rid);
    via_sql_bind_text(db, q, 2, s->now);
    via_sql_run(db, q);
    if (via_sql_ok(db))
        env_audit(s, "env.unset", &row);
}

/* -- another seal ------------------------------------------------------------------ */

/* The next row sealed with `kid` after `rid`: opened into `plain`, which is guarded. */
static bool
reseal_open(struct via_store *s, const char *kid, struct row *row, char *plain, size_t *n)
{
    struct via_sql *db = &s->write;
    bool found, opened = false;
    sqlite3_stmt *q = via_sql_stmt(db, "SELECT rid, app, target, name, version, sealed"
                                       " FROM main.env WHERE key_id = ?1 AND rid > ?2"
                                       " ORDER BY rid LIMIT 1");

    via_sql_bind_text(db, q, 1, kid);
    via_sql_bind_int(db, q, 2, row->rid);
    found = via_sql_row(db, q);
    if (found) {
        row->rid = sqlite3_column_int64(q, 0);
        via_sql_text(q, 1, row->app, sizeof row->app);
        via_sql_text(q, 2, row->target, sizeof row->target);
        via_sql_text(q, 3, row->name, sizeof row->name);
        row->version = sqlite3_column_int64(q, 4);
        *n = (size_t)sqlite3_column_bytes(q, 5);
        opened = *n <= VIA_ENV_VALUE_BYTES + VIA_SEAL_OVERHEAD &&
                 via_env_open(s->keys,
                              &(struct via_env_sealed){.app = row->app,
                                                       .target = row->target,
                                                       .name = row->name,
                                                       .version = row->version,
                                                       .kid = kid,
                                                       .bytes = sqlite3_column_blob(q, 5),
                                                       .n = *n},
                              plain);
        *n -= opened ? VIA_SEAL_OVERHEAD : 0;
    }
    via_sql_end(db, q);
    if (found && !opened)
        via_sql_fail(db, VIA_KEY_IN_USE,
                     "the secret %s of app %s is sealed with this key and does not open; set it"
                     " anew or unset it first",
                     row->name, row->app);
    return opened;
}

void
via_env_reseal(struct via_store *s, const char *kid)
{
    struct via_sql *db = &s->write;
    char *plain = via_guarded_new(VIA_ENV_VALUE_BYTES);
    struct row row = {.secret = true};
    struct via_buf sealed;
    sqlite3_stmt *q;
    size_t n;

    if (!plain)
        via_sql_fail(db, VIA_OUT_OF_MEMORY, "out of memory");
    via_buf_init(&sealed);
    while (plain && via_sql_ok(db) && reseal_open(s, kid, &row, plain, &n)) {
        via_buf_reset(&sealed);
        q = via_sql_stmt(db, "UPDATE main.env SET sealed = ?5, key_id = ?6 WHERE rid = ?1");
        via_sql_bind_int(db, q, 1, row.rid);
        row_bind_value(s, q, &row, &(struct value){.text = plain, .len = n}, &sealed);
        via_sql_run(db, q);
    }
    via_buf_deinit(&sealed);
    via_guarded_free(plain);
}
