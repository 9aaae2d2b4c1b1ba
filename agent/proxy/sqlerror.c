/* sqlerror.c: every result code of SQLite by name; and its translation, at this one edge. */
#include "proxy/sqlerror.h"

#include "base/error.h"
#include "base/id.h"
#include "base/log.h"

#define NAMED(name)                                                                                \
    {                                                                                              \
        SQLITE_##name, "SQLITE_" #name                                                             \
    }

static const struct {
    int code;
    const char *name;
} codes[] = {
    NAMED(ERROR),
    NAMED(INTERNAL),
    NAMED(PERM),
    NAMED(ABORT),
    NAMED(BUSY),
    NAMED(LOCKED),
    NAMED(NOMEM),
    NAMED(READONLY),
    NAMED(INTERRUPT),
    NAMED(IOERR),
    NAMED(CORRUPT),
    NAMED(NOTFOUND),
    NAMED(FULL),
    NAMED(CANTOPEN),
    NAMED(PROTOCOL),
    NAMED(EMPTY),
    NAMED(SCHEMA),
    NAMED(TOOBIG),
    NAMED(CONSTRAINT),
    NAMED(MISMATCH),
    NAMED(MISUSE),
    NAMED(NOLFS),
    NAMED(AUTH),
    NAMED(FORMAT),
    NAMED(RANGE),
    NAMED(NOTADB),
    NAMED(NOTICE),
    NAMED(WARNING),
    NAMED(ROW),
    NAMED(DONE),
    NAMED(ERROR_MISSING_COLLSEQ),
    NAMED(ERROR_RETRY),
    NAMED(ERROR_SNAPSHOT),
    NAMED(IOERR_READ),
    NAMED(IOERR_SHORT_READ),
    NAMED(IOERR_WRITE),
    NAMED(IOERR_FSYNC),
    NAMED(IOERR_DIR_FSYNC),
    NAMED(IOERR_TRUNCATE),
    NAMED(IOERR_FSTAT),
    NAMED(IOERR_UNLOCK),
    NAMED(IOERR_RDLOCK),
    NAMED(IOERR_DELETE),
    NAMED(IOERR_BLOCKED),
    NAMED(IOERR_NOMEM),
    NAMED(IOERR_ACCESS),
    NAMED(IOERR_CHECKRESERVEDLOCK),
    NAMED(IOERR_LOCK),
    NAMED(IOERR_CLOSE),
    NAMED(IOERR_DIR_CLOSE),
    NAMED(IOERR_SHMOPEN),
    NAMED(IOERR_SHMSIZE),
    NAMED(IOERR_SHMLOCK),
    NAMED(IOERR_SHMMAP),
    NAMED(IOERR_SEEK),
    NAMED(IOERR_DELETE_NOENT),
    NAMED(IOERR_MMAP),
    NAMED(IOERR_GETTEMPPATH),
    NAMED(IOERR_CONVPATH),
    NAMED(IOERR_VNODE),
    NAMED(IOERR_AUTH),
    NAMED(IOERR_BEGIN_ATOMIC),
    NAMED(IOERR_COMMIT_ATOMIC),
    NAMED(IOERR_ROLLBACK_ATOMIC),
    NAMED(IOERR_DATA),
    NAMED(IOERR_CORRUPTFS),
    NAMED(LOCKED_SHAREDCACHE),
    NAMED(LOCKED_VTAB),
    NAMED(BUSY_RECOVERY),
    NAMED(BUSY_SNAPSHOT),
    NAMED(BUSY_TIMEOUT),
    NAMED(CANTOPEN_NOTEMPDIR),
    NAMED(CANTOPEN_ISDIR),
    NAMED(CANTOPEN_FULLPATH),
    NAMED(CANTOPEN_CONVPATH),
    NAMED(CANTOPEN_DIRTYWAL),
    NAMED(CANTOPEN_SYMLINK),
    NAMED(CORRUPT_VTAB),
    NAMED(CORRUPT_SEQUENCE),
    NAMED(CORRUPT_INDEX),
    NAMED(READONLY_RECOVERY),
    NAMED(READONLY_CANTLOCK),
    NAMED(READONLY_ROLLBACK),
    NAMED(READONLY_DBMOVED),
    NAMED(READONLY_CANTINIT),
    NAMED(READONLY_DIRECTORY),
    NAMED(ABORT_ROLLBACK),
    NAMED(CONSTRAINT_CHECK),
    NAMED(CONSTRAINT_COMMITHOOK),
    NAMED(CONSTRAINT_FOREIGNKEY),
    NAMED(CONSTRAINT_FUNCTION),
    NAMED(CONSTRAINT_NOTNULL),
    NAMED(CONSTRAINT_PRIMARYKEY),
    NAMED(CONSTRAINT_TRIGGER),
    NAMED(CONSTRAINT_UNIQUE),
    NAMED(CONSTRAINT_VTAB),
    NAMED(CONSTRAINT_ROWID),
    NAMED(CONSTRAINT_PINNED),
    NAMED(CONSTRAINT_DATATYPE),
    NAMED(NOTICE_RECOVER_WAL),
    NAMED(NOTICE_RECOVER_ROLLBACK),
    NAMED(WARNING_AUTOINDEX),
    NAMED(AUTH_USER),
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
