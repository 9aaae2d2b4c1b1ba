/* The focus of this file is that a statement is shown exactly as it is run. */
#include "check.h"
#include "cli/statement.h"

#include <string.h>

/* Run `st` twice, bound and rendered: do both answer the same single text? */
static bool
agree(const struct cli_statement *st, char *out, size_t size)
{
    struct via_sql s;
    struct via_buf shown;
    sqlite3_stmt *bound, *literal;
    bool same;

    via_buf_init(&shown);
    via_sql_open(&s, ":memory:", SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    bound = cli_statement_prepare(st, &s);
    cli_statement_render(st, &shown);
    literal = via_sql_prepare(&s, via_buf_text(&shown));
    same = via_sql_row(&s, bound) && via_sql_row(&s, literal) &&
           strcmp((const char *)sqlite3_column_text(bound, 0),
                  (const char *)sqlite3_column_text(literal, 0)) == 0;
    (void)snprintf(out, size, "%s", via_buf_text(&shown));
    sqlite3_finalize(bound);
    sqlite3_finalize(literal);
    via_sql_close(&s);
    via_buf_deinit(&shown);
    return same;
}

int
main(void)
{
    struct cli_statement st;
    char shown[256];

    cli_statement_init(&st, "SELECT '?' || ");
    cli_statement_text(&st, "", "it's; -- ?");
    cli_statement_integer(&st, " || ", -7);
    cli_statement_text(&st, " || quote(", NULL);
    cli_statement_put(&st, ")");
    CHECK(agree(&st, shown, sizeof shown), "bound and shown answer alike");
    CHECK(strcmp(shown, "SELECT '?' || 'it''s; -- ?' || -7 || quote(NULL)") == 0,
          "quotes are doubled, numbers and NULL are bare: %s", shown);
    cli_statement_deinit(&st);
    return check_end();
}
