/* witness.h: the runtime stream of the audit: refusals, first grants, operator opens.
 *
 * Writes to runtime.db on a connection of its own, which no operator's transaction can
 * hold. The first refusal of its kind (code, app, instance, binding; code alone without
 * a proved identity) is on disk when the call returns; the rest of that second become
 * one record with a count, written by via_witness_tick(). A kind that does not end gets a record
 * in ten seconds; and when very many kinds come at once, those beyond a budget are counted
 * together, by code, as of the actor "several". Thread-safe. */
#ifndef VIA_CONTROL_WITNESS_H
#define VIA_CONTROL_WITNESS_H

#include "base/root.h"
#include "via/model.h"

struct via_witness;

VIA_MUST_USE enum via_status via_witness_new(const struct via_root *root, struct via_witness **out,
                                             struct via_error *e);
void via_witness_free(struct via_witness *w); /* writes what is still counted */

/* Record a refusal. `claims` is NULL without a proved identity; `binding` may be "".
 * VIA_OK, or why it could not be written (it stays queued, and the refusal stands). */
enum via_status via_witness_refusal(struct via_witness *w, const struct via_claims *claims,
                                    const char *binding, enum via_status code, const char *actor);

/* Record that `claims` was granted `binding`, the first time only (ever, per instance and
 * binding: runtime.db remembers). Cheap when this process has seen it. */
enum via_status via_witness_grant(struct via_witness *w, const struct via_claims *claims,
                                  const char *binding);

/* Record that an operation of `claims` on `binding` was interrupted because of `code`. */
enum via_status via_witness_interrupt(struct via_witness *w, const struct via_claims *claims,
                                      const char *binding, enum via_status code);

/* Record an operator's opening of an add-on's storage, before it is opened. */
enum via_status via_witness_operator_open(struct via_witness *w, const char *actor, const char *app,
                                          const char *addon);

/* Write counted refusals whose second is over. Call about once a second. */
void via_witness_tick(struct via_witness *w);

#endif
