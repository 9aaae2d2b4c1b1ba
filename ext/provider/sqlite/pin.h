/* pin.h: the content of an add-on, held at one state while writers go on.
 *
 * A pin is a read transaction. Best is one that reads the main file alone: then the whole log is
 * in that file, nobody writes it until the pin ends, and it can be copied as it lies. */
#ifndef VIA_PROVIDER_SQLITE_PIN_H
#define VIA_PROVIDER_SQLITE_PIN_H

#include "provider/provider.h"

struct via_pin {
    struct via_sql sql;
    bool is_whole;      /* the main file is the content, and stays as it is */
    int64_t size_bytes; /* of the content */
};

/* Pin the content of `addon_id`. No writer waits longer than for another commit. Close it in any
 * case. VIA_STORAGE_CORRUPT, VIA_STORAGE_UNREADABLE, VIA_ADDON_BUSY, or what the opener says. */
VIA_MUST_USE enum via_status via_pin_open(struct via_pin *p, const struct via_opener *opener,
                                          const char *addon_id, struct via_error *e);
void via_pin_close(struct via_pin *p);

/* Open the content of `addon_id`; to be closed in any case. The opener's refusals. */
VIA_MUST_USE enum via_status via_content_open(struct via_sql *sql, const struct via_opener *opener,
                                              const char *addon_id, struct via_error *e);

/* Pass on what a handle on the content of an add-on remembers, in the words of its storage. */
enum via_status via_content_outcome(struct via_sql *sql, struct via_error *e);

/* Check the content; `is_quick` leaves out whether indexes and tables agree.
 * VIA_STORAGE_CORRUPT with the first complaint. */
VIA_MUST_USE enum via_status via_content_check(struct via_sql *sql, bool is_quick,
                                               const struct via_progress *progress,
                                               struct via_error *e);

#endif
