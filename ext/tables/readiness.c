/* via_readiness: one row for each live add-on and binding of it: usable now, or what stands in the
 * way. Decided by rules/readiness from the rows and a look at the storage. Beside that, what its
 * content could come back from. */
#include "rules/readiness.h"
#include "control/backup.h"
#include "control/damage.h"
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
    REMEDIATION,
    SNAPSHOT,
    BACKUP,
    BACKUP_SEALED,
    UNREADABLE,
    OBSTACLE
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
    [SNAPSHOT] = {"snapshot", "TEXT", VIA_COL_COMPUTED | VIA_COL_ASIDE},
    [BACKUP] = {"backup", "TEXT", VIA_COL_COMPUTED | VIA_COL_ASIDE},
    [BACKUP_SEALED] = {"backup_sealed", "INTEGER", VIA_COL_COMPUTED | VIA_COL_ASIDE},
    [UNREADABLE] = {"unreadable", "INTEGER", VIA_COL_COMPUTED | VIA_COL_ASIDE},
    [OBSTACLE] = {"obstacle", "TEXT", VIA_COL_COMPUTED | VIA_COL_ASIDE},
};

/* What the content of an add-on could come back from; "" when there is none. */
struct sources {
    bool found;
    char snapshot[VIA_ID_SIZE];
    char backup[VIA_PATH_SIZE];
    bool backup_sealed;
};

struct scratch {
    bool decided;
    struct via_readiness r;
    bool is_unreadable; /* what is there is not even as long as it should be, or no database */
    char obstacle[VIA_PATH_SIZE];
    char addon_id[VIA_ID_SIZE];
    struct via_damage damage;
    struct sources sources;
};

static const struct sources *
sources_find(struct via_sql *db, struct scratch *scratch)
{
    struct sources *out = &scratch->sources;

    if (!out->found) {
        (void)via_snapshot_newest(db, scratch->addon_id, out->snapshot);
        (void)via_backup_newest(db, scratch->addon_id, out->backup, &out->backup_sealed);
    }
    out->found = true;
    return out;
}

/* Look at the storage, and at what was found when it was last read; and when that is lost, at what
 * it could come back from. */
static void
readiness_look(struct via_store *s, const char *type, struct scratch *scratch,
               struct via_readiness_facts *f)
{
    const struct via_provider *provider = via_provider_find(type);
    struct via_storage_facts storage = {0};

    if (provider)
        provider->probe(&s->root, scratch->addon_id, &storage);
    f->storage_present = storage.present;
    f->storage_readable = storage.readable;
    f->storage_writable = storage.writable;
    f->obstacle = storage.obstacle;
    if (f->obstacle && !provider->locate(&s->root, scratch->addon_id, scratch->obstacle))
        scratch->obstacle[0] = '\0';
    f->obstacle_path = scratch->obstacle;
    f->storage_sound = !storage.present || provider->looks_sound(&s->root, scratch->addon_id);
    scratch->is_unreadable = !f->storage_sound;
    if (storage.present && via_damage_find(via_store_db(s), scratch->addon_id, &scratch->damage)) {
        f->damage = scratch->damage.kind;
        f->damage_at = scratch->damage.at;
    }
    if (!storage.present || !f->storage_sound || f->damage)
        (void)sources_find(via_store_db(s), scratch);
    f->snapshot = scratch->sources.snapshot;
    f->backup = scratch->sources.backup;
    f->backup_sealed = scratch->sources.backup_sealed;
}

static void
readiness_decide(struct via_store *s, int64_t rid, struct scratch *out)
{
    struct via_sql *db = via_store_db(s);
    struct via_readiness_facts f = {0};
    char serving[VIA_NAME_SIZE];
    sqlite3_stmt *q = via_sql_stmt(db, "SELECT addon, app, binding, target, addon_state, type,"
                                       " addon_id, deployed, instance_running, instance_expired,"
                                       " has_generation, block"
                                       " FROM v_readiness WHERE addon_rid = ?1 >> 20 AND rid = ?1");

    via_sql_bind_int(db, q, 1, rid);
    if (via_sql_row(db, q)) {
        f.addon = (const char *)sqlite3_column_text(q, 0);
        f.app = (const char *)sqlite3_column_text(q, 1);
        f.binding = (const char *)sqlite3_column_text(q, 2);
        f.binding = f.binding ? f.binding : "";
        f.target = (const char *)sqlite3_column_text(q, 3);
        if (!via_addon_state_parse((const char *)sqlite3_column_text(q, 4), &f.addon_state))
            f.addon_state = VIA_ADDON_IS_FAILED;
        via_sql_text(q, 6, out->addon_id, sizeof out->addon_id);
        readiness_look(s, (const char *)sqlite3_column_text(q, 5), out, &f);
        f.deployed = sqlite3_column_int(q, 7) != 0;
        f.deployed_elsewhere = !f.deployed && via_deploy_is_elsewhere(db, f.app);
        f.instance_running = sqlite3_column_int(q, 8) != 0;
        f.instance_expired = sqlite3_column_int(q, 9) != 0;
        f.has_generation = sqlite3_column_int(q, 10) != 0;
        f.block = (const char *)sqlite3_column_text(q, 11);
        if (!f.instance_running && f.binding[0] &&
            via_deploy_serving(db, f.app, f.binding, f.target, serving))
            f.serving = serving;
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
readiness_source(struct via_store *s, int i, struct scratch *scratch, sqlite3_context *context)
{
    const struct sources *sources = sources_find(via_store_db(s), scratch);

    via_ignore(via_sql_take(via_store_db(s), NULL));
    if (i == BACKUP_SEALED)
        sqlite3_result_int(context, sources->backup_sealed);
    else
        readiness_text(context, i == BACKUP ? sources->backup : sources->snapshot);
}

static void
readiness_compute(struct via_store *s, int64_t rid, int i, void *scratch, sqlite3_context *context)
{
    struct scratch *out = scratch;

    if (!out->decided)
        readiness_decide(s, rid, out);
    if (i == UNREADABLE) {
        sqlite3_result_int(context, out->is_unreadable);
        return;
    }
    if (i == OBSTACLE) {
        readiness_text(context, out->obstacle);
        return;
    }
    if (i == SNAPSHOT || i == BACKUP || i == BACKUP_SEALED) {
        readiness_source(s, i, out, context);
        return;
    }
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
