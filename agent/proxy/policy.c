/* policy.c: the allow-list. One line of the contract, one row of a table or one case. */
#include "proxy/policy.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* What a pragma may do here. */
enum pragma_rule {
    PRAGMA_READ,   /* without a value only */
    PRAGMA_ASK,    /* a value is a question: a table, an index, a number of rows */
    PRAGMA_LABOUR, /* as above, and one step of it reads the whole database */
    PRAGMA_STORE,  /* a value is written into the database */
    PRAGMA_TUNE,   /* a value changes the connection, which is set right afterwards */
    PRAGMA_WRITE   /* writes with or without a value */
};

static const struct {
    const char *name;
    enum pragma_rule rule;
} pragmas[] = {
    {"table_info", PRAGMA_ASK},          {"table_xinfo", PRAGMA_ASK},
    {"table_list", PRAGMA_ASK},          {"index_list", PRAGMA_ASK},
    {"index_info", PRAGMA_ASK},          {"index_xinfo", PRAGMA_ASK},
    {"foreign_key_list", PRAGMA_ASK},    {"foreign_key_check", PRAGMA_ASK},
    {"integrity_check", PRAGMA_LABOUR},  {"quick_check", PRAGMA_LABOUR},
    {"user_version", PRAGMA_STORE},      {"application_id", PRAGMA_STORE},
    {"foreign_keys", PRAGMA_TUNE},       {"defer_foreign_keys", PRAGMA_TUNE},
    {"recursive_triggers", PRAGMA_TUNE}, {"optimize", PRAGMA_WRITE},
    {"auto_vacuum", PRAGMA_READ},        {"cache_size", PRAGMA_READ},
    {"collation_list", PRAGMA_READ},     {"compile_options", PRAGMA_READ},
    {"data_version", PRAGMA_READ},       {"database_list", PRAGMA_READ},
    {"encoding", PRAGMA_READ},           {"freelist_count", PRAGMA_READ},
    {"function_list", PRAGMA_READ},      {"journal_mode", PRAGMA_READ},
    {"max_page_count", PRAGMA_READ},     {"module_list", PRAGMA_READ},
    {"page_count", PRAGMA_READ},         {"page_size", PRAGMA_READ},
    {"pragma_list", PRAGMA_READ},        {"query_only", PRAGMA_READ},
    {"schema_version", PRAGMA_READ},     {"synchronous", PRAGMA_READ},
    {"temp_store", PRAGMA_READ},
};

static int
policy_refuse(struct via_policy *p, enum via_status status, const char *sentence)
{
    via_error_set(&p->error, status, "%s", sentence);
    return SQLITE_DENY;
}

static int
policy_pragma(struct via_policy *p, const char *name, const char *value)
{
    for (size_t i = 0; i < sizeof pragmas / sizeof pragmas[0]; i++) {
        enum pragma_rule rule = pragmas[i].rule;

        if (strcasecmp(name, pragmas[i].name) != 0)
            continue;
        p->heavy = p->heavy || rule == PRAGMA_LABOUR;
        if (rule == PRAGMA_ASK || rule == PRAGMA_LABOUR || (!value && rule != PRAGMA_WRITE)) {
            p->pragma_read = true;
            return SQLITE_OK;
        }
        if (rule == PRAGMA_READ)
            return policy_refuse(p, VIA_STATEMENT_FORBIDDEN, "this pragma may only be read");
        if (!p->writer)
            return policy_refuse(p, VIA_QUERY_NOT_READONLY, "a query may not set a pragma");
        p->schema = true;
        p->pragma_set = p->pragma_set || rule == PRAGMA_TUNE;
        return SQLITE_OK;
    }
    return policy_refuse(p, VIA_STATEMENT_FORBIDDEN, "this pragma is not allowed");
}

static bool
is_reserved(const char *name)
{
    return name && strncasecmp(name, "via_", 4) == 0;
}

/* Functions of which one call is over in a moment, as long as no value is long; sorted. */
static const char *const cheap[] = {
    "->",
    "->>",
    "abs",
    "avg",
    "changes",
    "char",
    "coalesce",
    "cume_dist",
    "current_date",
    "current_time",
    "current_timestamp",
    "date",
    "datetime",
    "dense_rank",
    "first_value",
    "format",
    "glob",
    "group_concat",
    "hex",
    "ifnull",
    "iif",
    "instr",
    "json",
    "json_array",
    "json_array_length",
    "json_extract",
    "json_group_array",
    "json_group_object",
    "json_object",
    "json_quote",
    "json_type",
    "json_valid",
    "julianday",
    "lag",
    "last_insert_rowid",
    "last_value",
    "lead",
    "length",
    "like",
    "likelihood",
    "likely",
    "lower",
    "ltrim",
    "max",
    "min",
    "nth_value",
    "ntile",
    "nullif",
    "percent_rank",
    "printf",
    "quote",
    "random",
    "rank",
    "replace",
    "round",
    "row_number",
    "rtrim",
    "sign",
    "sqlite_version",
    "strftime",
    "substr",
    "substring",
    "sum",
    "time",
    "total",
    "total_changes",
    "trim",
    "typeof",
    "unicode",
    "unixepoch",
    "unlikely",
    "upper",
};

static int
compare_name(const void *key, const void *entry)
{
    return strcasecmp(key, *(const char *const *)entry);
}

static bool
is_cheap(const char *name)
{
    return bsearch(name, cheap, sizeof cheap / sizeof cheap[0], sizeof cheap[0], compare_name);
}

static int
policy_function(struct via_policy *p, const char *name)
{
    if (name && strcasecmp(name, "count") == 0)
        p->counts = true;
    else if (!name || !is_cheap(name))
        p->heavy = true;
    if (is_reserved(name) || (name && strcasecmp(name, "load_extension") == 0) ||
        (name && strcasecmp(name, "fts3_tokenizer") == 0))
        return policy_refuse(p, VIA_STATEMENT_FORBIDDEN, "this function is not allowed");
    return SQLITE_OK;
}

/* INSERT, UPDATE, DELETE. Whether a query may is asked of the finished statement, for
 * virtual tables prepare writes of their own while they are merely read. */
static int
policy_change(struct via_policy *p, int action, const char *table, const char *schema)
{
    bool is_temp = schema && strcasecmp(schema, "temp") == 0;

    if (is_reserved(table))
        return policy_refuse(p, VIA_STATEMENT_FORBIDDEN, "names that begin with via_ are Via's");
    /* A trigger temp.x on a table of main shows by its row in the schema alone; ALTER TABLE goes
     * over those rows whenever it renames something. */
    if (is_temp && (action == SQLITE_INSERT || strncasecmp(table, "sqlite_", 7) != 0))
        return policy_refuse(p, VIA_STATEMENT_FORBIDDEN, "temporary objects are not allowed");
    return SQLITE_OK;
}

/* CREATE, DROP, ALTER and their kind; `name` is the object, `other` its table or module. A name
 * qualified with temp. comes with the plain action. */
static int
policy_schema(struct via_policy *p, const char *name, const char *other, const char *schema)
{
    if (schema && strcasecmp(schema, "temp") == 0)
        return policy_refuse(p, VIA_STATEMENT_FORBIDDEN, "temporary objects are not allowed");
    if (is_reserved(name) || is_reserved(other))
        return policy_refuse(p, VIA_STATEMENT_FORBIDDEN, "names that begin with via_ are Via's");
    p->schema = true;
    return SQLITE_OK;
}

static int
policy_authorize(void *arg, int action, const char *a, const char *b, const char *schema,
                 const char *trigger)
{
    struct via_policy *p = arg;

    (void)trigger;
    if (p->trusted)
        return SQLITE_OK;
    if (p->vacuum) /* its inner statements; the file it goes through is a nameless temporary */
        return action == SQLITE_ATTACH && (!a || a[0])
                   ? policy_refuse(p, VIA_STATEMENT_FORBIDDEN, "VACUUM INTO is not allowed")
                   : SQLITE_OK;
    switch (action) {
    case SQLITE_SELECT:
    case SQLITE_RECURSIVE:
        return SQLITE_OK;
    case SQLITE_READ:
        if (is_reserved(a) || (a && strcasecmp(a, "sqlite_dbpage") == 0))
            return policy_refuse(p, VIA_STATEMENT_FORBIDDEN, "this table is not allowed");
        p->heavy = p->heavy || (a && strcasecmp(a, "dbstat") == 0);
        return SQLITE_OK;
    case SQLITE_FUNCTION:
        return policy_function(p, b);
    case SQLITE_PRAGMA:
        return policy_pragma(p, a, b);
    case SQLITE_INSERT:
    case SQLITE_UPDATE:
    case SQLITE_DELETE:
        return policy_change(p, action, a, schema);
    case SQLITE_CREATE_INDEX:
    case SQLITE_CREATE_TABLE:
    case SQLITE_CREATE_TRIGGER:
    case SQLITE_CREATE_VIEW:
    case SQLITE_CREATE_VTABLE:
    case SQLITE_DROP_INDEX:
    case SQLITE_DROP_TABLE:
    case SQLITE_DROP_TRIGGER:
    case SQLITE_DROP_VIEW:
    case SQLITE_DROP_VTABLE:
    case SQLITE_ANALYZE:
    case SQLITE_REINDEX:
        return policy_schema(p, a, b, schema);
    case SQLITE_ALTER_TABLE: /* here the schema comes first, then the table */
        p->alter = true;
        return policy_schema(p, b, NULL, a);
    case SQLITE_CREATE_TEMP_INDEX:
    case SQLITE_CREATE_TEMP_TABLE:
    case SQLITE_CREATE_TEMP_TRIGGER:
    case SQLITE_CREATE_TEMP_VIEW:
    case SQLITE_DROP_TEMP_INDEX:
    case SQLITE_DROP_TEMP_TABLE:
    case SQLITE_DROP_TEMP_TRIGGER:
    case SQLITE_DROP_TEMP_VIEW:
        return policy_refuse(p, VIA_STATEMENT_FORBIDDEN, "temporary objects are not allowed");
    case SQLITE_TRANSACTION:
    case SQLITE_SAVEPOINT:
        return policy_refuse(p, VIA_STATEMENT_FORBIDDEN,
                             "transaction control is not allowed here; setup runs its statements "
                             "in one transaction");
    case SQLITE_ATTACH:
    case SQLITE_DETACH:
        return policy_refuse(p, VIA_STATEMENT_FORBIDDEN, "ATTACH and DETACH are not allowed");
    default:
        return policy_refuse(p, VIA_STATEMENT_FORBIDDEN, "this statement is not allowed");
    }
}

void
via_policy_attach(struct via_policy *p, sqlite3 *db)
{
    p->db = db;
    sqlite3_set_authorizer(db, policy_authorize, p);
}

void
via_policy_begin(struct via_policy *p)
{
    p->schema = p->alter = p->pragma_set = p->pragma_read = p->heavy = p->counts = false;
    via_error_clear(&p->error);
}

/* The schema table, and the tables inside of virtual ones, are refused by the library itself: seen
 * from the authorizer, declaring a virtual table looks the same. */
static bool
is_inner_write(const struct via_policy *p, sqlite3_stmt *stmt)
{
    return !stmt && strstr(sqlite3_errmsg(p->db), " may not be modified");
}

/* May the ALTER statement `sql` rename to what begins with via_? The authorizer is not told. */
static bool
renames_reserved(const char *sql)
{
    bool inside = false; /* a word */

    if (!sql || !strcasestr(sql, "rename"))
        return false;
    for (; *sql; sql++) {
        unsigned char c = (unsigned char)*sql;

        if (strncmp(sql, "\xEF\xBB\xBF", 3) == 0) { /* a blank, to SQLite */
            inside = false;
            sql += 2;
            continue;
        }
        if (!inside && strncasecmp(sql, "via_", 4) == 0)
            return true;
        inside = c == '_' || c == '$' || c >= 0x80 || (c >= '0' && c <= '9') ||
                 ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
    }
    return false;
}

/* Does `stmt` only read? A pragma may be said to write although it was only asked. */
static bool
is_readonly(const struct via_policy *p, sqlite3_stmt *stmt)
{
    if (sqlite3_column_count(stmt) == 0)
        return false;
    return sqlite3_stmt_readonly(stmt) ||
           (p->pragma_read && strncasecmp(sqlite3_sql(stmt), "pragma", 6) == 0);
}

enum via_status
via_policy_end(struct via_policy *p, sqlite3_stmt *stmt, struct via_error *e)
{
    if (is_inner_write(p, stmt))
        via_error_set(&p->error, VIA_STATEMENT_FORBIDDEN,
                      "SQLite's own tables may not be written directly");
    if (stmt && p->alter && renames_reserved(sqlite3_sql(stmt)))
        policy_refuse(p, VIA_STATEMENT_FORBIDDEN, "names that begin with via_ are Via's");
    if (stmt && !p->writer && !is_readonly(p, stmt))
        via_error_set(&p->error, VIA_QUERY_NOT_READONLY,
                      "query runs statements that only read; use execute or setup");
    if (!via_error_is_set(&p->error))
        return VIA_OK;
    return via_error_set(e, p->error.status, "%s", p->error.message);
}
