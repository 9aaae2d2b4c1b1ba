/* budget.c: see budget.h. Over the allocator that SQLite would use. */
#include "proxy/budget.h"

#include "via/ext.h"

#include <stdbool.h>
#include <stddef.h>

static sqlite3_mem_methods real;
static _Thread_local struct via_budget *mine;

static bool
may_take(int64_t bytes)
{
    return !mine ||
           atomic_load_explicit(mine->shared, memory_order_relaxed) + bytes <= mine->limit_bytes;
}

static void
took(int64_t bytes)
{
    if (!mine)
        return;
    mine->own_bytes += bytes;
    atomic_fetch_add_explicit(mine->shared, bytes, memory_order_relaxed);
}

static void *
budget_malloc(int n)
{
    void *p = may_take(n) ? real.xMalloc(n) : NULL;

    if (p)
        took(real.xSize(p));
    return p;
}

static void
budget_free(void *p)
{
    if (p)
        took(-(int64_t)real.xSize(p));
    real.xFree(p);
}

static void *
budget_realloc(void *p, int n)
{
    int64_t before = p ? real.xSize(p) : 0;
    void *q = n <= before || may_take(n - before) ? real.xRealloc(p, n) : NULL;

    if (q)
        took(real.xSize(q) - before);
    return q;
}

void
via_budget_install(void)
{
    sqlite3_mem_methods counting;

    if (real.xMalloc || sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real) != SQLITE_OK)
        return;
    counting = real;
    counting.xMalloc = budget_malloc;
    counting.xFree = budget_free;
    counting.xRealloc = budget_realloc;
    sqlite3_config(SQLITE_CONFIG_MALLOC, &counting);
}

void
via_budget_enter(struct via_budget *b)
{
    mine = b;
}

void
via_budget_leave(void)
{
    mine = NULL;
}

void
via_budget_end(struct via_budget *b)
{
    if (b->shared)
        atomic_fetch_sub_explicit(b->shared, b->own_bytes, memory_order_relaxed);
    b->own_bytes = 0;
}
