/* confine.h: giving up what the agent's process does not need, for good: its user, its view of the
 * files, system calls. Each is called once, by the only thread there is, in this order.
 *
 * What the kernel cannot do is said in the log, and the agent goes on without it. Knows nothing of
 * what the agent does. */
#ifndef VIA_CONFINE_CONFINE_H
#define VIA_CONFINE_CONFINE_H

#include "base/root.h"

/* No core dumps, no tracing by the same user, private files, nothing gained by a set-uid file. */
void via_confine_process(void);

/* Started as root: become the root's owner, with its one group. Stays root, and says so, when that
 * user cannot reach the root; of root's capabilities only those to files remain then, and none
 * when root owns it. VIA_INTERNAL_ERROR when the kernel refuses half-way. */
VIA_MUST_USE enum via_status via_confine_user(const struct via_root *root, struct via_error *e);

/* Files outside of the root are out of reach from here on (Landlock), but for the few that the C
 * library and SQLite read. `socket` may still be removed. What SQLite puts aside goes to run/,
 * unless SQLITE_TMPDIR names another folder. */
void via_confine_files(const struct via_root *root, const char *socket);

/* System calls that the agent never makes fail with EPERM from here on (seccomp): no other
 * program, no tracing, no mounts, no modules, no namespaces, no sockets but Unix ones, no user
 * change. Threads and child processes are allowed, and as confined. */
void via_confine_calls(void);

#endif
