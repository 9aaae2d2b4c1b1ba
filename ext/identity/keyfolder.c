#include "identity/keyfolder.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/id.h"
#include "identity/keyfile.h"

#include <dirent.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static int
is_key(const struct dirent *entry)
{
    char kid[VIA_ID_SIZE];

    return via_keyfile_kid(entry->d_name, kid);
}

static enum via_status
folder_visit(const struct via_root *root, const char *name, via_keyfolder_fn fn, void *arg,
             struct via_error *e)
{
    char kid[VIA_ID_SIZE] = "", path[VIA_PATH_SIZE];
    struct via_error why = {0};
    enum via_status status;
    char *text;
    size_t n;

    if (!via_keyfile_kid(name, kid))
        return VIA_OK;
    via_keyfile_path(root, kid, path);
    if (via_fs_read(path, VIA_KEY_FILE_MAX, &text, &n, &why) != VIA_OK)
        return via_error_set(e, VIA_KEY_UNAVAILABLE, "%s", why.message);
    status = fn(arg, kid, text, n, e);
    sodium_memzero(text, n);
    free(text);
    return status;
}

enum via_status
via_keyfolder_each(const struct via_root *root, via_keyfolder_fn fn, void *arg, struct via_error *e)
{
    struct dirent **entries = NULL;
    enum via_status status = VIA_OK;
    char path[VIA_PATH_SIZE];
    int count;

    via_root_join(root, "keys", path);
    count = scandir(path, &entries, is_key, alphasort);
    if (count < 0)
        status = via_error_set_errno(e, VIA_KEY_UNAVAILABLE, errno, "keys/ cannot be read");
    for (int i = 0; i < count; i++) {
        if (status == VIA_OK)
            status = folder_visit(root, entries[i]->d_name, fn, arg, e);
        free(entries[i]);
    }
    free(entries);
    return status;
}

enum via_status
via_keyfolder_put(const struct via_root *root, const char *kid, const char *text, size_t n,
                  struct via_error *e)
{
    char path[VIA_PATH_SIZE];

    if (!via_id_is("key", kid) || n > VIA_KEY_FILE_MAX)
        return via_error_set(e, VIA_BACKUP_INVALID, "it holds something else among its keys");
    via_keyfile_path(root, kid, path);
    return via_fs_write_new(path, text, n, 0600, root, e);
}
