/* nearest.c: which word was meant. */
#include "cli/args.h"

#include <string.h>

#define NEAREST_LENGTH 24

/* Levenshtein's distance, one row at a time; far for words that are long. */
static unsigned
args_distance(const char *a, const char *b)
{
    unsigned row[NEAREST_LENGTH + 1];
    size_t n = strlen(b);

    if (strlen(a) > NEAREST_LENGTH || n > NEAREST_LENGTH)
        return NEAREST_LENGTH;
    for (size_t j = 0; j <= n; j++)
        row[j] = (unsigned)j;
    for (size_t i = 0; a[i]; i++) {
        unsigned diagonal = row[0];

        row[0] = (unsigned)i + 1;
        for (size_t j = 0; j < n; j++) {
            unsigned best = diagonal + (a[i] != b[j]);

            diagonal = row[j + 1];
            if (row[j + 1] + 1 < best)
                best = row[j + 1] + 1;
            if (row[j] + 1 < best)
                best = row[j] + 1;
            row[j + 1] = best;
        }
    }
    return row[n];
}

const char *
cli_args_nearest(const char *word, const char *const *words, size_t count)
{
    const char *nearest = NULL;
    unsigned best = 1 + (unsigned)strlen(word) / 3;

    for (size_t i = 0; i < count; i++) {
        unsigned d = args_distance(word, words[i]);

        /* A beginning is near, however short: "snap" means "snapshot". */
        if (strlen(word) >= 3 && strncmp(word, words[i], strlen(word)) == 0)
            d = 1;
        if (d <= best && (d < best || !nearest)) {
            best = d;
            nearest = words[i];
        }
    }
    return nearest;
}
