/* The focus of this file is exports: that the file written is one committed state while writers go
 * on, is the reader's own, and takes nothing's place. */
#include "ledger.h"

static enum via_status
export_to(int way, const char *path, int64_t *size_bytes, struct via_error *e)
{
    *e = (struct via_error){0};
    return sqlite->export_to(&root, &ways[way].opener, addon, path, NULL, size_bytes, e);
}

static void
test_export(int way)
{
    char folder[300], path[400], name[500];
    unsigned char header[100] = {0};
    pid_t writer = ledger_start();
    int64_t size_bytes, before = ledger->done;
    struct via_error e;
    struct stat st;
    sqlite3 *db;
    FILE *f;

    (void)snprintf(folder, sizeof folder, "%s/exports", scratch_path);
    (void)snprintf(path, sizeof path, "%s/a %%20?.db", folder);
    (void)snprintf(name, sizeof name, "%s/.a %%20?.db.%s.incoming", folder, addon);
    if (mkdir(folder, 0755) != 0)
        abort();
    f = fopen(name, "w");
    fputs("what a dead process left", f);
    fclose(f);
    CHECK(export_to(way, path, &size_bytes, &e) == VIA_OK, "%s: an export is written (%s)",
          ways[way].name, e.message);
    ledger_stop(writer);
    CHECK(stat(path, &st) == 0 && st.st_size == size_bytes && (st.st_mode & 07777) == 0600 &&
              st.st_uid == geteuid(),
          "%s: as a file of ours, 0600", ways[way].name);
    f = fopen(path, "rb");
    CHECK(f && fread(header, 1, 100, f) == 100 && header[18] == 1 && header[19] == 1,
          "%s: its header speaks of no write-ahead log", ways[way].name);
    if (f)
        fclose(f);
    db = db_open(path);
    ledger_check(db, before, ledger->done, ways[way].name);
    db_run(db, "INSERT INTO entry(note) VALUES('mine')");
    sqlite3_close(db);
    CHECK(count_in(folder) == 1, "%s: it is one file, read and written", ways[way].name);
    CHECK(export_to(way, path, &size_bytes, &e) == VIA_PATH_INVALID && stat(path, &st) == 0 &&
              count_in(folder) == 1,
          "%s: what is there is not written over", ways[way].name);
    (void)snprintf(name, sizeof name, "rm -rf '%s'", folder);
    if (system(name) != 0)
        abort();
}

static bool
be_faster(void *arg, int percent)
{
    int fd = open(arg, O_WRONLY | O_CREAT, 0600);

    (void)percent;
    if (fd < 0 || pwrite(fd, "mine", 4, 0) != 4)
        abort();
    close(fd);
    return true;
}

static void
test_export_race(void)
{
    char folder[300], path[400];
    struct via_progress progress = {be_faster, path};
    struct via_error e = {0};
    int64_t size_bytes;
    struct stat st;

    (void)snprintf(folder, sizeof folder, "%s/race", scratch_path);
    (void)snprintf(path, sizeof path, "%s/x.db", folder);
    if (mkdir(folder, 0755) != 0)
        abort();
    (void)sqlite->export_to(&root, &ways[0].opener, addon, path, &progress, &size_bytes, &e);
    CHECK(e.status == VIA_PATH_INVALID && stat(path, &st) == 0 && st.st_size == 4 &&
              count_in(folder) == 1,
          "what appears at the path meanwhile is not written over (%s)", e.message);
}

static void
test_export_places(void)
{
    char path[VIA_PATH_SIZE], link_path[400];
    int64_t size_bytes;
    struct via_error e;

    CHECK(export_to(0, "relative.db", &size_bytes, &e) == VIA_PATH_INVALID,
          "an export wants an absolute path");
    CHECK(export_to(0, "/", &size_bytes, &e) == VIA_PATH_INVALID, "of a file");
    (void)snprintf(path, sizeof path, "%s/none/x.db", scratch_path);
    CHECK(export_to(0, path, &size_bytes, &e) == VIA_PATH_UNWRITABLE, "in a folder that is there");
    (void)snprintf(path, sizeof path, "%s/addons/sqlite/%s/x.db", root.path, addon);
    CHECK(export_to(0, path, &size_bytes, &e) == VIA_PATH_INVALID, "not among the add-ons");
    (void)snprintf(path, sizeof path, "%s/addons", root.path);
    (void)snprintf(link_path, sizeof link_path, "%s/way-in", scratch_path);
    if (symlink(path, link_path) != 0)
        abort();
    (void)snprintf(path, sizeof path, "%s/x.db", link_path);
    CHECK(export_to(0, path, &size_bytes, &e) == VIA_PATH_INVALID, "nor by a link to them");
    (void)snprintf(path, sizeof path, "%s/nowhere", scratch_path);
    (void)snprintf(link_path, sizeof link_path, "%s/dangling.db", scratch_path);
    if (symlink(path, link_path) != 0)
        abort();
    CHECK(export_to(0, link_path, &size_bytes, &e) == VIA_PATH_INVALID && access(path, F_OK) < 0,
          "a link in its place is not followed");
}

int
main(void)
{
    ledger_begin();
    for (int way = 0; way < WAYS; way++)
        test_export(way);
    test_export_race();
    test_export_places();
    return ledger_end();
}
