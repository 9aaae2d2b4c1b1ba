/* The focus of this file is the keyring: made once, found by others, separate by use, and no
 * file believed that others can read or change. */
#include "base/error.h"
#include "base/id.h"
#include "check.h"
#include "identity/keys.h"
#include "scratch.h"

#include <dirent.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

static struct via_root root;

static void
key_path(const char *kid, char out[VIA_PATH_SIZE])
{
    char relative[128];

    snprintf(relative, sizeof relative, "keys/%s.jwk", kid);
    via_root_join(&root, relative, out);
}

static int
key_files(void)
{
    char path[VIA_PATH_SIZE];
    struct dirent *entry;
    int n = 0;
    DIR *dir;

    via_root_join(&root, "keys", path);
    dir = opendir(path);
    while (dir && (entry = readdir(dir)) != NULL)
        n += strstr(entry->d_name, ".jwk") != NULL;
    if (dir)
        closedir(dir);
    return n;
}

/* What a ring that sees the folder for the first time says. */
static enum via_status
fresh_sign(enum via_key_use use, struct via_error *e)
{
    uint8_t signature[64];
    struct via_keyring *k;
    char kid[VIA_ID_SIZE];
    enum via_status status;

    via_error_clear(e);
    if (via_keyring_new(&root, &k, e) != VIA_OK)
        return e->status;
    status = via_keyring_sign(k, use, "m", 1, signature, kid, e);
    via_keyring_free(k);
    return status;
}

static void
test_first_use(struct via_keyring *k, char kid[VIA_ID_SIZE])
{
    uint8_t signature[64], forged[64];
    struct via_error e = {0};
    char path[VIA_PATH_SIZE], current[VIA_ID_SIZE];
    struct stat st;

    CHECK(key_files() == 0, "opening a ring makes nothing");
    CHECK(via_keyring_is_operator(k), "whoever can read keys/ is the operator");
    CHECK(via_keyring_sign(k, VIA_KEY_WORKLOAD, "message", 7, signature, kid, &e) == VIA_OK,
          "the first signature makes a key");
    key_path(kid, path);
    CHECK(via_id_is("key", kid) && key_files() == 1 && lstat(path, &st) == 0 &&
              (st.st_mode & 07777) == 0600,
          "one file of mode 0600, named after it");
    CHECK(via_keyring_current(k, VIA_KEY_WORKLOAD, current, &e) == VIA_OK &&
              strcmp(current, kid) == 0 && key_files() == 1,
          "it stays the current one");
    CHECK(via_keyring_verify(k, VIA_KEY_WORKLOAD, kid, "message", 7, signature),
          "the signature verifies");
    CHECK(!via_keyring_verify(k, VIA_KEY_WORKLOAD, kid, "massage", 7, signature),
          "not of another message");
    CHECK(!via_keyring_verify(k, VIA_KEY_GENERATION, kid, "message", 7, signature),
          "not under another use");
    memcpy(forged, signature, 64);
    forged[40] ^= 1;
    CHECK(!via_keyring_verify(k, VIA_KEY_WORKLOAD, kid, "message", 7, forged),
          "not with a bit turned");
    memset(forged, 0, sizeof forged);
    forged[0] = 1; /* the neutral point, and S = 0 */
    CHECK(!via_keyring_verify(k, VIA_KEY_WORKLOAD, kid, "message", 7, forged),
          "not with a point of low order");
    CHECK(!via_keyring_verify(k, VIA_KEY_WORKLOAD, "key_00000000000000000000000000", "message", 7,
                              signature) &&
              !via_keyring_verify(k, VIA_KEY_WORKLOAD, "../run/agent", "message", 7, signature) &&
              !via_keyring_verify(k, VIA_KEY_WORKLOAD, "", "message", 7, signature),
          "unknown and malformed kids are false");
}

/* A key made by another process must verify at once and sign within a second or so. */
static void
test_other_process(struct via_keyring *k)
{
    uint8_t signature[64];
    struct via_error e = {0};
    char kid[VIA_ID_SIZE], made[VIA_ID_SIZE];
    int ends[2];

    if (pipe(ends) < 0)
        return;
    fflush(stdout);
    if (fork() == 0) {
        struct via_keyring *theirs;

        if (via_keyring_new(&root, &theirs, &e) != VIA_OK ||
            via_keyring_sign(theirs, VIA_KEY_AUDIT, "m", 1, signature, kid, &e) != VIA_OK)
            _exit(1);
        _exit(write(ends[1], kid, sizeof kid) + write(ends[1], signature, 64) != sizeof kid + 64);
    }
    CHECK(read(ends[0], made, sizeof made) == sizeof made && read(ends[0], signature, 64) == 64,
          "another process makes a key");
    wait(NULL);
    CHECK(via_keyring_verify(k, VIA_KEY_AUDIT, made, "m", 1, signature),
          "its signature verifies here at once");
    CHECK(via_keyring_current(k, VIA_KEY_AUDIT, kid, &e) == VIA_OK && strcmp(kid, made) == 0,
          "and this process signs with it, making no second");
}

/* Copy the key under a newer name, as a rotation by another process does. */
static void
rotate(const char *kid, char newer[VIA_ID_SIZE])
{
    char path[VIA_PATH_SIZE], *text, *at;
    size_t n;

    key_path(kid, path);
    if (via_fs_read(path, 4096, &text, &n, NULL) != VIA_OK)
        exit(1);
    via_id_make("key", newer);
    at = strstr(text, kid);
    memcpy(at, newer, strlen(newer));
    key_path(newer, path);
    if (via_fs_write_new(path, text, n, 0600, &root, NULL) != VIA_OK)
        exit(1);
    free(text);
}

static void
test_rotation(struct via_keyring *k, const char *kid)
{
    uint8_t old[64], new[64];
    char now[VIA_ID_SIZE], newer[VIA_ID_SIZE], path[VIA_PATH_SIZE];
    struct via_error e = {0};

    CHECK(via_keyring_sign(k, VIA_KEY_WORKLOAD, "m", 1, old, now, &e) == VIA_OK &&
              strcmp(now, kid) == 0,
          "the old key signs");
    rotate(kid, newer);
    sleep(2);
    CHECK(via_keyring_sign(k, VIA_KEY_WORKLOAD, "m", 1, new, now, &e) == VIA_OK &&
              strcmp(now, newer) == 0,
          "a newer key takes over");
    CHECK(via_keyring_verify(k, VIA_KEY_WORKLOAD, kid, "m", 1, old) &&
              via_keyring_verify(k, VIA_KEY_WORKLOAD, newer, "m", 1, new),
          "and both verify");
    key_path(newer, path);
    CHECK(via_fs_remove(path, NULL) == VIA_OK, "the newer file goes");
    sleep(2);
    CHECK(!via_keyring_verify(k, VIA_KEY_WORKLOAD, newer, "m", 1, new),
          "a key whose file is gone verifies nothing");
}

static void
test_many_at_once(void)
{
    int before = key_files(), status, bad = 0;
    struct via_error e = {0};

    fflush(stdout);
    for (int i = 0; i < 6; i++) {
        if (fork() == 0)
            _exit(fresh_sign(VIA_KEY_MANIFEST, &e) != VIA_OK);
    }
    while (wait(&status) > 0)
        bad += status != 0;
    CHECK(bad == 0 && key_files() == before + 1, "six processes at once make one key");
}

/* Replace the file's content; the ring must refuse to sign and say so. */
static void
check_refused(const char *path, const char *text, const char *what)
{
    struct via_error e = {0};

    if (via_fs_write(path, text, strlen(text), 0600, &root, NULL) != VIA_OK)
        exit(1);
    CHECK(fresh_sign(VIA_KEY_WORKLOAD, &e) == VIA_KEY_UNAVAILABLE, "%s is refused: %s", what,
          e.message);
}

static void
test_damage(const char *kid)
{
    char path[VIA_PATH_SIZE], target[VIA_PATH_SIZE], *text, *other, *at;
    struct via_error e = {0};
    int files = key_files();
    size_t n;

    key_path(kid, path);
    if (via_fs_read(path, 4096, &text, &n, NULL) != VIA_OK)
        return;
    CHECK(chmod(path, 0640) == 0 && fresh_sign(VIA_KEY_WORKLOAD, &e) == VIA_KEY_UNAVAILABLE,
          "a key that the group may read is refused: %s", e.message);
    CHECK(key_files() == files, "and no new one made in its stead");
    chmod(path, 0600);
    if (geteuid() == 0) {
        CHECK(chown(path, 65534, 65534) == 0 &&
                  fresh_sign(VIA_KEY_WORKLOAD, &e) == VIA_KEY_UNAVAILABLE,
              "a key of a foreign owner is refused");
        CHECK(chown(path, root.uid, root.gid) == 0, "it goes back to its owner");
    } else {
        puts("skip - a foreign owner can be made only as root");
    }
    via_root_join(&root, "backups/moved.jwk", target);
    CHECK(via_fs_write(target, text, n, 0600, &root, NULL) == VIA_OK &&
              via_fs_remove(path, NULL) == VIA_OK && symlink(target, path) == 0 &&
              fresh_sign(VIA_KEY_WORKLOAD, &e) == VIA_KEY_UNAVAILABLE,
          "a link in its place is refused");

    check_refused(path, "", "an empty file");
    check_refused(path, "{\"kty\":\"OKP\"}", "a file without use");
    check_refused(path, "[[[[[[[[", "no JSON");
    other = strdup(text);
    at = strstr(other, "\"x\":\"") + 5;
    at[0] = at[0] == 'A' ? 'B' : 'A';
    check_refused(path, other, "a public half of another key");
    CHECK(!strstr(e.message, strstr(text, "\"d\":\"") + 5), "no sentence holds the secret");
    memcpy(other, text, n);
    at = strstr(other, kid) + strlen(kid) - 1;
    at[0] = at[0] == 'A' ? 'B' : 'A';
    check_refused(path, other, "a kid other than the name");
    free(other);

    CHECK(via_fs_write(path, text, n, 0600, &root, NULL) == VIA_OK &&
              fresh_sign(VIA_KEY_WORKLOAD, &e) == VIA_OK,
          "the whole file is taken again");
    free(text);
}

/* Keys of later uses and stray files are none of this ring's business. */
static void
test_strangers(void)
{
    static const char later[] = "{\"kty\":\"oct\",\"k\":\"AAAA\",\"via_use\":\"later\"}";
    char kid[VIA_ID_SIZE], path[VIA_PATH_SIZE];
    struct via_error e = {0};

    via_id_make("key", kid);
    key_path(kid, path);
    CHECK(via_fs_write(path, later, sizeof later - 1, 0600, &root, NULL) == VIA_OK &&
              fresh_sign(VIA_KEY_WORKLOAD, &e) == VIA_OK,
          "a key of another use is passed over: %s", e.message);
    via_root_join(&root, "keys/README", path);
    CHECK(via_fs_write(path, "x", 1, 0644, &root, NULL) == VIA_OK &&
              fresh_sign(VIA_KEY_WORKLOAD, &e) == VIA_OK,
          "a stray file too");
}

static void
test_no_operator(void)
{
    int status;

    if (geteuid() != 0) {
        puts("skip - another user can be had only as root");
        return;
    }
    fflush(stdout);
    if (fork() == 0) {
        struct via_error e = {0};
        struct via_keyring *k;

        if (setgid(65534) < 0 || setuid(65534) < 0 || via_keyring_new(&root, &k, &e) != VIA_OK)
            _exit(2);
        if (via_keyring_is_operator(k))
            _exit(3);
        _exit(fresh_sign(VIA_KEY_WORKLOAD, &e) != VIA_KEY_UNAVAILABLE);
    }
    wait(&status);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0,
          "another user is no operator and signs nothing");
}

static void
count_key(void *arg, const struct via_key_facts *key)
{
    (void)key;
    ++*(int *)arg;
}

/* With a descriptor for the folder and none for what is in it. */
static void
test_no_descriptors(void)
{
    int visited = 0, free_fd = dup(STDOUT_FILENO);
    struct rlimit all, few;
    struct via_error e = {0};
    struct via_keyring *k;

    close(free_fd);
    if (getrlimit(RLIMIT_NOFILE, &all) != 0 || via_keyring_new(&root, &k, &e) != VIA_OK)
        exit(1);
    few = (struct rlimit){(rlim_t)free_fd + 1, all.rlim_max};
    (void)setrlimit(RLIMIT_NOFILE, &few);
    via_ignore(via_keyring_each(k, count_key, &visited, &e));
    (void)setrlimit(RLIMIT_NOFILE, &all);
    CHECK(e.status == VIA_OVERLOADED && visited == 0,
          "keys that cannot be opened now are not passed over (%s, %d visited)", e.message,
          visited);
    via_error_clear(&e);
    CHECK(via_keyring_each(k, count_key, &visited, &e) == VIA_OK && visited > 0,
          "and are there a moment later (%d)", visited);
    via_keyring_free(k);
}

int
main(void)
{
    struct via_error e = {0};
    struct via_keyring *k;
    char kid[VIA_ID_SIZE];

    scratch_root(&root);
    if (!CHECK(via_keyring_new(&root, &k, &e) == VIA_OK, "a ring opens"))
        return 1;
    test_first_use(k, kid);
    test_other_process(k);
    test_rotation(k, kid);
    via_keyring_free(k);
    test_many_at_once();
    test_no_descriptors();
    test_damage(kid);
    test_strangers();
    test_no_operator();
    return check_end();
}
