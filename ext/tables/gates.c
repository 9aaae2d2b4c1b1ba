/* via_gates: why may this instance use this binding, or not: the four gates in order, as the code
 * that lets operations through decides now. To be asked with instance and binding; operation is
 * read unless it says write. */
#include "base/error.h"
#include "control/access.h"
#include "provider/provider.h"
#include "tables/tables.h"

#include <string.h>

enum { GATE, VERDICT, CODE, REASON, INSTANCE, BINDING, OPERATION };

static const struct via_column columns[] = {
    [GATE] = {"gate", "TEXT", VIA_COL_KEY},
    [VERDICT] = {"verdict", "TEXT", VIA_COL_COMPUTED},
    [CODE] = {"code", "TEXT", VIA_COL_COMPUTED},
    [REASON] = {"reason", "TEXT", VIA_COL_COMPUTED},
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
    if (!storage.present)
        via_ignore(via_error_set(&answer->why, VIA_STORAGE_MISSING,
                                 "the storage of this add-on is missing"));
}

static void
gates_begin(struct via_store *s, const struct via_row *arguments, void *scratch)
{
    struct via_gate_question ask = {.instance = via_row_text(arguments, INSTANCE),
                                    .binding = via_row_text(arguments, BINDING),
                                    .operation = VIA_OP_READ};
    const char *operation = via_row_text(arguments, OPERATION);
    struct via_gate_answer *answer = scratch;
    struct via_sql *db = via_store_db(s);

    if (operation && strcmp(operation, "write") == 0)
        ask.operation = VIA_OP_WRITE;
    else if (operation && strcmp(operation, "read") != 0)
        via_sql_fail(db, VIA_VALUE_INVALID, "an operation is read or write");
    via_access_explain(db, s->keys, &ask, answer);
    if (via_sql_ok(db) && answer->reached == VIA_GATE_ADDON && answer->why.status == VIA_OK)
        gates_look_at_storage(s, answer);
}

static void
gates_compute(struct via_store *s, int64_t rid, int i, void *scratch, sqlite3_context *context)
{
    const struct via_gate_answer *answer = scratch;
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
    .scratch_size = sizeof(struct via_gate_answer),
};
