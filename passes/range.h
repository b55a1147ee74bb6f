/* range.h - private to passes/: what is known about the value of a u32 expression. */
#ifndef VYREC_PASSES_RANGE_H
#define VYREC_PASSES_RANGE_H
#include "passes/make.h"

/* low <= value <= high, as unsigned numbers of the type's width. */
struct vyrec_range {
	uint64_t low, high;
};

/* "local < length(array)", learned from a condition or a loop. */
struct vyrec_below {
	vyrec_local local;
	vyrec_array array;
};

/* Facts at one point of a body. Grows and shrinks like a stack as a walk enters and leaves blocks. */
struct vyrec_facts {
	const struct vyrec_module *m;
	uint32_t lanes;		    /* most lanes of the workgroup */
	const uint32_t *workgroup;  /* of a program, or NULL */
	struct vyrec_range *ranges; /* by local; {0, max of the type} when nothing is known */
	vyrec_array *length_of;	    /* by local: a let of length(array) */
	struct vyrec_list lengths;  /* the locals that have one */
	struct vyrec_below *below;
	uint32_t below_count, below_capacity;
	struct vyrec_undo {
		vyrec_local local;
		struct vyrec_range range;
	} * undo; /* ranges to put back on leaving */
	uint32_t undo_count, undo_capacity;
};
struct vyrec_mark {
	uint32_t below, undo;
};

void vyrec_facts_begin(struct vyrec_facts *facts, const struct vyrec_module *m, const struct vyrec_body *body);
void vyrec_facts_finish(struct vyrec_facts *facts);
struct vyrec_mark vyrec_facts_enter(const struct vyrec_facts *facts);
void vyrec_facts_leave(struct vyrec_facts *facts, struct vyrec_mark mark);
/* A let, for the rest of its scope. */
void vyrec_facts_let(struct vyrec_facts *facts, vyrec_local local, vyrec_expr value);
/* The body of a counted loop. */
void vyrec_facts_for(struct vyrec_facts *facts, vyrec_stmt loop);
/* A block where the condition was true, or false. */
void vyrec_facts_assume(struct vyrec_facts *facts, vyrec_expr condition, bool truth);
/* From here on a length may be another: a slot that stops may go on in a later launch, on other buffers. What was learned
 * of lengths so far is not true any more, also behind the scopes that are open. */
void vyrec_facts_forget_lengths(struct vyrec_facts *facts);
/* Is the value of an index certainly inside the array? */
bool vyrec_facts_in_range(const struct vyrec_facts *facts, vyrec_expr index, vyrec_array array);
struct vyrec_range vyrec_facts_range(const struct vyrec_facts *facts, vyrec_expr e);

#endif
