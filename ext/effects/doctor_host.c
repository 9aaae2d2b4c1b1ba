/* doctor_host.c: what lies around the state root: the agent, the disk and its file system, and
 * whoever holds the control database. */
#include "base/error.h"
#include "control/setting.h"
#include "effects/doctor_look.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <unistd.h>

#define DISK_FREE_BYTES ((uint64_t)256 << 20)
#define DISK_FREE_PERCENT 5
#define PATIENCE_MS 250 /* a commit is shorter than this, an operator's lunch longer */

/* -- the agent --------------------------------------------------------------------------- */

bool
doctor_is_listened(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    bool listened;
    int fd;

    if (strlen(path) >= sizeof address.sun_path)
        return false; /* nobody can listen there */
    memcpy(address.sun_path, path, strlen(path) + 1);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return true;
    listened = connect(fd, (struct sockaddr *)&address, sizeof address) == 0 ||
               (errno != ECONNREFUSED && errno != ENOENT);
    close(fd);
    return listened;
}

static void
look_left(struct doctor *d, const char *relative, enum doctor_code code)
{
    char path[VIA_PATH_SIZE], quoted[DOCTOR_SHELL_SIZE];
    struct doctor_finding f;
    struct stat st;

    via_root_join(&d->s->root, relative, path);
    if (lstat(path, &st) < 0 || (code == DOCTOR_AGENT_SOCKET_STALE && !S_ISSOCK(st.st_mode)))
        return;
    if (S_ISSOCK(st.st_mode) && doctor_is_listened(path)) /* held open for an agent to come */
        return;
    doctor_begin(&f, code, relative);
    doctor_say(&f, "%s is there, but no agent: it was killed", relative);
    doctor_advise(&f, "rm -f %s", doctor_quote(path, quoted));
    doctor_end(d, &f);
}

static void
look_agent(struct doctor *d)
{
    char quoted[DOCTOR_SHELL_SIZE];
    struct doctor_finding f;

    if (d->agent_lives)
        return;
    look_left(d, "run/agent.sock", DOCTOR_AGENT_SOCKET_STALE);
    look_left(d, "run/admin.sock", DOCTOR_AGENT_SOCKET_STALE);
    look_left(d, "run/agent.json", DOCTOR_AGENT_FILE_STALE);
    doctor_begin(&f, DOCTOR_AGENT_NOT_RUNNING, "agent");
    doctor_say(&f, "no agent serves this state root: apps cannot reach their add-ons");
    doctor_advise(&f, "viad --state-dir %s", doctor_quote(d->s->root.path, quoted));
    doctor_end(d, &f);
}

/* -- the disk ---------------------------------------------------------------------------- */

static void
look_disk(struct doctor *d)
{
    char quoted[DOCTOR_SHELL_SIZE];
    struct doctor_finding f;
    uint64_t free_bytes;
    struct statvfs v;

    if (statvfs(d->s->root.path, &v) < 0 || v.f_blocks == 0)
        return;
    free_bytes = (uint64_t)v.f_bavail * v.f_frsize;
    if (free_bytes >= DISK_FREE_BYTES &&
        (uint64_t)v.f_bavail >= (uint64_t)v.f_blocks / 100 * DISK_FREE_PERCENT)
        return;
    doctor_begin(&f, DOCTOR_DISK_LOW, ".");
    doctor_say(&f, "%llu MiB (%llu %%) are free on the disk that holds the state root",
               (unsigned long long)(free_bytes >> 20),
               (unsigned long long)((uint64_t)v.f_bavail * 100 / v.f_blocks));
    doctor_advise(&f, "du -xh %s | sort -h | tail", doctor_quote(d->s->root.path, quoted));
    doctor_end(d, &f);
}

/* The kernel's own network file systems, by their magic numbers (statfs(2)). */
static const struct {
    uint32_t magic;
    const char *name;
} network_types[] = {
    {0x6969, "nfs"},    {0xff534d42, "cifs"}, {0xfe534d42, "smb2"}, {0x517b, "smb"},
    {0x01021997, "9p"}, {0x00c36400, "ceph"}, {0x5346414f, "afs"},  {0x73757245, "coda"},
};
#define FUSE_MAGIC 0x65735546u

/* What a FUSE mount says of itself in /proc/self/mountinfo: "… major:minor … - fuse.sshfs …". */
static bool
fuse_is_network(const char *path, char name[32])
{
    static const char *const types[] = {"fuse.sshfs", "fuse.rclone", "fuse.glusterfs", "fuse.s3fs"};
    FILE *in = fopen("/proc/self/mountinfo", "re");
    char line[2 * VIA_PATH_SIZE], device[32];
    bool found = false;
    struct stat st;

    if (!in || stat(path, &st) < 0) {
        if (in)
            (void)fclose(in);
        return false;
    }
    (void)snprintf(device, sizeof device, " %u:%u ", major(st.st_dev), minor(st.st_dev));
    while (!found && fgets(line, sizeof line, in)) {
        const char *at = strstr(line, device) ? strstr(line, " - ") : NULL;

        for (size_t i = 0; at && !found && i < sizeof types / sizeof *types; i++)
            found = strncmp(at + 3, types[i], strlen(types[i])) == 0 &&
                    snprintf(name, 32, "%s", types[i]) > 0;
    }
    (void)fclose(in);
    return found;
}

static void
look_filesystem(struct doctor *d)
{
    char quoted[DOCTOR_SHELL_SIZE], name[32] = "";
    struct doctor_finding f;
    struct statfs v;

    if (statfs(d->s->root.path, &v) < 0)
        return;
    for (size_t i = 0; i < sizeof network_types / sizeof *network_types; i++)
        if ((uint32_t)v.f_type == network_types[i].magic)
            (void)snprintf(name, sizeof name, "%s", network_types[i].name);
    if (!name[0] && !((uint32_t)v.f_type == FUSE_MAGIC && fuse_is_network(d->s->root.path, name)))
        return;
    doctor_begin(&f, DOCTOR_NETWORK_FILESYSTEM, ".");
    doctor_say(&f,
               "the state root lies on a network file system (%s): its locks do not hold, and"
               " databases there get damaged; move it to a disk of this host",
               name);
    doctor_advise(&f, "df -T %s", doctor_quote(d->s->root.path, quoted));
    doctor_end(d, &f);
}

/* -- the control database ------------------------------------------------------------------ */

/* The epoch page names who wrote last; only the lock says whether somebody holds it. */
static bool
control_is_locked(struct via_store *s)
{
    bool locked;

    (void)sqlite3_busy_timeout(s->write.db, PATIENCE_MS);
    via_sql_exec(&s->write, "BEGIN IMMEDIATE; COMMIT");
    locked = via_sql_take(&s->write, NULL) == VIA_CONTROL_BUSY;
    (void)sqlite3_busy_timeout(s->write.db, (int)via_setting_int(&s->read, "busy_timeout_ms"));
    via_ignore(via_sql_take(&s->read, NULL));
    return locked;
}

static void
look_control(struct doctor *d)
{
    struct via_store *s = d->s;
    char quoted[DOCTOR_SHELL_SIZE], subject[64];
    struct doctor_finding f;
    int64_t pid;

    if (via_store_in_transaction(s) || !control_is_locked(s))
        return;
    pid = atomic_load(&s->epoch.page->holder_pid);
    if (pid > 0)
        (void)snprintf(subject, sizeof subject, "process %lld", (long long)pid);
    else
        (void)snprintf(subject, sizeof subject, "control-plane.db");
    doctor_begin(&f, DOCTOR_CONTROL_LOCKED, subject);
    if (pid > 0) {
        doctor_say(&f,
                   "process %lld holds a change of the control plane open: nobody else can change"
                   " anything until its transaction ends",
                   (long long)pid);
        doctor_advise(&f, "kill %lld", (long long)pid);
    } else {
        doctor_say(&f, "a process that is not Via's holds the control database locked");
        doctor_advise(&f, "fuser -v %s", doctor_quote_path(&s->root, "control-plane.db", quoted));
    }
    doctor_end(d, &f);
}

void
doctor_look_host(struct doctor *d)
{
    if (!via_sql_ok(d->db))
        return;
    look_agent(d);
    look_disk(d);
    look_filesystem(d);
    look_control(d);
}
