/* The focus of this file is the state root and its files: whole or not at all, of the right
 * owner and mode, and never through a link. */
#include "base/error.h"
#include "base/fs.h"
#include "base/io.h"
#include "check.h"
#include "scratch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

static const char *top;

static const char *
at(const char *name)
{
    static char paths[4][512];
    static int turn;
    char *path = paths[turn++ % 4];

    snprintf(path, sizeof paths[0], "%s/%s", top, name);
    return path;
}

static mode_t
mode_of(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0 ? st.st_mode & 07777 : 0;
}

static int
entries_of(const char *path)
{
    DIR *dir = opendir(path);
    int n = 0;

    while (dir && readdir(dir))
        n++;
    if (dir)
        closedir(dir);
    return n - 2;
}

static bool
holds(const char *path, const char *want)
{
    char *text;
    size_t n;
    bool same;

    if (via_fs_read(path, 1000, &text, &n, NULL) != VIA_OK)
        return false;
    same = n == strlen(want) && strcmp(text, want) == 0;
    free(text);
    return same;
}

static void
test_write(void)
{
    struct via_error e = {0};
    char *text;
    size_t n;

    CHECK(via_fs_write(at("f"), "one", 3, 0640, NULL, &e) == VIA_OK && holds(at("f"), "one"),
          "a file is written");
    CHECK(mode_of(at("f")) == 0640, "with exactly its mode, whatever the umask");
    CHECK(via_fs_write(at("f"), "two", 3, 0600, NULL, &e) == VIA_OK && holds(at("f"), "two"),
          "and replaced");
    CHECK(via_fs_write_new(at("f"), "no", 2, 0600, NULL, &e) == VIA_STATE_INVALID &&
              holds(at("f"), "two"),
          "write_new does not replace");
    CHECK(entries_of(top) == 1, "no temporary stays behind");
    CHECK(via_fs_read(at("f"), 2, &text, &n, NULL) == VIA_VALUE_INVALID && !text,
          "a file longer than allowed is not read");
    CHECK(via_fs_read(at("f"), 3, &text, &n, NULL) == VIA_OK && n == 3, "one that fits is");
    free(text);
    CHECK(via_fs_write(at("none/f"), "x", 1, 0600, NULL, NULL) == VIA_STATE_UNAVAILABLE,
          "a missing folder is an error");
    via_error_clear(&e);
    CHECK(via_fs_publish(at("f"), at("g"), &e) == VIA_OK && holds(at("g"), "two"),
          "a file is published under its name");
    CHECK(via_fs_remove(at("g"), &e) == VIA_OK && via_fs_remove(at("g"), &e) == VIA_OK,
          "removing twice is fine");
}

/* The write fails half-way, as on a full disk. */
static void
test_failed_write(void)
{
    static char big[100000];
    struct rlimit small = {.rlim_cur = 50000, .rlim_max = 50000};
    int status = 0;

    memset(big, 'b', sizeof big);
    CHECK(via_fs_write(at("f"), "old", 3, 0600, NULL, NULL) == VIA_OK, "there is an old file");
    fflush(stdout);
    if (fork() == 0) {
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &small);
        _exit(via_fs_write(at("f"), big, sizeof big, 0600, NULL, NULL) == VIA_OK);
    }
    wait(&status);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "a write that fails half-way says so");
    CHECK(holds(at("f"), "old"), "the old file is whole");
    CHECK(entries_of(top) == 1, "and the half-made one gone");
    CHECK(via_fs_remove(at("f"), NULL) == VIA_OK, "the old file goes");
}

/* A reader meanwhile sees one whole version or the other. */
static void
test_replace_is_atomic(void)
{
    char a[5001], b[5001];
    int torn = 0, status;
    pid_t writer;

    memset(a, 'a', 5000);
    memset(b, 'b', 5000);
    a[5000] = b[5000] = '\0';
    CHECK(via_fs_write(at("f"), a, 5000, 0600, NULL, NULL) == VIA_OK, "a file is there");
    fflush(stdout);
    writer = fork();
    if (writer == 0) {
        for (int i = 0; i < 200; i++) {
            if (via_fs_write(at("f"), i % 2 ? a : b, 5000, 0600, NULL, NULL) != VIA_OK)
                _exit(1);
        }
        _exit(0);
    }
    while (waitpid(writer, &status, WNOHANG) == 0) {
        char *text;
        size_t n;

        if (via_fs_read(at("f"), 10000, &text, &n, NULL) != VIA_OK)
            torn++;
        else if (strcmp(text, a) != 0 && strcmp(text, b) != 0)
            torn++;
        free(text);
    }
    CHECK(torn == 0 && WEXITSTATUS(status) == 0, "a reader never sees a file half replaced");
    CHECK(via_fs_remove(at("f"), NULL) == VIA_OK, "the file goes");
}

static void
test_links(void)
{
    char *text;
    size_t n;
    int fd = -1;

    if (via_fs_write(at("target"), "kept", 4, 0600, NULL, NULL) != VIA_OK ||
        symlink(at("target"), at("link")) < 0 || symlink("/", at("folder")) < 0)
        return;
    CHECK(via_fs_read(at("link"), 100, &text, &n, NULL) == VIA_STATE_UNAVAILABLE,
          "a link is not read");
    CHECK(via_fs_touch(at("link"), 0600, NULL, NULL) == VIA_STATE_UNAVAILABLE,
          "a link is not taken for a file");
    CHECK(via_fs_create(at("link"), 0600, NULL, &fd, NULL) == VIA_STATE_INVALID && fd < 0 &&
              via_fs_create(at("target"), 0600, NULL, &fd, NULL) == VIA_STATE_INVALID && fd < 0,
          "nor is a link or a file of somebody's opened as a new one");
    CHECK(via_fs_create(at("made"), 0640, NULL, &fd, NULL) == VIA_OK && write(fd, "new", 3) == 3 &&
              close(fd) == 0 && holds(at("made"), "new") && mode_of(at("made")) == 0640,
          "a new one is opened for writing");
    CHECK(via_fs_mkdir(at("folder"), 0700, NULL, NULL) == VIA_STATE_UNAVAILABLE,
          "a link is not taken for a folder");
    CHECK(via_fs_write(at("link"), "new", 3, 0600, NULL, NULL) == VIA_OK &&
              holds(at("link"), "new") && holds(at("target"), "kept"),
          "writing over a link replaces the link");
    if (mkfifo(at("fifo"), 0600) == 0)
        CHECK(via_fs_read(at("fifo"), 100, &text, &n, NULL) == VIA_STATE_UNAVAILABLE,
              "a FIFO is not read, and does not hang");
    CHECK(via_fs_remove_tree(at("folder"), NULL) != VIA_OK, "a link is no tree to remove");
}

static void
test_sweep(void)
{
    struct via_error e = {0};
    char folder[600];
    char *bytes = NULL;
    size_t n = 0;

    snprintf(folder, sizeof folder, "%s/swept", top);
    CHECK(via_fs_mkdir(folder, 0700, NULL, &e) == VIA_OK, "a folder to sweep");
    CHECK(via_fs_write(at("swept/.a.jwk.0123456789abcdef.tmp"), "x", 1, 0600, NULL, &e) == VIA_OK &&
              via_fs_write(at("swept/.hidden.tmp"), "x", 1, 0600, NULL, &e) == VIA_OK &&
              via_fs_write(at("swept/key.jwk"), "x", 1, 0600, NULL, &e) == VIA_OK,
          "with a temporary and two files in it");
    via_fs_sweep(folder);
    CHECK(via_fs_read(at("swept/.a.jwk.0123456789abcdef.tmp"), 10, &bytes, &n, &e) != VIA_OK,
          "the temporary is gone");
    via_error_clear(&e);
    CHECK(via_fs_read(at("swept/key.jwk"), 10, &bytes, &n, &e) == VIA_OK, "a file is not");
    free(bytes);
    CHECK(via_fs_read(at("swept/.hidden.tmp"), 10, &bytes, &n, &e) == VIA_OK,
          "nor is what only looks like one");
    free(bytes);
    via_fs_sweep(at("not there"));
}

static void
test_remove_tree(void)
{
    CHECK(via_fs_mkdir(at("tree"), 0700, NULL, NULL) == VIA_OK &&
              via_fs_mkdir(at("tree/sub"), 0700, NULL, NULL) == VIA_OK &&
              via_fs_touch(at("tree/sub/file"), 0600, NULL, NULL) == VIA_OK &&
              symlink(top, at("tree/sub/up")) == 0,
          "there is a tree with a link out of it");
    CHECK(via_fs_remove_tree(at("tree"), NULL) == VIA_OK && mode_of(at("tree")) == 0,
          "a tree is removed");
    CHECK(mode_of(at("target")) == 0600, "and what its links lead to is not");
    CHECK(via_fs_remove_tree(at("tree"), NULL) == VIA_OK, "a missing tree is fine");
}

static enum via_status
open_root(const char *path, struct via_root *root, struct via_error *e)
{
    via_error_clear(e);
    via_root_set_path(path);
    return via_root_open(root, e);
}

static void
test_root(void)
{
    struct via_error e = {0};
    struct via_root root;

    via_root_set_path(at("a/b/state//"));
    CHECK(via_root_find(&root, &e) == VIA_STATE_UNAVAILABLE && strstr(e.message, "VIA_STATE_DIR"),
          "a root that is not there is not found: %s", e.message);
    CHECK(mode_of(at("a")) == 0, "and finding makes nothing");
    umask(077);
    CHECK(open_root(at("a/b/state//"), &root, &e) == VIA_OK, "a root is made with its parents");
    CHECK(strcmp(root.path, at("a/b/state")) == 0, "trailing slashes go");
    CHECK(mode_of(at("a")) == 0755 && mode_of(at("a/b/state")) == 0711 &&
              mode_of(at("a/b/state/run")) == 0711,
          "the root and run/ are 0711, whatever the umask");
    CHECK(mode_of(at("a/b/state/keys")) == 0700 && mode_of(at("a/b/state/addons/sqlite")) == 0700 &&
              mode_of(at("a/b/state/backups")) == 0700,
          "everything else is 0700");
    CHECK(open_root(at("a/b/state"), &root, &e) == VIA_OK, "opening it again is fine");

    CHECK(via_fs_touch(at("file"), 0600, NULL, NULL) == VIA_OK &&
              open_root(at("file"), &root, &e) == VIA_STATE_UNAVAILABLE,
          "a file is no root: %s", e.message);
    CHECK(symlink(at("nowhere"), at("lost")) == 0 &&
              open_root(at("lost"), &root, &e) == VIA_STATE_UNAVAILABLE,
          "a link to nowhere is no root: %s", e.message);
    CHECK(mode_of(at("nowhere")) == 0, "and nothing is made behind it");
    CHECK(mkdir(at("mine"), 0755) == 0 && chmod(at("mine"), 0755) == 0 &&
              via_fs_touch(at("mine/letter"), 0600, NULL, NULL) == VIA_OK &&
              open_root(at("mine"), &root, &e) == VIA_OK && mode_of(at("mine")) == 0755,
          "a folder that holds something keeps its mode");
    CHECK(mkdir(at("fresh"), 0700) == 0 && open_root(at("fresh"), &root, &e) == VIA_OK &&
              mode_of(at("fresh")) == 0711,
          "an empty one gets the root's");
    via_root_set_path(NULL);
    setenv("VIA_STATE_DIR", "", 1);
    CHECK(via_root_open(&root, &e) == VIA_STATE_UNAVAILABLE, "an empty VIA_STATE_DIR is refused");
    setenv("VIA_STATE_DIR", "rel", 1);
    CHECK(chdir(top) == 0 && via_root_open(&root, &e) == VIA_OK && root.path[0] == '/',
          "a relative one is made absolute");
}

/* Root acts in a root of another user's; that user is refused in root's. */
static void
test_owners(void)
{
    struct via_error e = {0};
    struct via_root root;
    struct stat st;
    int status;

    if (geteuid() != 0) {
        puts("skip - owners can be told apart only as root");
        return;
    }
    CHECK(mkdir(at("theirs"), 0711) == 0 && chown(at("theirs"), 65534, 65534) == 0 &&
              open_root(at("theirs"), &root, &e) == VIA_OK && root.uid == 65534,
          "root opens the root of another user");
    CHECK(lstat(at("theirs/keys"), &st) == 0 && st.st_uid == 65534 && st.st_gid == 65534,
          "what it makes there is handed over");
    CHECK(via_fs_write(at("theirs/f"), "x", 1, 0600, &root, &e) == VIA_OK &&
              lstat(at("theirs/f"), &st) == 0 && st.st_uid == 65534,
          "files too");
    CHECK(chown(at("theirs/run"), 0, 0) == 0 && chmod(at("theirs/run"), 0700) == 0 &&
              open_root(at("theirs"), &root, &e) == VIA_OK && lstat(at("theirs/run"), &st) == 0 &&
              st.st_uid == 65534 && (st.st_mode & 07777) == 0711,
          "a folder left half-made is finished");
    chmod(scratch_path, 0755);
    chmod(top, 0755);
    fflush(stdout);
    if (fork() == 0) {
        if (setgid(65534) < 0 || setuid(65534) < 0)
            _exit(2);
        status = open_root(at("fresh"), &root, &e);
        _exit(status == VIA_STATE_UNAVAILABLE && strstr(e.message, "65534") ? 0 : 1);
    }
    wait(&status);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "a root of another user's is refused");
}

static void
interrupt(int number)
{
    (void)number;
}

/* Of a pipe that is filled in pieces, by one who interrupts the reader before each. */
static void
test_read(void)
{
    const struct sigaction act = {.sa_handler = interrupt};
    struct sigaction old;
    char bytes[100] = "", more;
    int ends[2];
    int64_t n;

    if (pipe(ends) < 0)
        return;
    sigaction(SIGUSR1, &act, &old);
    fflush(stdout);
    if (fork() == 0) {
        close(ends[0]);
        for (int i = 0; i < 50; i++) {
            kill(getppid(), SIGUSR1);
            usleep(200);
            if (via_io_put(ends[1], "ab", 2) < 0)
                _exit(1);
        }
        _exit(0);
    }
    close(ends[1]);
    n = via_io_read(ends[0], bytes, 40);
    CHECK(n == 40 && memcmp(bytes + 38, "ab", 2) == 0, "what was asked for is read, in pieces");
    n = via_io_read(ends[0], bytes, sizeof bytes);
    CHECK(n == 60 && via_io_read(ends[0], &more, 1) == 0, "then what is left, and the end");
    while (wait(NULL) < 0 && errno == EINTR)
        ;
    CHECK(via_io_read(ends[0] + 1000, bytes, 1) < 0 && errno == EBADF, "and a failure is told");
    sigaction(SIGUSR1, &old, NULL);
    close(ends[0]);
}

static void
test_sync(void)
{
    struct via_io_sync sync = {0}, refused = {.is_refused = true}, none = {0};
    int ends[2] = {-1, -1}, fd = open(at("synced"), O_RDWR | O_CREAT, 0600), rc = 0;

    for (int i = 0; i < 3 && rc == 0; i++)
        rc = write(fd, "more", 4) == 4 ? via_io_sync_begin(&sync, fd) : -1;
    CHECK(rc == 0 && via_io_sync_end(&sync) == 0 && !sync.is_under_way,
          "syncs go on one after the other, and end");
    CHECK(via_io_sync_end(&sync) == 0 && via_io_sync_end(&none) == 0, "none needs no end");
    CHECK(via_io_sync_begin(&refused, fd) == 0 && !refused.is_under_way,
          "where the kernel refuses, it is waited for");
    CHECK(pipe(ends) == 0 && (via_io_sync_begin(&sync, ends[1]) < 0 || via_io_sync_end(&sync) < 0),
          "what cannot be synced is told");
    close(ends[0]);
    close(ends[1]);
    CHECK(via_io_sync_begin(&sync, ends[1]) < 0 && errno == EBADF, "as is what is not open");
    close(fd);
    unlink(at("synced"));
}

int
main(void)
{
    char folder[512];

    snprintf(folder, sizeof folder, "%s/files", scratch_folder());
    umask(027);
    if (mkdir(folder, 0755) < 0)
        return 1;
    top = folder;
    test_read();
    test_write();
    test_sync();
    test_failed_write();
    test_replace_is_atomic();
    test_links();
    test_sweep();
    test_remove_tree();
    test_root();
    test_owners();
    return check_end();
}
