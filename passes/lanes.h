/* lanes.h - private to passes/: the parts of the pass `lanes`. */
#ifndef VYREC_PASSES_LANES_H
#define VYREC_PASSES_LANES_H
#include "passes/make.h"

/* async.c: asynchronous copies happen where they start. Returns true if there were any. */
bool vyrec_lower_async(struct vyrec_module *m, vyrec_block block, const struct vyrec_pass_options *options);

/* A body whose lanes become loops. */
struct vyrec_crew {
	struct vyrec_body body;
	const char *what; /* "op", "program" */
	vyrec_name name;
	uint32_t lanes, subgroup;
	uint32_t size[3]; /* of the workgroup of a program; lanes 1 1 for an op */
};
/* split.c: runs more than one lane as loops, split at barriers and collectives. False on error. */
bool vyrec_split_lanes(struct vyrec_module *m, const struct vyrec_crew *crew, const struct vyrec_pass_options *options,
		       struct vyrec_diags *diags);
/* gather.c: what the lanes give a reduction to begin with (type), and the operation that adds one more. */
vyrec_op vyrec_reduction(vyrec_collective collective, vyrec_type type, uint64_t *identity);

#endif
