/* sqlrequest.h: the JSON that an SQL operation is asked with. */
#ifndef VIA_API_SQLREQUEST_H
#define VIA_API_SQLREQUEST_H

#include "base/json.h"

struct via_sqlrequest {
    via_json *doc;               /* owns what the rest borrows; freed by the caller */
    char binding[VIA_NAME_SIZE]; /* "" when absent */
    int64_t generation;          /* 0 when absent */
    const char *sql;
    size_t sql_len;
    const via_json *params; /* NULL when absent */
};

/* Read `n` bytes of body. VIA_BAD_REQUEST, or VIA_TRANSACTION_UNKNOWN when one is named. */
VIA_MUST_USE enum via_status via_sqlrequest_read(struct via_sqlrequest *q, const char *body,
                                                 size_t n, int max_depth, struct via_error *e);

#endif
