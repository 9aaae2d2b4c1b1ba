/* views.h: what the via_* tables show, as views over both databases.
 *
 * They belong to one connection and are made by it, so that they change without a step of the
 * schema. */
#ifndef VIA_CONTROL_VIEWS_H
#define VIA_CONTROL_VIEWS_H

#include "sql/sql.h"

/* Make them on `s`, which has control-plane.db as `main` and runtime.db as `rt`; the handle holds
 * the error. `overlay` adds the temporary tables that hold a transaction's not yet applied runtime
 * rows, and lets the views look through them. */
void via_views_make(struct via_sql *s, bool overlay);

#endif
