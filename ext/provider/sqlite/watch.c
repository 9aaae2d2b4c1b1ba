/* watch.c: a file's methods, with another one for reading. */
#include "provider/sqlite/watch.h"

#include <stddef.h>
#include <string.h>

#define WATCH_TELL_BYTES (1 << 18)
#define WATCH_TELL_STEPS 100000 /* of SQLite's program: some milliseconds */
#define WATCH_TREES_PERCENT 20  /* where rows follow, which are most of the work */

int
via_watch_percent(const struct via_watch *w)
{
    int64_t read = atomic_load(&w->read_bytes), size = w->size_bytes, rows = read - size;

    if (size <= 0)
        return 0;
    if (w->is_quick || rows <= 0)
        return (int)((rows < 0 ? read : size) * (w->is_quick ? 100 : WATCH_TREES_PERCENT) / size);
    /* Tables are read again, indexes as far as they are not remembered. */
    return WATCH_TREES_PERCENT +
           (int)((rows < size ? rows : size) * (100 - WATCH_TREES_PERCENT) / size);
}

static bool
watch_tell(struct via_watch *w)
{
    return via_progress_tell(w->progress, via_watch_percent(w));
}

static int
watch_read(sqlite3_file *file, void *bytes, int n, sqlite3_int64 at)
{
    struct via_watch *w =
        (struct via_watch *)((char *)file->pMethods - offsetof(struct via_watch, methods));
    int64_t read = atomic_fetch_add(&w->read_bytes, n) + n;

    if (w->growth) {
        via_growth_heed(w->growth, &w->may_give_way);
        if (via_growth_wait(w->growth, at + n) < 0)
            return SQLITE_IOERR_READ;
    }
    if (w->progress && read - w->told_bytes >= WATCH_TELL_BYTES) {
        w->told_bytes = read;
        if (!watch_tell(w))
            sqlite3_interrupt(w->db);
    }
    return w->real->xRead(file, bytes, n, at);
}

/* While rows are looked at, all of which may be in memory. */
static int
watch_step(void *arg)
{
    return watch_tell(arg) ? 0 : 1;
}

/* Older methods are shorter. */
static size_t
methods_bytes(const sqlite3_io_methods *m)
{
    return m->iVersion >= 3   ? sizeof *m
           : m->iVersion == 2 ? offsetof(sqlite3_io_methods, xFetch)
                              : offsetof(sqlite3_io_methods, xShmMap);
}

void
via_watch_begin(struct via_watch *w, struct via_sql *sql, bool is_quick, struct via_growth *growth,
                const struct via_progress *progress)
{
    sqlite3_int64 mapped = 0, size = 0;

    memset(w, 0, sizeof *w);
    w->db = sql->db;
    w->is_quick = is_quick;
    w->growth = growth;
    w->progress = progress;
    if (!sql->db || sqlite3_file_control(sql->db, "main", SQLITE_FCNTL_FILE_POINTER, &w->file) ||
        !w->file || !w->file->pMethods) {
        w->file = NULL;
        return;
    }
    /* What is mapped is not read. */
    (void)sqlite3_file_control(sql->db, "main", SQLITE_FCNTL_MMAP_SIZE, &mapped);
    w->real = w->file->pMethods;
    if (w->real->xFileSize(w->file, &size) == SQLITE_OK)
        w->size_bytes = size;
    memcpy(&w->methods, w->real, methods_bytes(w->real));
    w->methods.xRead = watch_read;
    w->file->pMethods = &w->methods;
    if (progress)
        sqlite3_progress_handler(sql->db, WATCH_TELL_STEPS, watch_step, w);
}

void
via_watch_end(struct via_watch *w)
{
    if (w->file)
        w->file->pMethods = w->real;
    if (w->file && w->progress)
        sqlite3_progress_handler(w->db, 0, NULL, NULL);
}
