/* functions.h: SQLite's own functions that one call can make run for hours, made linear.
 *
 * Nothing can stop a statement inside one function call: neither a deadline nor the end of
 * the agent. These answer as SQLite's do for well-formed text. */
#ifndef VIA_PROXY_FUNCTIONS_H
#define VIA_PROXY_FUNCTIONS_H

#include "via/ext.h"

/* The most characters that trim(), ltrim() and rtrim() take away; more is SQLITE_TOOBIG. */
#define VIA_TRIM_CHARACTERS 256

/* Replace instr, replace, trim, ltrim, rtrim and json_patch on `db`. Returns an SQLITE_ code. */
int via_functions_attach(sqlite3 *db);

#endif
