/* The focus of this file is tokens that say what no token of Via's says: every header and every
 * claim, signed by whoever could have. The attacks are those of RFC 8725 and of the public lists.
 */
#include "attack/forge.h"

/* -- headers -------------------------------------------------------------------- */

/* The header `to`, or the good one with `from` replaced. All are answered token_invalid. */
static const struct {
    const char *name, *from, *to;
    enum signer signer;
} headers[] = {
    {"alg none, no signature", "EdDSA", "none", NOBODY},
    {"alg None, no signature", "EdDSA", "None", NOBODY},
    {"alg NONE, no signature", "EdDSA", "NONE", NOBODY},
    {"alg nOnE, no signature", "EdDSA", "nOnE", NOBODY},
    {"alg none with the good signature", "EdDSA", "none", COPY},
    {"alg none, signed", "EdDSA", "none", VIA_ITSELF},
    {"alg empty, no signature", "EdDSA", "", NOBODY},
    {"alg EdDSA, no signature", NULL, NULL, NOBODY},
    {"alg HS256 with the public key's bytes", "EdDSA", "HS256", HMAC_RAW},
    {"alg HS256 with the public key's text", "EdDSA", "HS256", HMAC_TEXT},
    {"alg EdDSA with an HMAC of the public key", NULL, NULL, HMAC_RAW},
    {"alg HS512", "EdDSA", "HS512", NOISE_64},
    {"alg RS256", "EdDSA", "RS256", NOISE_114},
    {"alg PS256, Via's signature", "EdDSA", "PS256", VIA_ITSELF},
    {"alg ES256: another curve", "EdDSA", "ES256", NOISE_64},
    {"alg Ed448: another curve", "EdDSA", "Ed448", NOISE_114},
    {"alg EdDSA with a signature of Ed448's length", NULL, NULL, NOISE_114},
    {"alg Ed25519, the newer name", "EdDSA", "Ed25519", VIA_ITSELF},
    {"alg in lower case", "EdDSA", "eddsa", VIA_ITSELF},
    {"alg with a space", "EdDSA", "EdDSA ", VIA_ITSELF},
    {"alg null", "\"EdDSA\"", "null", VIA_ITSELF},
    {"alg as a list", "\"EdDSA\"", "[\"EdDSA\",\"none\"]", VIA_ITSELF},
    {"two algs", "\"alg\"", "\"alg\":\"none\",\"alg\"", VIA_ITSELF},
    {"two algs, one in disguise", "\"alg\"", "\"\\u0061lg\":\"none\",\"alg\"", VIA_ITSELF},
    {"Alg beside alg", "\"alg\"", "\"Alg\":\"none\",\"alg\"", VIA_ITSELF},
    {"the thief's key", NULL, NULL, THIEF},
    {"the thief's key embedded (jwk)", "\"typ\"", "\"jwk\":$JWK,\"typ\"", THIEF},
    {"the thief's key embedded, no kid", "\"kid\":\"$KID\"", "\"jwk\":$JWK", THIEF},
    {"jku", "\"typ\"", "\"jku\":\"http://127.0.0.1/jwks.json\",\"typ\"", THIEF},
    {"jku of a file", "\"typ\"", "\"jku\":\"file://$THIEF_FILE\",\"typ\"", THIEF},
    {"x5u", "\"typ\"", "\"x5u\":\"https://127.0.0.1/cert.pem\",\"typ\"", THIEF},
    {"x5c", "\"typ\"", "\"x5c\":[\"MIIB\"],\"typ\"", THIEF},
    {"x5t", "\"typ\"", "\"x5t\":\"AAAA\",\"typ\"", VIA_ITSELF},
    {"kid is a path to the thief's key", "$KID", "$THIEF_FILE", THIEF},
    {"kid climbs out of the folder", "$KID", "../../thief", THIEF},
    {"kid climbs to itself", "$KID", "../keys/$KID", VIA_ITSELF},
    {"kid with the file's ending", "$KID", "$KID.jwk", VIA_ITSELF},
    {"kid /dev/null", "$KID", "/dev/null", HMAC_RAW},
    {"kid as SQL", "$KID", "x' UNION SELECT 'AAAA' --", THIEF},
    {"kid as a command", "$KID", "$KID|/bin/true", VIA_ITSELF},
    {"kid with a NUL", "$KID", "$KID\\u0000", VIA_ITSELF},
    {"kid with a line feed", "$KID", "$KID\\n", VIA_ITSELF},
    {"kid empty", "$KID", "", VIA_ITSELF},
    {"kid as a number", "\"$KID\"", "1", VIA_ITSELF},
    {"kid as a list", "\"$KID\"", "[\"$KID\"]", VIA_ITSELF},
    {"kid that nobody knows", "$KID", "key_00000000000000000000000000", VIA_ITSELF},
    {"kid of the manifest key, which signs", "$KID", "$MANIFEST_KID", MANIFEST_KEY},
    {"kid of the workload key, which signs", "$KID", "$WORK_KID", WORKLOAD_KEY},
    {"kid of the workload key, signed by the right one", "$KID", "$WORK_KID", VIA_ITSELF},
    {"another host's key and kid", "$KID", "$STRANGE_KID", STRANGER},
    {"another host's key under our kid", NULL, NULL, STRANGER},
    {"crit", "\"typ\"", "\"crit\":[\"exp\"],\"exp\":1,\"typ\"", VIA_ITSELF},
    {"crit, empty", "\"typ\"", "\"crit\":[],\"typ\"", VIA_ITSELF},
    {"b64 false", "\"typ\"", "\"b64\":false,\"crit\":[\"b64\"],\"typ\"", VIA_ITSELF},
    {"zip", "\"typ\"", "\"zip\":\"DEF\",\"typ\"", VIA_ITSELF},
    {"enc: an encrypted token's header", "\"typ\"", "\"enc\":\"A128GCM\",\"typ\"", VIA_ITSELF},
    {"cty JWT: a token within", "\"typ\"", "\"cty\":\"JWT\",\"typ\"", VIA_ITSELF},
    {"a comment in the header", "{\"alg\"", "{/**/\"alg\"", VIA_ITSELF},
    {"an unknown member", "\"typ\"", "\"x\":1,\"typ\"", VIA_ITSELF},
    {"typ jwt", "JWT", "jwt", VIA_ITSELF},
    {"typ at+jwt", "JWT", "at+jwt", VIA_ITSELF},
    {"typ application/jwt", "JWT", "application/jwt", VIA_ITSELF},
    {"typ JOSE", "JWT", "JOSE", VIA_ITSELF},
    {"no typ", ",\"typ\":\"JWT\"", "", VIA_ITSELF},
    {"no alg", "\"alg\":\"EdDSA\",", "", VIA_ITSELF},
    {"no kid", "\"kid\":\"$KID\",", "", VIA_ITSELF},
    {"a header nested 60 deep", "\"typ\"",
     "\"x\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]"
     "]]]]"
     "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]],\"typ\"",
     VIA_ITSELF},
    {"a byte order mark", "{\"alg\"", "\xef\xbb\xbf{\"alg\"", VIA_ITSELF},
    {"a header that is a list", "{\"alg\":\"EdDSA\",\"kid\":\"$KID\",\"typ\":\"JWT\"}",
     "[\"EdDSA\",\"$KID\",\"JWT\"]", VIA_ITSELF},
    {"an empty header", "{\"alg\":\"EdDSA\",\"kid\":\"$KID\",\"typ\":\"JWT\"}", "", VIA_ITSELF},
};

static void
test_headers(void)
{
    char header[8192];

    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        edit(HEADER, headers[i].from, headers[i].to, header);
        forge_and_attack(headers[i].name, header, PAYLOAD, headers[i].signer, VIA_TOKEN_INVALID);
    }
}

/* -- claims, signed by Via's own key --------------------------------------------- */

static const struct {
    const char *name, *from, *to;
    enum via_status want;
} claims[] = {
    {"exp a second ago", "$LATER", "$PAST", VIA_RUNTIME_IDENTITY_EXPIRED},
    {"exp now", "$LATER", "$NOW", VIA_RUNTIME_IDENTITY_EXPIRED},
    {"exp with a fraction", "$LATER", "$LATER.5", VIA_TOKEN_INVALID},
    {"exp 1e30", "$LATER", "1e30", VIA_TOKEN_INVALID},
    {"exp beyond 2^53", "$LATER", "9007199254740993", VIA_TOKEN_INVALID},
    {"exp 2^63", "$LATER", "9223372036854775808", VIA_TOKEN_INVALID},
    {"exp 2^64 + an hour: wraps", "$LATER", "18446744073709555216", VIA_TOKEN_INVALID},
    {"exp of 400 digits", "$LATER",
     "1111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111"
     "1111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111"
     "1111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111"
     "1111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111",
     VIA_TOKEN_INVALID},
    {"exp -1", "$LATER", "-1", VIA_TOKEN_INVALID},
    {"exp -0", "$LATER", "-0", VIA_RUNTIME_IDENTITY_EXPIRED}, /* 1970 */
    {"exp Infinity", "$LATER", "Infinity", VIA_TOKEN_INVALID},
    {"exp NaN", "$LATER", "NaN", VIA_TOKEN_INVALID},
    {"exp in hexadecimal", "$LATER", "0x7fffffff", VIA_TOKEN_INVALID},
    {"exp with a leading zero", "$LATER", "0$LATER", VIA_TOKEN_INVALID},
    {"nbf in an hour", "\"nbf\":$NOW", "\"nbf\":$SOON", VIA_TOKEN_INVALID},
    {"iat in an hour", "\"iat\":$NOW", "\"iat\":$SOON", VIA_TOKEN_INVALID},
    {"nbf -1", "\"nbf\":$NOW", "\"nbf\":-1", VIA_TOKEN_INVALID},
    {"iat -9223372036854775808", "\"iat\":$NOW", "\"iat\":-9223372036854775808", VIA_TOKEN_INVALID},
    {"audience via-build", "via-addon", "via-build", VIA_TOKEN_INVALID},
    {"audience via-user", "via-addon", "via-user", VIA_TOKEN_INVALID},
    {"audience via-config under the generation key", "via-addon", "via-config", VIA_TOKEN_INVALID},
    {"audience in capitals", "via-addon", "VIA-ADDON", VIA_TOKEN_INVALID},
    {"audience with a tail", "via-addon", "via-addon ", VIA_TOKEN_INVALID},
    {"audience with a NUL", "via-addon", "via-addon\\u0000", VIA_TOKEN_INVALID},
    {"audiences, one of them right", "\"via-addon\"", "[\"via-addon\",\"via-user\"]",
     VIA_TOKEN_INVALID},
    {"another issuer", "\"iss\":\"via\"", "\"iss\":\"via.example\"", VIA_TOKEN_INVALID},
    {"a subject that is not the instance", "\"sub\":\"$INSTANCE\"", "\"sub\":\"$X_INSTANCE\"",
     VIA_TOKEN_INVALID},
    {"mode RW", "\"rw\"", "\"RW\"", VIA_TOKEN_INVALID},
    {"mode admin", "\"rw\"", "\"admin\"", VIA_TOKEN_INVALID},
    {"generation 0", "\"gen\":1", "\"gen\":0", VIA_TOKEN_INVALID},
    {"generation -1", "\"gen\":1", "\"gen\":-1", VIA_TOKEN_INVALID},
    {"generation 1.0", "\"gen\":1", "\"gen\":1.0", VIA_TOKEN_INVALID},
    {"generation 2^64 + 1: wraps", "\"gen\":1", "\"gen\":18446744073709551617", VIA_TOKEN_INVALID},
    {"a generation that never was", "\"gen\":1", "\"gen\":999", VIA_GENERATION_UNKNOWN},
    {"no binding's name", "DATABASE", "", VIA_TOKEN_INVALID},
    {"a binding as a pattern", "DATABASE", "%", VIA_BINDING_NOT_IN_RELEASE},
    {"a binding as a path", "DATABASE", "../DATABASE", VIA_BINDING_NOT_IN_RELEASE},
    {"a binding in small letters", "DATABASE", "database", VIA_BINDING_NOT_IN_RELEASE},
    {"a binding of another app", "DATABASE", "THEIRS", VIA_BINDING_NOT_IN_RELEASE},
    {"an app that is another one", "\"app\":\"api\"", "\"app\":\"other\"", VIA_WORKLOAD_UNBOUND},
    {"an app as SQL", "\"app\":\"api\"", "\"app\":\"' OR 1=1 --\"", VIA_WORKLOAD_UNBOUND},
    {"another app's deploy", "$DEPLOY", "$X_DEPLOY", VIA_WORKLOAD_UNBOUND},
    {"another app's release", "$RELEASE", "$X_RELEASE", VIA_WORKLOAD_UNBOUND},
    {"a deploy that is not", "$DEPLOY", "dep_00000000000000000000000000", VIA_WORKLOAD_UNBOUND},
    {"an extra claim", "\"app\"", "\"admin\":true,\"app\"", VIA_TOKEN_INVALID},
    {"a claim nested 30 deep", "\"app\"",
     "\"x\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]],\"app\"",
     VIA_TOKEN_INVALID},
    {"claims of no valid UTF-8", "tok_1", "tok_\xc3\x28", VIA_TOKEN_INVALID},
    {"an overlong slash", "tok_1", "tok_\xc0\xaf", VIA_TOKEN_INVALID},
    {"half a surrogate", "tok_1", "tok_\\ud800", VIA_TOKEN_INVALID},
    {"a trailing comma", "\"mode\":\"rw\"}", "\"mode\":\"rw\",}", VIA_TOKEN_INVALID},
    {"a second document", "\"mode\":\"rw\"}", "\"mode\":\"rw\"}{}", VIA_TOKEN_INVALID},
    {"a NUL after the document", "\"mode\":\"rw\"}", "\"mode\":\"rw\"}\x01", VIA_TOKEN_INVALID},
};

static void
test_claims(void)
{
    static const char *const odd[] = {"[]", "null", "\"\"", "1", "true", "", "{}", "{"};
    char payload[8192], name[64];

    for (size_t i = 0; i < sizeof claims / sizeof claims[0]; i++) {
        edit(PAYLOAD, claims[i].from, claims[i].to, payload);
        forge_and_attack(claims[i].name, HEADER, payload, VIA_ITSELF, claims[i].want);
    }
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        snprintf(name, sizeof name, "claims that are '%s'", odd[i]);
        forge_and_attack(name, HEADER, odd[i], VIA_ITSELF, VIA_TOKEN_INVALID);
    }
    forge_and_attack("another instance in every claim", HEADER,
                     "{\"iss\":\"via\",\"sub\":\"$X_INSTANCE\",\"aud\":\"via-addon\",\"app\":"
                     "\"api\",\"deploy\":\"$DEPLOY\",\"release\":\"$RELEASE\",\"instance\":"
                     "\"$X_INSTANCE\",\"jti\":\"t\",\"iat\":$NOW,\"nbf\":$NOW,\"exp\":$LATER,"
                     "\"binding\":\"DATABASE\",\"gen\":1,\"mode\":\"rw\"}",
                     VIA_ITSELF, VIA_WORKLOAD_UNBOUND);
}

/* Each claim: left out, twice, twice in disguise, and of every wrong type. */
static void
test_every_claim(void)
{
    static const char *const names[] = {"iss",     "sub", "aud",      "app", "deploy",
                                        "release", "jti", "instance", "iat", "nbf",
                                        "exp",     "gen", "binding",  "mode"};
    static const char *const wrong[] = {"null", "true", "1.5", "[]", "{}", "\"\"", "[1]", "\"5\""};
    char payload[8192], member[512], name[64], twice[2048];

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *at, *end;

        snprintf(name, sizeof name, "\"%s\":", names[i]);
        at = strstr(PAYLOAD, name);
        end = at + strcspn(at, ",}");
        snprintf(member, sizeof member, "%.*s%s", (int)(end - at), at, *end == ',' ? "," : "");
        edit(PAYLOAD, member, "", payload);
        if (*end == '}') /* the comma before it */
            payload[strlen(payload) - 2] = '}', payload[strlen(payload) - 1] = '\0';
        snprintf(name, sizeof name, "without %s", names[i]);
        forge_and_attack(name, HEADER, payload, VIA_ITSELF, VIA_TOKEN_INVALID);

        snprintf(member, sizeof member, "%.*s", (int)(end - at), at);
        snprintf(twice, sizeof twice, "%s,%s", member, member);
        edit(PAYLOAD, member, twice, payload);
        snprintf(name, sizeof name, "%s twice", names[i]);
        forge_and_attack(name, HEADER, payload, VIA_ITSELF, VIA_TOKEN_INVALID);

        snprintf(twice, sizeof twice, "%s,\"\\u00%02x%s", member, (unsigned)names[i][0],
                 member + 2);
        edit(PAYLOAD, member, twice, payload);
        snprintf(name, sizeof name, "%s twice, in disguise", names[i]);
        forge_and_attack(name, HEADER, payload, VIA_ITSELF, VIA_TOKEN_INVALID);

        for (size_t j = 0; j < sizeof wrong / sizeof wrong[0]; j++) {
            bool text_for_text = wrong[j][0] == '"' && wrong[j][1] != '"' && end[-1] == '"';

            if (text_for_text)
                continue; /* a text where there is one: test_claims */
            snprintf(twice, sizeof twice, "\"%s\":%s", names[i], wrong[j]);
            edit(PAYLOAD, member, twice, payload);
            snprintf(name, sizeof name, "%s as %s", names[i], wrong[j]);
            forge_and_attack(name, HEADER, payload, VIA_ITSELF, VIA_TOKEN_INVALID);
        }
    }
}

int
main(void)
{
    forge_start();
    test_headers();
    test_claims();
    test_every_claim();
    return forge_end();
}
