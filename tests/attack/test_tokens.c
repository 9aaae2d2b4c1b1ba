/* The focus of this file is tokens whose signature, text or carrier was bent, and tokens that were
 * good: of another kind or mode than is asked for, or replayed after their end. */
#include "attack/forge.h"

/* -- signatures ----------------------------------------------------------------- */

/* The good token under another signature of 64 bytes. */
static void
attack_signature(const char *name, const unsigned char signature[64])
{
    struct via_buf token;

    via_buf_init(&token);
    via_buf_put(&token, good, (size_t)(strrchr(good, '.') + 1 - good));
    via_base64url_put(&token, signature, 64);
    attack(name, via_buf_text(&token), VIA_TOKEN_INVALID);
    via_buf_deinit(&token);
}

/* S + L verifies where S does, for whoever forgets RFC 8032 section 5.1.7. */
static void
test_malleability(const unsigned char signature[64])
{
    static const unsigned char order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,
                                            0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
                                            0,    0,    0,    0,    0,    0,    0,    0,
                                            0,    0,    0,    0,    0,    0,    0,    0x10};
    unsigned char bent[64];
    unsigned carry = 0;

    memcpy(bent, signature, 64);
    for (int i = 0; i < 32; i++) {
        carry += (unsigned)bent[32 + i] + order[i];
        bent[32 + i] = (unsigned char)carry;
        carry >>= 8;
    }
    attack_signature("S + L", bent);
    memcpy(bent, signature, 64);
    bent[63] |= 0xe0;
    attack_signature("S with its three top bits set", bent);
    memcpy(bent, signature + 32, 32);
    memcpy(bent + 32, signature, 32);
    attack_signature("R and S exchanged", bent);
    memset(bent, 0, 64);
    attack_signature("all zero", bent);
    memset(bent, 0xff, 64);
    attack_signature("all ones", bent);
}

/* Points whose order divides eight, and their other encodings (y + p): as R with S = 0. */
static void
test_small_order(void)
{
    static const char *const points[] = {
        "0100000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "0100000000000000000000000000000000000000000000000000000000000080"};
    unsigned char signature[64] = {0};
    char name[64];

    for (size_t i = 0; i < sizeof points / sizeof points[0]; i++) {
        if (sodium_hex2bin(signature, 32, points[i], 64, NULL, NULL, NULL) != 0)
            live_die("a point is misspelt");
        snprintf(name, sizeof name, "a small-order R, %.4s…", points[i]);
        attack_signature(name, signature);
    }
}

/* -- the text ------------------------------------------------------------------- */

static void
test_text(void)
{
    static const char *const formats[] = {"%s=",
                                          "%s==",
                                          "%s.",
                                          ".%s",
                                          "%sA",
                                          "\"%s\"",
                                          "%s%%00",
                                          "%s,%1$s",
                                          "%s;%1$s",
                                          "%s %1$s",
                                          "Bearer %s",
                                          "%s#x",
                                          "%s?a=b",
                                          "%s/",
                                          "jwt:%s",
                                          "%s~",
                                          "%s....",
                                          "%s.a.b",
                                          "{\"t\":\"%s\"}",
                                          "%s%%20"};
    char text[2 * VIA_TOKEN_SIZE], name[64];
    const char *dot = strrchr(good, '.'), *first = strchr(good, '.');
    struct via_buf other;

    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-extra-args"
        snprintf(text, sizeof text, formats[i], good);
#pragma GCC diagnostic pop
        snprintf(name, sizeof name, "text: %s", formats[i]);
        attack(name, text, VIA_TOKEN_INVALID);
    }
    snprintf(text, sizeof text, "%.*s=%s", (int)(dot - good), good, dot);
    attack("text: padding before the last dot", text, VIA_TOKEN_INVALID);
    snprintf(text, sizeof text, "%.*s\t%s", (int)(dot - good), good, dot);
    attack("text: a tab inside", text, VIA_TOKEN_INVALID);
    snprintf(text, sizeof text, "%.*s%%2e%s", (int)(first - good), good, first + 1);
    attack("text: a dot as %2e", text, VIA_TOKEN_INVALID);
    snprintf(text, sizeof text, "%s", good);
    for (char *c = text; *c; c++)
        *c = *c == '-' ? '+' : *c == '_' ? '/' : *c;
    if (strcmp(text, good) == 0)
        snprintf(text, sizeof text, "+%s", good);
    attack("text: the other base64 alphabet", text, VIA_TOKEN_INVALID);
    snprintf(text, sizeof text, "%s", good);
    text[strlen(text) - 1] = text[strlen(text) - 1] == 'A'   ? 'B'
                             : text[strlen(text) - 1] == 'Q' ? 'R'
                             : text[strlen(text) - 1] == 'g' ? 'h'
                                                             : 'x';
    attack("text: spare bits in the last character", text, VIA_TOKEN_INVALID);
    for (size_t i = 0; good[i]; i++)
        text[i] = (char)toupper((unsigned char)good[i]);
    attack("text: in capitals", text, VIA_TOKEN_INVALID);
    memset(text, 'a', VIA_TOKEN_SIZE + 500);
    text[VIA_TOKEN_SIZE + 500] = '\0';
    attack("text: longer than any token", text, VIA_TOKEN_INVALID);
    attack("text: five parts, as an encrypted token has", "eyJhbGciOiJkaXIifQ..AAAA.AAAA.AAAA",
           VIA_TOKEN_INVALID);
    attack("text: JSON serialisation",
           "{\"protected\":\"e30\",\"payload\":\"e30\",\"signature\":\"AA\"}", VIA_TOKEN_INVALID);
    attack("text: a PASETO", "v4.public.e30", VIA_TOKEN_INVALID);

    /* The claims of one good token under the signature of another. */
    via_buf_init(&other);
    forge(HEADER, PAYLOAD, VIA_ITSELF, &other);
    snprintf(text, sizeof text, "%.*s%s", (int)(dot - good), good,
             strrchr(via_buf_text(&other), '.'));
    attack("text: another token's signature", text, VIA_TOKEN_INVALID);
    via_buf_deinit(&other);

    /* A header may not hold these; a file may. */
    snprintf(text, sizeof text, "%s\n", good);
    CHECK(door_file(text, strlen(text), "SELECT 1 FROM sqlite_schema") == VIA_OK,
          "a token file may end with a line feed");
    snprintf(text, sizeof text, "%.*s\n%s", (int)(dot - good), good, dot);
    CHECK(door_file(text, strlen(text), "SELECT 1 FROM sqlite_schema") == VIA_TOKEN_INVALID,
          "but not have one inside");
    snprintf(text, sizeof text, "%s", good);
    CHECK(door_file(text, strlen(text) + 1, "SELECT 1 FROM sqlite_schema") == VIA_TOKEN_INVALID,
          "nor a NUL at its end");
    CHECK(door_file("", 0, "SELECT 1 FROM sqlite_schema") == VIA_TOKEN_MISSING,
          "an empty file is no token");
}

/* Where a token may not be carried. */
static void
test_carriers(void)
{
    static const struct {
        const char *name, *format;
    } ways[] = {
        {"in the URL",
         "POST /v1/runtime/sql/query?access_token=%s HTTP/1.1\r\nHost: localhost\r\n"},
        {"in a cookie",
         "POST /v1/runtime/sql/query HTTP/1.1\r\nHost: localhost\r\nCookie: token=%s\r\n"},
        {"as Basic",
         "POST /v1/runtime/sql/query HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic %s\r\n"},
        {"as Proxy-Authorization", "POST /v1/runtime/sql/query HTTP/1.1\r\nHost: "
                                   "localhost\r\nProxy-Authorization: Bearer %s\r\n"},
        {"twice",
         "POST /v1/runtime/sql/query HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer x\r\n"
         "Authorization: Bearer %s\r\n"},
    };
    static const char body[] = "{\"sql\":\"SELECT 1\"}";
    char request[2 * VIA_TOKEN_SIZE];

    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        int n;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        n = snprintf(request, sizeof request, ways[i].format, good);
#pragma GCC diagnostic pop
        n += snprintf(request + n, sizeof request - (size_t)n, "Content-Length: %zu\r\n\r\n%s",
                      strlen(body), body);
        CHECK(live_exchange(&http, request, (size_t)n) &&
                  (http.status == 401 || http.status == 400) &&
                  (http.status == 400 || strcmp(http.code, "token_missing") == 0),
              "a token %s does not count (%d %s)", ways[i].name, http.status, http.code);
    }
}

/* -- tokens that were good ------------------------------------------------------- */

/* A workload token is not a generation token, and the other way round where it matters. */
static void
test_kinds(void)
{
    char workload[VIA_TOKEN_SIZE], theirs[VIA_TOKEN_SIZE];

    live_mint("workload", variable("$INSTANCE"), "", 600, workload);
    CHECK(door_file(workload, strlen(workload), "SELECT 1 FROM sqlite_schema") == VIA_TOKEN_INVALID,
          "the VFS takes no workload token");
    CHECK(live_call(&http, "query", workload, "DATABASE", "SELECT 1") && http.status == 200,
          "the agent does, with a binding");
    CHECK(live_call(&http, "query", workload, "", "SELECT 1") && http.status == 400 &&
              strcmp(http.code, "bad_request") == 0,
          "and not without one");
    CHECK(live_call(&http, "query", good, "OTHER", "SELECT 1") && http.status == 403 &&
              strcmp(http.code, "binding_not_in_release") == 0,
          "a generation token is for its own binding");
    live_mint("generation", variable("$X_INSTANCE"), "THEIRS", 600, theirs);
    CHECK(live_call(&http, "query", theirs, "DATABASE", "SELECT 1") && http.status == 403 &&
              strcmp(http.code, "binding_not_in_release") == 0,
          "another app's token does not open this one's binding");
    CHECK(door_file(theirs, strlen(theirs), "SELECT 1 FROM sqlite_schema") ==
              VIA_BINDING_NOT_IN_RELEASE,
          "nor at the VFS");
}

/* A token may narrow the mode of its binding and never widen it. */
static void
test_mode(void)
{
    struct via_buf token;
    char payload[8192];

    via_buf_init(&token);
    edit(PAYLOAD, "\"rw\"", "\"ro\"", payload);
    forge(HEADER, payload, VIA_ITSELF, &token);
    CHECK(live_call(&http, "execute", token.data, "", "CREATE TABLE m(a)") && http.status == 403 &&
              strcmp(http.code, "read_only_binding") == 0 &&
              door_file(token.data, token.len, "CREATE TABLE m(a)") != VIA_OK,
          "a token that says ro does not write to a binding that is rw");
    live_sql(
        "INSERT INTO via_bindings(app,binding,addon,mode) VALUES('api','LEDGER','api-db','ro');"
        "INSERT INTO via_deploys(app,target) VALUES('api','');"
        "INSERT INTO via_instances(app) VALUES('api')");
    snprintf(variable("$X_INSTANCE"), 64, "%s", variable("$INSTANCE"));
    strcpy(variable("$INSTANCE"),
           live_sql("SELECT id FROM via_instances WHERE rowid=last_insert_rowid()"));
    strcpy(variable("$DEPLOY"),
           live_sql("SELECT deploy FROM via_instances WHERE id=%Q", variable("$INSTANCE")));
    strcpy(variable("$RELEASE"),
           live_sql("SELECT release FROM via_instances WHERE id=%Q", variable("$INSTANCE")));
    edit(PAYLOAD, "DATABASE", "LEDGER", payload);
    forge(HEADER, payload, VIA_ITSELF, &token);
    CHECK(live_call(&http, "query", token.data, "", "SELECT 1") && http.status == 200 &&
              live_call(&http, "execute", token.data, "", "CREATE TABLE m(a)") &&
              http.status == 403 && strcmp(http.code, "read_only_binding") == 0,
          "one that says rw does not write to a binding that is ro");
    via_buf_deinit(&token);
}

/* What was good until an operator said otherwise. */
static void
test_replay(void)
{
    static const struct {
        const char *name, *sql;
        enum via_status want;
    } ends[] = {
        {"replayed after its generation was revoked",
         "UPDATE via_generations SET status='revoked' WHERE app='api' AND binding='DATABASE'",
         VIA_GENERATION_REVOKED},
        {"replayed after its lease ran out",
         "UPDATE via_instances SET lease_expires_at='2001-01-01T00:00:00.000Z' WHERE id=%Q",
         VIA_RUNTIME_IDENTITY_EXPIRED},
        {"replayed after its deploy was stopped",
         "UPDATE via_deploys SET state='stopped' WHERE id="
         "(SELECT deploy FROM via_instances WHERE id=%Q)",
         VIA_WORKLOAD_UNBOUND},
        {"replayed after its instance was stopped",
         "UPDATE via_instances SET state='stopped' WHERE id=%Q", VIA_WORKLOAD_UNBOUND},
    };

    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        char instance[64], token[VIA_TOKEN_SIZE];
        bool before;

        live_sql("INSERT INTO via_generations(app,binding) VALUES('api','DATABASE');"
                 "INSERT INTO via_deploys(app,target) VALUES('api','');"
                 "INSERT INTO via_instances(app) VALUES('api')");
        strcpy(instance, live_sql("SELECT id FROM via_instances WHERE rowid=last_insert_rowid()"));
        live_mint("generation", instance, "DATABASE", 600, token);
        before = door_http(token) == VIA_OK &&
                 door_file(token, strlen(token), "SELECT 1 FROM sqlite_schema") == VIA_OK;
        live_sql(ends[i].sql, instance);
        CHECK(before && door_http(token) == ends[i].want &&
                  door_file(token, strlen(token), "SELECT 1 FROM sqlite_schema") == ends[i].want,
              "a token %s: %d %s", ends[i].name, via_status_http(ends[i].want),
              via_status_word(ends[i].want));
    }
}

int
main(void)
{
    unsigned char signature[64];
    size_t n;

    forge_start();
    if (!via_base64url_decode(strrchr(good, '.') + 1, strlen(strrchr(good, '.') + 1), signature, 64,
                              &n))
        return 1;
    test_malleability(signature);
    test_small_order();
    test_text();
    test_carriers();
    test_kinds();
    test_mode();
    test_replay();
    return forge_end();
}
