/* log.c: one line to stderr per event.
 *
 * Each line is one write, so that lines of several threads do not mix, and holds no
 * control characters, so that no text from outside can forge a line. */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

static const char *log_program = "via";
static _Atomic enum via_log_level log_level = VIA_LOG_NONE;

void
via_log_set_level(const char *program, enum via_log_level level)
{
    log_program = program;
    atomic_store(&log_level, level);
}

void
via_log(enum via_log_level level, const char *format, ...)
{
    static const char *const names[] = {"", "error: ", "warning: ", "", "debug: "};
    int saved = errno;
    char line[1024];
    va_list args;
    size_t n;
    int k;

    if (level == VIA_LOG_NONE || level > atomic_load(&log_level))
        return;
    n = (size_t)snprintf(line, 128, "%.64s: %s", log_program, names[level]);
    va_start(args, format);
    k = vsnprintf(line + n, sizeof line - n - 1, format, args);
    va_end(args);
    if (k > 0)
        n += (size_t)k < sizeof line - n - 1 ? (size_t)k : sizeof line - n - 2;
    for (size_t i = 0; i < n; i++) {
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7F)
            line[i] = '?';
    }
    line[n++] = '\n';
    /* Nothing is left to do when stderr is gone. */
    (void)!write(STDERR_FILENO, line, n);
    errno = saved;
}
