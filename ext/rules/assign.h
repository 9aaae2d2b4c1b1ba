/* assign.h: does the text of an UPDATE assign a parameter, or something written out? Pure.
 *
 * SQLite tells a table whether a value came from sqlite3_bind_*, but loses it on the way of most
 * UPDATEs (they collect their rows first). Then the text has to tell. */
#ifndef VIA_RULES_ASSIGN_H
#define VIA_RULES_ASSIGN_H

#include <stdbool.h>

/* Does `sql`, the text of one statement, say SET … `column` = PARAMETER, with nothing around the
 * parameter? False when in doubt. */
bool via_assigns_parameter(const char *sql, const char *column);

#endif
