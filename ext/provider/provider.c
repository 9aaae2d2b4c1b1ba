/* provider.c: the list of add-on types. */
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
