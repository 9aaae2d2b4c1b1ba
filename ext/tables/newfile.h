/* newfile.h: a file that an operator names and that is not there yet. */
#ifndef VIA_TABLES_NEWFILE_H
#define VIA_TABLES_NEWFILE_H

#include "sql/sql.h"

/* The absolute form of `path`, with its folder resolved, into `out`. False with
 * VIA_PATH_INVALID or VIA_PATH_UNWRITABLE in the handle; `what` says what replaces none, as "an
 * export". */
bool via_newfile_resolve(struct via_sql *db, const char *path, const char *what,
                         char out[VIA_PATH_SIZE]);

#endif
