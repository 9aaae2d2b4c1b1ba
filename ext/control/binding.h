/* binding.h: bindings: the names under which an app finds its add-ons. */
#ifndef VIA_CONTROL_BINDING_H
#define VIA_CONTROL_BINDING_H

#include "control/store.h"

struct via_binding_spec {
    const char *app;
    const char *binding;
    const char *target; /* NULL: "" */
    const char *addon;  /* name or id */
    const char *mode;   /* "rw", "ro"; NULL: rw */
};

/* Bind. A taken name bound to the same add-on in the same mode is a no-op. Returns the row id. */
int64_t via_binding_put(struct via_store *s, const struct via_binding_spec *spec);

/* Change the mode of a binding, for future releases. */
void via_binding_set_mode(struct via_store *s, int64_t rid, const char *mode);

/* Unbind. Running releases keep what their manifest says. */
void via_binding_remove(struct via_store *s, int64_t rid);

/* Take every name of an add-on away, by the operation that ends it. */
void via_binding_remove_all(struct via_store *s, const char *addon_id, const char *operation_id);

#endif
