/* cpu_run.h - a module compiled and run on the cpu device through the public interfaces, with the interpreter's own
 * types for buffers and slots, so that a test can put the two beside each other. With a target for NVIDIA it is compiled to PTX
 * and executed without the loader (ptx_run.h), the slots of a live set by the feed `slots`; or, with a device, as there. */
#ifndef VYRE_TESTS_CPU_RUN_H
#define VYRE_TESTS_CPU_RUN_H
#include "ir/ir.h"
#include "tests/common/blob_run.h"

struct cpu_run_options {
	vyrec_policy bounds; /* DEFAULT = checked */
	unsigned level;      /* passes and LLVM; 0 .. 3 */
	unsigned workers;    /* 0 = 1 */
	const char *target;  /* NULL = x86-64-v3 */
	const char *device;  /* to open; NULL = "cpu", or for NVIDIA none */
	uint32_t lanes;	     /* of a lowered set's workgroup, NVIDIA; 0 = 1 */
	unsigned feed, features; /* VYRE_FEED_*, VYRE_HAS_*: what a set becomes; 0 = live, nothing asked for */
	uint32_t slots;		 /* that a scanning feed declares; 0 = known at run time */
	uint32_t spawned;	 /* room for spawned slots; 0 = the loader's own */
};

/* A compiled module on an open device. Every call returns false with the reason in `message`. */
struct cpu_run {
	struct blob_run on;
	struct cpu_run_options options;
	struct ptx_run *ptx;	     /* programs, or NULL */
	struct ptx_run *slots;	     /* sets whose slots are run one a lane */
	struct vyrec_module *module; /* to make these of */
	char message[512];
};
/* A generated text as a verified module, or NULL with its errors and its seed printed. */
struct vyrec_module *cpu_run_read(const char *text, uint64_t seed);

/* The module must be verified; it is not changed. */
bool cpu_run_open(struct cpu_run *run, const struct vyrec_module *module, const struct cpu_run_options *options);
void cpu_run_close(struct cpu_run *run);
/* blob_run.h's, of the module's blob. */
bool cpu_run_slots(struct cpu_run *run, const char *set, struct vyrec_interp_slot *slots, uint32_t count,
		   const struct vyrec_interp_buffer *buffers, uint32_t buffer_count);
bool cpu_run_program(struct cpu_run *run, const char *program, const uint32_t workgroups[3],
		     const struct vyrec_interp_buffer *buffers, uint32_t buffer_count, uint32_t fault[2]);

#endif
