/* lift.h - private to passes/: takes calls or collectives out of expressions, into statements in front. */
#ifndef VYREC_PASSES_LIFT_H
#define VYREC_PASSES_LIFT_H
#include "passes/make.h"

struct vyrec_lifter {
	struct vyrec_module *m;
	/* Is this node (not its operands) to be lifted? */
	bool (*wants)(const struct vyrec_module *m, vyrec_expr e);
	/* Puts the statements that compute e on `out`, and makes e a literal or a read of a local that nothing writes
	 * later; lifts the operands first (vyrec_lift_operands). A node of type VOID stands alone in an EXPR statement and
	 * may be left as it is when `drops_void`. */
	void (*lower)(struct vyrec_lifter *lifter, vyrec_expr e);
	struct vyrec_list *out; /* statements in front of the one being looked at */
	bool drops_void;	/* an EXPR statement that is a lifted node goes away */
	bool stop;		/* set by lower: an error, leave quickly */
	uint32_t depth;		/* blocks around the statement at hand */
};
/* Copies the statements of a block to the list, everything wanted lifted, child blocks included. */
void vyrec_lift_into(struct vyrec_lifter *lifter, vyrec_block block, struct vyrec_list *out);
/* Lifts from operands in order of evaluation; what is left of each may be evaluated in place, in order. */
void vyrec_lift_operands(struct vyrec_lifter *lifter, const vyrec_expr *operands, uint32_t count);
/* Makes e a read of a new let of what it was. */
void vyrec_lift_bind(struct vyrec_lifter *lifter, vyrec_expr e, const char *base);

#endif
