/* names.h: which names are allowed, which collide, and how a dead one is buried. Pure. */
#ifndef VIA_RULES_NAMES_H
#define VIA_RULES_NAMES_H

#include "via/model.h"

/* An app's or add-on's name: [A-Za-z0-9][A-Za-z0-9._-]{0,62}. */
bool via_name_is_plain(const char *text);

/* A target: "" or a plain name. */
bool via_name_is_target(const char *text);

/* A binding's or env value's name: [A-Z][A-Z0-9_]{0,62}. */
bool via_name_is_binding(const char *text);

/* Would one environment be asked to hold both? A binding X stands for X, X_URL and
 * X_AUTH_TOKEN. Equal names do not collide here: they are the same name. */
bool via_name_collides(const char *a, const char *b);

/* NAME#why#ADDON_ID: the name of a row whose name is free again. `why` is "destroyed" or "failed".
 */
void via_name_bury(const char *name, const char *why, const char *addon_id,
                   char out[VIA_ADDON_ROW_NAME_SIZE]);

#endif
