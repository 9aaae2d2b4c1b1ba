/* The focus of this file is strict JSON: what is refused, and that the rest is exact. */
#include "base/error.h"
#include "base/json.h"
#include "check.h"

#include <stdlib.h>
#include <string.h>

static void
check_refused(const char *text, size_t n, const char *what)
{
    struct via_error e = {0};
    via_json *doc = NULL;
    enum via_status status = via_json_parse(text, n, 8, &doc, &e);

    CHECK(status == VIA_BAD_REQUEST && !doc && strstr(e.message, "byte"), "%s is refused: %s", what,
          e.message);
    if (doc)
        via_json_free(doc);
}

#define REFUSED(text, what) check_refused(text, sizeof(text) - 1, what)

/* Parse and write back in canonical form. */
static void
check_canonical(const char *text, const char *want)
{
    struct via_error e = {0};
    struct via_buf b;
    via_json *doc;

    via_buf_init(&b);
    if (CHECK(via_json_parse(text, strlen(text), 8, &doc, &e) == VIA_OK, "%s parses", text)) {
        via_json_write(&b, doc);
        CHECK(strcmp(via_buf_text(&b), want) == 0, "%s is written %s", text, via_buf_text(&b));
        via_json_free(doc);
    }
    via_buf_deinit(&b);
}

static void
test_refusals(void)
{
    REFUSED("", "nothing");
    REFUSED(" ", "white space alone");
    REFUSED("{\"a\":1,\"a\":2}", "a duplicate key");
    REFUSED("{\"a\":1,\"\\u0061\":2}", "a duplicate key in disguise");
    REFUSED("{\"b\":{\"a\":1,\"a\":2}}", "a duplicate key further in");
    REFUSED("{} x", "trailing text");
    REFUSED("{}{}", "a second document");
    REFUSED("{}\0", "a trailing NUL");
    REFUSED("[1,]", "a trailing comma");
    REFUSED("{\"a\":1", "an open object");
    REFUSED("'a'", "single quotes");
    REFUSED("[01]", "a leading zero");
    REFUSED("[+1]", "a leading plus");
    REFUSED("[.5]", "a bare fraction");
    REFUSED("[NaN]", "NaN");
    REFUSED("[Infinity]", "Infinity");
    REFUSED("[9223372036854775808]", "an integer beyond 64 bits");
    REFUSED("[-9223372036854775809]", "a negative one beyond 64 bits");
    REFUSED("[1e400]", "a real beyond a double");
    REFUSED("[\"\xC0\xAF\"]", "invalid UTF-8");
    REFUSED("[\"\xED\xA0\x80\"]", "a surrogate in UTF-8");
    REFUSED("[\"\\ud800\"]", "half a surrogate pair");
    REFUSED("[\"a\nb\"]", "a raw newline in a string");
    REFUSED("[\"\\x41\"]", "an unknown escape");
    REFUSED("\xEF\xBB\xBF{}", "a byte order mark");
    REFUSED("{\"a\\u0000b\":1}", "a NUL in a key");
    REFUSED("[1]/**/", "a comment");
    REFUSED("[[[[[[[[[1]]]]]]]]]", "nine levels where eight are allowed");
}

static void
test_secrecy(void)
{
    static const char text[] = "{\"sql\": \"SELECT secret\" secret}";
    struct via_error e = {0};
    via_json *doc;

    CHECK(via_json_parse(text, sizeof text - 1, 8, &doc, &e) == VIA_BAD_REQUEST &&
              !strstr(e.message, "secret"),
          "a refusal does not quote the document: %s", e.message);
}

/* A million brackets must cost neither stack nor time. */
static void
test_depth(void)
{
    size_t n = 1000000;
    char *deep = malloc(n);
    struct via_error e = {0};
    via_json *doc;

    memset(deep, '[', n);
    CHECK(via_json_parse(deep, n, 64, &doc, &e) == VIA_BAD_REQUEST && strstr(e.message, "deeper"),
          "a million brackets are refused: %s", e.message);
    free(deep);
    CHECK(via_json_parse("[\"[[[[\\\"[[\"]", 12, 1, &doc, &e) == VIA_OK,
          "brackets in a string do not count");
    via_json_free(doc);
    CHECK(via_json_parse("[[[[[[[[1]]]]]]]]", 17, 8, &doc, &e) == VIA_OK,
          "eight levels are allowed where eight are");
    via_json_free(doc);
}

static void
test_values(void)
{
    static const char text[] = "{\"i\":-9223372036854775808,\"r\":0.5,\"s\":\"a\\u0000b\","
                               "\"t\":true,\"f\":false,\"n\":null,\"a\":[1,2],\"o\":{}}";
    struct via_error e = {0};
    const char *s;
    via_json *doc;
    size_t n;

    if (!CHECK(via_json_parse(text, sizeof text - 1, 8, &doc, &e) == VIA_OK, "every type parses"))
        return;
    CHECK(via_json_type(doc) == VIA_JSON_OBJECT && via_json_count(doc) == 8, "members count");
    CHECK(via_json_integer(via_json_member(doc, "i")) == INT64_MIN, "integers are exact");
    CHECK(via_json_real(via_json_member(doc, "r")) == 0.5, "reals are read");
    s = via_json_string(via_json_member(doc, "s"), &n);
    CHECK(s && n == 3 && memcmp(s, "a\0b", 4) == 0, "NUL in text survives with its length");
    CHECK(via_json_type(via_json_member(doc, "t")) == VIA_JSON_TRUE &&
              via_json_type(via_json_member(doc, "f")) == VIA_JSON_FALSE &&
              via_json_type(via_json_member(doc, "n")) == VIA_JSON_NULL,
          "true, false and null are told apart");
    CHECK(via_json_integer(via_json_at(via_json_member(doc, "a"), 1)) == 2, "arrays have places");
    CHECK(!via_json_at(via_json_member(doc, "a"), 2), "and nothing behind the last");
    CHECK(!via_json_member(doc, "x") && !via_json_member(via_json_at(doc, 0), "x"),
          "an absent member is NULL");
    CHECK(!via_json_string(via_json_member(doc, "i"), NULL) &&
              via_json_integer(via_json_member(doc, "s")) == 0,
          "a value read as another type is nothing");
    via_json_free(doc);
}

static bool
join_keys(void *arg, const char *key, const via_json *value)
{
    strcat(arg, key);
    return via_json_type(value) != VIA_JSON_NULL;
}

static void
test_order(void)
{
    static const char text[] = "{\"z\":1,\"a\":2,\"m\":null,\"b\":3}";
    struct via_error e = {0};
    char keys[16] = "";
    via_json *doc;

    if (!CHECK(via_json_parse(text, sizeof text - 1, 8, &doc, &e) == VIA_OK, "an object parses"))
        return;
    CHECK(!via_json_each(doc, join_keys, keys) && strcmp(keys, "zam") == 0,
          "members come in the order they were written, until stopped");
    via_json_free(doc);
    check_canonical(" { \"b\" : [ 1 , 2.5 , \"x\\u0000\\n\" ] , \"a\" : null, \"B\": {} } ",
                    "{\"B\":{},\"a\":null,\"b\":[1,2.5,\"x\\u0000\\n\"]}");
    check_canonical("[1.0,-0.0,true,false,[]]", "[1.0,-0.0,true,false,[]]");
    check_canonical("7", "7");
}

int
main(void)
{
    test_refusals();
    test_secrecy();
    test_depth();
    test_values();
    test_order();
    return check_end();
}
