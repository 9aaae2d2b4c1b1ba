/* via_addons: INSERT provisions (and binds, and imports), UPDATE suspends, resumes and sets
 * options, DELETE destroys; with force=1 over bindings and running releases. */
#include "base/error.h"
#include "control/addon.h"
#include "control/binding.h"
#include "effects/effects.h"
#include "provider/provider.h"
#include "tables/tables.h"

#include <stdlib.h>
#include <string.h>

enum {
    ID,
    TYPE,
    NAME,
    APP,
    STATE,
    BINDING_COUNT,
    SNAPSHOT_COUNT,
    SIZE_BYTES,
    OPTIONS,
    CREATED_AT,
    UPDATED_AT,
    DESTROYED_AT,
    BIND,
    TARGET,
    SOURCE,
    FORCE
};

static const struct via_column columns[] = {
    [ID] = {"id", "TEXT", VIA_COL_KEY | VIA_COL_UNIQUE},
    [TYPE] = {"type", "TEXT", VIA_COL_INSERT},
    [NAME] = {"name", "TEXT", VIA_COL_KEY | VIA_COL_INSERT},
    [APP] = {"app", "TEXT", VIA_COL_KEY | VIA_COL_INSERT},
    [STATE] = {"state", "TEXT", VIA_COL_KEY | VIA_COL_UPDATE},
    [BINDING_COUNT] = {"binding_count", "INTEGER", 0},
    [SNAPSHOT_COUNT] = {"snapshot_count", "INTEGER", 0},
    [SIZE_BYTES] = {"size_bytes", "INTEGER", VIA_COL_COMPUTED},
    [OPTIONS] = {"options", "TEXT", VIA_COL_INSERT | VIA_COL_UPDATE},
    [CREATED_AT] = {"created_at", "TEXT", 0},
    [UPDATED_AT] = {"updated_at", "TEXT", 0},
    [DESTROYED_AT] = {"destroyed_at", "TEXT", 0},
    [BIND] = {"bind", "TEXT", VIA_COL_ARGUMENT | VIA_COL_INSERT},
    [TARGET] = {"target", "TEXT", VIA_COL_ARGUMENT | VIA_COL_INSERT},
    [SOURCE] = {"source", "TEXT", VIA_COL_ARGUMENT | VIA_COL_INSERT},
    [FORCE] = {"force", "INTEGER", VIA_COL_ARGUMENT},
};

/* A failed add-on whose bytes are there is not silently buried. */
static void
addons_check_failed(struct via_store *s, const struct via_provider *provider,
                    const struct via_addon_spec *spec)
{
    struct via_storage_facts facts;
    struct via_addon old;

    if (!via_sql_ok(&s->write) || !via_addon_find_name(&s->write, spec->app, spec->name, &old) ||
        old.state != VIA_ADDON_IS_FAILED)
        return;
    provider->probe(&s->root, old.id, &facts);
    if (facts.present)
        via_sql_fail(&s->write, VIA_ADDON_FAILED_WITH_DATA,
                     "an earlier attempt to make add-on %s left data behind; repair or destroy it",
                     spec->name);
}

/* Check the source now, before anything is written; returns its absolute path, or NULL. The caller
 * frees it. */
static char *
addons_check_source(struct via_store *s, const struct via_provider *provider, const char *source)
{
    struct via_progress_part part;
    struct via_progress progress;
    struct via_error e = {0};
    char *path;

    if (!source || !via_sql_ok(&s->write))
        return NULL;
    progress = via_effects_observe_check(&part);
    if (provider->check_source(source, &progress, &e) != VIA_OK) {
        via_sql_fail(&s->write, e.status, "%s", e.message);
        return NULL;
    }
    path = realpath(source, NULL);
    if (!path)
        via_sql_fail(&s->write, VIA_SOURCE_NOT_FOUND, "the source has gone");
    return path;
}

static int64_t
addons_insert(struct via_store *s, const struct via_row *row)
{
    struct via_sql *db = &s->write;
    struct via_addon_spec spec = {
        .type = via_row_text(row, TYPE) ? via_row_text(row, TYPE) : "sqlite",
        .name = via_row_text(row, NAME),
        .app = via_row_text(row, APP),
        .options = via_row_text(row, OPTIONS),
    };
    const struct via_provider *provider = via_provider_find(spec.type);
    char id[VIA_ID_SIZE];
    char *source = NULL;
    int64_t rid = 0;

    via_addon_check(s, &spec);
    if (!provider)
        via_sql_fail(db, VIA_TYPE_UNKNOWN, "there is no add-on type %s; sqlite is", spec.type);
    else
        addons_check_failed(s, provider, &spec);
    if (via_row_has(row, TARGET) && !via_row_has(row, BIND))
        via_sql_fail(db, VIA_VALUE_REQUIRED, "a target belongs to a binding: column bind is empty");
    if (provider && via_sql_ok(db))
        source = addons_check_source(s, provider, via_row_text(row, SOURCE));
    spec.source = source;
    if (via_sql_ok(db))
        rid = via_addon_put(s, &spec, id);
    if (via_sql_ok(db) && via_row_has(row, BIND))
        (void)via_binding_put(s, &(struct via_binding_spec){.app = spec.app,
                                                            .binding = via_row_text(row, BIND),
                                                            .target = via_row_text(row, TARGET),
                                                            .addon = id});
    free(source);
    return rid;
}

static void
addons_update(struct via_store *s, int64_t rid, const struct via_row *row)
{
    if (via_row_has(row, STATE))
        via_addon_set_state(s, rid, via_row_text(row, STATE));
    if (via_row_has(row, OPTIONS) && via_sql_ok(&s->write))
        via_addon_set_options(s, rid, via_row_text(row, OPTIONS));
}

static void
addons_remove(struct via_store *s, int64_t rid, const struct via_row *arguments)
{
    via_addon_remove(s, rid, via_row_int(arguments, FORCE, 0) == 1);
}

static void
addons_compute(struct via_store *s, int64_t rid, int i, void *scratch, sqlite3_context *context)
{
    const struct via_provider *provider;
    struct via_storage_facts facts;
    struct via_addon a;

    (void)i; /* size_bytes is the only one */
    (void)scratch;
    if (via_addon_find_row(via_store_db(s), rid, &a) && (provider = via_provider_find(a.type))) {
        provider->probe(&s->root, a.id, &facts);
        if (facts.present && !facts.unseen)
            sqlite3_result_int64(context, facts.size_bytes);
    }
    via_ignore(via_sql_take(via_store_db(s), NULL));
}

const struct via_table via_table_addons = {
    .name = "via_addons",
    .view = "v_addons",
    .columns = columns,
    .column_count = VIA_COLUMN_COUNT(columns),
    .control = true,
    .insert = addons_insert,
    .update = addons_update,
    .remove = addons_remove,
    .compute = addons_compute,
};
