/* clock.h: the time, and how Via writes it.
 *
 * Contract times are UTC text, YYYY-MM-DDTHH:MM:SS.mmmZ, which sorts as time does. */
#ifndef VIA_BASE_CLOCK_H
#define VIA_BASE_CLOCK_H

#include "via/limits.h"
#include "via/status.h"

#include <stdbool.h>
#include <stdint.h>

/* Unix milliseconds by the wall clock. */
int64_t via_clock_now_ms(void);

/* The same, up to a tick (4 ms) late and at a fifth of the price: for checks made all the time. */
int64_t via_clock_coarse_ms(void);

/* Milliseconds by a clock that never jumps and goes on in sleep (CLOCK_BOOTTIME). */
int64_t via_clock_mono_ms(void);

/* Write `unix_ms` as contract time into `out`. Years 0000 to 9999. */
void via_clock_format(int64_t unix_ms, char out[VIA_TIME_SIZE]);

/* Read contract time; the milliseconds may be absent. False when it is not exactly that. */
VIA_MUST_USE bool via_clock_parse(const char *text, int64_t *unix_ms);

#endif
