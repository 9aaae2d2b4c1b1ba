/* doctor_schema.c: the control plane's two databases themselves: whether their pages and indexes
 * hold, and whether the tables, indexes and triggers in them are those that this version makes. An
 * index or a trigger is made again from what there is; a table took its rows with it. */
#include "base/buf.h"
#include "base/error.h"
#include "control/schema.h"
#include "effects/doctor_look.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* A look at a sound host is over in a second, whatever the host holds: of a large database the
 * pages are read and not each row against its indexes, of a very large one nothing. */
#define ROWS_BYTES_MAX ((int64_t)32 << 20)
#define PAGES_BYTES_MAX ((int64_t)256 << 20)
#define COMPLAINTS 20

#define OWN_NAMES "name NOT GLOB 'sqlite_*'"

struct database {
    const char *file;
    const char *schema; /* its name on a connection to both */
    bool is_runtime;
};

static const struct database databases[] = {{"control-plane.db", "main", false},
                                            {"runtime.db", "rt", true}};

/* -- pages ------------------------------------------------------------------------- */

struct complaints {
    char first[VIA_MESSAGE_SIZE / 2]; /* "": there are none */
    bool of_indexes;                  /* and of nothing else: the rows are whole */
};

static bool
line_is_of_index(const char *line)
{
    static const char *const marks[] = {" missing from index ", "wrong # of entries in index ",
                                        "non-unique entry in index "};

    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (strstr(line, marks[i]))
            return true;
    return false;
}

/* One row of SQLite's answer: lines, of which the first may be a heading. */
static void
complaints_read(struct complaints *c, const char *text)
{
    char line[sizeof c->first];
    size_t n;

    for (const char *at = text; *at; at += n + (at[n] == '\n')) {
        n = strcspn(at, "\n");
        (void)snprintf(line, sizeof line, "%.*s", (int)n, at);
        if (!line[0] || strcmp(line, "ok") == 0 || strncmp(line, "***", 3) == 0)
            continue;
        if (!c->first[0])
            *c = (struct complaints){.of_indexes = true};
        c->of_indexes = c->of_indexes && line_is_of_index(line);
        if (!c->first[0])
            memcpy(c->first, line, sizeof line);
    }
}

static int64_t
pragma_int(struct via_sql *db, const char *schema, const char *pragma)
{
    char text[64];
    sqlite3_stmt *q;
    int64_t value = 0;

    (void)snprintf(text, sizeof text, "PRAGMA %s.%s", schema, pragma);
    q = via_sql_prepare(db, text);
    if (via_sql_row(db, q))
        value = sqlite3_column_int64(q, 0);
    sqlite3_finalize(q);
    return value;
}

/* Read the database through, as deep as its size allows. False: it is too large for that. */
static bool
pages_check(struct via_sql *db, const char *schema, struct complaints *c)
{
    int64_t bytes = pragma_int(db, schema, "page_count") * pragma_int(db, schema, "page_size");
    struct via_error why = {0};
    char text[64];
    sqlite3_stmt *q;

    *c = (struct complaints){0};
    if (bytes > PAGES_BYTES_MAX)
        return false;
    (void)snprintf(text, sizeof text, "PRAGMA %s.%s(%d)", schema,
                   bytes > ROWS_BYTES_MAX ? "quick_check" : "integrity_check", COMPLAINTS);
    q = via_sql_prepare(db, text);
    while (via_sql_row(db, q)) {
        const char *line = (const char *)sqlite3_column_text(q, 0);

        complaints_read(c, line ? line : "");
    }
    sqlite3_finalize(q);
    if (db->error.status == VIA_STATE_CORRUPT && via_sql_take(db, &why) != VIA_OK)
        complaints_read(c, why.message);
    return true;
}

/* What there is to go on from when rows are lost: the newest backup, made a root beside this one,
 * or what can still be read, written into the folder of whoever pastes it. */
static const char *
advise_older(struct doctor *d, struct doctor_finding *f, const struct database *which)
{
    char path[DOCTOR_SHELL_SIZE], beside[VIA_PATH_SIZE + 16], root[DOCTOR_SHELL_SIZE];
    struct doctor_backup b;

    if (doctor_backup_newest(d, &b)) {
        (void)snprintf(beside, sizeof beside, "%s.restored", d->s->root.path);
        doctor_advise(f, "via backup restore %s%s%s%s --state-dir %s", doctor_quote(b.path, path),
                      b.fingerprint[0] ? " --fingerprint " : "", b.fingerprint,
                      b.is_sealed ? " --passphrase-file FILE" : "", doctor_quote(beside, root));
        return "the line makes a host of the newest backup, beside this one";
    }
    doctor_advise(f,
                  "{ sqlite3 %s .dump | sed 's/^ROLLBACK; .*/COMMIT;/';"
                  " echo 'PRAGMA user_version = %lld; PRAGMA journal_mode = WAL;'; } | sqlite3 %s",
                  doctor_quote_path(&d->s->root, which->file, path),
                  (long long)pragma_int(d->db, which->schema, "user_version"), which->file);
    return "there is no backup; the line writes what can be read of it into the folder you are in";
}

static void
look_pages(struct doctor *d, const struct database *which)
{
    char path[DOCTOR_SHELL_SIZE];
    struct doctor_finding f;
    struct complaints c;
    bool checked = pages_check(d->db, which->schema, &c);

    if (checked && !c.first[0])
        return;
    doctor_begin(&f, checked ? DOCTOR_STATE_CORRUPT : DOCTOR_STATE_UNCHECKED, which->file);
    if (!checked) {
        doctor_say(&f, "%s is too large to be read through in passing; the line does", which->file);
        doctor_advise(&f, "sqlite3 %s 'PRAGMA quick_check'",
                      doctor_quote_path(&d->s->root, which->file, path));
    } else if (c.of_indexes) {
        doctor_say(&f, "an index of %s does not agree with its table (%s); it is made again",
                   which->file, c.first);
        doctor_advise(&f, "via doctor --fix");
    } else {
        d->is_damaged = true;
        f.fixable = false;
        doctor_say(&f, "%s is damaged (%s); %s", which->file, c.first, advise_older(d, &f, which));
    }
    doctor_end(d, &f);
}

/* -- tables, indexes, triggers ------------------------------------------------------- */

/* A table that may be made anew without its rows, for these only keep a record from being written
 * twice. */
static bool
table_is_a_memory(const char *name)
{
    return strcmp(name, "grants") == 0;
}

/* Is that the same statement? White space and case are its writer's, and no name or literal of
 * Via's tells by them alone. */
static bool
sql_is_same(const char *a, const char *b)
{
    for (;;) {
        while (isspace((unsigned char)*a))
            a++;
        while (isspace((unsigned char)*b))
            b++;
        if (tolower((unsigned char)*a) != tolower((unsigned char)*b))
            return false;
        if (!*a)
            return true;
        a++;
        b++;
    }
}

enum presence { OBJECT_MISSING, OBJECT_CHANGED, OBJECT_SOUND };

/* How `schema` of `db` has the object that `sql` makes. */
static enum presence
object_look(struct via_sql *db, const char *schema, const char *type, const char *name,
            const char *sql)
{
    enum presence found = OBJECT_MISSING;
    char text[128];
    const char *have;
    sqlite3_stmt *q;

    (void)snprintf(text, sizeof text,
                   "SELECT sql FROM %s.sqlite_schema WHERE type = ?1 AND name = ?2", schema);
    q = via_sql_prepare(db, text);
    via_sql_bind_text(db, q, 1, type);
    via_sql_bind_text(db, q, 2, name);
    if (via_sql_row(db, q)) {
        have = (const char *)sqlite3_column_text(q, 0);
        found = sql && have && !sql_is_same(have, sql) ? OBJECT_CHANGED : OBJECT_SOUND;
    }
    sqlite3_finalize(q);
    return found;
}

/* One object of the reference at `q` (type, name, tbl_name, sql) that is not as it should be. */
static void
find_object(struct doctor *d, const struct database *which, sqlite3_stmt *q, enum presence found)
{
    const char *type = (const char *)sqlite3_column_text(q, 0);
    const char *name = (const char *)sqlite3_column_text(q, 1);
    bool is_table = strcmp(type, "table") == 0;
    struct doctor_finding f;
    char subject[256];

    (void)snprintf(subject, sizeof subject, "%s %s", which->file, name);
    doctor_begin(&f, found == OBJECT_MISSING ? DOCTOR_SCHEMA_MISSING : DOCTOR_SCHEMA_CHANGED,
                 subject);
    f.fixable = !is_table || (found == OBJECT_MISSING && table_is_a_memory(name));
    d->lacks_table = d->lacks_table || is_table;
    if (f.fixable)
        doctor_advise(&f, "via doctor --fix");
    doctor_say(&f, "the %s %s of %s is %s%s%s", type, name, which->file,
               found == OBJECT_MISSING ? "missing" : "not as this version makes it",
               f.fixable ? "" : "; ", f.fixable ? "" : advise_older(d, &f, which));
    doctor_end(d, &f);
}

/* What the reference has and the database has not. With a table its indexes and triggers went. */
static void
look_objects(struct doctor *d, const struct database *which, struct via_sql *reference)
{
    sqlite3_stmt *q = via_sql_stmt(reference, "SELECT type, name, tbl_name, sql FROM sqlite_schema"
                                              " WHERE " OWN_NAMES " ORDER BY rowid");

    while (via_sql_ok(d->db) && via_sql_row(reference, q)) {
        const char *type = (const char *)sqlite3_column_text(q, 0);
        const char *table = (const char *)sqlite3_column_text(q, 2);
        enum presence found =
            object_look(d->db, which->schema, type, (const char *)sqlite3_column_text(q, 1),
                        (const char *)sqlite3_column_text(q, 3));

        if (found != OBJECT_SOUND &&
            (strcmp(type, "table") == 0 ||
             object_look(d->db, which->schema, "table", table, NULL) != OBJECT_MISSING))
            find_object(d, which, q, found);
    }
    via_sql_end(reference, q);
}

/* What somebody else put there. It is theirs. */
static void
look_strangers(struct doctor *d, const struct database *which, struct via_sql *reference)
{
    char text[128], path[DOCTOR_SHELL_SIZE], subject[VIA_MESSAGE_SIZE];
    struct doctor_finding f;
    sqlite3_stmt *q;

    (void)snprintf(text, sizeof text, "SELECT type, name FROM %s.sqlite_schema WHERE " OWN_NAMES,
                   which->schema);
    q = via_sql_prepare(d->db, text);
    while (via_sql_row(d->db, q)) {
        const char *type = (const char *)sqlite3_column_text(q, 0);
        const char *name = (const char *)sqlite3_column_text(q, 1);

        if (object_look(reference, "main", type, name, NULL) != OBJECT_MISSING)
            continue;
        (void)snprintf(subject, sizeof subject, "%s %.400s", which->file, name);
        doctor_begin(&f, DOCTOR_SCHEMA_UNKNOWN, subject);
        doctor_say(&f, "the %s %.400s of %s is none of Via's", type, name, which->file);
        doctor_advise(&f, "sqlite3 %s .schema", doctor_quote_path(&d->s->root, which->file, path));
        doctor_end(d, &f);
    }
    sqlite3_finalize(q);
}

/* Today's tables, empty and in memory. */
static void
reference_open(struct via_sql *reference, bool is_runtime)
{
    via_sql_open(reference, ":memory:", SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    via_schema_make(reference, is_runtime);
}

void
doctor_look_schema(struct doctor *d)
{
    struct via_sql reference;

    for (size_t i = 0; i < sizeof databases / sizeof *databases; i++) {
        const struct database *which = &databases[i];

        look_pages(d, which);
        reference_open(&reference, which->is_runtime);
        look_objects(d, which, &reference);
        look_strangers(d, which, &reference);
        if (!via_sql_ok(&reference))
            via_sql_fail(d->db, reference.error.status, "%s", reference.error.message);
        via_sql_close(&reference);
    }
}

/* -- mending ------------------------------------------------------------------------- */

/* The database that `subject` begins with, and a connection on which it is main. */
static const struct database *
database_find(struct via_store *s, const char *subject, struct via_sql **db)
{
    size_t n = strcspn(subject, " ");

    for (size_t i = 0; i < sizeof databases / sizeof *databases; i++)
        if (strlen(databases[i].file) == n && strncmp(databases[i].file, subject, n) == 0) {
            *db = databases[i].is_runtime ? &s->runtime : &s->write;
            return &databases[i];
        }
    return NULL;
}

/* End the transaction: for good, unless something failed. */
static enum via_status
mend_commit(struct via_sql *db, struct via_error *e)
{
    if (e->status == VIA_OK)
        via_sql_exec(db, "COMMIT");
    via_ignore(via_sql_take(db, e));
    if (!sqlite3_get_autocommit(db->db)) {
        via_sql_exec(db, "ROLLBACK");
        via_ignore(via_sql_take(db, NULL));
    }
    return e->status;
}

/* Make every index anew from its table. */
static void
indexes_make(struct via_sql *db)
{
    sqlite3_stmt *q =
        via_sql_stmt(db, "SELECT group_concat('REINDEX main.\"' || replace(name, '\"', '\"\"') ||"
                         " '\"', ';') FROM main.sqlite_schema WHERE type = 'table' AND " OWN_NAMES);
    struct via_buf text;

    via_buf_init(&text);
    if (via_sql_row(db, q))
        via_buf_puts(&text, (const char *)sqlite3_column_text(q, 0));
    via_sql_end(db, q);
    if (text.failed)
        via_sql_fail(db, VIA_OUT_OF_MEMORY, "out of memory");
    via_sql_exec(db, via_buf_text(&text));
    via_buf_deinit(&text);
}

/* In one transaction, which stands only when the database is sound then. */
enum via_status
doctor_mend_indexes(struct via_store *s, const char *subject, struct via_error *e)
{
    struct via_sql *db;
    const struct database *which = database_find(s, subject, &db);
    struct complaints c;

    if (!which)
        return via_error_set(e, VIA_STATE_INVALID, "%.300s is no database of Via's", subject);
    via_sql_exec(db, "BEGIN IMMEDIATE");
    indexes_make(db);
    if (via_sql_ok(db) && (!pages_check(db, "main", &c) || c.first[0]))
        via_ignore(via_error_set(e, VIA_STATE_CORRUPT, "%s is damaged beyond its indexes (%s)",
                                 which->file, c.first));
    return mend_commit(db, e);
}

/* Make the object `name` again, from the reference at `q` (type, sql). */
static void
object_make(struct via_sql *db, const char *name, sqlite3_stmt *q)
{
    const char *type = (const char *)sqlite3_column_text(q, 0);
    const char *sql = (const char *)sqlite3_column_text(q, 1);
    enum presence found = object_look(db, "main", type, name, sql);
    char text[128];

    if (found == OBJECT_SOUND)
        return;
    if (strcmp(type, "table") == 0 && (found == OBJECT_CHANGED || !table_is_a_memory(name))) {
        via_sql_fail(db, VIA_STATE_INVALID, "the rows of the table %s went with it", name);
        return;
    }
    (void)snprintf(text, sizeof text, "DROP %s IF EXISTS main.\"%.80s\"", type, name);
    via_sql_exec(db, text);
    via_sql_exec(db, sql);
    if (strcmp(type, "trigger") == 0) /* each counts profiles; what changed meanwhile counts too */
        via_sql_exec(db, "UPDATE main.profiles SET version = version + 1");
}

enum via_status
doctor_mend_schema(struct via_store *s, const char *subject, struct via_error *e)
{
    struct via_sql *db, reference;
    const struct database *which = database_find(s, subject, &db);
    const char *name = subject + strcspn(subject, " ");
    struct via_error why = {0};
    sqlite3_stmt *q;

    if (!which || !*name)
        return via_error_set(e, VIA_STATE_INVALID, "%.300s is nothing of Via's", subject);
    name++;
    reference_open(&reference, which->is_runtime);
    q = via_sql_stmt(&reference, "SELECT type, sql FROM sqlite_schema WHERE name = ?1");
    via_sql_bind_text(&reference, q, 1, name);
    via_sql_exec(db, "BEGIN IMMEDIATE");
    if (via_sql_row(&reference, q))
        object_make(db, name, q);
    via_sql_end(&reference, q);
    via_ignore(via_sql_take(&reference, &why));
    if (mend_commit(db, &why) != VIA_OK)
        via_ignore(
            via_error_set(e, why.status, "%.80s cannot be made again: %.300s", name, why.message));
    via_sql_close(&reference);
    return e->status;
}
