/* hold.h: the storage of an add-on, kept from everybody else while it is replaced.
 *
 * Connections that sit idle are no hindrance: the guarded VFS has each of them look for its file
 * again when it takes its next lock. */
#ifndef VIA_PROVIDER_SQLITE_HOLD_H
#define VIA_PROVIDER_SQLITE_HOLD_H

#include "provider/provider.h"

struct via_hold {
    struct via_sql sql; /* an idle connection to the old content */
    sqlite3_file *file; /* of it; NULL when it could not be opened as a database */
    bool is_locked;     /* every lock of its log is ours, and the log is empty and synced */
    bool has_file;      /* there is something in its place, be it damaged */
};

/* Wait until nobody reads or writes the content of `addon_id`, then keep everybody out. Asked once
 * `timeout_ms` are over, `may_wait(arg)` says whether to wait for some more.
 *
 * Content that is missing or no database is held without locks: nobody can be at it.
 * VIA_RESTORE_TIMEOUT, naming processes. Close it in any case. */
VIA_MUST_USE enum via_status via_hold_take(struct via_hold *h, const struct via_root *root,
                                           const struct via_opener *opener, const char *addon_id,
                                           int64_t timeout_ms, bool (*may_wait)(void *arg),
                                           void *arg, struct via_error *e);

/* Whoever shares the index of the log from now on must make it anew from the log. */
void via_hold_forget_index(struct via_hold *h);

void via_hold_close(struct via_hold *h);

/* A database file that is not opened by anybody else, until it is closed. */
struct via_bar {
    struct via_sql sql;
    sqlite3_file *file;
};

/* Bar the database at `path`, which nobody is using: VIA_ADDON_BUSY else. Its log is not opened.
 * Close it in any case. */
VIA_MUST_USE enum via_status via_bar_take(struct via_bar *b, const char *path, struct via_error *e);
void via_bar_close(struct via_bar *b);

#endif
