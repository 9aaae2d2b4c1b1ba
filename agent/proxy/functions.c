/* functions.c: see functions.h. instr and replace search with memmem(), which is linear;
 * trim looks its characters up; json_patch, quadratic in its members, is bounded. */
#include "proxy/functions.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define PATCH_WORK ((int64_t)1 << 34) /* bytes of target times bytes of patch: seconds */

struct bytes {
    const unsigned char *at;
    size_t n;
};

static bool
is_continuation(unsigned char c)
{
    return (c & 0xc0) == 0x80;
}

/* -- instr ---------------------------------------------------------------------- */

/* The place of `needle`, counted from 1 in characters of text or in bytes; 0: not there. */
static int64_t
bytes_find(struct bytes hay, struct bytes needle, bool text)
{
    const unsigned char *hit;
    int64_t place = 1;

    if (text && needle.n && is_continuation(needle.at[0])) /* no character begins so */
        return needle.n <= hay.n && memcmp(hay.at, needle.at, needle.n) == 0;
    hit = memmem(hay.at, hay.n, needle.at, needle.n);
    if (!hit)
        return 0;
    if (!text)
        return hit - hay.at + 1;
    for (const unsigned char *c = hay.at + 1; c <= hit; c++)
        place += !is_continuation(*c);
    return place;
}

/* `v` as text or as it is. False: no memory. */
static bool
bytes_of(sqlite3_value *v, bool text, struct bytes *out)
{
    out->at = text ? sqlite3_value_text(v) : sqlite3_value_blob(v);
    out->n = (size_t)sqlite3_value_bytes(v);
    return out->at || out->n == 0;
}

static void
function_instr(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    int a = sqlite3_value_type(argv[0]), b = sqlite3_value_type(argv[1]);
    bool text = a != SQLITE_BLOB || b != SQLITE_BLOB;
    sqlite3_value *hay, *needle;
    struct bytes h, n;

    (void)argc;
    if (a == SQLITE_NULL || b == SQLITE_NULL)
        return;
    /* Asking a blob for its text changes it in place, and it may be a register's own. */
    hay = text && a == SQLITE_BLOB ? sqlite3_value_dup(argv[0]) : argv[0];
    needle = text && b == SQLITE_BLOB ? sqlite3_value_dup(argv[1]) : argv[1];
    if (!hay || !needle || !bytes_of(hay, text, &h) || !bytes_of(needle, text, &n))
        sqlite3_result_error_nomem(ctx);
    else if (n.n == 0)
        sqlite3_result_int(ctx, 1);
    else
        sqlite3_result_int64(ctx, h.n ? bytes_find(h, n, text) : 0);
    if (hay != argv[0])
        sqlite3_value_free(hay);
    if (needle != argv[1])
        sqlite3_value_free(needle);
}

/* -- replace -------------------------------------------------------------------- */

/* The next `pattern` at or after `at`, or NULL. */
static const unsigned char *
next_match(const unsigned char *at, const unsigned char *end, struct bytes pattern)
{
    size_t left = (size_t)(end - at);

    if (left >= pattern.n && memcmp(at, pattern.at, pattern.n) == 0)
        return at;
    return memmem(at, left, pattern.at, pattern.n);
}

static int64_t
count_matches(struct bytes text, struct bytes pattern)
{
    const unsigned char *at = text.at, *end = text.at + text.n, *hit;
    int64_t count = 0;

    for (; (hit = next_match(at, end, pattern)); at = hit + pattern.n)
        count++;
    return count;
}

static void
write_replaced(struct bytes text, struct bytes pattern, struct bytes with, char *out)
{
    const unsigned char *at = text.at, *end = text.at + text.n, *hit;

    for (; (hit = next_match(at, end, pattern)); at = hit + pattern.n) {
        memcpy(out, at, (size_t)(hit - at));
        out += hit - at;
        if (with.n)
            memcpy(out, with.at, with.n);
        out += with.n;
    }
    memcpy(out, at, (size_t)(end - at));
}

static void
function_replace(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    int longest = sqlite3_limit(sqlite3_context_db_handle(ctx), SQLITE_LIMIT_LENGTH, -1);
    struct bytes text, pattern, with;
    int64_t size;
    char *out;

    (void)argc;
    if (sqlite3_value_type(argv[0]) == SQLITE_NULL || sqlite3_value_type(argv[1]) == SQLITE_NULL)
        return;
    if (!bytes_of(argv[0], true, &text) || !bytes_of(argv[1], true, &pattern)) {
        sqlite3_result_error_nomem(ctx);
        return;
    }
    if (pattern.n == 0 || pattern.at[0] == '\0') { /* before the third is looked at */
        sqlite3_result_value(ctx, argv[0]);
        return;
    }
    if (sqlite3_value_type(argv[2]) == SQLITE_NULL)
        return;
    if (!bytes_of(argv[2], true, &with)) {
        sqlite3_result_error_nomem(ctx);
        return;
    }
    size = (int64_t)text.n + count_matches(text, pattern) * ((int64_t)with.n - (int64_t)pattern.n);
    if (size > longest) {
        sqlite3_result_error_toobig(ctx);
        return;
    }
    out = sqlite3_malloc64((sqlite3_uint64)size + 1);
    if (!out) {
        sqlite3_result_error_nomem(ctx);
        return;
    }
    write_replaced(text, pattern, with, out);
    sqlite3_result_text64(ctx, out, (sqlite3_uint64)size, sqlite3_free, SQLITE_UTF8);
}

/* -- trim ----------------------------------------------------------------------- */

enum trim_ends { TRIM_LEFT = 1, TRIM_RIGHT = 2, TRIM_BOTH = 3 };

static const enum trim_ends trim_ends[] = {TRIM_LEFT, TRIM_RIGHT, TRIM_BOTH};

/* The character that begins at the start of `text`. */
static struct bytes
character_first(struct bytes text)
{
    struct bytes c = {.at = text.at, .n = 1};

    if (c.at[0] >= 0xc0)
        while (c.n < text.n && is_continuation(c.at[c.n]))
            c.n++;
    return c;
}

static struct bytes
character_last(struct bytes text)
{
    struct bytes c = {.at = text.at + text.n - 1, .n = 1};

    while (c.at > text.at && is_continuation(c.at[0])) {
        c.at--;
        c.n++;
    }
    return c;
}

static int
character_compare(const void *a, const void *b)
{
    const struct bytes *x = a, *y = b;

    if (x->n != y->n)
        return x->n < y->n ? -1 : 1;
    return memcmp(x->at, y->at, x->n);
}

/* The characters of `text`, sorted. Returns how many, or -1: more than there may be. */
static int
characters_sort(struct bytes text, struct bytes set[VIA_TRIM_CHARACTERS])
{
    int count = 0;

    while (text.n) {
        if (count == VIA_TRIM_CHARACTERS)
            return -1;
        set[count] = character_first(text);
        text.at += set[count].n;
        text.n -= set[count++].n;
    }
    qsort(set, (size_t)count, sizeof *set, character_compare);
    return count;
}

static bool
characters_have(const struct bytes *set, int count, struct bytes c)
{
    return bsearch(&c, set, (size_t)count, sizeof *set, character_compare) != NULL;
}

static void
function_trim(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    const enum trim_ends *ends = sqlite3_user_data(ctx);
    struct bytes set[VIA_TRIM_CHARACTERS], text, chars = {(const unsigned char *)" ", 1}, c;
    int count;

    if (sqlite3_value_type(argv[0]) == SQLITE_NULL ||
        (argc > 1 && sqlite3_value_type(argv[1]) == SQLITE_NULL))
        return;
    if (!bytes_of(argv[0], true, &text) || (argc > 1 && !bytes_of(argv[1], true, &chars))) {
        sqlite3_result_error_nomem(ctx);
        return;
    }
    count = characters_sort(chars, set);
    if (count < 0) {
        sqlite3_result_error_toobig(ctx);
        return;
    }
    while (*ends & TRIM_LEFT && text.n &&
           (c = character_first(text), characters_have(set, count, c))) {
        text.at += c.n;
        text.n -= c.n;
    }
    while (*ends & TRIM_RIGHT && text.n &&
           (c = character_last(text), characters_have(set, count, c)))
        text.n -= c.n;
    sqlite3_result_text64(ctx, text.n ? (const char *)text.at : "", text.n, SQLITE_TRANSIENT,
                          SQLITE_UTF8);
}

/* -- json_patch ----------------------------------------------------------------- */

/* SQLite's own json_patch, in a database of its own: here it has been replaced. */
struct patcher {
    sqlite3 *db; /* opened on first use */
    sqlite3_stmt *stmt;
};

static void
patcher_free(void *arg)
{
    struct patcher *p = arg;

    sqlite3_finalize(p->stmt);
    sqlite3_close(p->db);
    free(p);
}

static int
patcher_ensure(struct patcher *p)
{
    int rc = SQLITE_OK;

    if (!p->db)
        rc = sqlite3_open(":memory:", &p->db);
    if (rc == SQLITE_OK && !p->stmt)
        rc = sqlite3_prepare_v3(p->db, "SELECT json_patch(?1,?2)", -1, SQLITE_PREPARE_PERSISTENT,
                                &p->stmt, NULL);
    return rc;
}

static void
function_json_patch(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    struct patcher *p = sqlite3_user_data(ctx);
    int rc = patcher_ensure(p);

    (void)argc;
    if ((int64_t)sqlite3_value_bytes(argv[0]) * sqlite3_value_bytes(argv[1]) > PATCH_WORK) {
        sqlite3_result_error_toobig(ctx);
        return;
    }
    for (int i = 0; i < 2 && rc == SQLITE_OK; i++)
        rc = sqlite3_bind_value(p->stmt, i + 1, argv[i]);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(p->stmt);
    if (rc == SQLITE_ROW) {
        sqlite3_result_value(ctx, sqlite3_column_value(p->stmt, 0));
        sqlite3_result_subtype(ctx, 'J'); /* as all functions that give JSON mark it */
    } else if (rc == SQLITE_ERROR)
        sqlite3_result_error(ctx, sqlite3_errmsg(p->db), -1);
    else
        sqlite3_result_error_code(ctx, rc);
    sqlite3_reset(p->stmt);
    sqlite3_clear_bindings(p->stmt);
}

/* -- all ------------------------------------------------------------------------ */

int
via_functions_attach(sqlite3 *db)
{
    static const struct {
        const char *name;
        int argc;
        void (*call)(sqlite3_context *, int, sqlite3_value **);
        const void *data;
    } functions[] = {
        {"instr", 2, function_instr, NULL},         {"replace", 3, function_replace, NULL},
        {"ltrim", 1, function_trim, &trim_ends[0]}, {"ltrim", 2, function_trim, &trim_ends[0]},
        {"rtrim", 1, function_trim, &trim_ends[1]}, {"rtrim", 2, function_trim, &trim_ends[1]},
        {"trim", 1, function_trim, &trim_ends[2]},  {"trim", 2, function_trim, &trim_ends[2]},
    };
    const int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS;
    struct patcher *patcher = calloc(1, sizeof *patcher);
    int rc = patcher ? SQLITE_OK : SQLITE_NOMEM;

    if (patcher) /* freed by SQLite, also when this fails */
        rc = sqlite3_create_function_v2(db, "json_patch", 2, flags, patcher, function_json_patch,
                                        NULL, NULL, patcher_free);
    for (size_t i = 0; i < sizeof functions / sizeof functions[0] && rc == SQLITE_OK; i++)
        rc = sqlite3_create_function_v2(db, functions[i].name, functions[i].argc, flags,
                                        (void *)functions[i].data, functions[i].call, NULL, NULL,
                                        NULL);
    return rc;
}
