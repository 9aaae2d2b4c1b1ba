/* run.h: one operation on an add-on: query, execute or setup.
 *
 * The caller has been through the gates and brings a pass. A read is first tried quickly, on
 * the spot, and gives up as soon as it would take long or wait; then it is run from the start
 * by a worker. A result beyond VIA_PIECE_FIRST comes in pieces. Knows no HTTP. */
#ifndef VIA_PROXY_RUN_H
#define VIA_PROXY_RUN_H

#include "base/json.h"
#include "proxy/pool.h"
#include "proxy/tokens.h"

#define VIA_PIECE_FIRST ((size_t)1024 * 1024)
#define VIA_PIECE_NEXT ((size_t)256 * 1024)

enum via_run_kind { VIA_RUN_QUERY, VIA_RUN_EXECUTE, VIA_RUN_SETUP };

enum via_run_state {
    VIA_RUN_DONE,   /* the whole answer is in `out` */
    VIA_RUN_MORE,   /* a piece of it is; the connection is still held */
    VIA_RUN_SLOW,   /* not quick: run it again on a worker */
    VIA_RUN_WRITES, /* an execute that does not only read: to the lane of writes */
    VIA_RUN_STALE,  /* the storage layer found the grant stale: ask the gates */
    VIA_RUN_FAILED  /* `error` says why; nothing was changed */
};

struct via_run {
    enum via_run_kind kind;
    const char *sql;
    size_t sql_len;
    const via_json *params;
    struct via_pass *pass;
    struct via_buf *out;
    const struct via_bounds *bounds;

    struct via_error error;
    const char *sqlite; /* SQLite's name of an error of the app's own SQL, else NULL */
    int rc;             /* SQLite's last code */

    struct via_conn *conn; /* held while VIA_RUN_MORE */
    struct via_statement *statement;
    int64_t deadline_ms;
    size_t written; /* bytes that left `out` in earlier pieces */
    bool streaming;
};

/* May `run` be tried as a read? An execute by its first word; a setup never. */
bool via_run_may_read(const struct via_run *run);

/* Try to read at once: never opens, waits or takes more than a few milliseconds. */
enum via_run_state via_run_read_quick(struct via_run *run, struct via_pool *pool);

/* Read on a worker. `shelf` is held by the caller; the hold is consumed in any case. */
enum via_run_state via_run_read(struct via_run *run, struct via_pool *pool,
                                struct via_shelf *shelf);

/* The next piece into an emptied `out`. */
enum via_run_state via_run_more(struct via_run *run, struct via_pool *pool);

/* Give the connection back as it was found. Fine without one. */
void via_run_end(struct via_run *run, struct via_pool *pool);

/* Write on a worker, on the lane of writes; the hold is consumed. */
enum via_run_state via_run_write(struct via_run *run, struct via_pool *pool,
                                 struct via_shelf *shelf);

#endif
