/* generate_effects.h - what generate_effects.c and generate_effects_expr.c share: the body that grows. */
#ifndef VYRE_TESTS_GENERATE_EFFECTS_H
#define VYRE_TESTS_GENERATE_EFFECTS_H
#include "tests/differential/grow.h"

enum { EFFECTS_TARGETS = 12, EFFECTS_LOCALS = 48 };

enum { UNIFORM = 1, MEET = 2 }; /* what an expression must be; what it may hold */

struct target {
	char name[12]; /* of a block; empty: a loop */
	bool together;
};

struct gen {
	struct grow t;
	struct target targets[EFFECTS_TARGETS];
	unsigned target_count, loops;
	unsigned fn;				/* fns that may be called: those before this one */
	unsigned meeting_fn;			/* the same, of those whose lanes meet */
	unsigned width;				/* 0: one lane */
	unsigned caught_targets, caught_locals; /* those outside the catch around, of several lanes */
	bool in_fn, in_program, may_trap, together, arrays;
};

vyrec_type effects_type(struct gen *g);
/* An expression, at most `depth` operations deep. */
void effects_expr(struct gen *g, vyrec_type type, unsigned depth, unsigned flags);
void effects_atomic(struct gen *g, vyrec_type type, unsigned depth);
/* Of the local array: with its name. Of the invocation's own elements: behind the name of a buffer and `[`. */
void effects_tmp_index(struct gen *g, unsigned depth, unsigned flags);
void effects_own_index(struct gen *g, unsigned depth);

#endif
