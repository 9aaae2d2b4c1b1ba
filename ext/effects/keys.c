/* keys.c: making and removing key files. */
#include "base/error.h"
#include "control/audit.h"
#include "control/chain.h"
#include "control/key.h"
#include "effects/step.h"

#include <string.h>

/* The payload is the use, a blank, the kid. */
static const char *
payload_parse(const struct via_operation *op, char use[16])
{
    size_t n = strcspn(op->payload, " ");

    use[0] = '\0';
    if (n >= 16 || op->payload[n] != ' ')
        return "";
    memcpy(use, op->payload, n);
    use[n] = '\0';
    return op->payload + n + 1;
}

static void
step_done(struct via_store *s, const struct via_operation *op, const void *arg)
{
    (void)arg;
    via_operation_settle(s, op->rid, "done", NULL);
}

static void
step_failed(struct via_store *s, const struct via_operation *op, const void *arg)
{
    char use[16];

    if (strcmp(op->kind, "key.retire") == 0)
        via_key_keep(s, payload_parse(op, use));
    via_operation_fail(s, op, arg);
}

static enum via_status
rotate_run(struct via_store *s, const struct via_operation *op, struct via_error *e)
{
    struct via_error why = {0};
    enum via_key_use use;
    char word[16];
    const char *kid = payload_parse(op, word);

    if (!via_key_use_parse(word, &use))
        via_ignore(via_error_set(&why, VIA_INTERNAL_ERROR, "there is no such use of a key"));
    else
        via_ignore(via_keyring_add(s->keys, use, kid, &why));
    if (why.status != VIA_OK)
        return via_effect_fail(s, step_failed, op, &why, e);
    return via_effect_step(s, step_done, op, NULL, e);
}

static enum via_status
rotate_and_sign(struct via_store *s, const struct via_operation *op, struct via_error *e)
{
    struct via_error ignored = {0};
    char use[16];
    enum via_status status = rotate_run(s, op, e);

    /* A broken audit keeps its old signatures, and says so when it is verified; one whose key was
     * lost gets new ones. */
    (void)payload_parse(op, use);
    if (status == VIA_OK && strcmp(use, "audit") == 0)
        via_ignore(via_chain_sign_anew(s, &ignored));
    return status;
}

/* The step's commit raises the epoch again: what was granted between the first one and the
 * removal of the file is asked for anew. */
static enum via_status
retire_run(struct via_store *s, const struct via_operation *op, struct via_error *e)
{
    struct via_error why = {0};
    char use[16];
    const char *kid = payload_parse(op, use);

    if (via_keyring_remove(s->keys, kid, &why) == VIA_OK)
        return via_effect_step(s, step_done, op, NULL, e);
    /* Gone, but not for good when the power fails now: whoever recovers sees to that. */
    if (!via_keyring_has(s->keys, kid))
        return via_error_set(e, why.status, "%s", why.message);
    return via_effect_fail(s, step_failed, op, &why, e);
}

const struct via_effect via_effect_key_rotate = {
    .intent = VIA_INTENT_KEY_ROTATE,
    .kind = "key.rotate",
    .run = rotate_and_sign,
    .failed = step_failed,
};

const struct via_effect via_effect_key_retire = {
    .intent = VIA_INTENT_KEY_RETIRE,
    .kind = "key.retire",
    .run = retire_run,
    .failed = step_failed,
};
