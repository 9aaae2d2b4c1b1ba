/* The focus of this file is names: what is one, what is not, which collide, how one is buried. */
#include "check.h"
#include "rules/names.h"

#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

/* `n` times `c`; one text at a time. */
static const char *
repeat(char c, size_t n)
{
    static char text[128];

    memset(text, c, n);
    text[n] = '\0';
    return text;
}

/* A name that begins with each byte in turn, and one that goes on with it. */
static void
check_bytes(const char *what, bool (*is)(const char *), const char *seed, const char *first,
            const char *rest)
{
    int wrong_first = 0;
    int wrong_rest = 0;

    for (int c = 1; c < 256; c++) {
        char begins[] = {(char)c, seed[0], '\0'};
        char goes_on[] = {seed[0], (char)c, '\0'};

        wrong_first += is(begins) != (strchr(first, c) != NULL);
        wrong_rest += is(goes_on) != (strchr(rest, c) != NULL);
    }
    CHECK(wrong_first == 0, "%s begins with the right bytes alone", what);
    CHECK(wrong_rest == 0, "%s goes on with the right bytes alone", what);
}

#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"

static void
test_plain(void)
{
    static const char *const bad[] = {"",     " ",   "a b", "a/b", "../a", ".",        "..",
                                      "-a",   "_a",  ".a",  "a\n", "a#b",  "a'b",      "a\"b",
                                      "a\\b", "a:b", "a@b", "a%b", "\x7f", "\xc3\xa9", "a\xff"};
    static const char *const good[] = {"a", "A", "0", "a.b", "a-b", "a_b", "0..-_", "app-db"};

    for (size_t i = 0; i < COUNT(bad); i++)
        CHECK(!via_name_is_plain(bad[i]), "bad name %zu is refused", i);
    for (size_t i = 0; i < COUNT(good); i++)
        CHECK(via_name_is_plain(good[i]), "%s is a name", good[i]);
    CHECK(!via_name_is_plain(NULL), "nothing is no name");
    CHECK(via_name_is_plain(repeat('a', 63)), "63 characters are a name");
    CHECK(!via_name_is_plain(repeat('a', 64)), "64 are none");
    check_bytes("a name", via_name_is_plain, "a", UPPER LOWER DIGITS, UPPER LOWER DIGITS "._-");
}

static void
test_target(void)
{
    CHECK(via_name_is_target(""), "an empty target is every target");
    CHECK(via_name_is_target("prod"), "a target is a plain name");
    CHECK(!via_name_is_target(NULL) && !via_name_is_target(" ") && !via_name_is_target("a b"),
          "a target is nothing else");
}

static void
test_binding(void)
{
    static const char *const bad[] = {"", "database", "Database", "1A", "_A", "A-B", "A.B", "A B"};

    for (size_t i = 0; i < COUNT(bad); i++)
        CHECK(!via_name_is_binding(bad[i]), "'%s' is no binding's name", bad[i]);
    CHECK(!via_name_is_binding(NULL), "nothing is no binding's name");
    CHECK(via_name_is_binding("A") && via_name_is_binding("DATABASE_2"), "A and DATABASE_2 are");
    CHECK(via_name_is_binding(repeat('A', 63)), "63 characters are a binding's name");
    CHECK(!via_name_is_binding(repeat('A', 64)), "64 are none");
    check_bytes("a binding", via_name_is_binding, "A", UPPER, UPPER DIGITS "_");
}

static void
test_collisions(void)
{
    static const struct {
        const char *a, *b;
        bool collide;
    } pairs[] = {
        {"DB", "DB_URL", true},
        {"DB", "DB_AUTH_TOKEN", true},
        {"DB_URL", "DB_URL_URL", true},
        {"DB_URL", "DB_AUTH_TOKEN", false}, /* both derive from DB, which is neither */
        {"DB", "DB", false},                /* the same name, not a collision */
        {"DB", "DB_URLS", false},
        {"DB", "DB_UR", false},
        {"DB", "DBURL", false},
        {"DB", "DB2_URL", false},
        {"DB", "XDB_URL", false},
        {"DB", "DB_TOKEN", false},
        {"DB", "DB_URL_AUTH_TOKEN", false},
        {"D", "DB_URL", false},
    };

    for (size_t i = 0; i < COUNT(pairs); i++)
        CHECK(via_name_collides(pairs[i].a, pairs[i].b) == pairs[i].collide &&
                  via_name_collides(pairs[i].b, pairs[i].a) == pairs[i].collide,
              "%s and %s %s, both ways", pairs[i].a, pairs[i].b,
              pairs[i].collide ? "collide" : "do not collide");
}

static void
test_bury(void)
{
    char out[VIA_ADDON_ROW_NAME_SIZE];

    via_name_bury("db", "destroyed", "addon_01", out);
    CHECK(strcmp(out, "db#destroyed#addon_01") == 0, "a buried name tells why and whose");
    CHECK(!via_name_is_plain(out), "nobody can ask for a buried name");
    via_name_bury(repeat('a', 63), "destroyed", "addon_00000000000000000000000000", out);
    CHECK(strlen(out) == 63 + 1 + 9 + 1 + 32, "the longest name is buried whole");
}

int
main(void)
{
    test_plain();
    test_target();
    test_binding();
    test_collisions();
    test_bury();
    return check_end();
}
