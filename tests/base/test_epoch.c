/* The focus of this file is locks and the epoch between processes, and what is left of them
 * when a holder dies. */
#include "base/epoch.h"
#include "base/fs.h"
#include "check.h"
#include "scratch.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

static struct via_root root;

static void
test_locks_in_one_process(void)
{
    struct via_lock a, b;

    CHECK(via_lock_open(&a, &root, NULL) == VIA_OK && via_lock_open(&b, &root, NULL) == VIA_OK,
          "run/locks opens twice");
    CHECK(via_lock_take(&a, VIA_LOCK_KEYS), "a byte is taken");
    CHECK(!via_lock_try(&b, VIA_LOCK_KEYS), "another open of the same process cannot have it");
    CHECK(via_lock_try(&b, VIA_LOCK_AGENT), "another byte it can");
    CHECK(via_lock_try(&b, VIA_LOCK_OPERATION + INT64_C(1) * 1000000007),
          "also far behind the end of the file");
    via_lock_drop(&a, VIA_LOCK_KEYS);
    CHECK(via_lock_try(&b, VIA_LOCK_KEYS), "a dropped byte is free");
    via_lock_close(&b);
    CHECK(via_lock_try(&a, VIA_LOCK_KEYS), "closing drops it");
    via_lock_close(&a);
    CHECK(a.fd == -1, "a closed lock says so");
}

/* Run `body` in a child with its own opens; returns its exit status, or -1 when killed. */
static int
in_child(int (*body)(void))
{
    int status;

    fflush(stdout);
    if (fork() == 0)
        _exit(body());
    wait(&status);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int
child_tries(void)
{
    struct via_lock l;

    return via_lock_open(&l, &root, NULL) == VIA_OK && via_lock_try(&l, VIA_LOCK_AGENT);
}

static int
child_dies_holding(void)
{
    struct via_lock l;

    if (via_lock_open(&l, &root, NULL) == VIA_OK && via_lock_take(&l, VIA_LOCK_AGENT))
        raise(SIGKILL);
    return 0;
}

static void
test_locks_between_processes(void)
{
    struct via_lock l;

    CHECK(via_lock_open(&l, &root, NULL) == VIA_OK && via_lock_take(&l, VIA_LOCK_AGENT),
          "the parent holds a byte");
    CHECK(in_child(child_tries) == 0, "a child cannot have it");
    via_lock_drop(&l, VIA_LOCK_AGENT);
    CHECK(in_child(child_tries) == 1, "when dropped it can");
    CHECK(in_child(child_dies_holding) == -1 && via_lock_try(&l, VIA_LOCK_AGENT),
          "a killed holder leaves the byte free");
    via_lock_close(&l);
}

static int
child_commits(void)
{
    struct via_epoch ep;

    if (via_epoch_open(&ep, &root, NULL) != VIA_OK)
        return 2;
    for (int i = 0; i < 500; i++) {
        if (!via_epoch_begin(&ep))
            return 3;
        if (via_epoch_now(&ep) != 0)
            return 4; /* nobody else may settle while we are between begin and end */
        via_epoch_end(&ep);
    }
    return 0;
}

static int
child_dies_between(void)
{
    struct via_epoch ep;

    if (via_epoch_open(&ep, &root, NULL) == VIA_OK && via_epoch_begin(&ep))
        raise(SIGKILL);
    return 0;
}

static void
test_epoch(void)
{
    struct via_epoch ep;
    uint64_t first;
    struct stat st;
    char path[VIA_PATH_SIZE];

    CHECK(via_epoch_open(&ep, &root, NULL) == VIA_OK, "the epoch opens");
    via_root_join(&root, "run/epoch", path);
    CHECK(stat(path, &st) == 0 && st.st_size == 4096 && (st.st_mode & 07777) == 0600,
          "its file is one page, 0600");
    first = via_epoch_now(&ep);
    CHECK(first == 1 && via_epoch_is(&ep, first) && !via_epoch_is(&ep, 0),
          "it starts at 1, and 0 is never fresh");
    CHECK(via_epoch_begin(&ep) && via_epoch_now(&ep) == 0 && !via_epoch_is(&ep, first),
          "inside a commit no grant is fresh");
    via_epoch_end(&ep);
    CHECK(via_epoch_now(&ep) == 2 && !via_epoch_is(&ep, first) && via_epoch_is(&ep, 2),
          "after it there is a new epoch");

    CHECK(in_child(child_dies_between) == -1, "a committer is killed between begin and end");
    CHECK(via_epoch_now(&ep) == 0 && !via_epoch_is(&ep, 2), "nobody can make a fresh grant");
    CHECK(via_epoch_begin(&ep), "the next committer is not kept waiting");
    via_epoch_end(&ep);
    CHECK(via_epoch_now(&ep) == 4 && via_epoch_is(&ep, 4), "and settles it");

    CHECK(via_epoch_is_current(&ep, &root), "the mapped page is the file");
    CHECK(via_fs_remove(path, NULL) == VIA_OK && !via_epoch_is_current(&ep, &root),
          "a replaced file is noticed");
    via_epoch_close(&ep);
    CHECK(!ep.page, "a closed epoch says so");
}

static void
test_epoch_of_many(void)
{
    struct via_epoch ep;
    int status, bad = 0;

    fflush(stdout);
    for (int i = 0; i < 4; i++) {
        if (fork() == 0)
            _exit(child_commits());
    }
    while (wait(&status) > 0)
        bad += !WIFEXITED(status) || WEXITSTATUS(status) != 0;
    CHECK(bad == 0, "four processes make the page and commit at once, one after another");
    CHECK(via_epoch_open(&ep, &root, NULL) == VIA_OK && via_epoch_now(&ep) == 2001,
          "every one of 2,000 commits is counted");
    via_epoch_close(&ep);
}

static void
test_epoch_damaged(void)
{
    struct via_error e = {0};
    struct via_epoch ep;
    char path[VIA_PATH_SIZE];

    via_root_join(&root, "run/epoch", path);
    CHECK(via_fs_write(path, "not a page", 10, 0600, NULL, NULL) == VIA_OK &&
              via_epoch_open(&ep, &root, &e) == VIA_STATE_CORRUPT && !ep.page,
          "a foreign file in its place is refused: %s", e.message);
}

int
main(void)
{
    scratch_root(&root);
    test_locks_in_one_process();
    test_locks_between_processes();
    test_epoch();
    test_epoch_of_many();
    test_epoch_damaged();
    return check_end();
}
