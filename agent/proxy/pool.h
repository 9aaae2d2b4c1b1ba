/* pool.h: the open add-ons: read connections, one writer and the lanes of each.
 *
 * A shelf is made when an add-on is first used and closed when it has been idle, or when
 * more are open than allowed. Thread-safe; a connection belongs to who took it. */
#ifndef VIA_PROXY_POOL_H
#define VIA_PROXY_POOL_H

#include "proxy/conn.h"
#include "proxy/lanes.h"

struct via_shelf {
    char addon_id[VIA_ID_SIZE];
    struct via_shelf *next; /* in its bucket */
    int holders;            /* operations that use it or wait for it */
    int64_t used_ms;
    _Atomic int64_t drain_ms; /* what began before is to stop; 0: nothing */
    struct via_conn *idle;    /* readers */
    struct via_conn *writer;
    _Atomic int64_t held_bytes; /* of memory, by the operations under way */
    int streams;                /* readers lent to results that are on their way */
    struct via_lane writes;
    struct via_lane reads;
};

struct via_pool;

struct via_pool *via_pool_new(struct via_lanes *lanes); /* NULL: no memory */
void via_pool_free(struct via_pool *p);

/* The shelf of `addon_id`, held for the caller; made when `make`. NULL: not there, or
 * *e says why. `open_addons` bounds how many there are. */
struct via_shelf *via_pool_hold(struct via_pool *p, const char *addon_id, bool make,
                                int64_t open_addons, struct via_error *e);
void via_pool_drop(struct via_pool *p, struct via_shelf *shelf);

/* An idle reader of `addon_id` at once, its shelf held, or NULL. */
struct via_conn *via_pool_take_idle(struct via_pool *p, const char *addon_id);

/* A reader, or the writer, of a shelf the caller holds; opened when none is idle. The writer only
 * from the lane of writes. The hold passes to the connection on success. */
VIA_MUST_USE enum via_status via_pool_take(struct via_pool *p, struct via_shelf *shelf, bool writer,
                                           const struct via_bounds *bounds, struct via_conn **out,
                                           int *rc, struct via_error *e);

/* Give back a connection, with its hold. NULL is fine. */
void via_pool_put(struct via_pool *p, struct via_conn *c);

/* May one more result stream from `shelf`? Counts it; via_pool_end_stream() takes it back. */
bool via_pool_begin_stream(struct via_pool *p, struct via_shelf *shelf);
void via_pool_end_stream(struct via_pool *p, struct via_shelf *shelf);

/* Stop what runs on `addon_id` now. Nothing is done to what begins later. */
void via_pool_drain(struct via_pool *p, const char *addon_id, int64_t now_ms);

/* Close what has been idle for a minute, and what lost its file. */
void via_pool_tick(struct via_pool *p);

#endif
