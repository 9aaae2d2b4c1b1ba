/* pin.c: a checkpoint, then a read transaction at once; and again when a writer came between.
 *
 * A reader takes read mark 0 when the whole log is in the main file, and a checkpoint writes
 * that file only while nobody holds mark 0 (walformat.html). */
#include "provider/sqlite/pin.h"

#include "base/clock.h"
#include "base/error.h"
#include "provider/sqlite/source.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define PIN_TRIES 8
#define PIN_WAIT_MS 10   /* for writers, and then for readers, with the writers' lock in hand */
#define PIN_BUSY_MS 5000 /* for the end of a recovery */
#define PIN_NAP_NS 200000

enum via_status
via_content_open(struct via_sql *sql, const struct via_opener *opener, const char *addon_id,
                 struct via_error *e)
{
    memset(sql, 0, sizeof *sql);
    opener->open(opener->arg, addon_id, sql);
    if (!via_sql_ok(sql)) /* it knows best why */
        return via_sql_take(sql, e);
    (void)sqlite3_busy_timeout(sql->db, PIN_BUSY_MS);
    via_sql_exec(sql, "PRAGMA mmap_size = 0; PRAGMA cell_size_check = ON");
    return via_content_outcome(sql, e);
}

enum via_status
via_content_outcome(struct via_sql *sql, struct via_error *e)
{
    struct via_error why = {0};

    switch (via_sql_take(sql, &why)) {
    case VIA_OK:
        return VIA_OK;
    case VIA_STATE_CORRUPT:
        return via_error_set(e, VIA_STORAGE_CORRUPT, "the storage of this add-on is damaged");
    case VIA_STATE_UNAVAILABLE:
        return via_error_set(e, VIA_STORAGE_UNREADABLE,
                             "the storage of this add-on cannot be opened");
    case VIA_CONTROL_BUSY:
        return via_error_set(e, VIA_ADDON_BUSY, "the add-on is busy; try again");
    case VIA_DISK_FULL:
        return via_error_set(e, VIA_STORAGE_FULL,
                             "the disk that holds the add-ons is full; make room and try again");
    case VIA_IO_ERROR:
        return via_error_set(e, VIA_STORAGE_UNREADABLE,
                             "the storage of this add-on cannot be read (%.100s)", why.message);
    case VIA_INTERNAL_ERROR:
        if (sql->db && sqlite3_errcode(sql->db) == SQLITE_INTERRUPT)
            return via_error_set(e, VIA_OPERATION_INTERRUPTED, "it was stopped");
        break;
    default:
        break;
    }
    return via_error_set(e, why.status, "%s", why.message);
}

/* Wait a little, often: SQLite's own naps would miss the moment between two commits. */
static int
pin_nap(void *arg, int count)
{
    const int64_t *until_ms = arg;

    (void)count;
    if (via_clock_mono_ms() >= *until_ms)
        return 0;
    (void)nanosleep(&(struct timespec){.tv_nsec = PIN_NAP_NS}, NULL);
    return 1;
}

/* Fold the log in without making anybody wait; that this cannot be done now is no error. */
static void
pin_fold(struct via_sql *sql)
{
    via_sql_exec(sql, "PRAGMA wal_checkpoint(PASSIVE)");
}

/* The same with writers held off, for what came in meanwhile: as long as one of their commits. */
static void
pin_fold_rest(struct via_sql *sql)
{
    int64_t until_ms = via_clock_mono_ms() + PIN_WAIT_MS;

    if (!via_sql_ok(sql))
        return;
    (void)sqlite3_busy_handler(sql->db, pin_nap, &until_ms);
    via_sql_exec(sql, "PRAGMA wal_checkpoint(FULL)");
    (void)sqlite3_busy_timeout(sql->db, PIN_BUSY_MS);
}

static bool
pin_is_whole(struct via_sql *sql)
{
    int mark = -1;

    return sqlite3_file_control(sql->db, "main", VIA_FCNTL_MARK, &mark) == SQLITE_OK && mark == 0;
}

static void
pin_begin(struct via_pin *p)
{
    via_sql_exec(&p->sql, "BEGIN");
    /* The first page that is read takes the mark. */
    (void)via_sql_int(&p->sql, "SELECT count(*) FROM sqlite_schema", 0);
    p->is_whole = via_sql_ok(&p->sql) && pin_is_whole(&p->sql);
}

static enum via_status
pin_try(struct via_pin *p, const struct via_opener *opener, const char *addon_id,
        struct via_error *e)
{
    memset(p, 0, sizeof *p);
    if (via_content_open(&p->sql, opener, addon_id, e) != VIA_OK)
        return e->status;
    pin_fold(&p->sql);
    for (int i = 0; i < PIN_TRIES && !p->is_whole && via_sql_ok(&p->sql); i++) {
        if (i > 0) {
            via_sql_exec(&p->sql, "ROLLBACK");
            pin_fold_rest(&p->sql);
        }
        pin_begin(p);
    }
    p->size_bytes =
        via_sql_int(&p->sql, "PRAGMA page_count", 0) * via_sql_int(&p->sql, "PRAGMA page_size", 0);
    return via_content_outcome(&p->sql, e);
}

/* Has a restore exchanged the content between its opening and the first read? */
static bool
pin_is_moved(struct via_sql *sql)
{
    int moved = 0;

    return sql->db &&
           sqlite3_file_control(sql->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK &&
           moved;
}

enum via_status
via_pin_open(struct via_pin *p, const struct via_opener *opener, const char *addon_id,
             struct via_error *e)
{
    struct via_error why = {0};
    bool is_moved;

    if (pin_try(p, opener, addon_id, &why) == VIA_OK)
        return VIA_OK;
    is_moved = pin_is_moved(&p->sql);
    via_pin_close(p);
    return is_moved ? pin_try(p, opener, addon_id, e)
                    : via_error_set(e, why.status, "%s", why.message);
}

void
via_pin_close(struct via_pin *p)
{
    via_sql_close(&p->sql);
}

enum via_status
via_content_check(struct via_sql *sql, bool is_quick, const struct via_progress *progress,
                  struct via_error *e)
{
    char complaint[200];
    int sound = via_sqlite_check(sql, is_quick, progress, complaint, sizeof complaint);

    if (sound > 0)
        return VIA_OK;
    if (sound < 0)
        return via_content_outcome(sql, e);
    (void)via_sql_take(sql, NULL);
    return via_error_set(e, VIA_STORAGE_CORRUPT, "the content is damaged: %s", complaint);
}
