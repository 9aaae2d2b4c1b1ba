/* check.h: assertions for the C tests of pure rooms.
 *
 * A test program calls CHECK for each sentence and returns check_end(). It prints one line
 * a sentence, "ok - …" or "not ok - … (file:line)", which tests/run counts. */
#ifndef VIA_TESTS_CHECK_H
#define VIA_TESTS_CHECK_H

#include <stdbool.h>
#include <stdio.h>

static int check_failures;

#define CHECK(condition, ...) check_that((condition), __FILE__, __LINE__, __VA_ARGS__)

__attribute__((format(printf, 4, 5))) static inline bool
check_that(bool holds, const char *file, int line, const char *format, ...)
{
    __builtin_va_list args;

    printf(holds ? "ok - " : "not ok - ");
    __builtin_va_start(args, format);
    vprintf(format, args);
    __builtin_va_end(args);
    if (!holds) {
        printf(" (%s:%d)", file, line);
        check_failures++;
    }
    putchar('\n');
    return holds;
}

static inline int
check_end(void)
{
    return check_failures ? 1 : 0;
}

#endif
