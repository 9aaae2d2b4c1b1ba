/* io.h: calls on descriptors that go on after an interruption.
 *
 * They say what failed by errno alone; the sentences are their callers'. */
#ifndef VIA_BASE_IO_H
#define VIA_BASE_IO_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* openat(2), closed on exec. The caller closes what is returned; -1 with errno. */
int via_io_open(int folder, const char *path, int flags, mode_t mode);

/* fsync(2). 0, or -1 with errno. */
int via_io_sync(int fd);

/* Write all `n` bytes. 0, or -1 with errno; some of them may be written then. */
int via_io_put(int fd, const void *bytes, size_t n);

/* Read up to `n` bytes from where `fd` stands, or from byte `at` on. How many, fewer only at the
 * end; -1 with errno. */
int64_t via_io_read(int fd, void *bytes, size_t n);
int64_t via_io_get(int fd, void *bytes, size_t n, int64_t at);

#endif
