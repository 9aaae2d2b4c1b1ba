/* via_readiness: one row for each live add-on and binding of it: usable now, or what stands in the
 * way. Decided by rules/readiness from the rows and a look at the storage. */
#include "rules/readiness.h"
#include "control/release.h"
#include "control/snapshot.h"
#include "provider/provider.h"
#include "tables/tables.h"

#include <string.h>

enum {
    ADDON,
    ADDON_ID,
    APP,
    BINDING,
    TARGET,
    METADATA_READY,
    STORAGE_READY,
    BINDING_READY,
    RUNTIME_READY,
    USABLE_BY_APP,
    BLOCKING,
    OWNER,
    REASON,
    REMEDIATION
};

static const struct via_column columns[] = {
    [ADDON] = {"addon", "TEXT", VIA_COL_KEY},
    [ADDON_ID] = {"addon_id", "TEXT", VIA_COL_KEY},
    [APP] = {"app", "TEXT", VIA_COL_KEY},
    [BINDING] = {"binding", "TEXT", VIA_COL_KEY},
    [TARGET] = {"target", "TEXT", VIA_COL_KEY},
    [METADATA_READY] = {"metadata_ready", "INTEGER", VIA_COL_COMPUTED},
    [STORAGE_READY] = {"storage_ready", "INTEGER", VIA_COL_COMPUTED},
    [BINDING_READY] = {"binding_ready", "INTEGER", VIA_COL_COMPUTED},
    [RUNTIME_READY] = {"runtime_ready", "INTEGER", VIA_COL_COMPUTED},
    [USABLE_BY_APP] = {"usable_by_app", "INTEGER", VIA_COL_COMPUTED},
    [BLOCKING] = {"blocking", "TEXT", VIA_COL_COMPUTED},
    [OWNER] = {"owner", "TEXT", VIA_COL_COMPUTED},
    [REASON] = {"reason", "TEXT", VIA_COL_COMPUTED},
    [REMEDIATION] = {"remediation", "TEXT", VIA_COL_COMPUTED},
};

struct scratch {
    bool decided;
    struct via_readiness r;
};

static void
readiness_decide(struct via_store *s, int64_t rid, struct scratch *out)
{
    struct via_sql *db = via_store_db(s);
    const struct via_provider *provider;
    struct via_storage_facts storage = {0};
    struct via_readiness_facts f = {0};
    char snapshot[VIA_ID_SIZE] = "";
    sqlite3_stmt *q = via_sql_stmt(db, "SELECT addon, app, binding, target, addon_state, type,"
                                       " addon_id, deployed, instance_running, instance_expired"
                                       " FROM v_readiness WHERE addon_rid = ?1 >> 20 AND rid = ?1");

    via_sql_bind_int(db, q, 1, rid);
    f.snapshot = snapshot;
    if (via_sql_row(db, q)) {
        f.addon = (const char *)sqlite3_column_text(q, 0);
        f.app = (const char *)sqlite3_column_text(q, 1);
        f.binding = (const char *)sqlite3_column_text(q, 2);
        f.target = (const char *)sqlite3_column_text(q, 3);
        if (!via_addon_state_parse((const char *)sqlite3_column_text(q, 4), &f.addon_state))
            f.addon_state = VIA_ADDON_IS_FAILED;
        provider = via_provider_find((const char *)sqlite3_column_text(q, 5));
        if (provider)
            provider->probe(&s->root, (const char *)sqlite3_column_text(q, 6), &storage);
        f.storage_present = storage.present;
        f.storage_readable = storage.readable;
        f.storage_writable = storage.writable;
        f.storage_sound = !storage.present ||
                          provider->looks_sound(&s->root, (const char *)sqlite3_column_text(q, 6));
        if (!storage.present || !f.storage_sound)
            (void)via_snapshot_newest(db, (const char *)sqlite3_column_text(q, 6), snapshot);
        f.deployed = sqlite3_column_int(q, 7) != 0;
        f.deployed_elsewhere = !f.deployed && via_deploy_is_elsewhere(db, f.app);
        f.instance_running = sqlite3_column_int(q, 8) != 0;
        f.instance_expired = sqlite3_column_int(q, 9) != 0;
        via_readiness_decide(&f, &out->r);
        out->decided = true;
    }
    via_sql_end(db, q);
    via_ignore(via_sql_take(db, NULL));
}

static void
readiness_text(sqlite3_context *context, const char *text)
{
    if (text[0])
        sqlite3_result_text(context, text, -1, SQLITE_TRANSIENT);
}

static void
readiness_compute(struct via_store *s, int64_t rid, int i, void *scratch, sqlite3_context *context)
{
    struct scratch *out = scratch;

    if (!out->decided)
        readiness_decide(s, rid, out);
    switch (i) {
    case METADATA_READY:
        sqlite3_result_int(context, out->r.metadata_ready);
        break;
    case STORAGE_READY:
        sqlite3_result_int(context, out->r.storage_ready);
        break;
    case BINDING_READY:
        sqlite3_result_int(context, out->r.binding_ready);
        break;
    case RUNTIME_READY:
        sqlite3_result_int(context, out->r.runtime_ready);
        break;
    case USABLE_BY_APP:
        sqlite3_result_int(context, out->r.usable_by_app);
        break;
    case BLOCKING:
        if (out->r.blocking != VIA_OK)
            readiness_text(context, via_status_word(out->r.blocking));
        break;
    case OWNER:
        readiness_text(context, via_status_owner(out->r.blocking));
        break;
    case REASON:
        readiness_text(context, out->r.reason);
        break;
    default:
        readiness_text(context, out->r.remediation);
        break;
    }
}

const struct via_table via_table_readiness = {
    .name = "via_readiness",
    .view = "v_readiness",
    .columns = columns,
    .column_count = VIA_COLUMN_COUNT(columns),
    .control = true,
    .compute = readiness_compute,
    .scratch_size = sizeof(struct scratch),
};
