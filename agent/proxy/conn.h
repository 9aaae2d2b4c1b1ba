/* conn.h: one pooled connection to an add-on, opened locked.
 *
 * It has no rights of its own: those of a grant are lent to it for one operation. Bounded
 * in time by a progress handler, in memory by SQLite's limits. One thread at a time. */
#ifndef VIA_PROXY_CONN_H
#define VIA_PROXY_CONN_H

#include "proxy/budget.h"
#include "proxy/statements.h"
#include "vfs/vfs.h"

/* What the operator's settings say, as of the last look. */
struct via_bounds {
    int64_t request_bytes;
    int64_t result_bytes;
    int64_t sql_bytes;
    int64_t params_max;
    int64_t json_depth;
    int64_t open_addons;
    int64_t statement_timeout_ms;
    int64_t busy_timeout_ms;
    char allowed_hosts[1024];
    char advertised_url[1024];
};

/* The longest single text or blob. */
#define VIA_VALUE_BYTES (32 * 1024 * 1024)

enum via_conn_stop { VIA_STOP_NONE, VIA_STOP_DEADLINE, VIA_STOP_SHUTDOWN, VIA_STOP_DRAIN };

struct via_shelf;

struct via_conn {
    sqlite3 *db;
    struct via_shelf *shelf;         /* of the pool */
    const _Atomic int64_t *drain_ms; /* of the shelf: what began before then is to stop; or NULL */
    struct via_conn *next;
    struct via_policy policy;
    struct via_statements statements;
    struct via_grant_slot slot;
    struct via_budget budget; /* of the operation that has it */
    int64_t deadline_ms;      /* by via_clock_mono_ms */
    int64_t begun_ms;         /* when it was lent */
    int64_t busy_until_ms;    /* wait that long for other processes; 0: not at all */
    enum via_conn_stop stop;  /* why the progress handler stopped a statement */
    bool tuned;
    bool broken;      /* close it instead of keeping it */
    int foreign_keys; /* as set now; -1: unknown */
    int synchronous_full;
    int64_t max_size_bytes;
    int64_t sql_bytes; /* as set now, as the next */
    int64_t params_max;
    int64_t used_ms;
    int64_t looked_s; /* when it was last seen to be the file of its name */
};

/* Open the storage of `addon_id`. VIA_OK or the reason; *rc is SQLite's. */
VIA_MUST_USE enum via_status via_conn_open(struct via_conn **out, const char *addon_id, bool writer,
                                           const struct via_bounds *bounds, int *rc,
                                           struct via_error *e);
void via_conn_close(struct via_conn *c);

/* Lend the rights of `grant`, under `bounds`, until via_conn_end(). Returns an SQLITE_ code. */
int via_conn_begin(struct via_conn *c, const struct via_grant *grant,
                   const struct via_bounds *bounds);

/* Take them back: no statement is active and no transaction open afterwards. */
void via_conn_end(struct via_conn *c);

/* Run one of Via's own statements, past the policy. */
int via_conn_exec(struct via_conn *c, const char *sql);

/* Is what it is lent for to stop, because the add-on is to be restored? */
bool via_conn_is_drained(const struct via_conn *c);

/* Is the database so small that counting a table of it is over in a moment? */
bool via_conn_is_small(struct via_conn *c);

/* Is its file still the one that its name leads to? Looks at most once a second unless `now`. */
bool via_conn_is_in_place(struct via_conn *c, bool now);

/* From here on running statements stop: the agent is going down. */
void via_conn_stop_all(void);
bool via_conn_is_stopping(void);

#endif
