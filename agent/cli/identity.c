/* identity.c: the token file of an instance, read for its end alone. */
#include "cli/identity.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/json.h"
#include "identity/codec.h"

#include <stdlib.h>
#include <string.h>

/* When the token in a file ends, Unix ms; 0 when it is none. Not verified: the agent does that. */
static int64_t
token_file_expiry(const char *path)
{
    unsigned char claims[VIA_TOKEN_SIZE];
    const char *dot, *end;
    via_json *doc = NULL;
    char *text = NULL;
    int64_t ms = 0;
    size_t n = 0, length = 0;

    if (via_fs_read(path, VIA_TOKEN_SIZE, &text, &n, NULL) != VIA_OK)
        return 0;
    dot = memchr(text, '.', n);
    end = dot ? memchr(dot + 1, '.', n - (size_t)(dot + 1 - text)) : NULL;
    if (end &&
        via_base64url_decode(dot + 1, (size_t)(end - dot - 1), claims, sizeof claims, &length) &&
        via_json_parse((const char *)claims, length, 4, &doc, NULL) == VIA_OK)
        ms = 1000 * via_json_integer(via_json_member(doc, "exp"));
    via_json_free(doc);
    explicit_bzero(text, n);
    free(text);
    return ms;
}

enum cli_identity
cli_identity_of(const struct cli_rows *instances, size_t row)
{
    const char *path = cli_rows_text(instances, row, "token_path");
    const char *minted = cli_rows_text(instances, row, "token_expires_at");
    const char *lease = cli_rows_text(instances, row, "lease_expires_at");
    int64_t ends_ms = 0, lease_ms = 0;

    if (path)
        ends_ms = token_file_expiry(path);
    else if (minted)
        via_ignore(via_clock_parse(minted, &ends_ms));
    if (ends_ms == 0)
        return CLI_IDENTITY_MISSING;
    if (!lease || !via_clock_parse(lease, &lease_ms) || lease_ms <= via_clock_now_ms())
        return CLI_IDENTITY_EXPIRED;
    return ends_ms <= via_clock_now_ms() ? CLI_IDENTITY_EXPIRED : CLI_IDENTITY_OK;
}

const char *
cli_identity_word(enum cli_identity identity)
{
    static const char *const words[] = {[CLI_IDENTITY_OK] = "ok",
                                        [CLI_IDENTITY_MISSING] = "missing",
                                        [CLI_IDENTITY_EXPIRED] = "expired"};

    return words[identity];
}
