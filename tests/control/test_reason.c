/* The focus of this file is the line of facts in a record of the audit: its one form, and that
 * nothing an operator writes can forge a fact, a line or an end. */
#include "check.h"
#include "control/reason.h"

#include <string.h>

static void
check_facts(void)
{
    struct via_reason r = {0};

    CHECK(strcmp(r.text, "") == 0, "no fact is no text");
    via_reason_put(&r, "add-on", "app-db");
    via_reason_put(&r, "target", "");
    via_reason_put_int(&r, "generation", 2);
    via_reason_put(&r, "forced", NULL);
    via_reason_put_change(&r, "mode", "ro", "rw");
    CHECK(strcmp(r.text, "add-on app-db, target '', generation 2, forced, mode ro (was rw)") == 0,
          "facts in their order: %s", r.text);
}

static void
check_quote(const char *what, const char *text, const char *expected)
{
    char out[VIA_QUOTE_SIZE];

    CHECK(strcmp(via_reason_quote(text, out), expected) == 0, "%s: %s", what, out);
}

static void
check_quotes(void)
{
    check_quote("a text is quoted", "moving, soon", "\"moving, soon\"");
    check_quote("so is none", "", "\"\"");
    check_quote("a quote does not end it", "a\", mode rw", "\"a\\\", mode rw\"");
    check_quote("nor does a backslash", "\\", "\"\\\\\"");
    check_quote("it stays on its line", "a\nb\tc\x7f", "\"a b c \"");
    check_quote("letters of every language stand", "grüße", "\"grüße\"");
}

/* `n` times the two bytes of an umlaut behind `head`. */
static const char *
umlauts(const char *head, int n)
{
    static char text[1024];
    size_t at = strlen(head);

    memcpy(text, head, at);
    for (int i = 0; i < n; i++, at += 2)
        memcpy(text + at, "ü", 2);
    text[at] = '\0';
    return text;
}

static void
check_cuts(void)
{
    char out[VIA_QUOTE_SIZE], hostile[VIA_QUOTE_MAX + 2];
    struct via_reason r = {0};

    via_reason_quote(umlauts("", VIA_QUOTE_MAX / 2), out);
    CHECK(strlen(out) == VIA_QUOTE_MAX + 2 && !strstr(out, "…"), "what just fits is whole");
    via_reason_quote(umlauts("x", VIA_QUOTE_MAX / 2), out);
    CHECK(strcmp(out + strlen(out) - strlen("ü…\""), "ü…\"") == 0,
          "a cut is between characters, and shows");
    memset(hostile, '"', sizeof hostile - 1);
    hostile[sizeof hostile - 1] = '\0';
    via_reason_quote(hostile, out);
    CHECK(strlen(out) == 2 * VIA_QUOTE_MAX + strlen("\"…\""), "the longest with escapes fits");

    for (int i = 0; i < 20; i++)
        via_reason_put(&r, "text", out);
    CHECK(strlen(r.text) < sizeof r.text &&
              strcmp(r.text + strlen(r.text) - strlen("\", …"), "\", …") == 0,
          "facts are left out whole, and that shows");
    via_reason_put(&r, "mode", "rw");
    CHECK(!strstr(r.text, "mode"), "none follows the sign");
}

/* The facts that fill the line to every length near its end. */
static void
check_edges(void)
{
    char word[VIA_REASON_SIZE];
    int wrong = 0;

    for (size_t n = VIA_REASON_SIZE - 40; n < VIA_REASON_SIZE - 1; n++) {
        struct via_reason r = {0};

        memset(word, 'w', n);
        word[n] = '\0';
        via_reason_put(&r, "a", word);
        via_reason_put(&r, "b", "c");
        via_reason_put(&r, "d", "e");
        wrong += strlen(r.text) >= sizeof r.text || r.len != strlen(r.text) ||
                 (r.is_full && strcmp(r.text + r.len - strlen("…"), "…") != 0) ||
                 (!r.is_full && !strstr(r.text, ", d e"));
    }
    CHECK(wrong == 0, "every length near the end is whole or says that it is not");
}

int
main(void)
{
    check_facts();
    check_quotes();
    check_cuts();
    check_edges();
    return check_end();
}
