/* scratch.h: a fresh state root for a C test, gone when the program ends. */
#ifndef VIA_TESTS_SCRATCH_H
#define VIA_TESTS_SCRATCH_H

#include "base/fs.h"
#include "base/root.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char scratch_path[256];
static pid_t scratch_pid;

static void
scratch_remove(void)
{
    if (getpid() == scratch_pid && via_fs_remove_tree(scratch_path, NULL) != VIA_OK)
        fprintf(stderr, "%s stays behind\n", scratch_path);
}

/* Make an empty folder, for the test to use as it likes. */
static inline const char *
scratch_folder(void)
{
    const char *tmp = getenv("VIA_TEST_TMP");

    snprintf(scratch_path, sizeof scratch_path, "%s/via-test-XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(scratch_path)) {
        perror(scratch_path);
        exit(1);
    }
    scratch_pid = getpid();
    atexit(scratch_remove);
    return scratch_path;
}

/* Make a folder and open a state root in it. */
static inline void
scratch_root(struct via_root *root)
{
    struct via_error e = {0};
    char path[512];

    snprintf(path, sizeof path, "%s/state", scratch_folder());
    via_root_set_path(path);
    if (via_root_open(root, &e) != VIA_OK) {
        fprintf(stderr, "%s\n", e.message);
        exit(1);
    }
}

#endif
