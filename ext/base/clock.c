/* clock.c: the two clocks, and contract time to text and back.
 *
 * The calendar is the proleptic Gregorian one, computed here: gmtime and timegm depend
 * on nothing but are slower, and accept 31 February. */
#include "base/clock.h"

#include <time.h>

#define DAY_MS 86400000LL
#define YEAR_0_MS (-62167219200000LL) /* 0000-01-01T00:00:00.000Z */
#define YEAR_9999_MS 253402300799999LL

static int64_t
clock_ms(clockid_t clock)
{
    struct timespec now = {0};

    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t
via_clock_now_ms(void)
{
    return clock_ms(CLOCK_REALTIME);
}

int64_t
via_clock_coarse_ms(void)
{
    return clock_ms(CLOCK_REALTIME_COARSE);
}

int64_t
via_clock_mono_ms(void)
{
    return clock_ms(CLOCK_BOOTTIME);
}

/* Days since 1970-01-01 of a civil date, with years that begin in March so that the leap
 * day comes last (H. Hinnant, "chrono-compatible low-level date algorithms"). */
static int64_t
days_from_date(int year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
           719468;
}

static void
date_from_days(int64_t days, int *year, int *month, int *day)
{
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;

    *day = (int)(doy - (153 * mp + 2) / 5 + 1);
    *month = (int)(mp < 10 ? mp + 3 : mp - 9);
    *year = (int)(yoe + era * 400 + (*month <= 2));
}

/* Write `value` as exactly `digits` decimal digits and return the place after them. */
static char *
put_digits(char *out, int value, int digits)
{
    for (int i = digits - 1; i >= 0; i--) {
        out[i] = (char)('0' + value % 10);
        value /= 10;
    }
    return out + digits;
}

void
via_clock_format(int64_t unix_ms, char out[VIA_TIME_SIZE])
{
    int year, month, day, ms;
    int64_t days;
    char *p = out;

    if (unix_ms < YEAR_0_MS)
        unix_ms = YEAR_0_MS;
    if (unix_ms > YEAR_9999_MS)
        unix_ms = YEAR_9999_MS;
    days = (unix_ms - (unix_ms < 0 ? DAY_MS - 1 : 0)) / DAY_MS;
    ms = (int)(unix_ms - days * DAY_MS);
    date_from_days(days, &year, &month, &day);

    p = put_digits(p, year, 4);
    *p++ = '-';
    p = put_digits(p, month, 2);
    *p++ = '-';
    p = put_digits(p, day, 2);
    *p++ = 'T';
    p = put_digits(p, ms / 3600000, 2);
    *p++ = ':';
    p = put_digits(p, ms / 60000 % 60, 2);
    *p++ = ':';
    p = put_digits(p, ms / 1000 % 60, 2);
    *p++ = '.';
    p = put_digits(p, ms % 1000, 3);
    *p++ = 'Z';
    *p = '\0';
}

/* Does `text` have the shape of `pattern`, where 9 stands for any digit? */
static bool
has_shape(const char *text, const char *pattern)
{
    for (; *pattern; text++, pattern++) {
        if (*pattern == '9' ? *text < '0' || *text > '9' : *text != *pattern)
            return false;
    }
    return *text == '\0';
}

static int
get_digits(const char *text, int digits)
{
    int value = 0;

    while (digits-- > 0)
        value = value * 10 + (*text++ - '0');
    return value;
}

static int
days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return month == 2 && leap ? 29 : days[month - 1];
}

bool
via_clock_parse(const char *text, int64_t *unix_ms)
{
    bool with_ms = has_shape(text, "9999-99-99T99:99:99.999Z");
    int year, month, day, hour, minute, second;

    if (!with_ms && !has_shape(text, "9999-99-99T99:99:99Z"))
        return false;
    year = get_digits(text, 4);
    month = get_digits(text + 5, 2);
    day = get_digits(text + 8, 2);
    hour = get_digits(text + 11, 2);
    minute = get_digits(text + 14, 2);
    second = get_digits(text + 17, 2);
    if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month))
        return false;
    if (hour > 23 || minute > 59 || second > 59)
        return false;
    *unix_ms = days_from_date(year, month, day) * DAY_MS + hour * 3600000LL + minute * 60000LL +
               second * 1000LL + (with_ms ? get_digits(text + 20, 3) : 0);
    return true;
}
