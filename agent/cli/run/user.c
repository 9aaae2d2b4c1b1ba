#include "cli/run/run.h"

#include "base/error.h"
#include "cli/secret.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* By name, else by number. */
static const struct passwd *
user_look_up(const char *name)
{
    const struct passwd *pw = getpwnam(name);
    unsigned long uid;
    char *end;

    if (pw || *name < '0' || *name > '9')
        return pw;
    uid = strtoul(name, &end, 10);
    return *end == '\0' ? getpwuid((uid_t)uid) : NULL;
}

enum via_status
run_user_find(const char *name, struct run_user *out, struct via_error *e)
{
    const struct passwd *pw;

    memset(out, 0, sizeof *out);
    out->uid = geteuid();
    out->gid = getegid();
    if (!name && out->uid == 0)
        return via_error_set(e, VIA_RUN_AS_ROOT,
                             "root has to say with --user whom the command runs as");
    if (!name)
        return VIA_OK;
    pw = user_look_up(name);
    if (!pw)
        return via_error_set(e, VIA_USER_UNKNOWN, "there is no user %s on this host", name);
    if (out->uid != 0 && out->uid != pw->pw_uid)
        return via_error_set(e, VIA_USER_UNKNOWN, "only root can run a command as %s", name);
    out->changes = out->uid == 0 && pw->pw_uid != 0;
    out->uid = pw->pw_uid;
    out->gid = pw->pw_gid;
    (void)snprintf(out->name, sizeof out->name, "%s", pw->pw_name);
    (void)snprintf(out->home, sizeof out->home, "%s", pw->pw_dir);
    return VIA_OK;
}

bool
run_user_enter(const struct run_user *user)
{
    if (!user->changes)
        return true;
    /* Root's own groups must not help either; the launcher does not need them again. */
    if (setgroups(1, &user->gid) < 0 || setegid(user->gid) < 0 || seteuid(user->uid) < 0)
        return false;
    cli_secret_hide(); /* a change of user resets it */
    return true;
}

void
run_user_leave(const struct run_user *user)
{
    if (!user->changes)
        return;
    if (seteuid(0) < 0 || setegid(0) < 0)
        abort(); /* going on as neither of the two would be worse */
    cli_secret_hide();
}

bool
run_user_become(const struct run_user *user)
{
    if (!user->changes)
        return true;
    if (initgroups(user->name, user->gid) < 0 || setgid(user->gid) < 0 || setuid(user->uid) < 0)
        return false;
    cli_secret_hide(); /* until it is another program */
    /* There must be no way back. */
    return setuid(0) < 0;
}
