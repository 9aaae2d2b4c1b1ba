/* provider.h: what an add-on type implements.
 *
 * A provider owns the storage of its add-ons and is the only one to know where it is.
 * Every step is idempotent: after a crash it is called again and finishes or finds
 * its work done. Nothing here decides whether something may be done. */
#ifndef VIA_PROVIDER_PROVIDER_H
#define VIA_PROVIDER_PROVIDER_H

#include "base/root.h"
#include "via/ext.h"

/* What is there, told without opening the database. */
struct via_storage_facts {
    bool present;  /* there is a database file with bytes in it */
    bool readable; /* by this process */
    bool writable;
    bool leftovers; /* files of an unfinished provisioning */
    int64_t size_bytes;
    int64_t wal_bytes;
};

/* Called now and then during long work with 0..100; false asks to stop. */
struct via_progress {
    bool (*tell)(void *arg, int percent);
    void *arg;
};

struct via_provider {
    const char *type; /* "sqlite" */

    /* Check that `source` can be imported, changing nothing: VIA_SOURCE_* says what is wrong. */
    enum via_status (*check_source)(const char *source, struct via_error *e);

    /* Make the storage of `addon_id`, empty or as a copy of `source` (NULL: empty). Storage
     * that is there already and whole is kept: VIA_OK. On failure nothing is left behind. */
    enum via_status (*provision)(const struct via_root *root, const char *addon_id,
                                 const char *source, const struct via_progress *progress,
                                 struct via_error *e);

    /* Tell what is there. Never fails: what cannot be seen is absent. */
    void (*probe)(const struct via_root *root, const char *addon_id, struct via_storage_facts *out);

    /* Remove the storage and its snapshots for good. A missing one is fine. */
    enum via_status (*destroy)(const struct via_root *root, const char *addon_id,
                               struct via_error *e);

    /* The path of the data file, for the guarded VFS alone. False when it does not fit. */
    bool (*locate)(const struct via_root *root, const char *addon_id, char out[VIA_PATH_SIZE]);
};

/* The provider of `type`, or NULL. */
const struct via_provider *via_provider_find(const char *type);

extern const struct via_provider via_provider_sqlite;

#endif
