#include "identity/passphrase.h"

#include "base/error.h"
#include "base/fs.h"
#include "identity/codec.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define PASSPHRASE_MAX 1024
#define PIECE_MAX 65536 /* a name, its NUL and its bytes */
#define STREAM_HEADER crypto_secretstream_xchacha20poly1305_HEADERBYTES
#define STREAM_EXTRA crypto_secretstream_xchacha20poly1305_ABYTES
#define STREAM_KEY crypto_secretstream_xchacha20poly1305_KEYBYTES

/* What a sealed text begins with; behind it the frames: length (4 bytes, little endian), text. */
struct sealed_header {
    char magic[8];
    unsigned char salt[crypto_pwhash_SALTBYTES];
    unsigned char stream[STREAM_HEADER];
};

static const char sealed_magic[8] = "viaseal1";

struct via_passphrase {
    size_t n;
    char text[PASSPHRASE_MAX + 1];
};

struct via_sealing {
    crypto_secretstream_xchacha20poly1305_state stream;
    struct via_buf *out;
    unsigned char piece[PIECE_MAX];
};

static enum via_status
fail_memory(struct via_error *e)
{
    return via_error_set(e, VIA_OUT_OF_MEMORY, "no memory is left for the passphrase");
}

enum via_status
via_passphrase_read(const char *path, struct via_passphrase **out, struct via_error *e)
{
    struct via_error why = {0};
    char *text = NULL;
    size_t n = 0, line;

    *out = NULL;
    if (!via_identity_init())
        return via_error_set(e, VIA_INTERNAL_ERROR, "the crypto library cannot run here");
    if (via_fs_read(path, PASSPHRASE_MAX, &text, &n, &why) != VIA_OK)
        return via_error_set(e, VIA_PASSPHRASE_UNREADABLE, "the passphrase: %.300s", why.message);
    line = strcspn(text, "\r\n"); /* ends at a NUL too: a passphrase is text */
    if (line > 0 && (*out = sodium_malloc(sizeof **out)) != NULL) {
        (*out)->n = line;
        memcpy((*out)->text, text, line);
    }
    sodium_memzero(text, n);
    free(text);
    if (line == 0)
        return via_error_set(e, VIA_PASSPHRASE_UNREADABLE,
                             "the first line of the passphrase's file is empty");
    return *out ? VIA_OK : fail_memory(e);
}

void
via_passphrase_free(struct via_passphrase *p)
{
    sodium_free(p);
}

/* The key of the stream, in guarded memory; NULL when memory ran out. */
static unsigned char *
key_derive(const struct via_passphrase *p, const unsigned char salt[crypto_pwhash_SALTBYTES])
{
    unsigned char *key = sodium_malloc(STREAM_KEY);

    if (key && crypto_pwhash(key, STREAM_KEY, p->text, p->n, salt, crypto_pwhash_OPSLIMIT_MODERATE,
                             crypto_pwhash_MEMLIMIT_MODERATE, crypto_pwhash_ALG_ARGON2ID13) != 0) {
        sodium_free(key);
        key = NULL;
    }
    return key;
}

/* -- sealing ---------------------------------------------------------------------- */

enum via_status
via_sealing_new(const struct via_passphrase *p, struct via_buf *out, struct via_sealing **s,
                struct via_error *e)
{
    struct sealed_header header;
    unsigned char *key;

    *s = NULL;
    memcpy(header.magic, sealed_magic, sizeof header.magic);
    randombytes_buf(header.salt, sizeof header.salt);
    key = key_derive(p, header.salt);
    *s = key ? sodium_malloc(sizeof **s) : NULL;
    if (*s) {
        (*s)->out = out;
        (void)crypto_secretstream_xchacha20poly1305_init_push(&(*s)->stream, header.stream, key);
        via_buf_put(out, &header, sizeof header);
    }
    sodium_free(key);
    return *s ? VIA_OK : fail_memory(e);
}

static void
sealing_push(struct via_sealing *s, size_t n, unsigned char tag)
{
    size_t sealed = n + STREAM_EXTRA;
    unsigned char *to = (unsigned char *)via_buf_reserve(s->out, 4 + sealed);

    if (!to)
        return;
    for (int i = 0; i < 4; i++)
        to[i] = (unsigned char)(sealed >> (8 * i));
    (void)crypto_secretstream_xchacha20poly1305_push(&s->stream, to + 4, NULL, s->piece, n, NULL, 0,
                                                     tag);
    s->out->len += 4 + sealed;
}

void
via_sealing_put(struct via_sealing *s, const char *name, const void *bytes, size_t n)
{
    size_t name_size = strlen(name) + 1;

    if (name_size + n > PIECE_MAX) {
        s->out->failed = true;
        return;
    }
    memcpy(s->piece, name, name_size);
    memcpy(s->piece + name_size, bytes, n);
    sealing_push(s, name_size + n, crypto_secretstream_xchacha20poly1305_TAG_MESSAGE);
}

void
via_sealing_end(struct via_sealing *s)
{
    if (s)
        sealing_push(s, 0, crypto_secretstream_xchacha20poly1305_TAG_FINAL);
    sodium_free(s);
}

/* -- opening ----------------------------------------------------------------------- */

static enum via_status
fail_form(struct via_error *e)
{
    return via_error_set(e, VIA_BACKUP_INVALID, "what is sealed has not the form it should have");
}

/* Open the frame at *at; moves *at over it. *n is the length of the piece. */
static enum via_status
frame_open(struct via_sealing *s, const unsigned char **at, const unsigned char *end, bool is_first,
           size_t *n, unsigned char *tag, struct via_error *e)
{
    unsigned long long got;
    size_t sealed = 0;

    if (end - *at < 4)
        return fail_form(e);
    for (int i = 0; i < 4; i++)
        sealed |= (size_t) * (*at)++ << (8 * i);
    if (sealed < STREAM_EXTRA || sealed > PIECE_MAX + STREAM_EXTRA || sealed > (size_t)(end - *at))
        return fail_form(e);
    if (crypto_secretstream_xchacha20poly1305_pull(&s->stream, s->piece, &got, tag, *at, sealed,
                                                   NULL, 0) != 0)
        return is_first ? via_error_set(e, VIA_PASSPHRASE_WRONG,
                                        "this is not the passphrase that the keys are sealed with")
                        : fail_form(e);
    *at += sealed;
    *n = (size_t)got;
    return VIA_OK;
}

static enum via_status
frames_open(struct via_sealing *s, const unsigned char *at, const unsigned char *end,
            via_unseal_fn fn, void *arg, struct via_error *e)
{
    const char *name = (const char *)s->piece;
    bool is_first = true;
    unsigned char tag = 0;
    size_t n = 0, name_size;

    for (;;) {
        if (frame_open(s, &at, end, is_first, &n, &tag, e) != VIA_OK)
            return e->status;
        if (tag == crypto_secretstream_xchacha20poly1305_TAG_FINAL)
            return n == 0 && at == end ? VIA_OK : fail_form(e);
        name_size = strnlen(name, n) + 1;
        if (name_size > n)
            return fail_form(e);
        if (fn(arg, name, s->piece + name_size, n - name_size, e) != VIA_OK)
            return e->status;
        is_first = false;
    }
}

enum via_status
via_unseal(const struct via_passphrase *p, const void *sealed, size_t n, via_unseal_fn fn,
           void *arg, struct via_error *e)
{
    const unsigned char *bytes = sealed;
    struct sealed_header header;
    struct via_sealing *s = NULL;
    unsigned char *key = NULL;
    enum via_status status = VIA_OK;

    if (n < sizeof header)
        return fail_form(e);
    memcpy(&header, bytes, sizeof header);
    if (memcmp(header.magic, sealed_magic, sizeof header.magic) != 0)
        return fail_form(e);
    key = key_derive(p, header.salt);
    s = key ? sodium_malloc(sizeof *s) : NULL;
    if (!s)
        status = fail_memory(e);
    else if (crypto_secretstream_xchacha20poly1305_init_pull(&s->stream, header.stream, key) != 0)
        status = fail_form(e);
    else
        status = frames_open(s, bytes + sizeof header, bytes + n, fn, arg, e);
    sodium_free(key);
    sodium_free(s);
    return status;
}
