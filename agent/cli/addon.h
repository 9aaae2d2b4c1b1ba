/* addon.h: an add-on as it is named on the command line: NAME with --app, or an id. */
#ifndef VIA_CLI_ADDON_H
#define VIA_CLI_ADDON_H

#include "cli/cli.h"

/* The row that --json prints. */
#define CLI_ADDON_COLUMNS                                                                          \
    "id, type, name, app, state, binding_count, snapshot_count, size_bytes, options, created_at, " \
    "updated_at, destroyed_at"

/* Refuse unless the operand NAME names exactly one add-on: VIA_ADDON_NOT_FOUND,
 * VIA_ADDON_AMBIGUOUS. Destroyed ones have only their id left.
 * `id` receives its id, "" when it was refused or only shown. */
bool cli_addon_check(struct cli *cli, char id[VIA_ID_SIZE]);

/* Put the condition on via_addons that the operand NAME and --app are: "name = … AND app = …". */
void cli_addon_put_match(const struct cli *cli, struct cli_statement *st);

/* Put `before` and the add-on's id: a literal, or the look-up of the name. */
void cli_addon_put_id(const struct cli *cli, struct cli_statement *st, const char *before);

/* Put "(addon[, app]" of an INSERT that names the add-on, and ") VALUES(…" that belongs to it; the
 * caller's further columns go between, its values and the closing bracket behind. */
void cli_addon_put_columns(const struct cli *cli, struct cli_statement *st);
void cli_addon_put_values(const struct cli *cli, struct cli_statement *st);

/* Make a path good in every folder, for a statement that is shown here and run elsewhere.
 * Symbolic links stay as they are: they are refused, with their own sentence. */
void cli_path_make_absolute(const char *path, char *out, size_t size);

#endif
