/* manifest.h: the signed text of a release: written, verified, and asked about a binding. */
#ifndef VIA_CONTROL_MANIFEST_H
#define VIA_CONTROL_MANIFEST_H

#include "base/buf.h"
#include "identity/keys.h"
#include "sql/sql.h"

struct via_manifest_entry {
    char binding[VIA_NAME_SIZE];
    char target[VIA_NAME_SIZE]; /* the binding's own: the release's, or "" */
    char addon_id[VIA_ID_SIZE];
    char type[32];
    char mode[4];
    int64_t generation;
};

struct via_manifest_head {
    const char *id;
    const char *app;
    const char *target;
    const char *artifact; /* may be NULL */
    const char *created_at;
    int64_t version;
};

/* Write the manifest: JSON with sorted keys and no white space, the same bytes for the same facts.
 */
void via_manifest_write(struct via_buf *out, const struct via_manifest_head *head,
                        const struct via_manifest_entry *entries, size_t count);

/* Does the stored manifest of `release` hold: signature, id and app? The sentence is for people. */
VIA_MUST_USE bool via_manifest_verify(struct via_sql *db, struct via_keyring *keys,
                                      const char *release, const char *app, struct via_buf *text);

/* All of a verified manifest's bindings, and its target. The caller frees `entries`. False: no
 * memory. */
struct via_manifest_list {
    char target[VIA_NAME_SIZE];
    struct via_manifest_entry *entries;
    size_t count;
};
VIA_MUST_USE bool via_manifest_list(const char *text, size_t n, struct via_manifest_list *out);

/* Look `binding` up in a verified manifest. */
VIA_MUST_USE bool via_manifest_find(const char *text, size_t n, const char *binding,
                                    struct via_manifest_entry *out);

#endif
