/* via.c: the entry point: a list of registrations.
 *
 * Loading never fails for the state root: it is opened by the first statement that needs it. */
#define VIA_EXT_MAIN
#include "via/ext.h"
#ifndef SQLITE_CORE
SQLITE_EXTENSION_INIT1
#endif

#include "base/root.h"
#include "control/chain.h"
#include "tables/tables.h"
#include "vfs/vfs.h"

#include <stdio.h>

#if defined(__GNUC__)
#define EXPORTED __attribute__((visibility("default")))
#else
#define EXPORTED
#endif

static const struct via_table *const all_tables[] = {
    &via_table_apps,        &via_table_addons,     &via_table_bindings,
    &via_table_generations, &via_table_releases,   &via_table_release_bindings,
    &via_table_deploys,     &via_table_instances,  &via_table_tokens,
    &via_table_snapshots,   &via_table_exports,    &via_table_storage,
    &via_table_readiness,   &via_table_operations, &via_table_audit,
    &via_table_settings,    &via_table_findings,   &via_table_gates,
    &via_table_audit_heads, &via_table_env,        &via_table_backups,
    &via_table_keys,        &via_table_restores,
};
#define TABLE_COUNT (sizeof all_tables / sizeof all_tables[0])

static void
function_version(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    (void)argc;
    (void)argv;
    sqlite3_result_text(context, VIA_VERSION, -1, SQLITE_STATIC);
}

static void
function_state_dir(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    char path[VIA_PATH_SIZE];

    (void)argc;
    (void)argv;
    if (via_root_path(path, sizeof path))
        sqlite3_result_text(context, path, -1, SQLITE_TRANSIENT);
}

/* What is wrong with the audit. False: the function has failed. */
static bool
audit_verdict(sqlite3_context *context, struct via_verdict *v)
{
    char text[VIA_MESSAGE_SIZE + 64];
    struct via_error e = {0};
    struct via_store *s;

    if (via_hub_store(sqlite3_user_data(context), &s, &e) == VIA_OK &&
        via_chain_verify(&s->root, s->keys, v, &e) == VIA_OK)
        return true;
    (void)snprintf(text, sizeof text, "%s: %s", via_status_word(e.status), e.message);
    sqlite3_result_error(context, text, -1);
    return false;
}

static void
function_audit_verify(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    struct via_verdict v;

    (void)argc;
    (void)argv;
    if (audit_verdict(context, &v) && v.broken[0])
        sqlite3_result_text(context, v.broken, -1, SQLITE_TRANSIENT);
}

/* The key whose loss alone is why via_audit_verify() answers. */
static void
function_audit_lost_key(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    struct via_verdict v;

    (void)argc;
    (void)argv;
    if (audit_verdict(context, &v) && v.lost_kid[0])
        sqlite3_result_text(context, v.lost_kid, -1, SQLITE_TRANSIENT);
}

static void
hub_unref(void *hub)
{
    via_hub_unref(hub);
}

/* The modules and functions, on any connection. Runs no SQL: a failing statement inside an
 * auto-extension would fail the opening of the connection. */
static int
register_all(sqlite3 *db)
{
    static const struct {
        const char *name;
        void (*function)(sqlite3_context *context, int argc, sqlite3_value **argv);
    } audits[] = {{"via_audit_verify", function_audit_verify},
                  {"via_audit_lost_key", function_audit_lost_key}};
    struct via_hub *hub = via_hub_new(db);
    int rc = hub ? SQLITE_OK : SQLITE_NOMEM;

    for (size_t i = 0; rc == SQLITE_OK && i < TABLE_COUNT; i++)
        rc = via_table_register(db, hub, all_tables[i]);
    if (rc == SQLITE_OK)
        rc = sqlite3_create_function_v2(db, "via_version", 0, SQLITE_UTF8 | SQLITE_INNOCUOUS, NULL,
                                        function_version, NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_create_function_v2(db, "via_state_dir", 0, SQLITE_UTF8 | SQLITE_DIRECTONLY,
                                        NULL, function_state_dir, NULL, NULL, NULL);
    for (size_t i = 0; rc == SQLITE_OK && i < sizeof audits / sizeof audits[0]; i++)
        rc =
            sqlite3_create_function_v2(db, audits[i].name, 0, SQLITE_UTF8 | SQLITE_DIRECTONLY,
                                       via_hub_ref(hub), audits[i].function, NULL, NULL, hub_unref);
    via_hub_unref(hub);
    return rc;
}

#ifndef SQLITE_CORE
/* Connections opened later in this process, such as the shell's .open, have the tables too; Via's
 * own private ones do not need them. */
static int
register_later(sqlite3 *db, const char **error, const struct sqlite3_api_routines *api)
{
    (void)error;
    (void)api;
    return via_sql_is_opening() ? SQLITE_OK : register_all(db);
}
#endif

/* The tables as temp tables: listed by .tables, and shadowed by no table of an opened file. */
static void
create_tables(sqlite3 *db)
{
    char text[128];

    for (size_t i = 0; i < TABLE_COUNT; i++) {
        (void)snprintf(text, sizeof text, "CREATE VIRTUAL TABLE IF NOT EXISTS temp.%s USING %s",
                       all_tables[i]->name, all_tables[i]->name);
        (void)sqlite3_exec(db, text, NULL, NULL, NULL);
    }
}

EXPORTED int
sqlite3_via_init(sqlite3 *db, char **error, const struct sqlite3_api_routines *api)
{
    int rc;

    (void)error;
#ifndef SQLITE_CORE
    SQLITE_EXTENSION_INIT2(api)
#else
    (void)api;
#endif
    rc = via_vfs_register();
    if (rc == SQLITE_OK)
        rc = register_all(db);
    if (rc != SQLITE_OK)
        return rc;
    create_tables(db);
#ifndef SQLITE_CORE
    (void)sqlite3_auto_extension((void (*)(void))register_later);
    return SQLITE_OK_LOAD_PERMANENTLY;
#else
    return SQLITE_OK;
#endif
}
