/* instance.h: instances and their leases, and the tokens issued to them.
 *
 * These live in runtime.db: nothing here needs the control database's write lock. */
#ifndef VIA_CONTROL_INSTANCE_H
#define VIA_CONTROL_INSTANCE_H

#include "control/store.h"

struct via_instance {
    int64_t rid;
    char id[VIA_ID_SIZE];
    char app[VIA_NAME_SIZE];
    char target[VIA_NAME_SIZE];
    char deploy[VIA_ID_SIZE];
    char release[VIA_ID_SIZE];
    char state[16]; /* running, expired, stopped */
    char lease_expires_at[VIA_TIME_SIZE];
    char token_path[VIA_PATH_SIZE]; /* of its workload token; "" unless a launcher said so */
    bool restart_asked;             /* of its launcher */
};

/* Who looks after an instance. */
enum via_launcher {
    VIA_LAUNCHER_IS_NONE,  /* it was registered by hand */
    VIA_LAUNCHER_IS_ALIVE, /* a `via run` that lives */
    VIA_LAUNCHER_IS_GONE   /* one that was killed, or that has stopped the instance */
};

struct via_instance_spec {
    const char *app;
    const char *target; /* NULL: the only one */
    const char *deploy; /* NULL: the newest of app and target */
    int64_t pid;        /* 0: none */
    /* NULL: by hand. A launcher says where it keeps the workload token, and holds the byte of the
     * row id in run/locks for as long as it looks after the instance. */
    const char *token_path;
};

bool via_instance_find_id(struct via_sql *db, const char *id, struct via_instance *out);
bool via_instance_find_row(struct via_sql *db, int64_t rid, struct via_instance *out);

/* Register an instance of a deploy, whose manifest must hold (VIA_MANIFEST_INVALID). The first one
 * makes the deploy the running one. Returns the row id. */
int64_t via_instance_put(struct via_store *s, const struct via_instance_spec *spec);

/* Stop it: refused from the next operation on. Stopping it again is fine. */
void via_instance_stop(struct via_store *s, int64_t rid);

/* Set the end of its lease (contract time): to exactly that, or to at least that. */
void via_instance_renew(struct via_store *s, int64_t rid, const char *lease_expires_at, bool exact);

enum via_launcher via_instance_launcher(const struct via_store *s, const struct via_instance *in);

/* Ask the launcher to register a new instance of the newest deploy and to restart its command,
 * which it does within two seconds; the new instance's token is where the old one's was, and the
 * old instance is stopped. `reason` is for people. Without a launcher the wish is only kept. */
void via_instance_ask_restart(struct via_store *s, int64_t rid, const char *reason);

/* Ask so for every running instance whose release binds the add-on. */
void via_instance_ask_restart_bound(struct via_store *s, const char *addon_id, const char *reason);

/* The running instances whose release binds the add-on, as "inst_…, inst_…"; "" when there is none,
 * and "…" at the end when there are more than fit. */
void via_instance_list_bound(struct via_sql *db, const char *addon_id, char *out, size_t size);

struct via_token_spec {
    const char *kind; /* "workload" or "generation" */
    const char *instance;
    const char *binding; /* of a generation token */
    const char *path;    /* the file to write */
    int64_t ttl_s;       /* 0: the setting */
};

/* Record a token and the intent to write it to `path`. A workload token renews the lease to its own
 * end. Returns the row id. */
int64_t via_token_put(struct via_store *s, const struct via_token_spec *spec);

/* What a token that was recorded is to say. VIA_GENERATION_REVOKED when none is active any more. */
VIA_MUST_USE enum via_status via_token_claims(struct via_store *s, const char *id,
                                              int64_t generation, struct via_claims *out,
                                              struct via_error *e);

#endif
