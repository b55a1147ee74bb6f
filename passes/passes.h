/* passes.h - from verified IR to IR that a backend can lower.
 *
 * One flat pipeline (pipeline.c), one file and one function a pass, one row here. A pass rewrites the module in place
 * and says what it did; the runner verifies after each, prints, times and audits ("claimed no change").
 */
#ifndef VYREC_PASSES_H
#define VYREC_PASSES_H
#include "ir/ir.h"

/* In the order in which the pipeline first comes to them; pipeline.c has the whole order.
 *   name     meaning */
#define VYREC_PASS_LIST(X) \
	X(inline,  "replaces every call of a fn by its body") \
	X(lanes,   "runs a workgroup of N lanes as loops, split at barriers (targets with one lane)") \
	X(fold,    "computes constants and applies algebra") \
	X(bounds,  "gives every access its policy; one check in front of a loop where its range is known") \
	X(mega,    "makes one program, a scheduler with a switch over the handlers, of every set") \
	X(dce,     "removes values and statements that nobody needs")

typedef enum vyrec_pass {
#define X(name, meaning) VYREC_PASS_##name,
	VYREC_PASS_LIST(X)
#undef X
	VYREC_PASS_COUNT
} vyrec_pass;

struct vyrec_pass_options {
	vyrec_policy bounds;  /* what accesses without a policy of their own get; DEFAULT = CHECKED */
	unsigned level;       /* 0: only what a backend needs; 1, 2: all of it */
	unsigned feed;        /* VYRE_FEED_*; 0 = LIVE: what megakernel assembly builds */
	unsigned features;    /* VYRE_HAS_ BUILTINS, SERVICE, IO, FUSED, CONTROL_REPORT, ONCE: those asked for; the others
			       * follow from what the handlers contain */
	unsigned lanes;       /* of a lowered set's workgroup; 0 = 1; not asked for when one_lane */
	bool mailbox;         /* feed live: host and device meet by abi/mailbox.h, and the scheduler has all lanes. With
			       * one_lane too, which is how tests run it on threads */
	uint32_t slots;       /* what a scanning feed's ring_buffer is declared to hold; 0 = known at run time */
	bool one_lane;        /* the target has one lane a workgroup (native CPU): run `lanes` */
	bool keep_sets;       /* stop before `mega`: handlers stay handlers (interpreter, --emit=ir of passes) */
	const char *print_after; /* name of a pass, "all", or NULL */
	bool time, audit;
	FILE *log;            /* where prints and times go; NULL = stderr */
};

struct vyrec_pass_times {
	double milliseconds[VYREC_PASS_COUNT];
	double verify;
};

/* Each returns true if it changed the module; errors go to diags. */
#define X(name, meaning) \
	bool vyrec_pass_##name(struct vyrec_module *module, const struct vyrec_pass_options *options, \
			       struct vyrec_diags *diags);
VYREC_PASS_LIST(X)
#undef X
const char *vyrec_pass_name(vyrec_pass pass);
const char *vyrec_pass_meaning(vyrec_pass pass);

/* Runs the pipeline on a verified module. False on error. After it every unit is a PROGRAM (a set has become one, with
 * its name and unit->feed set; its handlers remain in the items for the blob writer's tables, their bodies empty);
 * no access has policy DEFAULT; no CALL is left; with one_lane, no LANE, LANES, LOCAL_ID, GLOBAL_ID or SUBGROUP_*
 * builtin, no collective and no workgroup barrier is left. */
bool vyrec_run_pipeline(struct vyrec_module *module, const struct vyrec_pass_options *options,
			struct vyrec_diags *diags, struct vyrec_pass_times *times);
/* Runs one pass by itself, verified after; for tests and --passes=. */
bool vyrec_run_pass(struct vyrec_module *module, vyrec_pass pass, const struct vyrec_pass_options *options,
		    struct vyrec_diags *diags);

/* Sharpened in the fold pass, used by others: is the expression free of effects, and free of reads of memory? */
bool vyrec_expr_is_pure(const struct vyrec_module *module, vyrec_expr expr);
/* Is it a literal (after folding)? */
bool vyrec_expr_is_lit(const struct vyrec_module *module, vyrec_expr expr, uint64_t *bits);

#endif
