/* statement.h: one SQL statement with its values, to be run or to be shown.
 *
 * Running binds the values, showing writes them as literals; both read the same
 * description, so that what --show-sql prints is what would have run. */
#ifndef VIA_CLI_STATEMENT_H
#define VIA_CLI_STATEMENT_H

#include "base/buf.h"
#include "sql/sql.h"

#include <stdint.h>

#define CLI_VALUES_MAX 24

struct cli_value {
    size_t at;        /* offset of its '?' in the text */
    const char *text; /* NULL and !is_integer: NULL */
    bool is_integer;
    bool is_secret; /* shown as the parameter :NAME, and lent to the statement, not copied */
    int64_t integer;
    const char *name; /* of a secret */
};

struct cli_statement {
    struct via_buf text;
    struct cli_value values[CLI_VALUES_MAX];
    size_t count;
};

/* Start with `text`, which has no parameters of its own. */
void cli_statement_init(struct cli_statement *st, const char *text);
void cli_statement_deinit(struct cli_statement *st);

void cli_statement_put(struct cli_statement *st, const char *text);

/* Put `before`, then a parameter with the value; `value` is borrowed, NULL is NULL. */
void cli_statement_text(struct cli_statement *st, const char *before, const char *value);
void cli_statement_integer(struct cli_statement *st, const char *before, int64_t value);

/* The same with a secret, which is shown as the parameter :`name` and never copied: `value` must
 * last until the statement that was prepared is finalised. */
void cli_statement_secret(struct cli_statement *st, const char *before, const char *name,
                          const char *value);

/* Append the statement with literals in place of its parameters, no semicolon. */
void cli_statement_render(const struct cli_statement *st, struct via_buf *b);

/* Prepare on `s` and bind. NULL once `s` failed; the caller finalises. */
sqlite3_stmt *cli_statement_prepare(const struct cli_statement *st, struct via_sql *s);

#endif
