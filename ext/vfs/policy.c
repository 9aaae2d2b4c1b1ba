#include "vfs/policy.h"

#include "base/error.h"
#include "base/id.h"
#include "rules/names.h"

#include <string.h>

/* Every parameter that may be there, and the values it may have (NULL: any). What is not
 * listed steps round the check or is none of an app's business: immutable and nolock take
 * no locks, cache shares one pager between grants, modeof and psow shape a file. */
static const struct {
    const char *key;
    const char *values[2];
} allowed[] = {
    {"vfs", {"via", NULL}},  {"token_file", {NULL, NULL}}, {"operator", {"1", NULL}},
    {"locked", {"1", NULL}}, {"mode", {"ro", "rw"}},
};
#define ALLOWED (sizeof allowed / sizeof allowed[0])
enum { PARAM_VFS, PARAM_TOKEN_FILE, PARAM_OPERATOR, PARAM_LOCKED, PARAM_MODE };

static bool
param_is_value(size_t i, const char *value)
{
    if (!allowed[i].values[0])
        return *value != '\0';
    for (size_t v = 0; v < 2; v++)
        if (allowed[i].values[v] && strcmp(allowed[i].values[v], value) == 0)
            return true;
    return false;
}

enum via_status
via_policy_read_params(const struct via_vfs_param *params, size_t n, struct via_vfs_request *out,
                       struct via_error *e)
{
    const char *seen[ALLOWED] = {0};
    int doors;

    for (size_t p = 0; p < n; p++) {
        size_t i = 0;

        while (i < ALLOWED && strcmp(allowed[i].key, params[p].key) != 0)
            i++;
        if (i == ALLOWED || seen[i] || !param_is_value(i, params[p].value))
            return via_error_set(e, VIA_BAD_REQUEST,
                                 "the URI parameter %.40s is not allowed, or not so",
                                 params[p].key);
        seen[i] = params[p].value;
    }
    doors = !!seen[PARAM_TOKEN_FILE] + !!seen[PARAM_OPERATOR] + !!seen[PARAM_LOCKED];
    if (doors == 0)
        return via_error_set(e, VIA_TOKEN_MISSING, "the URI names no token_file");
    if (doors > 1)
        return via_error_set(e, VIA_BAD_REQUEST,
                             "the URI has more than one of token_file, operator and locked");
    out->token_file = seen[PARAM_TOKEN_FILE];
    out->door = seen[PARAM_TOKEN_FILE] ? VIA_VFS_WORKLOAD
                : seen[PARAM_OPERATOR] ? VIA_VFS_OPERATOR
                                       : VIA_VFS_LOCKED;
    return VIA_OK;
}

enum via_status
via_policy_check_name(enum via_vfs_door door, const char *name, struct via_error *e)
{
    if (door == VIA_VFS_WORKLOAD)
        return via_name_is_binding(name)
                   ? VIA_OK
                   : via_error_set(e, VIA_NAME_INVALID,
                                   "the guarded VFS opens a binding's name, never a path");
    return via_id_is("addon", name)
               ? VIA_OK
               : via_error_set(e, VIA_NAME_INVALID,
                               "the guarded VFS opens an add-on's id, never a path");
}

int
via_policy_open_flags(int flags, bool is_readonly)
{
    flags &=
        ~(SQLITE_OPEN_CREATE | SQLITE_OPEN_EXCLUSIVE | SQLITE_OPEN_DELETEONCLOSE | SQLITE_OPEN_URI);
    if (is_readonly)
        flags = (flags & ~SQLITE_OPEN_READWRITE) | SQLITE_OPEN_READONLY;
    return flags | SQLITE_OPEN_NOFOLLOW;
}

bool
via_policy_is_wal(const unsigned char header[100])
{
    static const char magic[] = "SQLite format 3";

    return memcmp(header, magic, sizeof magic) == 0 && header[18] == 2 && header[19] == 2;
}

/* The first SHARED lock is checked for the sake of a file that was taken out of WAL mode
 * after it was opened: there no read mark is ever taken. RESERVED belongs to rollback mode.
 * EXCLUSIVE is needed to fold in the log at the last close, with shared memory attached
 * and no mark held; anywhere else it is locking_mode=EXCLUSIVE, which would keep its
 * locks from one transaction to the next and so never be checked again. */
enum via_vfs_verdict
via_policy_lock(const struct via_vfs_locks *l, int level)
{
    if (level <= SQLITE_LOCK_SHARED)
        return l->level < level ? VIA_VFS_CHECK_READ : VIA_VFS_PASS;
    if (level < SQLITE_LOCK_EXCLUSIVE)
        return VIA_VFS_REFUSE;
    return l->is_mapped && !l->marks ? VIA_VFS_PASS : VIA_VFS_REFUSE;
}

/* Under EXCLUSIVE the log has been folded in and is being left: journal_mode=MEMORY, say. Nothing
 * is mapped, opened, read or written in that state, whoever holds the grant. */
static bool
locks_are_leaving(const struct via_vfs_locks *l)
{
    return l->level == SQLITE_LOCK_EXCLUSIVE && !l->is_mapped;
}

enum via_vfs_verdict
via_policy_shm_map(const struct via_vfs_locks *l)
{
    return locks_are_leaving(l) ? VIA_VFS_REFUSE : VIA_VFS_PASS;
}

enum via_vfs_verdict
via_policy_read(const struct via_vfs_locks *l)
{
    return locks_are_leaving(l) ? VIA_VFS_REFUSE : VIA_VFS_PASS;
}

/* Only a checkpoint writes the main file, and it has shared memory attached. */
enum via_vfs_verdict
via_policy_write(const struct via_vfs_locks *l)
{
    return l->is_mapped ? VIA_VFS_PASS : VIA_VFS_REFUSE;
}

/* Opened under EXCLUSIVE, a log would keep its index in private memory and take no locks. */
enum via_vfs_verdict
via_policy_open_log(const struct via_vfs_locks *l)
{
    return l->level == SQLITE_LOCK_EXCLUSIVE ? VIA_VFS_REFUSE : VIA_VFS_PASS;
}

int
via_policy_mark(const struct via_vfs_locks *l)
{
    for (int lock = VIA_VFS_FIRST_MARK; lock < SQLITE_SHM_NLOCK; lock++)
        if (l->marks & 1u << lock)
            return lock - VIA_VFS_FIRST_MARK;
    return -1;
}

bool
via_policy_is_busy(const struct via_vfs_locks *l)
{
    return l->marks || l->is_writer;
}
