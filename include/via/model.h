/* model.h: passive structs that travel between rooms.
 *
 * No functions, no ownership: every text is an array inside its struct, so that a
 * copy is an assignment and a struct on the stack needs no free. */
#ifndef VIA_MODEL_H
#define VIA_MODEL_H

#include "via/limits.h"
#include "via/status.h"

#include <stdbool.h>
#include <stdint.h>

/* What a caller is told of a failure: a row of the status table and one sentence
 * for people, without path, SQL text or secret unless the operator gave it. */
struct via_error {
    enum via_status status;
    char message[VIA_MESSAGE_SIZE];
};

enum via_mode { VIA_MODE_RO, VIA_MODE_RW };
enum via_operation_kind { VIA_OP_READ, VIA_OP_WRITE };

/* What a verified token says of its bearer. Times are Unix seconds. */
struct via_claims {
    char audience[32]; /* "via-config" or "via-addon" */
    char app[VIA_NAME_SIZE];
    char deploy[VIA_ID_SIZE];
    char release[VIA_ID_SIZE];
    char instance[VIA_ID_SIZE];
    char jti[VIA_ID_SIZE];
    char kid[VIA_ID_SIZE];
    char binding[VIA_NAME_SIZE]; /* "" in a workload token */
    int64_t generation;          /* 0 in a workload token */
    enum via_mode mode;          /* of a generation token */
    int64_t issued_s;
    int64_t not_before_s;
    int64_t expires_s;
};

/* Per add-on policy that an operation meets; from the add-on's options. */
struct via_addon_policy {
    bool foreign_keys;
    bool synchronous_full;
    bool block_reads;
    bool block_writes;
    int64_t statement_timeout_ms;             /* 0: the setting's */
    int64_t max_size_bytes;                   /* 0: unlimited */
    char block_reason[VIA_BLOCK_REASON_SIZE]; /* one line; "" when the operator gave none */
};

/* "This workload may use this binding in this mode", as the gates decided it at
 * one epoch. Fresh while the epoch page still says `epoch` and now < expires_ms. */
struct via_grant {
    struct via_claims claims;
    char binding[VIA_NAME_SIZE];
    char addon_id[VIA_ID_SIZE];
    int64_t generation;
    enum via_mode mode; /* the narrower of manifest, token and binding */
    struct via_addon_policy policy;
    uint64_t epoch;
    int64_t expires_ms; /* Unix ms: the first of token, lease, handover, generation */
};

#endif
