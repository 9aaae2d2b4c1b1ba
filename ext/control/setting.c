#include "control/setting.h"

#include "control/audit.h"
#include "control/operation.h"
#include "control/reason.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define YEARS 315360000
#define MEBI 1048576

const struct via_setting via_settings[] = {
    {"advertised_url", "", "URL", "what apps are told as the agent's address", 0, 0},
    {"allowed_hosts", "", "hosts", "further Host names the agent answers to, comma-separated", 0,
     0},
    {"audit_keep_s", "0", "s", "how long audit records are kept; 0 keeps them for ever", 0, YEARS},
    {"busy_timeout_ms", "5000", "ms", "how long a writer waits for another", 0, 600000},
    {"client_token_ttl_s", "2592000", "s", "life of a token for clients that cannot renew one", 1,
     YEARS},
    {"destroy_retention_s", "604800", "s", "how long a destroyed add-on's bytes are kept", 0,
     YEARS},
    {"handover_s", "30", "s", "how long a superseded deploy's instances go on", 0, 86400},
    {"hrana_encodings", "json,protobuf", "encodings", "encodings offered to libSQL clients", 0, 0},
    {"instance_keep_s", "86400", "s",
     "how long rows of instances and tokens that are over are kept; 0 keeps them for ever", 0,
     YEARS},
    {"json_depth", "64", "levels", "deepest JSON request", 2, 1000},
    {"lease_ttl_s", "900", "s", "life of an instance's lease", 1, YEARS},
    {"open_addons", "1000", "add-ons", "databases the agent keeps open at most", 1, 100000},
    {"params_max", "32766", "parameters", "parameters of one statement at most", 0, 32766},
    {"request_bytes", "16777216", "bytes", "longest request", 1024, 1024L * MEBI},
    {"restore_timeout_s", "30", "s", "how long a restore waits for running operations", 0, 86400},
    {"result_bytes", "268435456", "bytes", "longest result", 1024, 1048576L * MEBI},
    {"sql_bytes", "1048576", "bytes", "longest SQL text", 64, 1000L * MEBI},
    {"statement_timeout_ms", "30000", "ms", "longest statement", 1, 86400000},
    {"tx_idle_ms", "10000", "ms", "longest pause inside a transaction", 1, 86400000},
    {"tx_total_ms", "60000", "ms", "longest transaction", 1, 86400000},
    {"workload_token_ttl_s", "900", "s", "life of a workload token", 1, YEARS},
};
const size_t via_settings_count = sizeof via_settings / sizeof via_settings[0];

const struct via_setting *
via_setting_find(const char *name)
{
    for (size_t i = 0; name && i < via_settings_count; i++)
        if (strcmp(via_settings[i].name, name) == 0)
            return &via_settings[i];
    return NULL;
}

void
via_setting_text(struct via_sql *db, const char *name, char *out, size_t size)
{
    const struct via_setting *setting = via_setting_find(name);
    sqlite3_stmt *q = via_sql_stmt(db, "SELECT value FROM main.settings WHERE name = ?1");

    (void)snprintf(out, size, "%s", setting ? setting->value : "");
    via_sql_bind_text(db, q, 1, name);
    if (via_sql_row(db, q))
        via_sql_text(q, 0, out, size);
    via_sql_end(db, q);
}

int64_t
via_setting_int(struct via_sql *db, const char *name)
{
    char text[32];

    via_setting_text(db, name, text, sizeof text);
    return strtoll(text, NULL, 10);
}

/* What apps can be told: none, or an address of theirs. */
static bool
is_url(const char *value)
{
    return !*value || strncmp(value, "http://", 7) == 0 || strncmp(value, "https://", 8) == 0;
}

/* Names and addresses, with commas or spaces between them. */
static bool
is_host_list(const char *value)
{
    static const char host[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                               ".-_:[], ";

    return strspn(value, host) == strlen(value);
}

/* At least one, and none that there is not. */
static bool
is_encoding_list(const char *value)
{
    int count = 0;

    for (value += strspn(value, ", "); *value; count++) {
        size_t n = strcspn(value, ", ");

        if (!(n == 4 && strncmp(value, "json", n) == 0) &&
            !(n == 8 && strncmp(value, "protobuf", n) == 0))
            return false;
        value += n;
        value += strspn(value, ", ");
    }
    return count > 0;
}

/* What a setting that is text takes, in words; `holds` may be NULL. */
struct setting_form {
    const char *unit;
    bool (*holds)(const char *value);
    const char *words;
};

static const struct setting_form *
setting_form(const struct via_setting *setting)
{
    static const struct setting_form forms[] = {
        {"URL", is_url, "an address such as https://via.example, or ''"},
        {"hosts", is_host_list, "host names with commas between them, or ''"},
        {"encodings", is_encoding_list, "json, protobuf or both"},
    };

    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (strcmp(setting->unit, forms[i].unit) == 0)
            return &forms[i];
    return NULL;
}

/* Is `value` a number within the setting's bounds, or a text of its form, on one line? */
static bool
setting_accepts(const struct via_setting *setting, const char *value)
{
    const struct setting_form *form = setting_form(setting);
    char *end = NULL;
    long long n;

    if (setting->max == 0) {
        for (const char *p = value; *p; p++)
            if ((unsigned char)*p < ' ' || *p == 127)
                return false;
        return strlen(value) < VIA_SETTING_SIZE && (!form || form->holds(value));
    }
    errno = 0;
    n = strtoll(value, &end, 10);
    return value[0] && strspn(value, "0123456789") == strlen(value) && *end == '\0' && errno == 0 &&
           n >= setting->min && n <= setting->max;
}

/* Refuse what the setting does not take. */
static void
setting_check(struct via_sql *db, const struct via_setting *setting, const char *value)
{
    const struct setting_form *form = setting_form(setting);

    if (setting_accepts(setting, value))
        return;
    if (setting->max)
        via_sql_fail(db, VIA_VALUE_INVALID, "%s takes a whole number from %lld to %lld (%s)",
                     setting->name, (long long)setting->min, (long long)setting->max,
                     setting->unit);
    else
        via_sql_fail(db, VIA_VALUE_INVALID, "%s takes %s, in under %d bytes", setting->name,
                     form ? form->words : "one line of text", VIA_SETTING_SIZE);
}

/* `value` NULL removes the row. */
static void
setting_write(struct via_sql *db, const char *name, const char *value)
{
    sqlite3_stmt *q =
        value ? via_sql_stmt(db, "INSERT INTO main.settings(name, value) VALUES(?1, ?2)"
                                 " ON CONFLICT(name) DO UPDATE SET value = excluded.value")
              : via_sql_stmt(db, "DELETE FROM main.settings WHERE name = ?1");

    via_sql_bind_text(db, q, 1, name);
    if (value)
        via_sql_bind_text(db, q, 2, value);
    via_sql_run(db, q);
}

static void
setting_tell(const struct via_setting *setting, const char *is, const char *was,
             struct via_reason *why)
{
    char one[VIA_QUOTE_SIZE], two[VIA_QUOTE_SIZE];

    if (setting->max)
        via_reason_put_change(why, setting->name, is, was);
    else
        via_reason_put_change(why, setting->name, via_reason_quote(is, one),
                              via_reason_quote(was, two));
}

void
via_setting_put(struct via_store *s, const char *name, const char *value)
{
    struct via_sql *db = &s->write;
    const struct via_setting *setting = via_setting_find(name);
    char was[VIA_SETTING_SIZE];
    const char *is = value;
    struct via_reason why = {0};
    char op_id[VIA_ID_SIZE];

    if (!setting) {
        via_sql_fail(db, VIA_SETTING_UNKNOWN,
                     "there is no setting %s; SELECT name FROM via_settings lists them",
                     name ? name : "NULL");
        return;
    }
    if (!value)
        is = setting->value;
    setting_check(db, setting, is);
    via_setting_text(db, name, was, sizeof was);
    if (!via_sql_ok(db) || strcmp(is, was) == 0)
        return;
    setting_write(db, name, value);
    s->takes_right = true; /* agents look when the epoch moves */
    setting_tell(setting, is, was, &why);
    via_operation_put_done(s, &(struct via_change){.kind = "setting.set", .subject = name}, op_id);
    if (via_sql_ok(db))
        via_audit_control(s, "setting.set", NULL, NULL, why.text, op_id);
}
