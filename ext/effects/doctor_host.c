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

/* -- the file system --------------------------------------------------------------------- */

/* Network file systems by their magic numbers: statfs(2), and the headers of those that the kernel
 * does not come with. */
static const struct {
    uint32_t magic;
    const char *name;
} network_types[] = {
    {0x6969, "nfs"},        {0xff534d42, "cifs"},   {0xfe534d42, "smb2"},
    {0x517b, "smb"},        {0x01021997, "9p"},     {0x00c36400, "ceph"},
    {0x5346414f, "afs"},    {0x6b414653, "kafs"},   {0x73757245, "coda"},
    {0x564c, "ncp"},        {0x0bd00bd0, "lustre"}, {0x47504653, "gpfs"},
    {0x19830326, "beegfs"}, {0xaad7aaea, "panfs"},  {0x20030528, "orangefs"},
    {0xbeefdead, "snfs"},   {0x013111a8, "ibrix"},  {0x786f4256, "vboxsf"},
    {0xbacbacbc, "vmhgfs"}, {0x7c7c6673, "prl_fs"},
};
#define FUSE_MAGIC 0x65735546u

/* How far a file system reaches. */
enum reach { REACH_LOCAL, REACH_NETWORK, REACH_UNKNOWN };

/* What the programs behind FUSE mounts call themselves. What is in neither list may be anything. */
static const struct {
    const char *type;
    enum reach reach;
} fuse_types[] = {
    {"fuseblk", REACH_LOCAL},
    {"fuseblk.ntfs-3g", REACH_LOCAL},
    {"fuse.bindfs", REACH_LOCAL},
    {"fuse.cryfs", REACH_LOCAL},
    {"fuse.encfs", REACH_LOCAL},
    {"fuse.fuse-overlayfs", REACH_LOCAL},
    {"fuse.gocryptfs", REACH_LOCAL},
    {"fuse.mergerfs", REACH_LOCAL},
    {"fuse.overlayfs", REACH_LOCAL},
    {"fuse.unionfs", REACH_LOCAL},
    {"fuse.unionfs-fuse", REACH_LOCAL},
    {"fuse.blobfuse", REACH_NETWORK},
    {"fuse.blobfuse2", REACH_NETWORK},
    {"fuse.ceph", REACH_NETWORK},
    {"fuse.ceph-fuse", REACH_NETWORK},
    {"fuse.curlftpfs", REACH_NETWORK},
    {"fuse.gcsfuse", REACH_NETWORK},
    {"fuse.glusterfs", REACH_NETWORK},
    {"fuse.goofys", REACH_NETWORK},
    {"fuse.juicefs", REACH_NETWORK},
    {"fuse.mfs", REACH_NETWORK},
    {"fuse.mountpoint-s3", REACH_NETWORK},
    {"fuse.rclone", REACH_NETWORK},
    {"fuse.s3fs", REACH_NETWORK},
    {"fuse.seaweedfs", REACH_NETWORK},
    {"fuse.sshfs", REACH_NETWORK},
    {"fuse.vmhgfs-fuse", REACH_NETWORK},
};

/* What a FUSE mount says of itself in /proc/self/mountinfo: "… major:minor … - fuse.sshfs …". */
static void
fuse_type_read(const char *path, char type[64])
{
    FILE *in = fopen("/proc/self/mountinfo", "re");
    char line[2 * VIA_PATH_SIZE], device[32];
    bool found = false;
    struct stat st;

    (void)snprintf(type, 64, "fuse");
    if (in && stat(path, &st) == 0) {
        (void)snprintf(device, sizeof device, " %u:%u ", major(st.st_dev), minor(st.st_dev));
        while (!found && fgets(line, sizeof line, in)) {
            const char *at = strstr(line, device) ? strstr(line, " - ") : NULL;

            found = at && sscanf(at, " - %63s", type) == 1;
        }
    }
    if (in)
        (void)fclose(in);
}

static enum reach
fuse_reach(const char *type)
{
    for (size_t i = 0; i < sizeof fuse_types / sizeof *fuse_types; i++)
        if (strcmp(type, fuse_types[i].type) == 0)
            return fuse_types[i].reach;
    /* virtiofs speaks FUSE with the host of a virtual machine. */
    return strncmp(type, "fuse", 4) == 0 || strcmp(type, "virtiofs") == 0 ? REACH_UNKNOWN
                                                                          : REACH_LOCAL;
}

/* How far does the file system of `path` reach, and what is it called? */
static enum reach
filesystem_reach(const char *path, char name[64])
{
    struct statfs v;

    if (statfs(path, &v) < 0)
        return REACH_LOCAL;
    for (size_t i = 0; i < sizeof network_types / sizeof *network_types; i++)
        if ((uint32_t)v.f_type == network_types[i].magic) {
            (void)snprintf(name, 64, "%s", network_types[i].name);
            return REACH_NETWORK;
        }
    if ((uint32_t)v.f_type != FUSE_MAGIC)
        return REACH_LOCAL;
    fuse_type_read(path, name);
    return fuse_reach(name);
}

static void
look_filesystem(struct doctor *d)
{
    char quoted[DOCTOR_SHELL_SIZE], name[64];
    enum reach reach = filesystem_reach(d->s->root.path, name);
    struct doctor_finding f;

    if (reach == REACH_LOCAL)
        return;
    doctor_begin(&f, reach == REACH_NETWORK ? DOCTOR_NETWORK_FILESYSTEM : DOCTOR_FILESYSTEM_UNKNOWN,
                 ".");
    if (reach == REACH_NETWORK)
        doctor_say(&f,
                   "the state root lies on a network file system (%s): its locks and shared memory"
                   " do not hold, and databases there get damaged; move it to a disk of this host",
                   name);
    else
        doctor_say(&f,
                   "the state root lies on %s, of which Via does not know whether it is a disk of"
                   " this host: over a network, locks do not hold and databases get damaged",
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
