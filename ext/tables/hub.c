#include "tables/hub.h"

#include "base/error.h"
#include "effects/effects.h"

#include <stdlib.h>
#include <sys/stat.h>

/* The level of a savepoint that is itself the host's transaction (SAVEPOINT without BEGIN):
 * SQLite never announces it, but rolls back to it. The private savepoint of this level is made
 * first and stands for every level that the host opened before anything was written. */
#define LEVEL_OUTERMOST (-1)

struct via_hub {
    sqlite3 *host;
    struct via_store *store;
    int refs;
    int *levels; /* host levels with a private savepoint, ascending */
    int before;  /* host levels up to this one were opened before the first write */
    bool written;
    size_t depth;
    size_t cap;
};

struct via_hub *
via_hub_new(sqlite3 *host)
{
    struct via_hub *h = calloc(1, sizeof *h);

    if (h) {
        h->host = host;
        h->refs = 1;
    }
    return h;
}

struct via_hub *
via_hub_ref(struct via_hub *h)
{
    h->refs++;
    return h;
}

void
via_hub_unref(struct via_hub *h)
{
    if (!h || --h->refs > 0)
        return;
    via_store_free(h->store);
    free(h->levels);
    free(h);
}

/* A host that has opened the control database itself would wait for its own lock. By name and
 * stat: the file must not be opened outside SQLite. */
static bool
hub_host_is_control(struct via_hub *h, const struct via_store *s)
{
    const char *name = sqlite3_db_filename(h->host, "main");
    char path[VIA_PATH_SIZE];
    struct stat host;
    struct stat control;

    via_root_join(&s->root, "control-plane.db", path);
    return name && name[0] && stat(name, &host) == 0 && stat(path, &control) == 0 &&
           host.st_dev == control.st_dev && host.st_ino == control.st_ino;
}

/* A connection's main database never changes, so that it is looked at once. */
static enum via_status
hub_open(struct via_hub *h, struct via_error *e)
{
    enum via_status status = via_store_new(&h->store, e);

    if (status == VIA_OK && hub_host_is_control(h, h->store)) {
        status = via_error_set(e, VIA_STATE_INVALID,
                               "this connection has opened the control database itself; open"
                               " another file, or :memory:");
        via_store_free(h->store);
        h->store = NULL;
    }
    return status;
}

enum via_status
via_hub_store(struct via_hub *h, struct via_store **out, struct via_error *e)
{
    enum via_status status = h->store ? VIA_OK : hub_open(h, e);

    *out = h->store;
    return status;
}

/* A transaction that began for runtime rows alone now wants control rows too. */
static enum via_status
hub_upgrade(struct via_hub *h, struct via_error *e)
{
    struct via_store *s = h->store;

    via_sql_exec(&s->write, "UPDATE main.settings SET value = value WHERE 0");
    if (via_sql_take(&s->write, e) != VIA_OK)
        return e->status;
    s->immediate = true;
    return VIA_OK;
}

/* Put a private savepoint for host level `n` on the stack. */
static enum via_status
hub_push(struct via_hub *h, int n, struct via_error *e)
{
    int *grown;

    if (h->depth == h->cap) {
        grown = realloc(h->levels, (h->cap + 16) * sizeof *grown);
        if (!grown)
            return via_error_set(e, VIA_OUT_OF_MEMORY, "out of memory");
        h->levels = grown;
        h->cap += 16;
    }
    if (via_store_savepoint(h->store, n + 1, e) != VIA_OK)
        return e->status;
    h->levels[h->depth++] = n;
    return VIA_OK;
}

enum via_status
via_hub_begin(struct via_hub *h, bool control, struct via_error *e)
{
    struct via_store *s;

    if (via_hub_store(h, &s, e) != VIA_OK || !s)
        return e->status;
    if (via_store_in_transaction(s))
        return control && !s->immediate ? hub_upgrade(h, e) : VIA_OK;
    h->depth = 0;
    h->before = LEVEL_OUTERMOST;
    h->written = false;
    /* Alone, a statement on runtime rows waits for no operator; in a transaction nobody knows
     * what comes next. */
    if (via_store_begin(s, control || !sqlite3_get_autocommit(h->host), e) != VIA_OK)
        return e->status;
    if (hub_push(h, LEVEL_OUTERMOST, e) != VIA_OK)
        via_store_rollback(s);
    return e->status;
}

enum via_status
via_hub_write(struct via_hub *h, bool control, struct via_error *e)
{
    if (via_hub_begin(h, control, e) == VIA_OK)
        h->written = true;
    return e->status;
}

enum via_status
via_hub_sync(struct via_hub *h, struct via_error *e)
{
    struct via_error later = {0};
    enum via_status status;
    enum via_status carried;

    if (!h->store || !via_store_in_transaction(h->store))
        return VIA_OK;
    h->depth = 0;
    status = via_store_commit(h->store, e);
    carried = via_effects_carry_out(h->store, status == VIA_OK ? e : &later);
    return status != VIA_OK ? status : carried;
}

void
via_hub_end(struct via_hub *h, bool committed)
{
    h->depth = 0;
    if (h->store && !committed)
        via_store_rollback(h->store);
}

/* The place of the lowest level at or above `n`. */
static size_t
hub_find(const struct via_hub *h, int n)
{
    size_t i = 0;

    while (i < h->depth && h->levels[i] < n)
        i++;
    return i;
}

enum via_status
via_hub_savepoint(struct via_hub *h, int n, struct via_error *e)
{
    if (via_hub_begin(h, false, e) != VIA_OK)
        return e->status;
    if (!h->written && h->before < n)
        h->before = n;
    if (n <= h->before || (h->depth > 0 && h->levels[h->depth - 1] >= n))
        return VIA_OK;
    return hub_push(h, n, e);
}

enum via_status
via_hub_release(struct via_hub *h, int n, struct via_error *e)
{
    size_t i = hub_find(h, n);

    if (h->before >= n)
        h->before = n - 1;
    if (!h->store || i == h->depth)
        return VIA_OK;
    h->depth = i;
    return via_store_release(h->store, h->levels[i] + 1, e);
}

enum via_status
via_hub_rollback_to(struct via_hub *h, int n, struct via_error *e)
{
    size_t i = hub_find(h, n);

    if (!h->store || h->depth == 0)
        return VIA_OK;
    if (n <= h->before) {
        i = 0;
        h->before = n;
        h->written = false;
    }
    if (i == h->depth)
        return VIA_OK;
    h->depth = i + 1;
    return via_store_rollback_to(h->store, h->levels[i] + 1, e);
}
