/* The focus of this file is the policy of the guarded VFS: which URIs, names and locks
 * pass, over whole tables of cases. */
#include "check.h"
#include "vfs/policy.h"

#include <string.h>

static const char addon[] = "addon_01M7XAQMM7PBW8N2696PPWRT3C";

static enum via_status
params_status(const struct via_vfs_param *params, size_t n, enum via_vfs_door *door)
{
    struct via_vfs_request request = {0};
    struct via_error e = {0};
    enum via_status status = via_policy_read_params(params, n, &request, &e);

    *door = request.door;
    return status;
}

static void
test_params(void)
{
    static const struct {
        const char *sentence;
        enum via_status status;
        enum via_vfs_door door;
        struct via_vfs_param params[5];
    } cases[] = {
        {"a token file", VIA_OK, VIA_VFS_WORKLOAD, {{"vfs", "via"}, {"token_file", "/t"}}},
        {"mode=ro", VIA_OK, VIA_VFS_WORKLOAD, {{"token_file", "/t"}, {"mode", "ro"}}},
        {"mode=rw", VIA_OK, VIA_VFS_WORKLOAD, {{"token_file", "/t"}, {"mode", "rw"}}},
        {"operator", VIA_OK, VIA_VFS_OPERATOR, {{"vfs", "via"}, {"operator", "1"}}},
        {"locked", VIA_OK, VIA_VFS_LOCKED, {{"locked", "1"}}},
        {"nothing", VIA_TOKEN_MISSING, 0, {{"vfs", "via"}}},
        {"an empty token file", VIA_BAD_REQUEST, 0, {{"token_file", ""}}},
        {"operator=0", VIA_BAD_REQUEST, 0, {{"operator", "0"}}},
        {"operator=on", VIA_BAD_REQUEST, 0, {{"operator", "on"}}},
        {"locked=2", VIA_BAD_REQUEST, 0, {{"locked", "2"}}},
        {"two doors", VIA_BAD_REQUEST, 0, {{"operator", "1"}, {"locked", "1"}}},
        {"token and operator", VIA_BAD_REQUEST, 0, {{"token_file", "/t"}, {"operator", "1"}}},
        {"two token files", VIA_BAD_REQUEST, 0, {{"token_file", "/t"}, {"token_file", "/u"}}},
        {"mode=rwc", VIA_BAD_REQUEST, 0, {{"token_file", "/t"}, {"mode", "rwc"}}},
        {"mode=memory", VIA_BAD_REQUEST, 0, {{"token_file", "/t"}, {"mode", "memory"}}},
        {"immutable", VIA_BAD_REQUEST, 0, {{"token_file", "/t"}, {"immutable", "1"}}},
        {"immutable=0", VIA_BAD_REQUEST, 0, {{"token_file", "/t"}, {"immutable", "0"}}},
        {"nolock", VIA_BAD_REQUEST, 0, {{"token_file", "/t"}, {"nolock", "1"}}},
        {"cache=shared", VIA_BAD_REQUEST, 0, {{"token_file", "/t"}, {"cache", "shared"}}},
        {"cache=private", VIA_BAD_REQUEST, 0, {{"token_file", "/t"}, {"cache", "private"}}},
        {"psow", VIA_BAD_REQUEST, 0, {{"token_file", "/t"}, {"psow", "1"}}},
        {"modeof", VIA_BAD_REQUEST, 0, {{"token_file", "/t"}, {"modeof", "/x"}}},
        {"readonly_shm", VIA_BAD_REQUEST, 0, {{"token_file", "/t"}, {"readonly_shm", "1"}}},
        {"another vfs", VIA_BAD_REQUEST, 0, {{"token_file", "/t"}, {"vfs", "unix"}}},
        {"TOKEN_FILE", VIA_BAD_REQUEST, 0, {{"TOKEN_FILE", "/t"}}},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        enum via_vfs_door door;
        size_t n = 0;

        while (n < 5 && cases[i].params[n].key)
            n++;
        CHECK(params_status(cases[i].params, n, &door) == cases[i].status &&
                  (cases[i].status != VIA_OK || door == cases[i].door),
              "a URI with %s is %s", cases[i].sentence, via_status_word(cases[i].status));
    }
}

static void
test_names(void)
{
    static const struct {
        enum via_vfs_door door;
        const char *name;
        bool passes;
    } cases[] = {
        {VIA_VFS_WORKLOAD, "DATABASE", true},
        {VIA_VFS_WORKLOAD, "D", true},
        {VIA_VFS_WORKLOAD, "database", false},
        {VIA_VFS_WORKLOAD, "", false},
        {VIA_VFS_WORKLOAD, "/etc/passwd", false},
        {VIA_VFS_WORKLOAD, "../data.sqlite", false},
        {VIA_VFS_WORKLOAD, "A-WAL", false},
        {VIA_VFS_WORKLOAD, addon, false},
        {VIA_VFS_OPERATOR, addon, true},
        {VIA_VFS_LOCKED, addon, true},
        {VIA_VFS_OPERATOR, "DATABASE", false},
        {VIA_VFS_LOCKED, "addon_../../../../etc/passwd00", false},
    };
    struct via_error e;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        e = (struct via_error){0};
        CHECK((via_policy_check_name(cases[i].door, cases[i].name, &e) == VIA_OK) ==
                  cases[i].passes,
              "the name '%s' %s at door %d", cases[i].name,
              cases[i].passes ? "passes" : "is refused", (int)cases[i].door);
    }
}

static void
test_flags(void)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_URI | SQLITE_OPEN_MAIN_DB;

    CHECK(via_policy_open_flags(flags, false) ==
              (SQLITE_OPEN_READWRITE | SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_NOFOLLOW),
          "storage is never created and never a link");
    CHECK(via_policy_open_flags(flags, true) ==
              (SQLITE_OPEN_READONLY | SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_NOFOLLOW),
          "a read-only grant opens read-only");
}

static void
test_header(void)
{
    unsigned char header[100] = "SQLite format 3";

    header[18] = header[19] = 2;
    CHECK(via_policy_is_wal(header), "a WAL header is one");
    header[18] = 1;
    CHECK(!via_policy_is_wal(header), "a half-converted header is none");
    header[19] = 1;
    CHECK(!via_policy_is_wal(header), "a rollback header is none");
    header[18] = header[19] = 2;
    header[0] = 's';
    CHECK(!via_policy_is_wal(header), "another magic is none");
}

static void
test_locks(void)
{
    static const int levels[] = {SQLITE_LOCK_NONE, SQLITE_LOCK_SHARED, SQLITE_LOCK_RESERVED,
                                 SQLITE_LOCK_PENDING, SQLITE_LOCK_EXCLUSIVE};

    /* Every state and every request, against the rule said in words. */
    for (size_t have = 0; have < 5; have++)
        for (size_t want = 0; want < 5; want++)
            for (int mapped = 0; mapped < 2; mapped++)
                for (unsigned marks = 0; marks < 2; marks++) {
                    struct via_vfs_locks l = {
                        .level = levels[have], .is_mapped = mapped, .marks = marks << 3};
                    enum via_vfs_verdict expected = VIA_VFS_PASS;

                    if (levels[want] == SQLITE_LOCK_SHARED && levels[have] == SQLITE_LOCK_NONE)
                        expected = VIA_VFS_CHECK_READ;
                    else if (levels[want] == SQLITE_LOCK_RESERVED ||
                             levels[want] == SQLITE_LOCK_PENDING)
                        expected = VIA_VFS_REFUSE;
                    else if (levels[want] == SQLITE_LOCK_EXCLUSIVE && (!mapped || marks))
                        expected = VIA_VFS_REFUSE;
                    if (via_policy_lock(&l, levels[want]) != expected)
                        CHECK(false, "lock %d at %d, mapped %d, marks %u", levels[want],
                              levels[have], mapped, marks);
                }
    CHECK(true, "every lock request was compared");
}

static void
test_shm(void)
{
    struct via_vfs_locks l = {.level = SQLITE_LOCK_SHARED, .is_mapped = true};
    const int share = SQLITE_SHM_LOCK | SQLITE_SHM_SHARED;
    const int own = SQLITE_SHM_LOCK | SQLITE_SHM_EXCLUSIVE;

    for (int offset = 0; offset < 8; offset++) {
        CHECK(via_policy_shm_lock(&l, offset, share) ==
                  (offset >= 3 ? VIA_VFS_CHECK_READ : VIA_VFS_PASS),
              "sharing lock %d %s", offset, offset >= 3 ? "starts a transaction" : "is free");
        CHECK(via_policy_shm_lock(&l, offset, own) == VIA_VFS_PASS,
              "without a mark, lock %d may be owned: recovery, checkpoint", offset);
        CHECK(via_policy_shm_lock(&l, offset, SQLITE_SHM_UNLOCK | SQLITE_SHM_SHARED) ==
                  VIA_VFS_PASS,
              "lock %d may be dropped", offset);
    }
    via_policy_note_shm(&l, 4, 1, share);
    CHECK(via_policy_is_busy(&l), "a mark is a transaction");
    CHECK(via_policy_shm_lock(&l, 0, own) == VIA_VFS_CHECK_WRITE, "then the write slot is asked");
    via_policy_note_shm(&l, 0, 1, own);
    via_policy_note_shm(&l, 4, 1, SQLITE_SHM_UNLOCK | SQLITE_SHM_SHARED);
    CHECK(via_policy_is_busy(&l), "the writer without its mark is still in its transaction");
    CHECK(via_policy_shm_lock(&l, 5, share) == VIA_VFS_PASS,
          "the writer takes a new mark when the log starts anew, unasked");
    via_policy_note_shm(&l, 5, 1, share);
    via_policy_note_shm(&l, 0, 1, SQLITE_SHM_UNLOCK | SQLITE_SHM_EXCLUSIVE);
    via_policy_note_shm(&l, 5, 1, SQLITE_SHM_UNLOCK | SQLITE_SHM_SHARED);
    CHECK(!via_policy_is_busy(&l), "and all is given back");
    via_policy_note_shm(&l, 3, 5, own);
    CHECK(!via_policy_is_busy(&l), "owning marks, as a checkpoint does, is no transaction");
}

static void
test_leaving(void)
{
    struct via_vfs_locks l = {.level = SQLITE_LOCK_EXCLUSIVE, .is_mapped = true};

    CHECK(via_policy_write(&l) == VIA_VFS_PASS, "the last close folds the log in");
    CHECK(via_policy_read(&l) == VIA_VFS_PASS, "and reads for that");
    CHECK(via_policy_open_log(&l) == VIA_VFS_REFUSE, "no log is opened under EXCLUSIVE");
    l.is_mapped = false;
    CHECK(via_policy_write(&l) == VIA_VFS_REFUSE && via_policy_read(&l) == VIA_VFS_REFUSE &&
              via_policy_shm_map(&l) == VIA_VFS_REFUSE,
          "with the log gone nothing is read, written or mapped");
    l.level = SQLITE_LOCK_SHARED;
    CHECK(via_policy_read(&l) == VIA_VFS_PASS && via_policy_shm_map(&l) == VIA_VFS_PASS,
          "a first reader reads and maps");
    CHECK(via_policy_write(&l) == VIA_VFS_REFUSE, "nobody writes without a log");
}

int
main(void)
{
    test_params();
    test_names();
    test_flags();
    test_header();
    test_locks();
    test_shm();
    test_leaving();
    return check_end();
}
