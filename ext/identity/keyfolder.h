/* keyfolder.h: the folder keys/ as a whole: copied out, put back. */
#ifndef VIA_IDENTITY_KEYFOLDER_H
#define VIA_IDENTITY_KEYFOLDER_H

#include "identity/keys.h"

#define VIA_KEY_FILE_MAX 4096 /* bytes of a key file */

typedef enum via_status (*via_keyfolder_fn)(void *arg, const char *kid, const char *text, size_t n,
                                            struct via_error *e);

/* Call `fn` with each key file, in the order of their names; the text is wiped after. Anything but
 * VIA_OK stops. VIA_KEY_UNAVAILABLE. */
VIA_MUST_USE enum via_status via_keyfolder_each(const struct via_root *root, via_keyfolder_fn fn,
                                                void *arg, struct via_error *e);

/* Write keys/<kid>.jwk anew. `kid` may come from anywhere: VIA_BACKUP_INVALID unless it is one. */
VIA_MUST_USE enum via_status via_keyfolder_put(const struct via_root *root, const char *kid,
                                               const char *text, size_t n, struct via_error *e);

#endif
