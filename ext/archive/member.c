#include "archive/member.h"

#include "base/id.h"

#include <stdio.h>
#include <string.h>

static const char *const fixed_names[] = {
    [VIA_MEMBER_SEALED_KEYS] = "keys.sealed",
    [VIA_MEMBER_RUNTIME] = "runtime.db",
    [VIA_MEMBER_CONTROL] = "control-plane.db",
    [VIA_MEMBER_MANIFEST] = "manifest.json",
};

void
via_member_name(struct via_member *m)
{
    switch (m->kind) {
    case VIA_MEMBER_ADDON:
        (void)snprintf(m->name, sizeof m->name, "addons/%s/data.sqlite", m->addon_id);
        break;
    case VIA_MEMBER_SNAPSHOT:
        (void)snprintf(m->name, sizeof m->name, "addons/%s/snapshots/%s.sqlite", m->addon_id,
                       m->snapshot_id);
        break;
    case VIA_MEMBER_KEY:
        (void)snprintf(m->name, sizeof m->name, "keys/%s.jwk", m->kid);
        break;
    default:
        (void)snprintf(m->name, sizeof m->name, "%s", fixed_names[m->kind]);
    }
}

/* Copy the `n` bytes at `text` when they are an id of `prefix`. */
static bool
take_id(const char *prefix, const char *text, size_t n, char out[VIA_ID_SIZE])
{
    if (n >= VIA_ID_SIZE)
        return false;
    memcpy(out, text, n);
    out[n] = '\0';
    return via_id_is(prefix, out);
}

static void
parse_path(const char *name, struct via_member *m)
{
    const char *rest = strchr(name, '/'), *next;

    if (!rest)
        return;
    rest++;
    next = strchr(rest, '/');
    if (strncmp(name, "keys/", 5) == 0) {
        m->kind = VIA_MEMBER_KEY;
        (void)take_id("key", rest, strcspn(rest, "."), m->kid);
    } else if (next && take_id("addon", rest, (size_t)(next - rest), m->addon_id)) {
        m->kind = VIA_MEMBER_ADDON;
        if (strncmp(next, "/snapshots/", 11) == 0 &&
            take_id("snap", next + 11, strcspn(next + 11, "."), m->snapshot_id))
            m->kind = VIA_MEMBER_SNAPSHOT;
    }
}

/* A name is one when it is what its parts would be called: no second spelling passes. */
bool
via_member_parse(const char *name, struct via_member *m)
{
    m->kind = VIA_MEMBER_ADDON;
    m->addon_id[0] = m->snapshot_id[0] = m->kid[0] = '\0';
    for (int kind = VIA_MEMBER_SEALED_KEYS; kind <= VIA_MEMBER_MANIFEST; kind++)
        if (strcmp(name, fixed_names[kind]) == 0)
            m->kind = (enum via_member_kind)kind;
    parse_path(name, m);
    if (m->kind == VIA_MEMBER_ADDON && !via_id_is("addon", m->addon_id))
        return false;
    if (m->kind == VIA_MEMBER_KEY && !via_id_is("key", m->kid))
        return false;
    via_member_name(m);
    return strcmp(name, m->name) == 0;
}

void
via_archive_put_entry(struct via_buf *list, const struct via_member *m, const char *digest)
{
    via_buf_printf(list, "%s\n{\"name\":\"%s\",\"size\":%lld,\"digest\":\"%s\"}",
                   list->len > 0 ? "," : "", m->name, (long long)m->size_bytes, digest);
}

static void
pair_put(struct via_buf *b, const char *key, const char *value)
{
    via_buf_printf(b, "\"%s\":", key);
    via_buf_put_json(b, value, strlen(value));
}

void
via_left_out_put(struct via_archive_head *head, const struct via_left_out *l)
{
    struct via_buf *b = &head->left_out;

    via_buf_puts(b, head->absent++ > 0 ? ",{" : "{");
    pair_put(b, "addon", l->addon);
    via_buf_putc(b, ',');
    pair_put(b, "addon_id", l->addon_id);
    via_buf_putc(b, ',');
    pair_put(b, "app", l->app);
    via_buf_putc(b, ',');
    if (l->snapshot_id[0]) {
        pair_put(b, "snapshot", l->snapshot_id);
        via_buf_putc(b, ',');
    }
    pair_put(b, "code", l->code);
    via_buf_putc(b, '}');
}

void
via_archive_put_manifest(struct via_buf *out, const struct via_archive_head *head,
                         const struct via_buf *list)
{
    via_buf_printf(out, "{\"format\":%d,\"id\":\"%s\",\"created_at\":\"%s\",\"host\":",
                   head->absent > 0 ? VIA_ARCHIVE_FORMAT : 1, head->id, head->created_at);
    via_buf_put_json(out, head->host, strlen(head->host));
    via_buf_printf(out, ",\"schema\":{\"control\":%lld,\"runtime\":%lld},\"sealed\":%s,",
                   (long long)head->control_schema, (long long)head->runtime_schema,
                   head->sealed ? "true" : "false");
    if (head->absent > 0)
        via_buf_printf(out, "\"left_out\":[%s],", via_buf_text(&head->left_out));
    via_buf_puts(out, "\"digests\":\"BLAKE2b-256\",\"members\":[");
    via_buf_put(out, list->data, list->len);
    via_buf_puts(out, "\n]}\n");
    out->failed |= head->left_out.failed;
}
