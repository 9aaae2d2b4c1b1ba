/* doctor.h: what is wrong with this host, and mending what can be mended safely.
 *
 * Findings are no rows of the control plane: they are looked for each time, by stat, by
 * locks that are asked and not taken, and by reading the control plane's own databases.
 * No database file is opened. What a mend does is
 * decided anew when it is done: a finding says where to look, never what to change. */
#ifndef VIA_EFFECTS_DOCTOR_H
#define VIA_EFFECTS_DOCTOR_H

#include "control/store.h"

/* Look at everything and fill temp.findings of `db`, a connection of `s`. Whatever is wrong with
 * the host is a finding; the handle holds only what kept us from looking. */
void via_doctor_look(struct via_store *s, struct via_sql *db);

/* In the store's transaction: intend to mend the finding `rid` of the last look. One that is not
 * fixable, or is gone, is passed over. */
void via_doctor_intend(struct via_store *s, int64_t rid);

/* Before a store is opened: let the owner in where the modes of his own files keep him out of the
 * control plane, for nothing is mended that cannot be recorded. Nobody else gets a right; what else
 * is wrong with a mode is a finding. Returns how many modes were changed. */
int via_doctor_admit(void);

#endif
