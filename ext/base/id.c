/* id.c: identifiers that sort by time, and randomness from the kernel.
 *
 * Owns the last id made in this process, so that the next one of the same millisecond
 * is one more, and ids keep their order when the wall clock steps back. */
#include "base/id.h"

#include "base/clock.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define ID_DIGITS 26
#define ID_BYTES 16 /* 6 of time, 10 of chance, big-endian */

static const char id_alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

static pthread_mutex_t id_mutex = PTHREAD_MUTEX_INITIALIZER;
static uint8_t id_last[ID_BYTES];
static pid_t id_pid; /* whose id_last it is: a forked child must not count on from its parent's */

void
via_random_fill(void *out, size_t n)
{
    uint8_t *at = out;

    while (n > 0) {
        ssize_t got = getrandom(at, n, 0);

        if (got < 0 && errno == EINTR)
            continue;
        /* Without the kernel's randomness no key, token or id may be made at all. */
        if (got <= 0)
            abort();
        at += got;
        n -= (size_t)got;
    }
}

static int64_t
id_time(const uint8_t id[ID_BYTES])
{
    int64_t ms = 0;

    for (int i = 0; i < 6; i++)
        ms = ms << 8 | id[i];
    return ms;
}

/* Add one to the whole number; a carry out of the chance part moves the time on by 1 ms. */
static void
id_count_up(uint8_t id[ID_BYTES])
{
    for (int i = ID_BYTES - 1; i >= 0 && ++id[i] == 0; i--)
        ;
}

static void
id_next(uint8_t out[ID_BYTES])
{
    int64_t now = via_clock_now_ms();

    pthread_mutex_lock(&id_mutex);
    if (id_pid == getpid() && now <= id_time(id_last)) {
        id_count_up(id_last);
    } else {
        for (int i = 0; i < 6; i++)
            id_last[i] = (uint8_t)(now >> (40 - 8 * i));
        via_random_fill(id_last + 6, ID_BYTES - 6);
        id_pid = getpid();
    }
    memcpy(out, id_last, ID_BYTES);
    pthread_mutex_unlock(&id_mutex);
}

void
via_id_make(const char *prefix, char out[VIA_ID_SIZE])
{
    uint8_t id[ID_BYTES];
    size_t n = strlen(prefix);

    assert(n <= 8);
    id_next(id);
    memcpy(out, prefix, n);
    out[n++] = '_';
    /* 26 digits hold 130 bits: the number is right-aligned, its first digit at most 7. */
    for (int i = 0; i < ID_DIGITS; i++) {
        int low = (ID_DIGITS - 1 - i) * 5; /* lowest bit of this digit */
        int byte = ID_BYTES - 1 - low / 8;
        unsigned pair = id[byte] | (byte > 0 ? (unsigned)id[byte - 1] << 8 : 0);

        out[n++] = id_alphabet[pair >> (low % 8) & 31];
    }
    out[n] = '\0';
}

void
via_id_pass(const char *id)
{
    const char *digits = strchr(id, '_');
    uint8_t passed[ID_BYTES] = {0};

    if (!digits || strlen(digits + 1) != ID_DIGITS)
        return;
    for (int i = 0; i < ID_DIGITS; i++) {
        const char *at = strchr(id_alphabet, digits[1 + i]);
        unsigned carry = at ? (unsigned)(at - id_alphabet) : 0;

        for (int byte = ID_BYTES - 1; byte >= 0; byte--) { /* times 32, plus the digit */
            carry += (unsigned)passed[byte] << 5;
            passed[byte] = (uint8_t)carry;
            carry >>= 8;
        }
    }
    pthread_mutex_lock(&id_mutex);
    if (id_pid != getpid() || memcmp(id_last, passed, ID_BYTES) < 0) {
        memcpy(id_last, passed, ID_BYTES);
        id_pid = getpid();
    }
    pthread_mutex_unlock(&id_mutex);
}

bool
via_id_is(const char *prefix, const char *text)
{
    size_t n = strlen(prefix);

    if (strncmp(text, prefix, n) != 0 || text[n] != '_')
        return false;
    text += n + 1;
    if (strlen(text) != ID_DIGITS || text[0] > '7')
        return false;
    return strspn(text, id_alphabet) == ID_DIGITS;
}
