/* reference_kernel.h - opcodes, buffers and entries of the kernels in reference_kernel.c. */
#ifndef REFERENCE_KERNEL_H
#define REFERENCE_KERNEL_H
#include "abi/cpu.h"

enum {
	REFERENCE_OP_NOTHING = 8,   /* () counted in METRICS[8] */
	REFERENCE_OP_ADD = 0x100,   /* (a, b) result(0) = a + b */
	REFERENCE_OP_MARK = 0x101,  /* (i) marks[i] += 1 */
	REFERENCE_OP_BLOCK = 0x102, /* (i), below 8: gate[i + 8] = 1, then spins until gate[i] != 0 */
	REFERENCE_OP_TRAP = 0x103,  /* (code) FAULT 5, detail code */
	REFERENCE_OP_LOG = 0x104,   /* (id, a, b) */
	REFERENCE_OP_LOAD = 0x105,  /* (resource, offset, bytes, destination, at) waits for the host's i/o */
	REFERENCE_OP_WINDOW = 0x40100005, /* () in the window of tenant 1 */
	/* bindings of the set's own buffers, and of those that features bring */
	REFERENCE_MARKS = 5,
	REFERENCE_GATE = 6,
	REFERENCE_FRAMES = 7,
	REFERENCE_QUEUE = 8,
};

#define REFERENCE_ENTRY __attribute__((visibility("default")))

void reference_entry(struct vyre_cpu_launch *launch);
void never_claims_entry(struct vyre_cpu_launch *launch);
void leaves_at_once_entry(struct vyre_cpu_launch *launch);
void nonsense_entry(struct vyre_cpu_launch *launch);
void grid_entry(struct vyre_cpu_launch *launch);

/* feature_kernel.c; linked only */
void feature_entry(struct vyre_cpu_launch *launch);

#endif
