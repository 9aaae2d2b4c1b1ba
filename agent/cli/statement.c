#include "cli/statement.h"

#include <assert.h>
#include <string.h>

void
cli_statement_init(struct cli_statement *st, const char *text)
{
    memset(st, 0, sizeof *st);
    via_buf_puts(&st->text, text);
}

void
cli_statement_deinit(struct cli_statement *st)
{
    via_buf_deinit(&st->text);
}

void
cli_statement_put(struct cli_statement *st, const char *text)
{
    via_buf_puts(&st->text, text);
}

static void
statement_value(struct cli_statement *st, const char *before, struct cli_value value)
{
    assert(st->count < CLI_VALUES_MAX);
    via_buf_puts(&st->text, before);
    value.at = st->text.len;
    via_buf_putc(&st->text, '?');
    st->values[st->count++] = value;
}

void
cli_statement_text(struct cli_statement *st, const char *before, const char *value)
{
    statement_value(st, before, (struct cli_value){.text = value});
}

void
cli_statement_integer(struct cli_statement *st, const char *before, int64_t value)
{
    statement_value(st, before, (struct cli_value){.is_integer = true, .integer = value});
}

void
cli_statement_secret(struct cli_statement *st, const char *before, const char *name,
                     const char *value)
{
    statement_value(st, before, (struct cli_value){.text = value, .is_secret = true, .name = name});
}

void
cli_statement_render(const struct cli_statement *st, struct via_buf *b)
{
    const char *text = via_buf_text(&st->text);
    size_t from = 0;

    for (size_t i = 0; i < st->count; i++) {
        via_buf_put(b, text + from, st->values[i].at - from);
        if (st->values[i].is_integer)
            via_buf_printf(b, "%lld", (long long)st->values[i].integer);
        else if (st->values[i].is_secret)
            via_buf_printf(b, ":%s", st->values[i].name);
        else
            via_buf_put_sql(b, st->values[i].text);
        from = st->values[i].at + 1;
    }
    via_buf_puts(b, text + from);
}

sqlite3_stmt *
cli_statement_prepare(const struct cli_statement *st, struct via_sql *s)
{
    sqlite3_stmt *q;

    if (st->text.failed) {
        via_sql_fail(s, VIA_OUT_OF_MEMORY, "out of memory");
        return NULL;
    }
    q = via_sql_prepare(s, via_buf_text(&st->text));
    for (size_t i = 0; i < st->count; i++) {
        if (st->values[i].is_integer)
            via_sql_bind_int(s, q, (int)i + 1, st->values[i].integer);
        else if (st->values[i].is_secret)
            via_sql_lend_text(s, q, (int)i + 1, st->values[i].text, strlen(st->values[i].text));
        else
            via_sql_bind_text(s, q, (int)i + 1, st->values[i].text);
    }
    return q;
}
