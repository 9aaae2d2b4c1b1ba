/* The focus of this file is base64 read strictly, and digests. */
#include "check.h"
#include "identity/codec.h"

#include <string.h>

static void
check_url_refused(const char *text, const char *what)
{
    uint8_t out[64];
    size_t n;

    CHECK(!via_base64url_decode(text, strlen(text), out, sizeof out, &n), "%s is refused", what);
}

static void
test_round_trips(void)
{
    uint8_t bytes[100], back[100];
    bool url = true, standard = true;
    struct via_buf b;
    size_t n;

    via_buf_init(&b);
    for (size_t len = 0; len <= sizeof bytes; len++) {
        for (size_t i = 0; i < len; i++)
            bytes[i] = (uint8_t)(i * 37 + len * 101);
        via_buf_reset(&b);
        via_base64url_put(&b, bytes, len);
        url = url && via_base64url_decode(via_buf_text(&b), b.len, back, sizeof back, &n) &&
              n == len && memcmp(bytes, back, len) == 0 && !strpbrk(via_buf_text(&b), "+/=");
        via_buf_reset(&b);
        via_base64_put(&b, bytes, len);
        standard = standard && b.len % 4 == 0 &&
                   via_base64_decode(via_buf_text(&b), b.len, back, sizeof back, &n) && n == len &&
                   memcmp(bytes, back, len) == 0;
    }
    CHECK(url, "base64url of 0 to 100 bytes comes back as it was");
    CHECK(standard, "base64 too");
    via_buf_reset(&b);
    via_buf_puts(&b, "x.");
    via_base64url_put(&b, "\xFB\xFF", 2);
    CHECK(strcmp(via_buf_text(&b), "x.-_8") == 0, "it is appended, in the URL's alphabet");
    via_buf_deinit(&b);
}

static void
test_strictness(void)
{
    uint8_t out[4];
    size_t n;

    check_url_refused("QQ==", "padding in base64url");
    check_url_refused("QR", "a non-zero trailing bit");
    check_url_refused("QUJ", "a non-zero bit after two bytes");
    check_url_refused("Q", "a lone character");
    check_url_refused("QUJD Q", "white space");
    check_url_refused("QUJD\n", "a trailing newline");
    check_url_refused("QU+D", "a plus");
    check_url_refused("QU/D", "a slash");
    check_url_refused("QUJD.", "a dot");
    CHECK(!via_base64url_decode("QU\0D", 4, out, sizeof out, &n), "a NUL is refused");
    CHECK(!via_base64url_decode("QUJDRUY", 7, out, sizeof out, &n), "more than fits is refused");
    CHECK(via_base64url_decode("QUJDRA", 6, out, sizeof out, &n) && n == 4, "what fits is read");
    CHECK(via_base64_decode("QQ", 2, out, sizeof out, &n) && n == 1,
          "base64 is also read without padding");
    CHECK(!via_base64_decode("QQ=", 3, out, sizeof out, &n), "but not with half of it");
    CHECK(!via_base64_decode("QR==", 4, out, sizeof out, &n), "nor with trailing bits");
    CHECK(!via_base64_decode("QQ==QQ==", 8, out, sizeof out, &n), "nor twice");
}

static void
test_digests(void)
{
    static const struct via_piece one[] = {{"abc", 3}}, two[] = {{"a", 1}, {"", 0}, {"bc", 2}};
    uint8_t a[16], b[16];
    char x[65], y[65];

    via_digest_hex(one, 1, x);
    via_digest_hex(two, 3, y);
    /* BLAKE2b-256 of "abc", by another implementation of RFC 7693. */
    CHECK(strcmp(x, "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319") == 0,
          "the digest is BLAKE2b-256");
    CHECK(strcmp(x, y) == 0, "how it is cut into pieces does not matter");
    via_digest_short("abc", 3, a);
    via_digest_short("abd", 3, b);
    CHECK(memcmp(a, b, 16) != 0, "short digests differ");
    via_digest_local("abc", 3, a);
    via_digest_local("abc", 3, b);
    CHECK(memcmp(a, b, 16) == 0, "a local digest is the same within the process");
    via_digest_local("abd", 3, b);
    CHECK(memcmp(a, b, 16) != 0, "and another for another text");
    via_digest_short("abc", 3, b);
    CHECK(memcmp(a, b, 16) != 0, "it has a key");
}

int
main(void)
{
    CHECK(via_identity_init() && via_identity_init(), "the library starts, and again");
    test_round_trips();
    test_strictness();
    test_digests();
    return check_end();
}
