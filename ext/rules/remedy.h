/* remedy.h: what to type when something is refused or missing. Pure.
 *
 * The one table of such lines. Readiness, the gates, the doctor and the command line bring what
 * they know of the situation and get the line that mends it; a line can be pasted into a shell. */
#ifndef VIA_RULES_REMEDY_H
#define VIA_RULES_REMEDY_H

#include "base/buf.h"
#include "rules/lifecycle.h"
#include "via/model.h"

#define VIA_REMEDY_SIZE (4 * VIA_PATH_SIZE + VIA_MESSAGE_SIZE) /* a path in quotes, and words */

/* Texts are borrowed; NULL or "" is what is not known. */
struct via_remedy_facts {
    enum via_status why;

    /* whom it is about */
    const char *app;
    const char *target;
    bool target_said; /* the default target has to be said too */
    const char *addon;
    const char *binding;
    enum via_addon_state addon_state; /* when `addon` is known */

    /* what its content could come back from */
    const char *snapshot; /* the newest */
    const char *backup;   /* the archive of the host, when it holds the add-on */
    const char *obstacle; /* the path of what is in the place of its database, and no file */
    bool backup_sealed;
    bool is_unbound;     /* the binding is with another add-on now, or gone */
    bool is_deploy_over; /* the instance's deploy is stopped */
    bool is_unreadable;  /* not even what is whole of it can be read */

    /* what only the command line knows; the first four as a shell reads them */
    const char *line;     /* what was typed */
    const char *unopened; /* the same without its passphrase */
    const char *unplaced; /* the same without its state root */
    const char *help;     /* what explains it; NULL: nobody typed anything */
    const char *state_dir;
    const char *agent; /* the process id of the agent */
    const char *from;
    const char *file;
    const char *passphrase;
    const char *command;
    const char *rest;      /* what is to stay at the end of `line`, with a blank before it */
    bool writes_file;      /* `file` is what is written, perhaps on another disk */
    bool restores;         /* a snapshot was named */
    bool names_generation; /* so was a generation */
};

/* Append the line that mends it. What nothing else mends is explained by its `help`. */
void via_remedy_put(const struct via_remedy_facts *f, struct via_buf *b);

/* The same as text; "" when there is none, or no room for it. */
void via_remedy_text(const struct via_remedy_facts *f, char *out, size_t size);

#endif
