/* via_gates: why may this instance use this binding, or not: the four gates in order, as the code
 * that lets operations through decides now. To be asked with instance and binding; operation is
 * read unless it says write. */
#include "base/error.h"
#include "control/access.h"
#include "control/addon.h"
#include "control/snapshot.h"
#include "provider/provider.h"
#include "rules/remedy.h"
#include "tables/tables.h"

#include <string.h>

enum { GATE, VERDICT, CODE, REASON, REMEDIATION, INSTANCE, BINDING, OPERATION };

struct scratch {
    struct via_gate_answer answer;
    char remediation[VIA_REMEDY_SIZE];
};

static const struct via_column columns[] = {
    [GATE] = {"gate", "TEXT", VIA_COL_KEY},
    [VERDICT] = {"verdict", "TEXT", VIA_COL_COMPUTED},
    [CODE] = {"code", "TEXT", VIA_COL_COMPUTED},
    [REASON] = {"reason", "TEXT", VIA_COL_COMPUTED},
    [REMEDIATION] = {"remediation", "TEXT", VIA_COL_COMPUTED | VIA_COL_ASIDE},
    [INSTANCE] = {"instance", "TEXT", VIA_COL_ARGUMENT | VIA_COL_REQUIRED},
    [BINDING] = {"binding", "TEXT", VIA_COL_ARGUMENT | VIA_COL_REQUIRED},
    [OPERATION] = {"operation", "TEXT", VIA_COL_ARGUMENT},
};

/* What the last gate cannot see: the bytes behind the add-on are looked for when it is opened. */
static void
gates_look_at_storage(struct via_store *s, struct via_gate_answer *answer)
{
    const struct via_provider *provider = via_provider_find(answer->type);
    struct via_storage_facts storage = {0};

    if (provider)
        provider->probe(&s->root, answer->addon_id, &storage);
    if (storage.obstacle)
        via_ignore(via_error_set(&answer->why, VIA_STORAGE_UNREADABLE,
                                 "the database file of this add-on %s", storage.obstacle));
    else if (!storage.present)
        via_ignore(via_error_set(&answer->why, VIA_STORAGE_MISSING,
                                 "the storage of this add-on is missing"));
    else if (storage.unseen)
        via_ignore(via_error_set(&answer->why, VIA_STORAGE_UNREADABLE,
                                 "this process may not reach the storage of this add-on"));
}

/* What the lines to type name. */
struct advised {
    char app[VIA_NAME_SIZE];
    char target[VIA_NAME_SIZE];
    bool is_deploy_over;
    bool is_bound;
    struct via_addon addon; /* behind the binding, if the gates came to it */
    char snapshot[VIA_ID_SIZE];
};

/* The instance's app and target. */
static void
advised_find_instance(struct via_sql *db, const char *instance, struct advised *out)
{
    sqlite3_stmt *q =
        via_sql_stmt(db, "SELECT i.app, i.target, d.state = 'stopped' FROM v_instances AS i"
                         " LEFT JOIN main.deploys AS d ON d.id = i.deploy WHERE i.id = ?1");

    via_sql_bind_text(db, q, 1, instance);
    if (via_sql_row(db, q)) {
        via_sql_text(q, 0, out->app, sizeof out->app);
        via_sql_text(q, 1, out->target, sizeof out->target);
        out->is_deploy_over = sqlite3_column_int(q, 2) != 0;
    }
    via_sql_end(db, q);
}

/* The binding may be there for every target: then lines about it name none. */
static void
advised_find_binding(struct via_sql *db, const char *binding, struct advised *out)
{
    sqlite3_stmt *q = via_sql_stmt(db, "SELECT target FROM main.bindings WHERE app = ?1 AND"
                                       " binding = ?2 AND target IN (?3, '') AND addon_id = ?4"
                                       " ORDER BY target DESC LIMIT 1");

    via_sql_bind_text(db, q, 1, out->app);
    via_sql_bind_text(db, q, 2, binding);
    via_sql_bind_text(db, q, 3, out->target);
    via_sql_bind_text(db, q, 4, out->addon.id);
    out->is_bound = via_sql_row(db, q);
    if (out->is_bound)
        via_sql_text(q, 0, out->target, sizeof out->target);
    via_sql_end(db, q);
}

static void
gates_advise(struct via_sql *db, const struct via_gate_question *ask, struct scratch *out)
{
    enum via_status why = out->answer.why.status;
    struct advised of = {0};
    struct via_remedy_facts refused = {.why = why,
                                       .app = of.app,
                                       .target = of.target,
                                       .binding = ask->binding,
                                       .addon = of.addon.name,
                                       .snapshot = of.snapshot};

    advised_find_instance(db, ask->instance, &of);
    if (out->answer.addon_id[0])
        (void)via_addon_find_id(db, out->answer.addon_id, &of.addon);
    if (why == VIA_GENERATION_REVOKED || why == VIA_STORAGE_MISSING)
        advised_find_binding(db, ask->binding, &of);
    if (why == VIA_STORAGE_MISSING)
        (void)via_snapshot_newest(db, out->answer.addon_id, of.snapshot);
    refused.addon_state = of.addon.state;
    refused.is_unbound = !of.is_bound;
    refused.is_deploy_over = of.is_deploy_over;
    via_remedy_text(&refused, out->remediation, sizeof out->remediation);
}

static void
gates_begin(struct via_store *s, const struct via_row *arguments, void *scratch)
{
    struct via_gate_question ask = {.instance = via_row_text(arguments, INSTANCE),
                                    .binding = via_row_text(arguments, BINDING),
                                    .operation = VIA_OP_READ};
    const char *operation = via_row_text(arguments, OPERATION);
    struct scratch *out = scratch;
    struct via_gate_answer *answer = &out->answer;
    struct via_sql *db = via_store_db(s);

    if (operation && strcmp(operation, "write") == 0)
        ask.operation = VIA_OP_WRITE;
    else if (operation && strcmp(operation, "read") != 0)
        via_sql_fail(db, VIA_VALUE_INVALID, "an operation is read or write");
    via_access_explain(db, s->keys, &ask, answer);
    if (via_sql_ok(db) && answer->reached == VIA_GATE_ADDON && answer->why.status == VIA_OK)
        gates_look_at_storage(s, answer);
    if (via_sql_ok(db) && answer->why.status != VIA_OK)
        gates_advise(db, &ask, out);
}

static void
gates_compute(struct via_store *s, int64_t rid, int i, void *scratch, sqlite3_context *context)
{
    const struct scratch *out = scratch;
    const struct via_gate_answer *answer = &out->answer;
    enum via_gate gate = (enum via_gate)(rid - 1);
    bool refuses = gate == answer->reached && answer->why.status != VIA_OK;

    (void)s;
    if (i == VERDICT)
        sqlite3_result_text(context,
                            refuses                  ? "fail"
                            : gate > answer->reached ? "not reached"
                                                     : "pass",
                            -1, SQLITE_STATIC);
    else if (refuses && i == CODE)
        sqlite3_result_text(context, via_status_word(answer->why.status), -1, SQLITE_STATIC);
    else if (refuses && i == REMEDIATION)
        sqlite3_result_text(context, out->remediation, -1, SQLITE_TRANSIENT);
    else if (refuses)
        sqlite3_result_text(context, answer->why.message, -1, SQLITE_TRANSIENT);
}

const struct via_table via_table_gates = {
    .name = "via_gates",
    .view = "v_gates",
    .columns = columns,
    .column_count = VIA_COLUMN_COUNT(columns),
    .begin = gates_begin,
    .compute = gates_compute,
    .scratch_size = sizeof(struct scratch),
};
