#include "effects/doctor.h"

#include "base/buf.h"
#include "base/error.h"
#include "control/audit.h"
#include "effects/doctor_look.h"
#include "effects/step.h"
#include "identity/codec.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *word;
    const char *severity;
    doctor_mend_fn mend;
} codes[] = {
#define CODE_ROW(name, word, severity, mend) {word, severity, mend},
    DOCTOR_CODES(CODE_ROW)
#undef CODE_ROW
};

/* -- findings ------------------------------------------------------------------------ */

void
doctor_begin(struct doctor_finding *f, enum doctor_code code, const char *subject)
{
    f->code = code;
    f->fixable = codes[code].mend != NULL;
    f->reason[0] = f->remediation[0] = '\0';
    (void)snprintf(f->subject, sizeof f->subject, "%s", subject);
}

void
doctor_say(struct doctor_finding *f, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(f->reason, sizeof f->reason, format, args);
    va_end(args);
}

void
doctor_advise(struct doctor_finding *f, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(f->remediation, sizeof f->remediation, format, args);
    va_end(args);
}

void
doctor_advise_more(struct doctor_finding *f, const char *format, ...)
{
    size_t n = strlen(f->remediation);
    char line[VIA_MESSAGE_SIZE];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (n + strlen(" && ") + strlen(line) >= sizeof f->remediation)
        return;
    (void)snprintf(f->remediation + n, sizeof f->remediation - n, "%s%s", n ? " && " : "", line);
}

/* The same finding has the same row id in every look, so that an UPDATE meets what was read. */
static int64_t
finding_rid(const struct doctor_finding *f)
{
    char text[VIA_PATH_SIZE + 64];
    uint8_t digest[16];
    uint64_t value;
    int n = snprintf(text, sizeof text, "%s %s", codes[f->code].word, f->subject);

    via_digest_short(text, (size_t)n, digest);
    memcpy(&value, digest, sizeof value);
    return (int64_t)(value >> 2) + 1;
}

void
doctor_end(struct doctor *d, const struct doctor_finding *f)
{
    sqlite3_stmt *q = via_sql_stmt(
        d->db, "INSERT OR IGNORE INTO temp.findings(rid, code, severity, subject, reason,"
               " remediation, fixable) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)");

    via_sql_bind_int(d->db, q, 1, finding_rid(f));
    via_sql_bind_text(d->db, q, 2, codes[f->code].word);
    via_sql_bind_text(d->db, q, 3, codes[f->code].severity);
    via_sql_bind_text(d->db, q, 4, f->subject);
    via_sql_bind_text(d->db, q, 5, f->reason);
    via_sql_bind_text(d->db, q, 6, f->remediation);
    via_sql_bind_int(d->db, q, 7, f->fixable);
    via_sql_run(d->db, q);
}

const char *
doctor_quote(const char *text, char out[DOCTOR_SHELL_SIZE])
{
    struct via_buf b;

    via_buf_init(&b);
    via_buf_put_quoted(&b, text);
    (void)snprintf(out, DOCTOR_SHELL_SIZE, "%s", via_buf_text(&b));
    via_buf_deinit(&b);
    return out;
}

const char *
doctor_quote_path(const struct via_root *root, const char *relative, char out[DOCTOR_SHELL_SIZE])
{
    char path[VIA_PATH_SIZE];

    if (strcmp(relative, ".") == 0)
        return doctor_quote(root->path, out);
    via_root_join(root, relative, path);
    return doctor_quote(path, out);
}

bool
doctor_is_locked(const struct via_lock *lock, int64_t slot)
{
    struct flock range = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t)slot, .l_len = 1};
    int rc;

    do
        rc = fcntl(lock->fd, F_OFD_GETLK, &range);
    while (rc < 0 && errno == EINTR);
    return rc < 0 || range.l_type != F_UNLCK; /* in doubt, somebody lives */
}

/* -- looking --------------------------------------------------------------------------- */

void
doctor_pass_over(struct doctor *d)
{
    enum via_status why = d->db->error.status;

    if ((d->is_damaged || d->lacks_table) &&
        (why == VIA_STATE_CORRUPT || why == VIA_INTERNAL_ERROR))
        via_ignore(via_sql_take(d->db, NULL));
}

void
doctor_look_each(struct doctor *d, const doctor_look_fn *looks, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        looks[i](d);
        doctor_pass_over(d);
    }
}

/* Leave nothing of a look that failed, and keep its error. */
static void
look_undo(struct via_sql *db)
{
    struct via_error why = {0};

    if (via_sql_take(db, &why) == VIA_OK)
        return;
    via_sql_exec(db, "ROLLBACK TO look; RELEASE look");
    via_ignore(via_sql_take(db, NULL));
    via_sql_exec(db, "DELETE FROM temp.findings");
    via_ignore(via_sql_take(db, NULL));
    via_sql_fail(db, why.status, "%s", why.message);
}

/* An operation of the transaction under way takes its byte when that commits. */
static bool
operation_is_own(struct doctor *d, int64_t rid)
{
    sqlite3_stmt *q;
    bool own;

    if (d->db != &d->s->write)
        return false;
    q = via_sql_stmt(d->db, "SELECT 1 FROM temp.o_intents WHERE operation = ?1");
    via_sql_bind_int(d->db, q, 1, rid);
    own = via_sql_row(d->db, q);
    via_sql_end(d->db, q);
    return own;
}

/* Unsettled operations without a living owner, by their rows as of now. Settled ones drop their
 * byte last, so that one which is free now and unsettled in a later read is dead. */
static void
look_operations(struct doctor *d)
{
    sqlite3_stmt *q;
    int64_t rid = 0;

    while ((rid = via_operation_next_open(d->db, rid)) > 0) {
        if (doctor_is_locked(&d->lock, VIA_LOCK_OPERATION + rid) || operation_is_own(d, rid))
            continue;
        q = via_sql_stmt(d->db, "INSERT INTO temp.seen_dead(rid) VALUES(?1)");
        via_sql_bind_int(d->db, q, 1, rid);
        via_sql_run(d->db, q);
    }
}

void
via_doctor_look(struct via_store *s, struct via_sql *db)
{
    static const doctor_look_fn before[] = {doctor_look_schema, look_operations};
    static const doctor_look_fn looks[] = {
        doctor_look_files,   doctor_look_rows, doctor_look_strays, doctor_look_backups,
        doctor_look_exports, doctor_look_keys, doctor_look_audit,  doctor_look_host};
    struct doctor d = {.s = s, .db = db, .lock = {.fd = -1}};

    via_sql_exec(db, "DELETE FROM temp.findings; DELETE FROM temp.seen_storage;"
                     "DELETE FROM temp.seen_snapshots; DELETE FROM temp.seen_strays;"
                     "DELETE FROM temp.seen_dead");
    /* A lock of our own: s->lock holds the bytes of what this connection is doing. */
    if (!via_sql_ok(db) || via_lock_open(&d.lock, &s->root, &db->error) != VIA_OK)
        return;
    d.agent_lives = doctor_is_locked(&d.lock, VIA_LOCK_AGENT);
    doctor_look_each(&d, before, sizeof before / sizeof *before);
    if (!d.is_damaged) {
        via_sql_exec(db, "SAVEPOINT look");
        doctor_look_each(&d, looks, sizeof looks / sizeof *looks);
        via_sql_exec(db, "RELEASE look");
    } else if (sqlite3_get_autocommit(db->db)) { /* one damaged page fails a transaction for good */
        doctor_look_each(&d, looks, sizeof looks / sizeof *looks);
    }
    look_undo(db);
    via_lock_close(&d.lock);
}

/* -- mending --------------------------------------------------------------------------- */

/* What is to be mended, as the operation keeps it: the code, a blank, the subject. */
static doctor_mend_fn
payload_parse(const char *payload, const char **subject)
{
    const char *blank = strchr(payload, ' ');

    for (size_t i = 0; blank && i < DOCTOR_CODE_COUNT; i++)
        if (strlen(codes[i].word) == (size_t)(blank - payload) &&
            strncmp(codes[i].word, payload, (size_t)(blank - payload)) == 0) {
            *subject = blank + 1;
            return codes[i].mend;
        }
    return NULL;
}

void
via_doctor_intend(struct via_store *s, int64_t rid)
{
    struct via_sql *db = &s->write;
    struct via_operation op = {.kind = "doctor.fix", .state = "pending", .phase = "mend"};
    sqlite3_stmt *q = via_sql_stmt(db, "SELECT code || ' ' || subject, subject FROM temp.findings"
                                       " WHERE rid = ?1 AND fixable");
    char subject[VIA_PATH_SIZE];
    char id[VIA_ID_SIZE];
    bool found;

    via_sql_bind_int(db, q, 1, rid);
    found = via_sql_row(db, q);
    if (found) {
        via_sql_text(q, 0, op.payload, sizeof op.payload);
        via_sql_text(q, 1, subject, sizeof subject);
    }
    via_sql_end(db, q);
    if (!found)
        return;
    op.rid = via_operation_put(s, &op, subject, id);
    via_audit_control(s, "doctor.fix", NULL, NULL, op.payload, id);
    via_store_intend(s, VIA_INTENT_FIX, op.rid, NULL, NULL, 0);
}

static void
step_fixed(struct via_store *s, const struct via_operation *op, const void *arg)
{
    (void)arg;
    via_operation_settle(s, op->rid, "done", NULL);
}

static void
step_not_fixed(struct via_store *s, const struct via_operation *op, const void *arg)
{
    via_operation_fail(s, op, arg);
}

static enum via_status
doctor_run(struct via_store *s, const struct via_operation *op, struct via_error *e)
{
    const char *subject = NULL;
    doctor_mend_fn mend = payload_parse(op->payload, &subject);
    struct via_error why = {0};

    if (!mend)
        via_ignore(via_error_set(&why, VIA_INTERNAL_ERROR, "nothing mends this finding"));
    else
        via_ignore(mend(s, subject, &why));
    if (why.status != VIA_OK)
        return via_effect_fail(s, step_not_fixed, op, &why, e);
    return via_effect_step(s, step_fixed, op, NULL, e);
}

const struct via_effect via_effect_fix = {
    .intent = VIA_INTENT_FIX,
    .kind = "doctor.fix",
    .run = doctor_run,
    .failed = step_not_fixed,
};
