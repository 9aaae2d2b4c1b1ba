/* log.h: one line to stderr per event, for the agent and the launcher.
 *
 * A failure is logged once, where it is born. Never a token, key, secret or the
 * text of an app's SQL. The extension inside a shell stays silent: its level is
 * VIA_LOG_NONE until via_log_set_level(). */
#ifndef VIA_BASE_LOG_H
#define VIA_BASE_LOG_H

#include "via/status.h"

enum via_log_level { VIA_LOG_NONE, VIA_LOG_ERROR, VIA_LOG_WARN, VIA_LOG_INFO, VIA_LOG_DEBUG };

/* `program` ("viad") opens each line and is borrowed for ever. */
void via_log_set_level(const char *program, enum via_log_level level);
void via_log(enum via_log_level level, const char *format, ...) VIA_PRINTF(2, 3);

#endif
