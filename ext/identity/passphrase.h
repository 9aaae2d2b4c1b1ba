/* passphrase.h: secrets sealed under what an operator remembers.
 *
 * A sealed text is a header and the frames of one libsodium secretstream, its key derived
 * with Argon2id (RFC 9106) at a fixed cost of a quarter of a GiB. Each frame holds one named
 * piece; the stream's end is authenticated, so that none can be taken away. */
#ifndef VIA_IDENTITY_PASSPHRASE_H
#define VIA_IDENTITY_PASSPHRASE_H

#include "base/buf.h"
#include "via/model.h"

#include <stdint.h>

#define VIA_SEALED_MAX (16 << 20) /* bytes of a sealed text */

struct via_passphrase;

/* Read the first line of the regular file `path`. VIA_PASSPHRASE_UNREADABLE, also when it is empty
 * or longer than 1024 bytes. The caller frees *out. */
VIA_MUST_USE enum via_status via_passphrase_read(const char *path, struct via_passphrase **out,
                                                 struct via_error *e);
void via_passphrase_free(struct via_passphrase *p); /* wipes it; NULL is fine */

struct via_sealing;

/* Begin a sealed text at the end of `out`, which is borrowed until it is ended. */
VIA_MUST_USE enum via_status via_sealing_new(const struct via_passphrase *p, struct via_buf *out,
                                             struct via_sealing **s, struct via_error *e);

/* Add a piece. Memory that ran out is in `out`. */
void via_sealing_put(struct via_sealing *s, const char *name, const void *bytes, size_t n);

/* Write the end and free. NULL is fine. */
void via_sealing_end(struct via_sealing *s);

/* Called with each piece, in guarded memory that is wiped after; anything but VIA_OK stops. */
typedef enum via_status (*via_unseal_fn)(void *arg, const char *name, const void *bytes, size_t n,
                                         struct via_error *e);

/* Open a sealed text. VIA_PASSPHRASE_WRONG when its first frame does not open,
 * VIA_BACKUP_INVALID when a later one does not or the form is wrong. */
VIA_MUST_USE enum via_status via_unseal(const struct via_passphrase *p, const void *sealed,
                                        size_t n, via_unseal_fn fn, void *arg, struct via_error *e);

#endif
