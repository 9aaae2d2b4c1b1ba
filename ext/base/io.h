/* io.h: calls on descriptors that go on after an interruption.
 *
 * They say what failed by errno alone; the sentences are their callers'. */
#ifndef VIA_BASE_IO_H
#define VIA_BASE_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* openat(2), closed on exec. The caller closes what is returned; -1 with errno. */
int via_io_open(int folder, const char *path, int flags, mode_t mode);

/* Is a descriptor to be had? False while too many are open, in this process or on the machine: then
 * what cannot be opened says nothing of itself. */
bool via_io_has_spare(void);

/* fsync(2). 0, or -1 with errno. */
int via_io_sync(int fd);

/* A sync that goes on while its caller does something else. Zero is one that has not begun. What
 * the kernel keeps for it goes with the process: it is for one that ends soon. */
struct via_io_sync {
    unsigned long context; /* the kernel's; 0: none */
    bool is_refused;       /* the kernel does not do it: each sync is waited for */
    bool is_under_way;
};

/* Begin to sync what has been written to `fd`, when the sync before has ended. 0, or -1 with errno:
 * of either. */
int via_io_sync_begin(struct via_io_sync *s, int fd);

/* Wait for the end of the sync that was begun, if any. 0, or -1 with errno. */
int via_io_sync_end(struct via_io_sync *s);

/* Write all `n` bytes. 0, or -1 with errno; some of them may be written then. */
int via_io_put(int fd, const void *bytes, size_t n);

/* Read up to `n` bytes from where `fd` stands, or from byte `at` on. How many, fewer only at the
 * end; -1 with errno. */
int64_t via_io_read(int fd, void *bytes, size_t n);
int64_t via_io_get(int fd, void *bytes, size_t n, int64_t at);

#endif
