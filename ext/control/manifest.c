#include "control/manifest.h"

#include "base/json.h"
#include "identity/codec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
member(struct via_buf *out, const char *key, const char *value, bool last)
{
    via_buf_printf(out, "\"%s\":", key);
    if (value)
        via_buf_put_json(out, value, strlen(value));
    else
        via_buf_puts(out, "null");
    via_buf_putc(out, last ? '}' : ',');
}

void
via_manifest_write(struct via_buf *out, const struct via_manifest_head *head,
                   const struct via_manifest_entry *entries, size_t count)
{
    via_buf_putc(out, '{');
    member(out, "app", head->app, false);
    member(out, "artifact", head->artifact, false);
    via_buf_puts(out, "\"bindings\":[");
    for (size_t i = 0; i < count; i++) {
        via_buf_puts(out, i ? ",{" : "{");
        member(out, "addon_id", entries[i].addon_id, false);
        member(out, "binding", entries[i].binding, false);
        via_buf_printf(out, "\"generation\":%lld,", (long long)entries[i].generation);
        member(out, "mode", entries[i].mode, false);
        member(out, "target", entries[i].target, false);
        member(out, "type", entries[i].type, true);
    }
    via_buf_puts(out, "],");
    member(out, "created_at", head->created_at, false);
    member(out, "id", head->id, false);
    member(out, "target", head->target, false);
    via_buf_printf(out, "\"version\":%lld}", (long long)head->version);
}

static bool
manifest_says(const via_json *doc, const char *key, const char *value)
{
    const char *text = via_json_string(via_json_member(doc, key), NULL);

    return text && strcmp(text, value) == 0;
}

/* Does the text speak of this release and app? A manifest moved to another row does not. */
static bool
manifest_names(const char *text, size_t n, const char *release, const char *app)
{
    struct via_error e = {0};
    via_json *doc = NULL;
    bool right = via_json_parse(text, n, 8, &doc, &e) == VIA_OK &&
                 manifest_says(doc, "id", release) && manifest_says(doc, "app", app);

    via_json_free(doc);
    return right;
}

bool
via_manifest_verify(struct via_sql *db, struct via_keyring *keys, const char *release,
                    const char *app, struct via_buf *text)
{
    uint8_t signature[64];
    size_t signature_len = 0;
    char kid[VIA_ID_SIZE] = "";
    const char *encoded;
    bool holds = false;
    sqlite3_stmt *q = via_sql_stmt(db, "SELECT manifest, signature, key_id FROM main.releases"
                                       " WHERE id = ?1");

    via_buf_reset(text);
    via_sql_bind_text(db, q, 1, release);
    if (via_sql_row(db, q)) {
        via_buf_put(text, sqlite3_column_text(q, 0), (size_t)sqlite3_column_bytes(q, 0));
        encoded = (const char *)sqlite3_column_text(q, 1);
        via_sql_text(q, 2, kid, sizeof kid);
        holds = !text->failed && encoded &&
                via_base64url_decode(encoded, strlen(encoded), signature, sizeof signature,
                                     &signature_len) &&
                signature_len == sizeof signature &&
                via_keyring_verify(keys, VIA_KEY_MANIFEST, kid, text->data, text->len, signature);
    }
    via_sql_end(db, q);
    return holds && manifest_names(text->data, text->len, release, app);
}

static void
entry_text(const via_json *entry, const char *key, char *out, size_t size)
{
    const char *text = via_json_string(via_json_member(entry, key), NULL);

    (void)snprintf(out, size, "%s", text ? text : "");
}

static void
entry_read(const via_json *entry, struct via_manifest_entry *out)
{
    entry_text(entry, "binding", out->binding, sizeof out->binding);
    entry_text(entry, "target", out->target, sizeof out->target);
    entry_text(entry, "addon_id", out->addon_id, sizeof out->addon_id);
    entry_text(entry, "type", out->type, sizeof out->type);
    entry_text(entry, "mode", out->mode, sizeof out->mode);
    out->generation = via_json_integer(via_json_member(entry, "generation"));
}

bool
via_manifest_list(const char *text, size_t n, struct via_manifest_list *out)
{
    struct via_error e = {0};
    via_json *doc = NULL;
    const via_json *bindings;

    *out = (struct via_manifest_list){0};
    if (via_json_parse(text, n, 8, &doc, &e) != VIA_OK)
        return false;
    entry_text(doc, "target", out->target, sizeof out->target);
    bindings = via_json_member(doc, "bindings");
    out->count = bindings ? via_json_count(bindings) : 0;
    out->entries = calloc(out->count + 1, sizeof *out->entries);
    for (size_t i = 0; out->entries && i < out->count; i++)
        entry_read(via_json_at(bindings, i), &out->entries[i]);
    via_json_free(doc);
    return out->entries != NULL;
}

bool
via_manifest_find(const char *text, size_t n, const char *binding, struct via_manifest_entry *out)
{
    struct via_error e = {0};
    via_json *doc = NULL;
    const via_json *bindings;
    const via_json *entry;
    bool found = false;

    if (via_json_parse(text, n, 8, &doc, &e) != VIA_OK)
        return false;
    bindings = via_json_member(doc, "bindings");
    for (size_t i = 0; bindings && !found && i < via_json_count(bindings); i++) {
        entry = via_json_at(bindings, i);
        found = manifest_says(entry, "binding", binding);
        if (found)
            entry_read(entry, out);
    }
    via_json_free(doc);
    return found;
}
