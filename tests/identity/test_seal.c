/* The focus of this file is sealing: what was sealed opens with its own context, whoever reads the
 * keys, and with nothing else. */
#include "check.h"
#include "identity/keys.h"
#include "scratch.h"

#include <string.h>

static struct via_root root;

static struct via_keyring *
ring(void)
{
    struct via_keyring *k = NULL;

    if (via_keyring_new(&root, &k, NULL) != VIA_OK)
        exit(1);
    return k;
}

static void
context_set(struct via_buf *b, const char *text)
{
    via_buf_reset(b);
    via_buf_puts(b, text);
}

int
main(void)
{
    static const char secret[] = "a secret of some length";
    struct via_keyring *k, *other;
    struct via_buf context, sealed, again;
    struct via_error e = {0};
    char kid[VIA_ID_SIZE], second[VIA_ID_SIZE], out[64] = "";
    size_t wrong = 0;

    scratch_root(&root);
    k = ring();
    other = ring();
    via_buf_init(&context);
    via_buf_init(&sealed);
    via_buf_init(&again);
    context_set(&context, "[\"app\",\"NAME\",1]");

    CHECK(via_keyring_seal(k, &context, secret, sizeof secret, &sealed, kid, &e) == VIA_OK,
          "the first secret makes the key: %s", e.message);
    CHECK(sealed.len == sizeof secret + VIA_SEAL_OVERHEAD, "the overhead is as said");
    CHECK(!memmem(sealed.data, sealed.len, "secret", 6), "the sealed bytes do not show it");
    CHECK(via_keyring_open(other, kid, &context, sealed.data, sealed.len, out) &&
              memcmp(out, secret, sizeof secret) == 0,
          "another ring of the host opens it");
    CHECK(via_keyring_seal(other, &context, secret, sizeof secret, &again, second, &e) == VIA_OK &&
              strcmp(kid, second) == 0 && memcmp(sealed.data, again.data, sealed.len) != 0,
          "the same twice is sealed by one key, and differs");
    for (size_t i = 0; i < sealed.len; i++) {
        sealed.data[i] ^= 1;
        wrong += via_keyring_open(k, kid, &context, sealed.data, sealed.len, out);
        sealed.data[i] ^= 1;
    }
    for (size_t n = 0; n < sealed.len; n++)
        wrong += via_keyring_open(k, kid, &context, sealed.data, n, out);
    CHECK(wrong == 0, "no byte of it can be changed or left out");
    CHECK(!via_keyring_open(k, "key_01m7yztb8rda72n2ybx5t79yw9", &context, sealed.data, sealed.len,
                            out) &&
              !via_keyring_open(k, "../x", &context, sealed.data, sealed.len, out),
          "nor does another key open it");
    context_set(&context, "[\"app\",\"NAME\",2]");
    CHECK(!via_keyring_open(k, kid, &context, sealed.data, sealed.len, out), "nor another context");
    via_buf_reset(&again);
    CHECK(via_keyring_seal(k, &context, "", 0, &again, kid, &e) == VIA_OK &&
              via_keyring_open(k, kid, &context, again.data, again.len, out),
          "the empty secret is one");
    via_buf_deinit(&context);
    via_buf_deinit(&sealed);
    via_buf_deinit(&again);
    via_keyring_free(k);
    via_keyring_free(other);
    return check_end();
}
