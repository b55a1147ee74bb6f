/* generate_expr.h - what generate.c and generate_expr.c share: the handler that grows. */
#ifndef VYRE_TESTS_GENERATE_EXPR_H
#define VYRE_TESTS_GENERATE_EXPR_H
#include "tests/differential/grow.h"

enum shape { BY_LANE, BY_ANY_WIDTH, BY_FIXED_WIDTH };

struct gen {
	struct grow t;
	unsigned op;
	enum shape shape;
	unsigned width;	    /* of BY_FIXED_WIDTH */
	unsigned one_width; /* of all of them; 0 = each its own */
	bool lane_values;   /* may an expression depend on the lane here? */
	bool suspends;	    /* sprinkle suspension points */
};

vyrec_type generate_type(struct gen *g);
/* An expression of the type, at most `depth` operations deep; reads inputs and locals, writes nothing. */
void generate_expr(struct gen *g, vyrec_type type, unsigned depth);

#endif
