/* The focus of this file is telling a bound assignment from one that is written out, by text. */
#include "check.h"
#include "rules/assign.h"

static const char *const bound[] = {
    "UPDATE t SET value=?",
    "UPDATE t SET value = ?1 WHERE name = 'value=2'",
    "update \"t\" set secret = 1, value=:v;",
    "UPDATE t SET [value]=@v RETURNING 1",
    "UPDATE t SET a=max(1,(SELECT value FROM u)), `value` = $v::x -- the end",
    "UPDATE t SET /* value = 'x' */ VALUE/**/=/**/?2 FROM u",
    "WITH c(value) AS (SELECT 'x') UPDATE t SET value=?",
    "WITH c AS (UPDATE_ SET value='x') UPDATE OR IGNORE t SET value=?, a='it''s, value=''x'''",
};

static const char *const written[] = {
    "",
    "UPDATE t",
    "UPDATE t SET",
    "UPDATE t SET value",
    "UPDATE t SET value=",
    "UPDATE t SET value='x'",
    "UPDATE t SET value=?||'x'",
    "UPDATE t SET value='x'||?",
    "UPDATE t SET value=(?)",
    "UPDATE t SET value=? COLLATE nocase",
    "UPDATE t SET value=?, value='x'",
    "UPDATE t SET value='x', value=?",
    "UPDATE t SET (value, a)=(?, ?)",
    "UPDATE t SET a=? WHERE value=?",
    "UPDATE t SET a='value=?'",
    "UPDATE t SET a=(SELECT 1 WHERE value=?)",
    "UPDATE t SET value2=?",
    "UPDATE t SET -- value=?",
    "UPDATE t SET 'value",
    "UPDATE t SET \"",
    "DELETE FROM t WHERE value=?",
};

int
main(void)
{
    for (size_t i = 0; i < sizeof bound / sizeof bound[0]; i++)
        CHECK(via_assigns_parameter(bound[i], "value"), "bound: %s", bound[i]);
    for (size_t i = 0; i < sizeof written / sizeof written[0]; i++)
        CHECK(!via_assigns_parameter(written[i], "value"), "written out: %s", written[i]);
    return check_end();
}
