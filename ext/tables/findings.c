/* via_findings: what is wrong with this host, looked for at each SELECT; UPDATE … SET fix = 1 mends
 * those of the rows that are fixable when it commits. */
#include "effects/doctor.h"
#include "tables/tables.h"

enum { CODE, SEVERITY, SUBJECT, REASON, REMEDIATION, FIXABLE, FIX };

static const struct via_column columns[] = {
    [CODE] = {"code", "TEXT", 0},
    [SEVERITY] = {"severity", "TEXT", 0},
    [SUBJECT] = {"subject", "TEXT", 0},
    [REASON] = {"reason", "TEXT", 0},
    [REMEDIATION] = {"remediation", "TEXT", 0},
    [FIXABLE] = {"fixable", "INTEGER", 0},
    [FIX] = {"fix", "INTEGER", VIA_COL_ARGUMENT | VIA_COL_UPDATE},
};

static void
findings_update(struct via_store *s, int64_t rid, const struct via_row *row)
{
    int64_t fix = via_row_int(row, FIX, 0);

    if (fix != 0 && fix != 1)
        via_sql_fail(&s->write, VIA_VALUE_INVALID, "fix is 1 or nothing");
    else if (fix)
        via_doctor_intend(s, rid);
}

const struct via_table via_table_findings = {
    .name = "via_findings",
    .view = "v_findings",
    .columns = columns,
    .column_count = VIA_COLUMN_COUNT(columns),
    .control = true,
    .refresh = via_doctor_look,
    .update = findings_update,
};
