/* verify_lanes.h - what differs from lane to lane at a place of the walk of verify_uniform.c; private to the verifier. */
#ifndef VYREC_VERIFY_LANES_H
#define VYREC_VERIFY_LANES_H
#include "ir/ir.h"

/* Where lanes that went different ways meet again. */
struct lanes_target {
	vyrec_local label;	/* of a block, or 0 */
	bool loop, body;	/* a loop; the whole body of an op, program or fn */
	bool left, skipped;	/* some lanes broke out; some lanes continued */
	bool breaks, continues; /* any break or continue goes to it at all */
};

struct lanes {
	unsigned apart;	 /* conditions around, and targets that some lanes have gone to; 0: all are here */
	uint8_t *locals; /* divergent */
	struct lanes_change *trail;
	uint32_t trail_count, trail_capacity;
	struct vyrec_list ever; /* locals, each time that one became divergent */
	struct lanes_target *targets;
	uint32_t target_count, target_capacity;
	uint32_t *loop_index; /* by stmt: place in `loops` + 1 */
	struct lanes_loop *loops;
	uint32_t loop_count, loop_capacity;
	uint32_t *seen; /* by local: join that has taken it */
	uint32_t joins;
};

void lanes_open(struct lanes *l, const struct vyrec_module *m); /* all are together, and agree on everything */
void lanes_close(struct lanes *l);

/* ---- values -------------------------------------------------------------------------------------------------------- */

/* A moment of the walk. */
struct lanes_mark {
	uint32_t trail, ever, loops;
};
struct lanes_mark lanes_now(const struct lanes *l);

void lanes_set(struct lanes *l, vyrec_local local, bool divergent);
/* What was divergent at any time since the mark is divergent now: control may have left at any place. */
void lanes_join_any_time(struct lanes *l, struct lanes_mark mark);
/* Takes the changes since the mark back. */
void lanes_rewind(struct lanes *l, struct lanes_mark mark);
/* The same, and what the walk has learnt meanwhile is forgotten too: a body ends. */
void lanes_forget(struct lanes *l, struct lanes_mark mark);

/* Branches that start at one mark; `falls`: control can reach the end of this one. */
struct lanes_branches {
	struct lanes_mark mark;
	unsigned falling; /* branches that go on behind the join */
	struct vyrec_list after;
};
void lanes_end_branch(struct lanes *l, struct lanes_branches *b, bool falls);
bool lanes_join(struct lanes *l, struct lanes_branches *b); /* true if control goes on behind it */

/* ---- control ------------------------------------------------------------------------------------------------------- */

uint32_t lanes_open_target(struct lanes *l, struct lanes_target target);
void lanes_close_target(struct lanes *l); /* the innermost: whoever has gone there is back */
/* Of a break with this label, or of the innermost loop. */
struct lanes_target *lanes_find_target(struct lanes *l, vyrec_local label);
struct lanes_target *lanes_find_body(struct lanes *l);
void lanes_go(struct lanes *l, bool *gone);   /* some lanes go; `gone` is a target's `left` or `skipped` */
void lanes_meet(struct lanes *l, bool *gone); /* they are back */

/* ---- turns of a loop, whose target is the innermost ------------------------------------------------------------------ */

/* What earlier turns have found holds at the start of this one. */
void lanes_begin_turn(struct lanes *l, vyrec_stmt loop);
/* Takes from the turn since the mark what the next one must start with: divergent locals if its `end` is reached, and
 * whether some lanes `left` it. True if there was something new. */
bool lanes_end_turn(struct lanes *l, vyrec_stmt loop, struct lanes_mark mark, bool end, bool left);

#endif
