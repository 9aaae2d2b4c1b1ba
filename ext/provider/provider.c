/* provider.c: the list of add-on types, and progress in parts. */
#include "provider/provider.h"

#include <string.h>

static const struct via_provider *const providers[] = {
    &via_provider_sqlite,
};

const struct via_provider *
via_provider_find(const char *type)
{
    for (size_t i = 0; i < sizeof providers / sizeof providers[0]; i++)
        if (type && strcmp(providers[i]->type, type) == 0)
            return providers[i];
    return NULL;
}

bool
via_progress_tell(const struct via_progress *p, int percent)
{
    return !p || !p->tell || p->tell(p->arg, percent);
}

static bool
part_tell(void *arg, int percent)
{
    const struct via_progress_part *part = arg;

    return via_progress_tell(part->whole, part->from + (part->to - part->from) * percent / 100);
}

struct via_progress
via_progress_part(struct via_progress_part *part, const struct via_progress *whole, int from,
                  int to)
{
    *part = (struct via_progress_part){.whole = whole, .from = from, .to = to};
    return (struct via_progress){.tell = part_tell, .arg = part};
}
