/* provider.h: what an add-on type implements.
 *
 * A provider owns the storage of its add-ons and is the only one to know where it is.
 * Every step is idempotent: after a crash it is called again and finishes or finds
 * its work done. Nothing here decides whether something may be done. */
#ifndef VIA_PROVIDER_PROVIDER_H
#define VIA_PROVIDER_PROVIDER_H

#include "base/root.h"
#include "sql/sql.h"

/* What is there, told without opening the database. */
struct via_storage_facts {
    bool present;  /* there is a database file with bytes in it, or nobody can tell: */
    bool unseen;   /* this process may not look; then nothing below is known */
    bool readable; /* by this process */
    bool writable;
    bool leftovers; /* files of an unfinished provisioning */
    int64_t size_bytes;
    int64_t wal_bytes;
    const char *obstacle; /* what is in its place and no file: "is a folder"; NULL: nothing */
};

/* Called now and then during long work with 0..100, which never falls; false asks to stop. */
struct via_progress {
    bool (*tell)(void *arg, int percent);
    void *arg;
};

/* Tell; true when nobody is there (NULL). */
bool via_progress_tell(const struct via_progress *p, int percent);

/* A part of longer work: 0..100 of it are `from`..`to` of the whole (NULL: nobody is told). */
struct via_progress_part {
    const struct via_progress *whole;
    int from, to;
};
struct via_progress via_progress_part(struct via_progress_part *part,
                                      const struct via_progress *whole, int from, int to);

/* How a provider reaches the content of an add-on: through the guarded VFS, which effects/ hands
 * it. The handle holds the error; the provider closes it in any case. */
struct via_opener {
    void (*open)(void *arg, const char *addon_id, struct via_sql *out);
    void *arg;
};

/* What a file that an opener opens answers besides: sqlite3_file_control(db, "main",
 * VIA_FCNTL_MARK, int *) tells which read mark of the write-ahead log the transaction under way
 * holds, 0 to 4, or -1 for none. With mark 0 it reads the main file alone, and nobody writes that
 * file until it ends (walformat.html, "WAL locks"). */
#define VIA_FCNTL_MARK 0x56494102

/* What a snapshot turned out to be. */
struct via_snapshot_facts {
    int64_t size_bytes;
    char digest[65]; /* BLAKE2b-256 of the file, lower-case hex */
};

/* How far a restore is. The provider says so before it goes on, and stops when the answer is not
 * VIA_OK; but EXCHANGED follows every EXCHANGE, and its answer is not looked at. */
enum via_restore_phase {
    VIA_RESTORE_CHECKED,  /* the snapshot was copied and is sound: keep new operations out now */
    VIA_RESTORE_OVERDUE,  /* the time is over, and operations still run: VIA_OK waits some more */
    VIA_RESTORE_DRAINED,  /* none runs and none can begin: content is about to change its place */
    VIA_RESTORE_EXCHANGE, /* the very moment before */
    VIA_RESTORE_EXCHANGED,
    VIA_RESTORE_SERVED /* whoever comes now gets the new content: let them */
};

struct via_restore_order {
    const char *addon_id;
    const char *snapshot_id;
    const char *digest;  /* that it must have */
    const char *keep_id; /* of the snapshot that the old content becomes */
    int64_t timeout_ms;  /* for running operations to end */
    const struct via_progress *progress;
    enum via_status (*reach)(void *arg, enum via_restore_phase phase, struct via_error *e);
    void *arg;
};

/* What became of the old content. Filled in as it is known: has_old from DRAINED on. */
struct via_restore_facts {
    bool has_old;                   /* there was something, be it damaged */
    bool is_kept;                   /* it is the snapshot keep_id now, checked: */
    struct via_snapshot_facts kept; /* only then */
    bool is_damaged;                /* it is not; its bytes are aside */
};

struct via_provider {
    const char *type; /* "sqlite" */

    /* Check that `source` can be imported, changing nothing: VIA_SOURCE_* says what is wrong. */
    enum via_status (*check_source)(const char *source, const struct via_progress *progress,
                                    struct via_error *e);

    /* Make the storage of `addon_id`, empty or as a copy of `source` (NULL: empty). Storage
     * that is there already and whole is kept: VIA_OK. On failure nothing is left behind.
     * VIA_STORAGE_UNREADABLE when something is in its place. */
    enum via_status (*provision)(const struct via_root *root, const char *addon_id,
                                 const char *source, const struct via_progress *progress,
                                 struct via_error *e);

    /* Tell what is there. Never fails: what cannot be looked at is not taken for absent. */
    void (*probe)(const struct via_root *root, const char *addon_id, struct via_storage_facts *out);

    /* Does what is there look like a database at its beginning, and is it as long as that says?
     * Cheap; says nothing of the rest. True when nothing is there or can be read. */
    bool (*looks_sound)(const struct via_root *root, const char *addon_id);

    /* Before missing storage is made anew: put a log that it left, which may hold what was
     * committed last, beside the snapshots as <keep_id>.damaged-wal. *is_kept: it lies there, be it
     * since an earlier call. Storage that is present is left alone. */
    enum via_status (*keep_log)(const struct via_root *root, const char *addon_id,
                                const char *keep_id, bool *is_kept, struct via_error *e);

    /* Remove the storage and its snapshots for good. A missing one is fine. */
    enum via_status (*destroy)(const struct via_root *root, const char *addon_id,
                               struct via_error *e);

    /* Copy the content of `addon_id` as it stands at one instant, while writers go on, into its
     * snapshot `snapshot_id`: synced, read back and checked before VIA_OK. One that is there whole
     * is kept. On failure nothing is left. VIA_STORAGE_MISSING, VIA_STORAGE_UNREADABLE,
     * VIA_STORAGE_CORRUPT, VIA_STORAGE_FULL, VIA_OPERATION_INTERRUPTED. */
    enum via_status (*snapshot)(const struct via_root *root, const struct via_opener *opener,
                                const char *addon_id, const char *snapshot_id,
                                const struct via_progress *progress, struct via_snapshot_facts *out,
                                struct via_error *e);

    /* Does the snapshot's file have this digest, and pass its integrity check?
     * VIA_SNAPSHOT_MISSING, VIA_SNAPSHOT_CORRUPT. */
    enum via_status (*check_snapshot)(const struct via_root *root, const char *addon_id,
                                      const char *snapshot_id, const char *digest,
                                      struct via_error *e);

    /* Remove a snapshot's files, the snapshot itself last. A missing one is fine. */
    enum via_status (*remove_snapshot)(const struct via_root *root, const char *addon_id,
                                       const char *snapshot_id, struct via_error *e);

    /* Is there something under the snapshot's name, or can nobody tell? */
    bool (*has_snapshot)(const struct via_root *root, const char *addon_id,
                         const char *snapshot_id);

    /* Put the content of a snapshot in the place of the add-on's, all at once. Old content that can
     * be read becomes the snapshot keep_id; what cannot be read stays beside the snapshots as
     * <keep_id>.damaged. On failure before EXCHANGE, or at it, undo_restore() puts back what there
     * was. VIA_SNAPSHOT_MISSING, VIA_SNAPSHOT_CORRUPT, VIA_STORAGE_UNREADABLE,
     * VIA_RESTORE_TIMEOUT, VIA_STORAGE_FULL. */
    enum via_status (*restore)(const struct via_root *root, const struct via_opener *opener,
                               const struct via_restore_order *order, struct via_restore_facts *out,
                               struct via_error *e);

    /* After a restore that said DRAINED and did not end: does the new content stand? */
    bool (*is_restored)(const struct via_root *root, const char *addon_id);

    /* The new content does not stand: leave only the old. Fine to repeat. */
    enum via_status (*undo_restore)(const struct via_root *root, const char *addon_id,
                                    const char *keep_id, struct via_error *e);

    /* It stands: do the rest of `order`; `is_served` when SERVED was reached already. */
    enum via_status (*finish_restore)(const struct via_root *root,
                                      const struct via_restore_order *order, bool is_served,
                                      struct via_restore_facts *out, struct via_error *e);

    /* Write the content as it stands at one instant to the new file `path` (absolute), as a plain
     * database in one file, owned by the process, mode 0600. VIA_PATH_INVALID when something is
     * there already, VIA_PATH_UNWRITABLE. On failure nothing is left. */
    enum via_status (*export_to)(const struct via_root *root, const struct via_opener *opener,
                                 const char *addon_id, const char *path,
                                 const struct via_progress *progress, int64_t *size_bytes,
                                 struct via_error *e);

    /* The file that a process which died inside export_to() left beside `path`, into `out`; false
     * when there is none, or it cannot be seen, or a living one is at it. */
    bool (*export_left)(const char *addon_id, const char *path, char out[VIA_PATH_SIZE]);

    /* Check every page and constraint of the content. VIA_STORAGE_MISSING, VIA_STORAGE_UNREADABLE,
     * VIA_STORAGE_CORRUPT with the first thing that is wrong. */
    enum via_status (*check_integrity)(const struct via_root *root, const struct via_opener *opener,
                                       const char *addon_id, const struct via_progress *progress,
                                       struct via_error *e);

    /* For an archive: copy the content as it stands at one instant, while writers go on, into a
     * file that nobody else can reach and that goes with its last descriptor. *fd reads and is the
     * caller's to close. `ticket` is an id of the caller's. On failure nothing is left. The
     * statuses of snapshot(), and VIA_STORAGE_UNREADABLE, VIA_STORAGE_READONLY. */
    enum via_status (*lend)(const struct via_root *root, const struct via_opener *opener,
                            const char *addon_id, const char *ticket,
                            const struct via_progress *progress, int *fd, struct via_error *e);

    /* Remove what a process that died inside lend() with this ticket left. Nothing is fine. */
    enum via_status (*forget_lent)(const struct via_root *root, const char *addon_id,
                                   const char *ticket, struct via_error *e);

    /* Open a snapshot's file for reading; *fd is the caller's. VIA_SNAPSHOT_MISSING,
     * VIA_STORAGE_UNREADABLE. */
    enum via_status (*open_snapshot)(const struct via_root *root, const char *addon_id,
                                     const char *snapshot_id, int *fd, struct via_error *e);

    /* Out of an archive, into a root that is nobody's yet: begin the content, or a snapshot when
     * `snapshot_id` is not NULL. *fd takes the bytes that lend() or open_snapshot() gave and is the
     * caller's to close; received() then checks, syncs and names the file. */
    enum via_status (*receive)(const struct via_root *root, const char *addon_id,
                               const char *snapshot_id, int *fd, struct via_error *e);
    enum via_status (*received)(const struct via_root *root, const char *addon_id,
                                const char *snapshot_id, const struct via_progress *progress,
                                struct via_error *e);

    /* The path of the data file, for the guarded VFS alone. False when it does not fit. */
    bool (*locate)(const struct via_root *root, const char *addon_id, char out[VIA_PATH_SIZE]);
};

/* The provider of `type`, or NULL. */
const struct via_provider *via_provider_find(const char *type);

extern const struct via_provider via_provider_sqlite;

#endif
