/* tables.h: the tables of the control plane, a file each. */
#ifndef VIA_TABLES_TABLES_H
#define VIA_TABLES_TABLES_H

#include "tables/engine.h"

extern const struct via_table via_table_apps;
extern const struct via_table via_table_addons;
extern const struct via_table via_table_bindings;
extern const struct via_table via_table_generations;
extern const struct via_table via_table_snapshots;
extern const struct via_table via_table_exports;
extern const struct via_table via_table_backups;
extern const struct via_table via_table_restores;
extern const struct via_table via_table_storage;
extern const struct via_table via_table_readiness;
extern const struct via_table via_table_releases;
extern const struct via_table via_table_release_bindings;
extern const struct via_table via_table_deploys;
extern const struct via_table via_table_instances;
extern const struct via_table via_table_tokens;
extern const struct via_table via_table_operations;
extern const struct via_table via_table_audit;
extern const struct via_table via_table_audit_heads;
extern const struct via_table via_table_env;
extern const struct via_table via_table_settings;
extern const struct via_table via_table_findings;
extern const struct via_table via_table_keys;
extern const struct via_table via_table_gates;

#define VIA_COLUMN_COUNT(columns) ((int)(sizeof(columns) / sizeof(columns)[0]))

#endif
