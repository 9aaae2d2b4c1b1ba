/* stage.h: a state root that is being filled, and is nobody's until it is whole.
 *
 * What is to be the root is made below it, in restoring/root. While restoring/ is there nobody
 * opens the root (VIA_STATE_RESTORING). Its files get their places one by one, after a mark that
 * they are ours, and the last step, one rename, opens the root. Killed before it, the whole is done
 * again; killed after it, a hidden folder is left, which holds nothing. */
#ifndef VIA_BASE_STAGE_H
#define VIA_BASE_STAGE_H

#include "base/root.h"

struct via_stage {
    struct via_root root;   /* as it will be */
    struct via_root staged; /* where it is made */
    int fd;                 /* of restoring/, locked while a process works on it; -1: closed */
};

/* Begin in the state root of this process, which is made when missing and otherwise must hold
 * nothing: VIA_STATE_NOT_EMPTY. What a killed process left of an earlier one is removed;
 * VIA_STATE_RESTORING when a living one is at it. End it in any case. */
VIA_MUST_USE enum via_status via_stage_begin(struct via_stage *s, struct via_error *e);

/* Put everything in its place and open the root. Nobody has a file of it open. */
VIA_MUST_USE enum via_status via_stage_commit(struct via_stage *s, struct via_error *e);

/* Leave; without a commit everything is removed, as far as that can be done. */
void via_stage_end(struct via_stage *s);

#endif
