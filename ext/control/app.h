/* app.h: apps: the owners of everything else. */
#ifndef VIA_CONTROL_APP_H
#define VIA_CONTROL_APP_H

#include "control/store.h"

bool via_app_exists(struct via_sql *db, const char *name);

/* Register an app. The handle holds VIA_NAME_INVALID or VIA_APP_EXISTS. Returns its row id. */
int64_t via_app_put(struct via_store *s, const char *name);

/* Register it unless it is there. */
void via_app_ensure(struct via_store *s, const char *name);

/* Forget an app. VIA_APP_IN_USE when something live refers to it. */
void via_app_remove(struct via_store *s, int64_t rid);

/* Fail with VIA_APP_NOT_FOUND unless it exists. */
void via_app_get(struct via_store *s, const char *name);

#endif
