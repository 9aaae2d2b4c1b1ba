/* doctor_strays.c: what lies where Via keeps its files and is not one of them. The walk notes a
 * name; what rows say of it is asked after the walk, when the row of whatever is under way can be
 * seen. What is not Via's is named and left alone, whoever asks for mending; what Via worked on and
 * nobody works on any more can go. */
#include "base/error.h"
#include "base/fs.h"
#include "base/id.h"
#include "control/operation.h"
#include "effects/doctor_look.h"
#include "identity/keyfile.h"
#include "provider/sqlite/place.h"

#include <stdio.h>
#include <string.h>

#define ADDONS "addons/sqlite/"
#define SNAPSHOTS "snapshots/"

/* What a name in one of Via's folders stands for. */
enum kind {
    KIND_OWN,
    KIND_WORK, /* a file that an operation of its add-on works on */
    KIND_STRANGE
};

/* -- names --------------------------------------------------------------------------- */

static bool
text_ends(const char *text, const char *end)
{
    size_t n = strlen(text), k = strlen(end);

    return n >= k && strcmp(text + n - k, end) == 0;
}

/* Is `name` an id of `prefix`, followed by something? Then `rest` is that. */
static bool
name_is_of(const char *name, const char *prefix, const char **rest)
{
    size_t n = strcspn(name, ".");
    char id[VIA_ID_SIZE];

    *rest = name + n;
    if (n >= sizeof id)
        return false;
    memcpy(id, name, n);
    id[n] = '\0';
    return via_id_is(prefix, id);
}

/* Is `name` the database `stem`, or what SQLite puts beside it? */
static bool
name_is_database(const char *name, const char *stem)
{
    static const char *const ends[] = {"", "-wal", "-shm", "-journal"};
    size_t n = strlen(stem);

    for (size_t i = 0; strncmp(name, stem, n) == 0 && i < sizeof ends / sizeof *ends; i++)
        if (strcmp(name + n, ends[i]) == 0)
            return true;
    return false;
}

/* What lies deeper is as the folder that it lies in. */
static bool
is_deeper(const char *inside)
{
    return strchr(inside, '/') != NULL;
}

static enum kind
key_kind(const char *name, bool is_folder)
{
    char kid[VIA_ID_SIZE];

    return is_deeper(name) || (!is_folder && via_keyfile_kid(name, kid)) ? KIND_OWN : KIND_STRANGE;
}

/* Of an archive or an export only its row tells. */
static enum kind
backup_kind(const char *name, bool is_folder)
{
    static const char *const stems[] = {"control-plane", "runtime"};
    const char *rest;

    if (is_deeper(name))
        return KIND_OWN;
    if (is_folder)
        return KIND_STRANGE;
    for (size_t i = 0; i < sizeof stems / sizeof *stems; i++) {
        size_t n = strlen(stems[i]), dot = name[0] == '.';

        if (strncmp(name + dot, stems[i], n) == 0 && strncmp(name + dot + n, "-schema", 7) == 0 &&
            text_ends(name, dot ? ".incoming" : ".db"))
            return KIND_OWN;
    }
    return name_is_of(name + (name[0] == '.'), "backup", &rest) && strstr(rest, ".incoming")
               ? KIND_OWN
               : KIND_STRANGE;
}

static enum kind
addon_kind(const char *name, bool is_folder)
{
    const char *rest;

    if (is_deeper(name))
        return KIND_OWN;
    if (strcmp(name, "snapshots") == 0)
        return KIND_OWN;
    if (is_folder)
        return KIND_STRANGE;
    if (name_is_database(name, VIA_PLACE_DATA))
        return KIND_OWN;
    if (name_is_of(name, "backup", &rest) && strcmp(rest, VIA_PLACE_UNDER_WAY) == 0)
        return KIND_OWN; /* the walk has looked at its backup */
    return name_is_database(name, VIA_PLACE_INCOMING) || name_is_database(name, "restoring.sqlite")
               ? KIND_WORK
               : KIND_STRANGE;
}

static enum kind
snapshot_kind(const char *name, bool is_folder)
{
    const char *rest;

    if (is_deeper(name))
        return KIND_OWN;
    if (is_folder || !name_is_of(name, "snap", &rest))
        return KIND_STRANGE;
    if (name_is_database(rest, VIA_PLACE_READY) || name_is_database(rest, VIA_PLACE_DAMAGED))
        return KIND_OWN;
    return name_is_database(rest, VIA_PLACE_UNDER_WAY) ? KIND_WORK : KIND_STRANGE;
}

/* Below addons/sqlite/. An unknown folder there is storage without an add-on. */
static enum kind
storage_kind(const char *inside, bool is_folder)
{
    const char *slash = strchr(inside, '/');

    if (!slash)
        return is_folder ? KIND_OWN : KIND_STRANGE;
    if (strncmp(slash + 1, SNAPSHOTS, strlen(SNAPSHOTS)) == 0)
        return snapshot_kind(slash + 1 + strlen(SNAPSHOTS), is_folder);
    return addon_kind(slash + 1, is_folder);
}

static enum kind
type_kind(const char *name, bool is_folder)
{
    (void)is_folder; /* something else in its place is wrong, and not strange */
    return is_deeper(name) || strcmp(name, "sqlite") == 0 ? KIND_OWN : KIND_STRANGE;
}

static enum kind
kind_of(const char *relative, bool is_folder)
{
    static const struct {
        const char *folder;
        enum kind (*of)(const char *inside, bool is_folder);
    } folders[] = {{ADDONS, storage_kind},
                   {"addons/", type_kind},
                   {"backups/", backup_kind},
                   {"keys/", key_kind}};

    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        size_t n = strlen(folders[i].folder);

        if (strncmp(relative, folders[i].folder, n) == 0)
            return folders[i].of(relative + n, is_folder);
    }
    return KIND_OWN;
}

bool
doctor_stray_note(struct doctor *d, const char *relative, mode_t type)
{
    enum kind kind = kind_of(relative, S_ISDIR(type));
    sqlite3_stmt *q;

    if (kind == KIND_OWN)
        return true;
    q = via_sql_stmt(d->db, "INSERT OR IGNORE INTO temp.seen_strays(path, is_work) VALUES(?1, ?2)");
    via_sql_bind_text(d->db, q, 1, relative);
    via_sql_bind_int(d->db, q, 2, kind == KIND_WORK);
    via_sql_run(d->db, q);
    return kind == KIND_WORK;
}

/* -- rows ---------------------------------------------------------------------------- */

/* Ask `question` (with ?1) about a text. */
static bool
row_answers(struct via_sql *db, const char *question, const char *text)
{
    sqlite3_stmt *q = via_sql_stmt(db, question);
    bool yes;

    via_sql_bind_text(db, q, 1, text);
    yes = via_sql_row(db, q);
    via_sql_end(db, q);
    return yes;
}

/* The add-on in whose folder `relative` is; "" when it is in none. */
static void
addon_of(const char *relative, char id[VIA_ID_SIZE])
{
    const char *inside;
    size_t n;

    id[0] = '\0';
    if (strncmp(relative, ADDONS, strlen(ADDONS)) != 0)
        return;
    inside = relative + strlen(ADDONS);
    n = strcspn(inside, "/");
    if (n >= VIA_ID_SIZE || inside[n] != '/')
        return;
    memcpy(id, inside, n);
    id[n] = '\0';
}

/* Does no operation work on the add-on's files any more? */
static bool
addon_is_at_rest(struct via_sql *db, const char *id)
{
    return !row_answers(db,
                        "SELECT 1 FROM main.operations WHERE addon_id = ?1 AND"
                        " state IN ('pending', 'running')",
                        id) &&
           via_sql_ok(db);
}

/* Is the file in backups/ one that a row names: an archive, or an export? */
static bool
backup_is_known(struct doctor *d, const char *relative)
{
    const char *name = relative + strlen("backups/"), *rest;
    char path[VIA_PATH_SIZE], id[VIA_ID_SIZE];

    via_root_join(&d->s->root, relative, path);
    if (row_answers(d->db,
                    "SELECT 1 FROM main.backups WHERE path = ?1 UNION ALL"
                    " SELECT 1 FROM main.exports WHERE path = ?1",
                    path))
        return true;
    if (text_ends(name, VIA_PLACE_UNDER_WAY) && via_operation_next_open(d->db, 0) > 0)
        return true; /* of an export */
    if (!name_is_of(name, "backup", &rest) || strcmp(rest, ".tar.zst") != 0)
        return false;
    (void)snprintf(id, sizeof id, "%.*s", (int)(rest - name), name);
    return row_answers(d->db, "SELECT 1 FROM main.backups WHERE id = ?1", id);
}

static void
find_stray(struct doctor *d, const char *relative)
{
    bool is_archive = strncmp(relative, "backups/", 8) == 0 && text_ends(relative, ".tar.zst");
    char path[DOCTOR_SHELL_SIZE];
    struct doctor_finding f;

    if (strncmp(relative, "backups/", 8) == 0 && backup_is_known(d, relative))
        return;
    doctor_begin(&f, DOCTOR_FILE_UNKNOWN, relative);
    doctor_say(&f, "%.600s is none of this host's files; Via leaves it alone", relative);
    doctor_advise(&f, is_archive ? "via backup verify %s" : "mv -n %s .",
                  doctor_quote_path(&d->s->root, relative, path));
    doctor_end(d, &f);
}

static void
find_left(struct doctor *d, const char *relative)
{
    char path[DOCTOR_SHELL_SIZE];
    struct doctor_finding f;

    doctor_begin(&f, DOCTOR_TEMPORARY_LEFT, relative);
    doctor_say(&f, "%.600s was left by an operation that is over", relative);
    doctor_advise(&f, "rm -f %s", doctor_quote_path(&d->s->root, relative, path));
    doctor_end(d, &f);
}

/* In the folder of no add-on, it is the folder that is found. */
void
doctor_look_strays(struct doctor *d)
{
    sqlite3_stmt *q = via_sql_stmt(d->db, "SELECT path, is_work FROM temp.seen_strays");
    char id[VIA_ID_SIZE], path[VIA_PATH_SIZE];
    struct stat st;

    while (via_sql_row(d->db, q)) {
        const char *relative = (const char *)sqlite3_column_text(q, 0);

        via_root_join(&d->s->root, relative, path);
        addon_of(relative, id);
        if (lstat(path, &st) < 0 ||
            (id[0] && !row_answers(d->db,
                                   "SELECT 1 FROM main.addons WHERE id = ?1 AND"
                                   " (state <> 'destroyed' OR purge_at IS NOT NULL)",
                                   id)))
            continue;
        if (!sqlite3_column_int(q, 1))
            find_stray(d, relative);
        else if (addon_is_at_rest(d->db, id))
            find_left(d, relative);
    }
}

/* -- mending ------------------------------------------------------------------------- */

bool
doctor_is_work(const char *relative)
{
    return kind_of(relative, false) == KIND_WORK;
}

/* With the lock of the control database in our hand no operation begins. */
enum via_status
doctor_remove_work(struct via_store *s, const char *relative, struct via_error *e)
{
    struct via_sql *db = &s->write;
    char id[VIA_ID_SIZE], path[VIA_PATH_SIZE];

    addon_of(relative, id);
    via_root_join(&s->root, relative, path);
    via_sql_exec(db, "BEGIN IMMEDIATE");
    if (addon_is_at_rest(db, id))
        via_ignore(via_fs_remove(path, e));
    via_sql_exec(db, "COMMIT");
    via_ignore(via_sql_take(db, e));
    return e->status;
}
