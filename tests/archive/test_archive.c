/* The focus of this file is an archive that was signed by somebody who lies: members that are
 * missing, doubled, out of order, strange, links, or not what the manifest says. */
#include "archive/member.h"
#include "base/id.h"
#include "base/io.h"
#include "check.h"
#include "scratch.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>

static struct via_root root;
static struct via_keyring *keys;
static char addon_id[VIA_ID_SIZE], snapshot_id[VIA_ID_SIZE], kid[VIA_ID_SIZE];

/* One member of an archive to be, as its maker wants it. */
struct lie {
    const char *name;
    const char *link; /* target, or NULL */
    unsigned type;    /* AE_IFREG unless said */
    const char *text; /* content; NULL: what a manifest of the others would be */
    bool hard;
};

static la_ssize_t
put(struct archive *a, void *arg, const void *bytes, size_t n)
{
    (void)a;
    via_buf_put(arg, bytes, n);
    return (la_ssize_t)n;
}

/* The manifest that tells the truth of the `count` lies before it, as a writer would. */
static void
manifest_write(const struct via_archive_head *head, const struct lie *lies, size_t count,
               struct via_buf *out)
{
    struct via_buf list;

    via_buf_init(&list);
    for (size_t i = 0; i < count; i++) {
        const char *text = lies[i].text ? lies[i].text : "";
        struct via_member m = {.size_bytes = (int64_t)strlen(text)};
        char digest[65];

        snprintf(m.name, sizeof m.name, "%s", lies[i].name);
        via_digest_hex(&(struct via_piece){text, strlen(text)}, 1, digest);
        via_archive_put_entry(&list, &m, digest);
    }
    via_archive_put_manifest(out, head, &list);
    via_buf_deinit(&list);
}

static void
entry_write(struct archive *a, const struct lie *lie, const char *text)
{
    struct archive_entry *entry = archive_entry_new();

    archive_entry_set_pathname(entry, lie->name);
    archive_entry_set_filetype(entry, lie->type ? lie->type : AE_IFREG);
    archive_entry_set_perm(entry, 0600);
    if (lie->link && lie->hard)
        archive_entry_set_hardlink(entry, lie->link);
    else if (lie->link)
        archive_entry_set_symlink(entry, lie->link);
    archive_entry_set_size(entry, lie->link ? 0 : (int64_t)strlen(text));
    if (archive_write_header(a, entry) == ARCHIVE_OK && !lie->link)
        (void)archive_write_data(a, text, strlen(text));
    archive_entry_free(entry);
}

/* Write an archive of the lies, rightly sealed. Returns its descriptor. */
static int
archive_make(const struct lie *lies, size_t count, const struct via_archive_head *head)
{
    struct archive *a = archive_write_new();
    struct via_archive_frame seal;
    struct via_buf file, manifest, text;
    char path[VIA_PATH_SIZE], digest[65], signer[VIA_ID_SIZE];
    struct via_error e = {0};
    int fd;

    via_buf_init(&file);
    via_buf_init(&manifest);
    via_buf_init(&text);
    archive_write_add_filter_zstd(a);
    archive_write_set_format_pax(a);
    archive_write_set_bytes_in_last_block(a, 1);
    archive_write_open(a, &file, NULL, put, NULL);
    for (size_t i = 0; i < count; i++) {
        if (!lies[i].text && !lies[i].link)
            manifest_write(head, lies, i, &manifest);
        entry_write(a, &lies[i], lies[i].text ? lies[i].text : via_buf_text(&manifest));
    }
    archive_write_close(a);
    archive_write_free(a);

    via_archive_seal_begin(&seal, head->id);
    via_digest_hex(&(struct via_piece){file.data, file.len}, 1, digest);
    via_archive_seal_put_signed(&seal, digest, &text);
    if (via_keyring_sign(keys, VIA_KEY_BACKUP, text.data, text.len, seal.signature, signer, &e) !=
            VIA_OK ||
        !via_keyring_public(keys, signer, seal.public))
        fprintf(stderr, "%s\n", e.message);
    via_buf_put(&file, &seal, sizeof seal);
    via_root_join(&root, "backups/lie", path);
    unlink(path);
    fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (via_io_put(fd, file.data, file.len) < 0)
        perror(path);
    via_buf_deinit(&file);
    via_buf_deinit(&manifest);
    via_buf_deinit(&text);
    return fd;
}

static enum via_status
nothing(void *arg, const struct via_member *m, struct via_error *e)
{
    (void)m;
    (void)e;
    ++*(int *)arg;
    return VIA_OK;
}

static enum via_status
swallow(void *arg, const struct via_member *m, const void *bytes, size_t n, struct via_error *e)
{
    (void)arg;
    (void)m;
    (void)bytes;
    (void)n;
    (void)e;
    return VIA_OK;
}

/* What a reader says to an archive of these. */
static enum via_status
archive_try(const struct lie *lies, size_t count, struct via_error *e)
{
    struct via_archive_head head = {.id = "", .created_at = "2026-01-01T00:00:00.000Z"}, got;
    struct via_archive_seal seal;
    int begun = 0;
    struct via_archive_taker taker = {nothing, swallow, nothing, &begun};
    int fd;

    via_id_make("backup", head.id);
    fd = archive_make(lies, count, &head);
    e->status = VIA_OK;
    if (via_archive_check_seal(fd, NULL, NULL, &seal, e) == VIA_OK)
        via_ignore(via_archive_read(fd, &seal, &taker, NULL, &got, e));
    close(fd);
    return e->status;
}

#define TRY(expected, sentence, ...)                                                               \
    do {                                                                                           \
        const struct lie lies[] = {__VA_ARGS__};                                                   \
        struct via_error e = {0};                                                                  \
        enum via_status said = archive_try(lies, sizeof lies / sizeof *lies, &e);                  \
                                                                                                   \
        CHECK(said == (expected), "%s: %s %s", sentence, via_status_word(said), e.message);        \
    } while (0)

#define KEY                                                                                        \
    {                                                                                              \
        .name = key, .text = "k"                                                                   \
    }
#define RUNTIME                                                                                    \
    {                                                                                              \
        .name = "runtime.db", .text = "r"                                                          \
    }
#define CONTROL                                                                                    \
    {                                                                                              \
        .name = "control-plane.db", .text = "c"                                                    \
    }
#define MANIFEST                                                                                   \
    {                                                                                              \
        .name = "manifest.json"                                                                    \
    }
#define DATA                                                                                       \
    {                                                                                              \
        .name = data, .text = "d"                                                                  \
    }
#define SNAPSHOT                                                                                   \
    {                                                                                              \
        .name = snapshot, .text = "s"                                                              \
    }

static void
test_lies(void)
{
    char data[VIA_ARCHIVE_NAME_SIZE], snapshot[VIA_ARCHIVE_NAME_SIZE], key[VIA_ARCHIVE_NAME_SIZE];
    char odd[256];

    snprintf(data, sizeof data, "addons/%s/data.sqlite", addon_id);
    snprintf(snapshot, sizeof snapshot, "addons/%s/snapshots/%s.sqlite", addon_id, snapshot_id);
    snprintf(key, sizeof key, "keys/%s.jwk", kid);

    TRY(VIA_OK, "what a writer writes is read", DATA, SNAPSHOT, KEY, RUNTIME, CONTROL, MANIFEST);
    TRY(VIA_OK, "no add-on at all is fine", KEY, RUNTIME, CONTROL, MANIFEST);
    TRY(VIA_BACKUP_INVALID, "a member twice", DATA, DATA, KEY, RUNTIME, CONTROL, MANIFEST);
    TRY(VIA_BACKUP_INVALID, "members out of order", SNAPSHOT, DATA, KEY, RUNTIME, CONTROL,
        MANIFEST);
    TRY(VIA_BACKUP_INVALID, "the control plane before its time", CONTROL, DATA, KEY, RUNTIME,
        MANIFEST);
    TRY(VIA_BACKUP_INVALID, "no control plane", DATA, KEY, RUNTIME, MANIFEST);
    TRY(VIA_BACKUP_INVALID, "no runtime", DATA, KEY, CONTROL, MANIFEST);
    TRY(VIA_BACKUP_INVALID, "no manifest", DATA, KEY, RUNTIME, CONTROL);
    TRY(VIA_BACKUP_INVALID, "something behind the manifest", KEY, RUNTIME, CONTROL, MANIFEST,
        {.name = "zz", .text = "z"});
    TRY(VIA_BACKUP_INVALID, "a manifest of something else", DATA, KEY, RUNTIME, CONTROL,
        {.name = "manifest.json", .text = "{\"format\":1}"});
    TRY(VIA_STATE_NEWER, "a manifest of a time to come", DATA, KEY, RUNTIME, CONTROL,
        {.name = "manifest.json", .text = "{\"format\":3}"});
    TRY(VIA_BACKUP_INVALID, "keys both plain and sealed", KEY, {.name = "keys.sealed", .text = "x"},
        RUNTIME, CONTROL, MANIFEST);
    TRY(VIA_BACKUP_INVALID, "sealed keys that the manifest calls plain",
        {.name = "keys.sealed", .text = "x"}, RUNTIME, CONTROL, MANIFEST);
    TRY(VIA_BACKUP_INVALID, "a symbolic link", {.name = data, .link = "/etc", .type = AE_IFLNK},
        KEY, RUNTIME, CONTROL, MANIFEST);
    TRY(VIA_BACKUP_INVALID, "a hard link", {.name = data, .link = "runtime.db", .hard = true}, KEY,
        RUNTIME, CONTROL, MANIFEST);
    TRY(VIA_BACKUP_INVALID, "a folder", {.name = data, .text = "", .type = AE_IFDIR}, KEY, RUNTIME,
        CONTROL, MANIFEST);
    TRY(VIA_BACKUP_INVALID, "a pipe", {.name = data, .text = "", .type = AE_IFIFO}, KEY, RUNTIME,
        CONTROL, MANIFEST);

    static const char *const names[] = {"/etc/passwd",
                                        "../control-plane.db",
                                        "addons/../../x",
                                        "keys/../x.jwk",
                                        "./runtime.db",
                                        "addons/x/data.sqlite",
                                        "keys/x.jwk",
                                        "runtime.db/",
                                        "x",
                                        ""};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        TRY(VIA_BACKUP_INVALID, names[i], {.name = names[i], .text = "x"}, KEY, RUNTIME, CONTROL,
            MANIFEST);
    snprintf(odd, sizeof odd, "addons/%s/snapshots/../data.sqlite", addon_id);
    TRY(VIA_BACKUP_INVALID, "a second spelling", {.name = odd, .text = "x"}, KEY, RUNTIME, CONTROL,
        MANIFEST);
    snprintf(odd, sizeof odd, "addons/%s//data.sqlite", addon_id);
    TRY(VIA_BACKUP_INVALID, "a doubled slash", {.name = odd, .text = "x"}, KEY, RUNTIME, CONTROL,
        MANIFEST);
    snprintf(odd, sizeof odd, "keys/%s.jwk.jwk", kid);
    TRY(VIA_BACKUP_INVALID, "a longer name", {.name = odd, .text = "x"}, RUNTIME, CONTROL,
        MANIFEST);
}

/* -- how far it is ------------------------------------------------------------------ */

struct told {
    int64_t last, stop_at; /* 0: never */
    int words;
    bool is_falling;
};

static bool
note(void *arg, int64_t bytes)
{
    struct told *told = arg;

    told->is_falling |= bytes < told->last;
    told->last = bytes;
    told->words++;
    return told->stop_at == 0 || bytes < told->stop_at;
}

/* Text that is not compressed much. */
static char *
noise(size_t n)
{
    char *text = malloc(n + 1);
    uint32_t x = 1;

    for (size_t i = 0; i < n; i++) {
        x = x * 1664525 + 1013904223;
        text[i] = (char)('0' + (x >> 24) % 64);
    }
    text[n] = '\0';
    return text;
}

static void
test_told(void)
{
    char data[VIA_ARCHIVE_NAME_SIZE], key[VIA_ARCHIVE_NAME_SIZE], *text = noise(2000000);
    struct via_archive_head head = {.created_at = "2026-01-01T00:00:00.000Z"}, got;
    struct via_archive_seal seal;
    int begun = 0, fd;
    struct via_archive_taker taker = {nothing, swallow, nothing, &begun};
    struct told sealed = {0}, taken = {0}, stopped = {.stop_at = 200000};
    struct via_archive_tell tell = {note, &sealed};
    struct via_error e = {0};

    snprintf(data, sizeof data, "addons/%s/data.sqlite", addon_id);
    snprintf(key, sizeof key, "keys/%s.jwk", kid);
    via_id_make("backup", head.id);
    const struct lie lies[] = {{.name = data, .text = text}, KEY, RUNTIME, CONTROL, MANIFEST};
    fd = archive_make(lies, sizeof lies / sizeof *lies, &head);
    CHECK(via_archive_check_seal(fd, NULL, &tell, &seal, &e) == VIA_OK && sealed.words > 5 &&
              !sealed.is_falling && seal.size_bytes - sealed.last < 1000,
          "the seal's reading is told to its end (%d words)", sealed.words);
    tell.arg = &taken;
    CHECK(via_archive_read(fd, &seal, &taker, &tell, &got, &e) == VIA_OK &&
              taken.words >= sealed.words && !taken.is_falling && taken.last == sealed.last,
          "and that of the members (%d words)", taken.words);
    tell.arg = &stopped;
    CHECK(via_archive_check_seal(fd, NULL, &tell, &seal, &e) == VIA_OPERATION_INTERRUPTED,
          "the one can be stopped");
    e = (struct via_error){0};
    stopped.last = 0;
    via_ignore(via_archive_check_seal(fd, NULL, NULL, &seal, &e));
    CHECK(via_archive_read(fd, &seal, &taker, &tell, &got, &e) == VIA_OPERATION_INTERRUPTED,
          "and the other (%s)", e.message);
    close(fd);
    free(text);
}

/* Names are other people's: what was left out comes back as it was put in, and only from a manifest
 * whose form says that there is such a list. */
static void
test_left_out(void)
{
    struct via_left_out content = {.addon = "a\"b\n", .app = "shop", .code = "storage_missing"};
    struct via_left_out snapshot = {.addon = "db", .app = "shop", .code = "snapshot_corrupt"};
    struct via_archive_head head = {.created_at = "2026-01-01T00:00:00.000Z"}, got = {0};
    struct via_archive_taker taker = {nothing, swallow, nothing, &(int){0}};
    struct via_archive_seal seal;
    struct via_error e = {0};
    int fd;

    memcpy(content.addon_id, addon_id, sizeof content.addon_id);
    memcpy(snapshot.addon_id, addon_id, sizeof snapshot.addon_id);
    memcpy(snapshot.snapshot_id, snapshot_id, sizeof snapshot.snapshot_id);
    via_id_make("backup", head.id);
    via_left_out_put(&head, &content);
    via_left_out_put(&head, &snapshot);
    const struct lie lies[] = {RUNTIME, CONTROL, MANIFEST};
    fd = archive_make(lies, sizeof lies / sizeof *lies, &head);
    CHECK(via_archive_check_seal(fd, NULL, NULL, &seal, &e) == VIA_OK &&
              via_archive_read(fd, &seal, &taker, NULL, &got, &e) == VIA_OK && got.absent == 2 &&
              strcmp(via_buf_text(&got.left_out), via_buf_text(&head.left_out)) == 0 &&
              strstr(got.left_out.data, snapshot_id) && strstr(got.left_out.data, "a\\\"b\\n"),
          "what was left out is read back: %s (%s)", via_buf_text(&got.left_out), e.message);
    via_buf_deinit(&got.left_out);
    via_buf_deinit(&head.left_out);
    close(fd);
}

int
main(void)
{
    struct via_error e = {0};

    scratch_root(&root);
    via_id_make("addon", addon_id);
    via_id_make("snap", snapshot_id);
    via_id_make("key", kid);
    if (!CHECK(via_keyring_new(&root, &keys, &e) == VIA_OK, "a ring: %s", e.message))
        return 1;
    test_lies();
    test_told();
    test_left_out();
    via_keyring_free(keys);
    return check_end();
}
