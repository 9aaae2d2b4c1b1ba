/* The focus of this file is an add-on's life: every pair of states, against a list of its own. */
#include "check.h"
#include "rules/lifecycle.h"

#include <string.h>

/* May the state of the row become that of the column? */
static const char *const words[] = {"provisioning", "ready",  "suspended",
                                    "draining",     "failed", "destroyed"};
static const char *const follows[] = {
    /* provisioning ready suspended draining failed destroyed */
    "-r--f-", /* provisioning */
    "--sd-x", /* ready */
    "-r---x", /* suspended */
    "-r----", /* draining */
    "-r---x", /* failed */
    "------", /* destroyed */
};

int
main(void)
{
    enum via_addon_state from, to, parsed;

    CHECK(VIA_ADDON_STATE_COUNT == 6, "there are six states");
    for (int i = 0; i < 6; i++) {
        CHECK(via_addon_state_parse(words[i], &from) &&
                  strcmp(via_addon_state_word(from), words[i]) == 0,
              "%s is read and written", words[i]);
        for (int j = 0; j < 6; j++) {
            const char *reason;
            bool asked = (strcmp(words[i], "ready") == 0 && strcmp(words[j], "suspended") == 0) ||
                         (strcmp(words[i], "suspended") == 0 && strcmp(words[j], "ready") == 0);

            if (!via_addon_state_parse(words[j], &to))
                continue;
            reason = via_addon_state_reason(from, to);
            CHECK((reason != NULL) == (follows[i][j] != '-'), "%s %s %s", words[j],
                  follows[i][j] != '-' ? "may follow" : "never follows", words[i]);
            CHECK(!reason || strlen(reason) > 8, "and it is said why");
            CHECK(via_addon_state_may_set(from, to) == asked, "%s to %s %s by UPDATE", words[i],
                  words[j], asked ? "can be asked for" : "cannot be asked for");
        }
    }
    CHECK(!via_addon_state_parse("Ready", &parsed) && !via_addon_state_parse("", &parsed) &&
              !via_addon_state_parse(NULL, &parsed) && !via_addon_state_parse("ready ", &parsed),
          "no other word is a state");
    CHECK(strcmp(via_addon_state_word(VIA_ADDON_STATE_COUNT), "") == 0, "no state, no word");
    return check_end();
}
