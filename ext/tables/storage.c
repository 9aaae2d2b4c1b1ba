/* via_storage: what is on disk for each live add-on; UPDATE repair=1 rebuilds what is missing. */
#include "control/snapshot.h"
#include "effects/effects.h"
#include "tables/tables.h"

enum {
    ADDON,
    ADDON_ID,
    PATH,
    PRESENT,
    READABLE,
    WRITABLE,
    INTEGRITY,
    SIZE_BYTES,
    WAL_BYTES,
    REPAIR
};

static const struct via_column columns[] = {
    [ADDON] = {"addon", "TEXT", VIA_COL_KEY},
    [ADDON_ID] = {"addon_id", "TEXT", VIA_COL_KEY | VIA_COL_UNIQUE},
    [PATH] = {"path", "TEXT", VIA_COL_COMPUTED},
    [PRESENT] = {"present", "INTEGER", VIA_COL_COMPUTED},
    [READABLE] = {"readable", "INTEGER", VIA_COL_COMPUTED},
    [WRITABLE] = {"writable", "INTEGER", VIA_COL_COMPUTED},
    [INTEGRITY] = {"integrity", "TEXT", VIA_COL_COMPUTED},
    [SIZE_BYTES] = {"size_bytes", "INTEGER", VIA_COL_COMPUTED},
    [WAL_BYTES] = {"wal_bytes", "INTEGER", VIA_COL_COMPUTED},
    [REPAIR] = {"repair", "INTEGER", VIA_COL_ARGUMENT | VIA_COL_UPDATE},
};

struct scratch {
    bool looked;
    struct via_addon addon;
    const struct via_provider *provider;
    struct via_storage_facts facts;
};

static void
storage_look(struct via_store *s, int64_t rid, struct scratch *out)
{
    struct via_sql *db = via_store_db(s);

    out->looked = true;
    if (via_addon_find_row(db, rid, &out->addon))
        out->provider = via_provider_find(out->addon.type);
    via_ignore(via_sql_take(db, NULL));
    if (out->provider)
        out->provider->probe(&s->root, out->addon.id, &out->facts);
}

static void
storage_integrity(struct via_store *s, const struct scratch *look, sqlite3_context *context)
{
    struct via_error e = {0};

    if (!look->facts.present)
        return;
    if (look->provider->check_integrity(&s->root, &via_effect_opener, look->addon.id, NULL, &e) ==
        VIA_OK)
        sqlite3_result_text(context, "ok", -1, SQLITE_STATIC);
    else
        sqlite3_result_text(context, e.message, -1, SQLITE_TRANSIENT);
}

static void
storage_compute(struct via_store *s, int64_t rid, int i, void *scratch, sqlite3_context *context)
{
    struct scratch *look = scratch;
    char path[VIA_PATH_SIZE];

    if (!look->looked)
        storage_look(s, rid, look);
    if (!look->provider)
        return;
    switch (i) {
    case PATH:
        if (look->provider->locate(&s->root, look->addon.id, path))
            sqlite3_result_text(context, path, -1, SQLITE_TRANSIENT);
        break;
    case PRESENT:
        sqlite3_result_int(context, look->facts.present);
        break;
    case READABLE:
        sqlite3_result_int(context, look->facts.readable);
        break;
    case WRITABLE:
        sqlite3_result_int(context, look->facts.writable);
        break;
    case INTEGRITY:
        storage_integrity(s, look, context);
        break;
    case SIZE_BYTES:
        if (look->facts.present && !look->facts.unseen)
            sqlite3_result_int64(context, look->facts.size_bytes);
        break;
    default:
        if (look->facts.present && !look->facts.unseen)
            sqlite3_result_int64(context, look->facts.wal_bytes);
        break;
    }
}

static void
storage_update(struct via_store *s, int64_t rid, const struct via_row *row)
{
    struct scratch look = {0};

    if (via_row_int(row, REPAIR, 0) != 1)
        return;
    storage_look(s, rid, &look);
    if (look.provider)
        via_addon_repair(s, &look.addon, look.facts.present, look.facts.obstacle);
}

const struct via_table via_table_storage = {
    .name = "via_storage",
    .view = "v_storage",
    .columns = columns,
    .column_count = VIA_COLUMN_COUNT(columns),
    .control = true,
    .update = storage_update,
    .compute = storage_compute,
    .scratch_size = sizeof(struct scratch),
};
