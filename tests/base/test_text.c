/* The focus of this file is text: buffers and their escapes, errors, statuses, time, ids. */
#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/id.h"
#include "check.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void
check_json(const char *text, size_t n, const char *want)
{
    struct via_buf b;

    via_buf_init(&b);
    via_buf_put_json(&b, text, n);
    CHECK(strcmp(via_buf_text(&b), want) == 0, "a JSON string is %s", want);
    via_buf_deinit(&b);
}

/* A word of a shell: how it looks, and that a shell reads it as what it stands for. */
static void
check_word(const char *text, const char *want)
{
    char got[256] = "";
    struct via_buf b;
    FILE *shell;
    size_t n = 0;

    via_buf_init(&b);
    via_buf_put_word(&b, text);
    CHECK(strcmp(via_buf_text(&b), want) == 0, "a word of a shell is %s", want);
    via_buf_reset(&b);
    via_buf_puts(&b, "printf %s ");
    via_buf_put_word(&b, text);
    via_buf_putc(&b, ' ');
    via_buf_put_quoted(&b, text);
    shell = popen(via_buf_text(&b), "r"); /* NOLINT(cert-env33-c): a shell is what is asked */
    if (shell) {
        n = fread(got, 1, sizeof got - 1, shell);
        pclose(shell);
    }
    CHECK(n == 2 * strlen(text) && strncmp(got, text, n / 2) == 0 && strcmp(got + n / 2, text) == 0,
          "and a shell reads %s as it is meant", want);
    via_buf_deinit(&b);
}

static void
test_words(void)
{
    check_word("/srv/via/a_b-c.db", "/srv/via/a_b-c.db");
    check_word("NAME=1,2:3@4+5%", "NAME=1,2:3@4+5%");
    check_word("", "''");
    check_word("a b", "'a b'");
    check_word("it's", "'it'\\''s'");
    check_word("''", "''\\'''\\'''");
    check_word("$(rm -r x);`y`\\\n\"&*#\xC3\xA9", "'$(rm -r x);`y`\\\n\"&*#\xC3\xA9'");
    check_word("~", "'~'");
}

static void
test_buf(void)
{
    struct via_buf b;
    char big[5000];

    via_buf_init(&b);
    CHECK(strcmp(via_buf_text(&b), "") == 0, "an empty buffer is an empty text");
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    via_buf_printf(&b, "<%s>", big);
    CHECK(b.len == sizeof big + 1 && via_buf_text(&b)[b.len - 1] == '>',
          "a line longer than the buffer is written whole");
    via_buf_reset(&b);
    for (int i = 0; i < 1000; i++)
        via_buf_putc(&b, (char)('a' + i % 26));
    CHECK(b.len == 1000 && via_buf_text(&b)[999] == 'a' + 999 % 26, "single characters add up");
    via_buf_reset(&b);
    via_buf_put_sql(&b, "it's ''");
    via_buf_put_sql(&b, NULL);
    CHECK(strcmp(via_buf_text(&b), "'it''s '''''NULL") == 0, "quotes double in an SQL literal");
    CHECK(!via_buf_reserve(&b, SIZE_MAX - 8) && b.failed, "an impossible size fails");
    via_buf_puts(&b, "more");
    CHECK(strcmp(via_buf_text(&b), "") == 0, "a failed buffer stays failed and empty");
    via_buf_reset(&b);
    via_buf_puts(&b, "again");
    CHECK(strcmp(via_buf_text(&b), "again") == 0, "a reset clears the failure");
    via_buf_deinit(&b);

    check_json("a\"b\\c/", 6, "\"a\\\"b\\\\c/\"");
    check_json("\n\t\r\b\f\x01\x7F", 7, "\"\\n\\t\\r\\b\\f\\u0001\x7F\"");
    check_json("a\0b", 3, "\"a\\u0000b\"");
    check_json("\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", 9,
               "\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\"");
    check_json("\xC0\xAF", 2, "\"\xEF\xBF\xBD\xEF\xBF\xBD\"");                 /* overlong */
    check_json("\xED\xA0\x80", 3, "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""); /* surrogate */
    check_json("a\xE2\x82", 3, "\"a\xEF\xBF\xBD\xEF\xBF\xBD\"");               /* cut short */
    check_json("", 0, "\"\"");
}

static void
test_secrets(void)
{
    struct via_buf b;
    size_t kept = 0;

    via_buf_init(&b);
    b.secret = true;
    for (int i = 0; i < 1000; i++)
        via_buf_put(&b, "secret", 6);
    CHECK(b.len == 6000 && strncmp(b.data + 5994, "secret", 7) == 0,
          "a secret survives the growing of its buffer");
    via_buf_reset(&b);
    for (size_t i = 0; i < b.cap; i++)
        kept += b.data[i] != 0;
    CHECK(kept == 0 && !b.secret, "a reset wipes it, and ends the secrecy");
    via_buf_deinit(&b);
}

static void
test_utf8(void)
{
    CHECK(via_text_is_utf8("", 0) && via_text_is_utf8("a\0\xc3\xa9\xf0\x9f\x90\x98", 8),
          "UTF-8 of one, two and four bytes is taken");
    CHECK(!via_text_is_utf8("a\xff", 2) && !via_text_is_utf8("\xc3", 1) &&
              !via_text_is_utf8("\xc0\x80", 2) && !via_text_is_utf8("\xed\xa0\x80", 3),
          "stray, cut, over-long and surrogate bytes are not");
}

static void
test_errors(void)
{
    struct via_error e = {0};

    CHECK(!via_error_is_set(&e) && !via_error_is_set(NULL), "a fresh error is not set");
    CHECK(via_error_set(NULL, VIA_NAME_TAKEN, "x") == VIA_NAME_TAKEN, "an error may be NULL");
    via_error_set(&e, VIA_NAME_TAKEN, "name %s is taken", "X");
    CHECK(via_error_set(&e, VIA_IO_ERROR, "later") == VIA_NAME_TAKEN &&
              strcmp(e.message, "name X is taken") == 0,
          "the first error wins");
    via_error_clear(&e);
    CHECK(via_error_set_errno(&e, VIA_IO_ERROR, ENOSPC, "a file") == VIA_DISK_FULL,
          "a full disk is disk_full");
    CHECK(strcmp(e.message, "a file (No space left on device)") == 0, "the system's words follow");
    via_error_clear(&e);
    CHECK(via_error_set_errno(&e, VIA_SNAPSHOT_MISSING, EMFILE, "a file") == VIA_OVERLOADED,
          "for want of a descriptor nothing is missing");
    via_error_clear(&e);
    CHECK(via_error_set_errno(&e, VIA_IO_ERROR, EACCES, "a file") == VIA_IO_ERROR,
          "another errno is the fallback");

    for (int i = 0; i < VIA_STATUS_COUNT; i++) {
        const char *word = via_status_word((enum via_status)i);

        if (!word || via_status_parse(word, strlen(word)) != (enum via_status)i)
            CHECK(false, "status %d parses back from its word", i);
    }
    CHECK(via_status_parse("addon_exist", 11) == VIA_INTERNAL_ERROR, "half a word is no status");
    CHECK(strcmp(via_status_word((enum via_status)9999), "internal_error") == 0,
          "a status beyond the table is internal_error");
    CHECK(via_status_http(VIA_TOKEN_MISSING) == 401 && via_status_exit(VIA_USAGE) == 2 &&
              strcmp(via_status_owner(VIA_OK), "") == 0,
          "the table's columns are told apart");
}

static void
test_clock(void)
{
    static const char *const bad[] = {
        "",
        "2024-02-29",
        "2023-02-29T00:00:00.000Z",
        "2024-13-01T00:00:00.000Z",
        "2024-00-01T00:00:00.000Z",
        "2024-04-31T00:00:00.000Z",
        "2024-01-01T24:00:00.000Z",
        "2024-01-01T00:60:00.000Z",
        "2024-01-01T00:00:60.000Z",
        "2024-01-01 00:00:00.000Z",
        "2024-01-01T00:00:00.000",
        "2024-01-01T00:00:00.00Z",
        "2024-01-01T00:00:00.000Zx",
        "2024-01-01T00:00:00+00:00",
        "+024-01-01T00:00:00.000Z",
    };
    char text[VIA_TIME_SIZE];
    int64_t ms;
    bool same = true;

    via_clock_format(0, text);
    CHECK(strcmp(text, "1970-01-01T00:00:00.000Z") == 0, "time 0 is 1970");
    via_clock_format(1709210096789, text);
    CHECK(strcmp(text, "2024-02-29T12:34:56.789Z") == 0, "a leap day is written");
    via_clock_format(-1, text);
    CHECK(strcmp(text, "1969-12-31T23:59:59.999Z") == 0, "a time before 1970 is written");
    via_clock_format(INT64_MIN, text);
    CHECK(strcmp(text, "0000-01-01T00:00:00.000Z") == 0, "the least time is year 0");
    via_clock_format(INT64_MAX, text);
    CHECK(strcmp(text, "9999-12-31T23:59:59.999Z") == 0, "the greatest time is year 9999");
    CHECK(via_clock_parse("2024-02-29T12:34:56Z", &ms) && ms == 1709210096000,
          "milliseconds may be absent");
    for (int64_t at = -62167219200000; at < 253402300799999; at += 7777777777777 / 100) {
        via_clock_format(at, text);
        same = same && via_clock_parse(text, &ms) && ms == at;
    }
    CHECK(same, "times over ten thousand years come back as they were");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(!via_clock_parse(bad[i], &ms), "'%s' is no time", bad[i]);
    CHECK(via_clock_now_ms() > 1600000000000 && via_clock_mono_ms() > 0, "the clocks run");
}

#define IDS 2000

static char ids[4 * IDS][VIA_ID_SIZE];

static void *
make_ids(void *arg)
{
    char(*mine)[VIA_ID_SIZE] = arg;

    for (int i = 0; i < IDS; i++)
        via_id_make("addon", mine[i]);
    return NULL;
}

static int
compare_ids(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void
test_ids_of_threads(void)
{
    pthread_t threads[4];
    bool ordered = true, unique = true;

    for (int t = 0; t < 4; t++)
        pthread_create(&threads[t], NULL, make_ids, ids[t * IDS]);
    for (int t = 0; t < 4; t++)
        pthread_join(threads[t], NULL);
    for (int t = 0; t < 4; t++) {
        for (int i = 1; i < IDS; i++)
            ordered = ordered && strcmp(ids[t * IDS + i - 1], ids[t * IDS + i]) < 0;
    }
    CHECK(ordered, "ids of one thread sort in the order they were made");
    qsort(ids, 4 * IDS, VIA_ID_SIZE, compare_ids);
    for (int i = 1; i < 4 * IDS; i++)
        unique = unique && strcmp(ids[i - 1], ids[i]) != 0;
    CHECK(unique, "four threads make no id twice");
}

/* A child must not go on counting where its parent does. */
static void
test_ids_of_children(void)
{
    char parent[VIA_ID_SIZE], child[VIA_ID_SIZE] = "";
    int ends[2];
    bool differ = true;

    if (pipe(ends) < 0)
        return;
    for (int i = 0; i < 20; i++) {
        via_id_make("op", parent);
        fflush(stdout);
        if (fork() == 0) {
            via_id_make("op", child);
            _exit(write(ends[1], child, sizeof child) == sizeof child ? 0 : 1);
        }
        via_id_make("op", parent);
        differ = differ && read(ends[0], child, sizeof child) == sizeof child &&
                 via_id_is("op", child) && strcmp(parent + 3 + 10, child + 3 + 10) != 0;
        wait(NULL);
    }
    CHECK(differ, "a child's ids are not its parent's");
}

static void
test_ids(void)
{
    char id[VIA_ID_SIZE];

    via_id_make("addon", id);
    CHECK(strlen(id) == 32 && via_id_is("addon", id), "an id is its prefix and 26 characters");
    CHECK(!via_id_is("add", id) && !via_id_is("snap", id), "another prefix is not it");
    id[31] = 'U';
    CHECK(!via_id_is("addon", id), "U is no digit");
    CHECK(via_id_is("key", "key_7ZZZZZZZZZZZZZZZZZZZZZZZZZ"), "the greatest id is one");
    CHECK(!via_id_is("key", "key_8ZZZZZZZZZZZZZZZZZZZZZZZZZ"), "more than 128 bits is none");
    CHECK(!via_id_is("key", "key_7zzzzzzzzzzzzzzzzzzzzzzzzz"), "lower case is none");
    CHECK(!via_id_is("key", "key_../../../../../../etc/passwd"), "a path is none");
    CHECK(!via_id_is("key", "key_") && !via_id_is("key", "") && !via_id_is("key", "ke"),
          "too little is none");
    test_ids_of_threads();
    test_ids_of_children();
}

int
main(void)
{
    test_buf();
    test_words();
    test_secrets();
    test_utf8();
    test_errors();
    test_clock();
    test_ids();
    return check_end();
}
