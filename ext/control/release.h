/* release.h: releases and deploys: what an app is allowed to run with, put on a target. */
#ifndef VIA_CONTROL_RELEASE_H
#define VIA_CONTROL_RELEASE_H

#include "control/store.h"

/* Make a release of `app` for `target` from the bindings as they stand, and sign it. `artifact` may
 * be NULL. Returns its row id and *id. */
int64_t via_release_put(struct via_store *s, const char *app, const char *target,
                        const char *artifact, char id[VIA_ID_SIZE]);

struct via_deploy_spec {
    const char *app;      /* may be NULL when `release` is given */
    const char *release;  /* NULL: make one */
    const char *target;   /* NULL: the release's, or the only one the app has been deployed to */
    const char *artifact; /* of the release to make */
    const char *reason;
};

/* Deploy. Returns the row id. VIA_RELEASE_NOT_FOUND, VIA_TARGET_REQUIRED. */
int64_t via_deploy_put(struct via_store *s, const struct via_deploy_spec *spec);

/* Stop a deploy for good: its instances are refused from the next operation on. */
void via_deploy_stop(struct via_store *s, int64_t rid);

/* The only target of an app's deploys into `target`, "" when it has none; VIA_TARGET_REQUIRED in
 * the handle when it has several. */
void via_deploy_only_target(struct via_store *s, const char *app, char target[VIA_NAME_SIZE]);

/* The target of the newest live deploy of app that uses `binding` (of `target`, "" for every one),
 * or that would if it were made anew. False: there is none. */
bool via_deploy_serving(struct via_sql *db, const char *app, const char *binding,
                        const char *target, char out[VIA_NAME_SIZE]);

/* Does app have deploys on a named target, so that one that names none may go there? */
bool via_deploy_is_elsewhere(struct via_sql *db, const char *app);

#endif
