/* sqlerror.c: every result code of SQLite by name; and its translation, at this one edge. */
#include "proxy/sqlerror.h"

#include "base/error.h"
#include "base/id.h"
#include "base/log.h"

#define SQLITE_CODES(X)                                                                            \
    X(ERROR)                                                                                       \
    X(INTERNAL)                                                                                    \
    X(PERM)                                                                                        \
    X(ABORT)                                                                                       \
    X(BUSY)                                                                                        \
    X(LOCKED)                                                                                      \
    X(NOMEM) X(READONLY) X(INTERRUPT) X(IOERR) X(CORRUPT) X(NOTFOUND) X(FULL) X(CANTOPEN) X(       \
        PROTOCOL) X(EMPTY) X(SCHEMA) X(TOOBIG) X(CONSTRAINT) X(MISMATCH) X(MISUSE) X(NOLFS)        \
        X(AUTH) X(FORMAT) X(RANGE) X(NOTADB) X(NOTICE) X(WARNING) X(ROW) X(DONE) X(                \
            ERROR_MISSING_COLLSEQ) X(ERROR_RETRY) X(ERROR_SNAPSHOT) X(IOERR_READ)                  \
            X(IOERR_SHORT_READ) X(IOERR_WRITE) X(IOERR_FSYNC) X(IOERR_DIR_FSYNC) X(IOERR_TRUNCATE) \
                X(IOERR_FSTAT) X(IOERR_UNLOCK) X(IOERR_RDLOCK) X(IOERR_DELETE) X(IOERR_BLOCKED) X( \
                    IOERR_NOMEM) X(IOERR_ACCESS) X(IOERR_CHECKRESERVEDLOCK) X(IOERR_LOCK)          \
                    X(IOERR_CLOSE) X(IOERR_DIR_CLOSE) X(IOERR_SHMOPEN) X(IOERR_SHMSIZE) X(         \
                        IOERR_SHMLOCK) X(IOERR_SHMMAP) X(IOERR_SEEK) X(IOERR_DELETE_NOENT)         \
                        X(IOERR_MMAP) X(IOERR_GETTEMPPATH) X(IOERR_CONVPATH) X(IOERR_VNODE) X(     \
                            IOERR_AUTH) X(IOERR_BEGIN_ATOMIC) X(IOERR_COMMIT_ATOMIC)               \
                            X(IOERR_ROLLBACK_ATOMIC) X(IOERR_DATA) X(IOERR_CORRUPTFS) X(           \
                                LOCKED_SHAREDCACHE) X(LOCKED_VTAB) X(BUSY_RECOVERY)                \
                                X(BUSY_SNAPSHOT) X(BUSY_TIMEOUT) X(CANTOPEN_NOTEMPDIR) X(          \
                                    CANTOPEN_ISDIR) X(CANTOPEN_FULLPATH) X(CANTOPEN_CONVPATH)      \
                                    X(CANTOPEN_DIRTYWAL) X(CANTOPEN_SYMLINK) X(CORRUPT_VTAB) X(    \
                                        CORRUPT_SEQUENCE) X(CORRUPT_INDEX) X(READONLY_RECOVERY)    \
                                        X(READONLY_CANTLOCK) X(READONLY_ROLLBACK)                  \
                                            X(READONLY_DBMOVED) X(READONLY_CANTINIT) X(            \
                                                READONLY_DIRECTORY) X(ABORT_ROLLBACK)              \
                                                X(CONSTRAINT_CHECK) X(CONSTRAINT_COMMITHOOK) X(    \
                                                    CONSTRAINT_FOREIGNKEY) X(CONSTRAINT_FUNCTION)  \
                                                    X(CONSTRAINT_NOTNULL) X(CONSTRAINT_PRIMARYKEY) \
                                                        X(CONSTRAINT_TRIGGER) X(CONSTRAINT_UNIQUE) \
                                                            X(CONSTRAINT_VTAB) X(CONSTRAINT_ROWID) \
                                                                X(CONSTRAINT_PINNED)               \
                                                                    X(CONSTRAINT_DATATYPE) X(      \
                                                                        NOTICE_RECOVER_WAL)        \
                                                                        X(NOTICE_RECOVER_ROLLBACK) \
                                                                            X(WARNING_AUTOINDEX)   \
                                                                                X(AUTH_USER)

static const struct {
    int code;
    const char *name;
} codes[] = {
#define CODE_ROW(name) {SQLITE_##name, "SQLITE_" #name},
    SQLITE_CODES(CODE_ROW)
#undef CODE_ROW
};

static const char *
code_find(int code)
{
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (codes[i].code == code)
            return codes[i].name;
    return NULL;
}

const char *
via_sqlite_name(int code)
{
    const char *name = code_find(code);

    if (!name)
        name = code_find(code & 0xff);
    return name ? name : "SQLITE_ERROR";
}

/* What nobody foresaw: the client gets a number to give to the operator, the log the code. */
static enum via_status
error_unforeseen(int rc, enum via_status status, struct via_error *e)
{
    char id[VIA_ID_SIZE];

    via_id_make("op", id);
    via_log(VIA_LOG_ERROR, "%s: %s (%d) while serving a statement", id, via_sqlite_name(rc), rc);
    return via_error_set(e, status,
                         "the statement failed for a reason that is not its own; "
                         "the agent's log has it under %s",
                         id);
}

enum via_status
via_sqlite_error(sqlite3 *db, int rc, struct via_error *e, const char **name)
{
    *name = NULL;
    switch (rc & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_PROTOCOL:
    case SQLITE_SCHEMA:
        return via_error_set(e, VIA_DATABASE_BUSY, "another process holds the database; try again");
    case SQLITE_NOMEM:
        return via_error_set(e, VIA_OUT_OF_MEMORY, "the statement needs more memory than there is");
    case SQLITE_FULL:
        return via_error_set(e, VIA_STORAGE_FULL,
                             "the disk, or the room this add-on may take, is full");
    case SQLITE_INTERRUPT:
        return via_error_set(e, VIA_STATEMENT_TIMEOUT, "the statement took longer than allowed");
    case SQLITE_AUTH:
        return via_error_set(e, VIA_STATEMENT_FORBIDDEN, "this statement is not allowed");
    case SQLITE_READONLY:
        return via_error_set(e, VIA_STORAGE_READONLY, "the storage of this add-on is read-only");
    case SQLITE_CANTOPEN:
        return via_error_set(e, VIA_STORAGE_UNREADABLE,
                             "the storage of this add-on cannot be opened");
    case SQLITE_CORRUPT:
        if (rc == SQLITE_CORRUPT_VTAB) /* an index of the app's own making */
            break;
        return via_error_set(e, VIA_STORAGE_CORRUPT, "the storage of this add-on is damaged");
    case SQLITE_NOTADB:
        return via_error_set(e, VIA_STORAGE_CORRUPT, "the storage of this add-on is no database");
    case SQLITE_IOERR:
        return error_unforeseen(rc, VIA_IO_ERROR, e);
    case SQLITE_ERROR:
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_RANGE:
    case SQLITE_ABORT:
    case SQLITE_LOCKED:
    case SQLITE_TOOBIG:
        break;
    default:
        return error_unforeseen(rc, VIA_INTERNAL_ERROR, e);
    }
    *name = via_sqlite_name(rc);
    return via_error_set(e, VIA_SQL_ERROR, "%s", db ? sqlite3_errmsg(db) : sqlite3_errstr(rc));
}
