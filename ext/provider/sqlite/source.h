/* source.h: an operator's SQLite file that is to be imported: looked at, never changed.
 *
 * Decides whether a file may be read as a whole and at rest. Knows nothing of add-ons,
 * except that their own files are no source. */
#ifndef VIA_PROVIDER_SQLITE_SOURCE_H
#define VIA_PROVIDER_SQLITE_SOURCE_H

#include "provider/provider.h"

#include <sys/stat.h>

/* One file of the source as it was when it was opened. */
struct via_source_stamp {
    bool present;
    int64_t size_bytes;
    struct timespec changed;
};

struct via_source {
    const char *given;        /* as the operator wrote it; borrowed, for sentences */
    char path[VIA_PATH_SIZE]; /* absolute, no symbolic link in it */
    struct stat at_start;
    bool is_wal;
    bool is_frozen;     /* opened as immutable: nobody has it open, and no lock is taken */
    bool tells_size;    /* its header says how long it is, as writers of today have it */
    bool is_whole;      /* the file alone is the content, and may be copied as it lies */
    int64_t size_bytes; /* of the content */
    struct via_sql sql;
    struct via_source_stamp main;
    struct via_source_stamp log;
};

/* Open `path` with a read transaction that stays open until via_source_close(). Refuses
 * what is no plain file, no database, has a hot journal, is being written, or belongs to
 * an add-on of `root` (NULL: not looked at). `given` is borrowed. Close it in any case. */
VIA_MUST_USE enum via_status via_source_open(struct via_source *s, const struct via_root *root,
                                             const char *given, struct via_error *e);

/* VIA_SOURCE_CORRUPT unless every page, index and constraint of the source holds. */
VIA_MUST_USE enum via_status
via_source_verify(struct via_source *s, const struct via_progress *progress, struct via_error *e);

/* VIA_SOURCE_BUSY when the source changed since it was opened. */
VIA_MUST_USE enum via_status via_source_settled(const struct via_source *s, struct via_error *e);

/* The status and sentence for the extended result code `rc` of reading the source. */
enum via_status via_source_fail(const struct via_source *s, int rc, struct via_error *e);

void via_source_close(struct via_source *s);

/* Open `path` for reading as a file that nobody writes: no lock, no log, no trace. */
void via_sqlite_open_frozen(struct via_sql *sql, const char *path);

/* Check the whole of `sql`: 1 sound, 0 not, -1 it could not be asked (the handle's error).
 * `is_quick` leaves out whether indexes and tables agree; `complaint` (NULL: untold) is the first
 * thing that is wrong, in SQLite's words. */
VIA_MUST_USE int via_sqlite_check(struct via_sql *sql, bool is_quick,
                                  const struct via_progress *progress, char *complaint,
                                  size_t size);

#endif
