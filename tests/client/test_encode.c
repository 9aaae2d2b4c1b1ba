/* The focus of this file is the value encoding that libvia writes and reads. */
#include "client/encode.h"

#include "check.h"

#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>

/* The request body for one positional parameter, as far as "params" goes; "!" when refused. */
static const char *
encoded(struct via_param param)
{
    static struct via_buf buf;
    static char out[256];
    const char *at;

    via_buf_deinit(&buf);
    via_buf_init(&buf);
    if (!via_encode_request(&buf, "DATABASE", "SELECT ?", &param, 1, NULL))
        return "!";
    at = strstr(via_buf_text(&buf), "\"params\":");
    snprintf(out, sizeof out, "%s", at ? at + 9 : "?");
    return out;
}

static void
check_encoded(struct via_param param, const char *expected, const char *what)
{
    const char *got = encoded(param);

    CHECK(strcmp(got, expected) == 0, "%s is sent as %s (was %s)", what, expected, got);
}

static void
test_writing(void)
{
    check_encoded(via_null(), "[null]}", "NULL");
    check_encoded(via_integer(INT64_MIN), "[-9223372036854775808]}", "the least integer");
    check_encoded(via_integer(INT64_MAX), "[9223372036854775807]}", "the greatest integer");
    check_encoded(via_real(1), "[1.0]}", "a whole real");
    check_encoded(via_real(-0.0), "[-0.0]}", "minus zero");
    check_encoded(via_real(0.1), "[0.10000000000000001]}", "a tenth");
    check_encoded(via_real(DBL_MAX), "[1.7976931348623157e+308]}", "the greatest real");
    check_encoded(via_real(INFINITY), "[{\"real\":\"Infinity\"}]}", "infinity");
    check_encoded(via_real(-INFINITY), "[{\"real\":\"-Infinity\"}]}", "minus infinity");
    check_encoded(via_real(NAN), "[null]}", "not a number");
    check_encoded(via_text(""), "[\"\"]}", "an empty text");
    check_encoded(via_text("\"\\\n"), "[\"\\\"\\\\\\n\"]}", "a text to escape");
    check_encoded(via_text_n("a\0b", 3), "[\"a\\u0000b\"]}", "a text with NUL");
    check_encoded(via_blob("", 0), "[{\"base64\":\"\"}]}", "an empty blob");
    check_encoded(via_blob("\xff", 1), "[{\"base64\":\"/w==\"}]}", "a blob of one byte");
    check_encoded(via_blob("\xff\xfe", 2), "[{\"base64\":\"//4=\"}]}", "a blob of two bytes");
    check_encoded(via_blob("\xff\xfe\xfd", 3), "[{\"base64\":\"//79\"}]}", "a blob of three bytes");
}

static void
test_refusing(void)
{
    static const char *const bad[] = {"\x80",
                                      "\xc0\x80",
                                      "\xc3",
                                      "\xe0\x9f\xbf",
                                      "\xed\xa0\x80",
                                      "\xf0\x8f\xbf\xbf",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "a\xff"};
    struct via_param mixed[2] = {via_integer(1), via_integer(2)};
    struct via_failure why;
    struct via_buf buf;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(strcmp(encoded(via_text(bad[i])), "!") == 0, "ill-formed UTF-8 no. %zu is refused",
              i);
    via_buf_init(&buf);
    mixed[1].name = "b";
    CHECK(!via_encode_request(&buf, "D", "SELECT 1", mixed, 2, &why) &&
              strcmp(why.code, "bad_request") == 0,
          "named and positional parameters do not mix");
    via_buf_reset(&buf);
    mixed[0].name = "a\"";
    CHECK(via_encode_request(&buf, "D", "S", mixed, 2, &why) &&
              strcmp(via_buf_text(&buf),
                     "{\"binding\":\"D\",\"sql\":\"S\",\"params\":{\"a\\\"\":1,\"b\":2}}") == 0,
          "named parameters are an object");
    via_buf_reset(&buf);
    CHECK(!via_encode_request(&buf, "D", "SELECT '\xff'", NULL, 0, &why),
          "SQL that is no UTF-8 is refused");
    via_buf_deinit(&buf);
}

/* Parse `json`, an array of one value. */
static bool
parsed(const char *json, struct via_value *v, void **blob, via_json **doc)
{
    *blob = NULL;
    if (via_json_parse(json, strlen(json), 4, doc, NULL) != VIA_OK)
        return false;
    return via_encode_parse(via_json_at(*doc, 0), v, blob);
}

static void
test_reading(void)
{
    static const char *const bad[] = {"[true]",
                                      "[[]]",
                                      "[{}]",
                                      "[{\"base64\":1}]",
                                      "[{\"base64\":\"*\"}]",
                                      "[{\"real\":\"huge\"}]",
                                      "[{\"integer\":\"9223372036854775808\"}]",
                                      "[{\"integer\":\"1x\"}]",
                                      "[{\"integer\":\"\"}]",
                                      "[{\"integer\":\"1\",\"real\":\"NaN\"}]"};
    struct via_value v;
    via_json *doc;
    void *blob;

    CHECK(parsed("[{\"integer\":\"-9223372036854775808\"}]", &v, &blob, &doc) &&
              v.type == VIA_VALUE_INTEGER && v.integer == INT64_MIN,
          "an integer beyond 2^53 is read exactly");
    via_json_free(doc);
    CHECK(parsed("[9007199254740993]", &v, &blob, &doc) && v.integer == 9007199254740993,
          "a plain integer beyond 2^53 is read exactly");
    via_json_free(doc);
    CHECK(parsed("[1.0]", &v, &blob, &doc) && v.type == VIA_VALUE_REAL && v.real == 1,
          "a whole real stays real");
    via_json_free(doc);
    CHECK(parsed("[{\"real\":\"-Infinity\"}]", &v, &blob, &doc) && isinf(v.real) && v.real < 0,
          "minus infinity is read");
    via_json_free(doc);
    CHECK(parsed("[\"a\\u0000b\"]", &v, &blob, &doc) && v.size == 3 &&
              memcmp(v.bytes, "a\0b", 4) == 0,
          "a text with NUL keeps its length");
    via_json_free(doc);
    CHECK(parsed("[{\"base64\":\"//4=\"}]", &v, &blob, &doc) && v.type == VIA_VALUE_BLOB &&
              v.size == 2 && memcmp(v.bytes, "\xff\xfe", 2) == 0,
          "a blob is decoded");
    free(blob);
    via_json_free(doc);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        doc = NULL;
        CHECK(!parsed(bad[i], &v, &blob, &doc), "%s is no value", bad[i]);
        free(blob);
        via_json_free(doc);
    }
}

int
main(void)
{
    test_writing();
    test_refusing();
    test_reading();
    return check_end();
}
