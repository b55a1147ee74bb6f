/* ptx_run.h - a module compiled to PTX in this process and executed by tests/ptx, with the interpreter's own types for
 * buffers and slots, so that a test can put the two beside each other. Nothing of the loader takes part.
 *
 * Every buffer is copied to memory of exactly its size, which is all that the kernel may touch; const buffers are read-only
 * there. Registers that nobody wrote are errors; with an odd seed, stores that nothing orders arrive late. */
#ifndef VYRE_TESTS_PTX_RUN_H
#define VYRE_TESTS_PTX_RUN_H
#include "codegen/codegen.h"
#include "tests/ptx/ptx.h"

struct ptx_run_options {
	vyrec_policy bounds; /* DEFAULT = checked */
	unsigned level;	     /* passes and LLVM; 0 .. 3 */
	const char *target;  /* NULL = sm_80 */
	uint32_t lanes;	     /* of a lowered set's workgroup; 0 = 1 */
	unsigned feed, features; /* VYRE_FEED_*, VYRE_HAS_*: what a set becomes */
	bool mailbox;
	bool one_lane; /* workgroups of one lane, what is `by workgroup` in loops, as for native targets */
};

struct ptx_run {
	struct ptx_run_options options;
	struct vyrec_module *lowered;
	struct vyrec_slice slice;
	struct ptx_module *ptx;
	uint64_t instructions; /* of the last launch */
	char message[PTX_MESSAGE];
};

/* The module must be verified; it is not changed. False with the reason in `message`. */
bool ptx_run_open(struct ptx_run *run, const struct vyrec_module *module, const struct ptx_run_options *options);
void ptx_run_close(struct ptx_run *run);
/* Runs a unit on that many workgroups. Buffers that are not given have no elements. fault[2] = {0, 0} or what it trapped with. */
bool ptx_run_unit(struct ptx_run *run, const char *unit, const uint32_t workgroups[3], uint64_t seed,
		  const struct vyrec_interp_buffer *buffers, uint32_t buffer_count, uint32_t fault[2]);
/* Slots of a set of feed `slots`, all of them published before the launch: statuses, result words and buffers come back. */
bool ptx_run_slots(struct ptx_run *run, const char *set, uint32_t workgroups, uint64_t seed,
		   struct vyrec_interp_slot *slots, uint32_t count, const struct vyrec_interp_buffer *buffers,
		   uint32_t buffer_count);

#endif
