/* sql.h: the only prepare, bind and step of Via's own SQL.
 *
 * A handle remembers its first error and from then on every call does nothing, so a
 * sequence of statements reads straight down and is asked once. Statements are
 * cached by the address of their text, which must be a literal or live as long as
 * the handle. One thread at a time. */
#ifndef VIA_SQL_SQL_H
#define VIA_SQL_SQL_H

#include "via/ext.h"
#include "via/model.h"

#include <stdbool.h>
#include <stddef.h>

struct via_sql_entry {
    const char *text;
    sqlite3_stmt *stmt;
};

struct via_sql {
    sqlite3 *db;
    struct via_error error; /* the first one; VIA_OK while all is well */
    struct via_sql_entry *cache;
    size_t count;
    size_t cap;
};

/* Open `path` with sqlite3_open_v2 flags `flags` on the platform's own VFS. On failure the
 * handle holds the error and is still to be closed. */
void via_sql_open(struct via_sql *s, const char *path, int flags);

/* Is this thread inside via_sql_open()? An auto-extension leaves such a connection alone. */
bool via_sql_is_opening(void);

/* Close the connection and finalise every statement. NULL-safe on a zeroed handle. */
void via_sql_close(struct via_sql *s);

/* The statement for `text`, reset and with bindings cleared; NULL once failed. */
sqlite3_stmt *via_sql_stmt(struct via_sql *s, const char *text);

/* As above for text made at run time: not cached; the caller finalises it. */
sqlite3_stmt *via_sql_prepare(struct via_sql *s, const char *text);

void via_sql_bind_text(struct via_sql *s, sqlite3_stmt *q, int i,
                       const char *text); /* NULL: NULL */
/* As above, borrowing the `n` bytes instead of copying them, until the statement is bound anew or
 * finalised: for what must not lie about in memory. */
void via_sql_lend_text(struct via_sql *s, sqlite3_stmt *q, int i, const char *text, size_t n);
void via_sql_bind_int(struct via_sql *s, sqlite3_stmt *q, int i, int64_t value);
void via_sql_bind_value(struct via_sql *s, sqlite3_stmt *q, int i, sqlite3_value *value);

/* Step: true on a row. False at the end and on failure; the statement is reset then. */
bool via_sql_row(struct via_sql *s, sqlite3_stmt *q);

/* Step a statement to its end and reset it. */
void via_sql_run(struct via_sql *s, sqlite3_stmt *q);

/* Done with `q` before its end: reset it. Fine with NULL. */
void via_sql_end(struct via_sql *s, sqlite3_stmt *q);

/* Run statements without parameters. */
void via_sql_exec(struct via_sql *s, const char *text);

/* One integer, or `otherwise` when there is no row. Binds nothing, for literals. */
int64_t via_sql_int(struct via_sql *s, const char *text, int64_t otherwise);

/* Copy column `i` as text into `out`, "" for NULL; what does not fit is cut. */
void via_sql_text(sqlite3_stmt *q, int i, char *out, size_t size);

/* Rows changed by the last INSERT, UPDATE or DELETE. */
int64_t via_sql_changes(struct via_sql *s);

bool via_sql_ok(const struct via_sql *s);
enum via_status via_sql_fail(struct via_sql *s, enum via_status status, const char *format, ...)
    VIA_PRINTF(3, 4);

/* Take the error out: returns its status, copies it to `e` (unless NULL) and clears the handle. */
enum via_status via_sql_take(struct via_sql *s, struct via_error *e);

/* Is there no room for a file, or no name for one, where the database is? SQLite's errno does not
 * tell: what it cannot make, it tries to read. */
bool via_sql_has_no_room(sqlite3 *db);

/* Could it be opened or written when fewer files were open? That passes, and says nothing of the
 * file. `db` (NULL for none) has just failed. */
bool via_sql_lacks_descriptors(sqlite3 *db);

/* Translate an SQLite result code, with the connection's sentence, into a status. */
enum via_status via_sql_status(int rc);

#endif
