#include "control/chain_walk.h"

#include "control/audit.h"

#include <string.h>

void
via_walk_begin(struct via_walk *w, enum via_audit_stream stream, const struct via_mark *anchor)
{
    *w = (struct via_walk){.stream = stream, .seq = anchor->seq};
    memcpy(w->hash, anchor->hash, sizeof w->hash);
    via_buf_init(&w->text);
}

/* The text of a column as it was hashed. False: it holds what Via never writes there. */
static bool
walk_text(sqlite3_stmt *q, int i, const char **out)
{
    int type = sqlite3_column_type(q, i);

    *out = NULL;
    if (type == SQLITE_NULL)
        return true;
    if (type != SQLITE_TEXT)
        return false;
    *out = (const char *)sqlite3_column_text(q, i);
    return *out && strlen(*out) == (size_t)sqlite3_column_bytes(q, i);
}

bool
via_walk_step(struct via_walk *w, sqlite3_stmt *q)
{
    struct via_record r = {.count = sqlite3_column_int64(q, 13)};
    const char *previous;
    const char *hash;
    const char **const fields[] = {&r.at,     &r.actor,        &r.action,   &r.outcome,
                                   &r.app,    &r.deploy,       &r.instance, &r.binding,
                                   &r.reason, &r.operation_id, &previous,   &hash};
    char right[VIA_HASH_SIZE];
    bool plain = sqlite3_column_type(q, 13) == SQLITE_INTEGER;

    for (int i = 0; i < (int)(sizeof fields / sizeof *fields); i++)
        plain = walk_text(q, i + 1, fields[i]) && plain;
    if (!plain || sqlite3_column_int64(q, 0) != w->seq + 1 || !previous || !hash ||
        strcmp(previous, w->hash) != 0 ||
        !via_audit_hash(&r, w->seq + 1, w->hash, &w->text, right) || strcmp(hash, right) != 0)
        return false;
    w->seq++;
    memcpy(w->hash, right, sizeof w->hash);
    return true;
}
