/* setting.h: the host's settings: what may be set, its default, unit and meaning. */
#ifndef VIA_CONTROL_SETTING_H
#define VIA_CONTROL_SETTING_H

#include "control/store.h"

#define VIA_SETTING_SIZE 1024

struct via_setting {
    const char *name;
    const char *value; /* the default */
    const char *unit;
    const char *help;
    int64_t min, max; /* of a number; 0, 0 for text */
};

extern const struct via_setting via_settings[];
extern const size_t via_settings_count;

/* The setting called `name`, or NULL. */
const struct via_setting *via_setting_find(const char *name);

/* Its value now: the row, else the default. 0 or "" for an unknown name or a failed handle. */
int64_t via_setting_int(struct via_sql *db, const char *name);
void via_setting_text(struct via_sql *db, const char *name, char *out, size_t size);

/* Set it (NULL: back to its default); what it is already is left alone. The handle holds
 * VIA_VALUE_INVALID or VIA_SETTING_UNKNOWN. */
void via_setting_put(struct via_store *s, const char *name, const char *value);

#endif
