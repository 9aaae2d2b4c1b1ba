/* budget.h: the memory that the operations of one add-on may take at once.
 *
 * SQLite's own limit is the process's: one app that sorts what is long could leave nothing to
 * the others. Counts what SQLite allocates on this thread between enter and leave. */
#ifndef VIA_PROXY_BUDGET_H
#define VIA_PROXY_BUDGET_H

#include <stdatomic.h>
#include <stdint.h>

struct via_budget {
    _Atomic int64_t *shared; /* bytes held by all operations of the add-on */
    int64_t limit_bytes;     /* of those; an allocation beyond it fails */
    int64_t own_bytes;       /* held by this one; may be below 0, as caches shrink */
};

/* Put the counting before SQLite's allocator; once, before SQLite is first used. Without it the
 * rest of this file does nothing. */
void via_budget_install(void);

/* From here on this thread's allocations count for `b`. */
void via_budget_enter(struct via_budget *b);
void via_budget_leave(void);

/* The operation is over: what it keeps, as caches, counts no longer. */
void via_budget_end(struct via_budget *b);

#endif
