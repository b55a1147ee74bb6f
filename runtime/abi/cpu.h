/* cpu.h - how the loader calls a kernel in a native (ELF) slice.
 *
 * A slice is one ELF shared image without dynamic relocations, without writable segments, without imports and without
 * constructors: the loader maps its PT_LOAD segments and calls entry points by the virtual address that the blob gives.
 * Every entry has the type vyre_cpu_entry and follows the platform's C calling convention. It may be called by any
 * number of threads at once, each with a launch record of its own; it keeps no state between calls.
 */
#ifndef VYRE_ABI_CPU_H
#define VYRE_ABI_CPU_H
#include <stdint.h>
#include "assert.h"

/* One bound buffer. `count` is in elements of the buffer's declared type; data is aligned to 64 bytes, NULL only with
 * count 0. */
struct vyre_cpu_buffer {
	void *data;
	uint64_t count;
};

/* One workgroup's call. Offsets are part of the ABI and are asserted below. */
struct vyre_cpu_launch {
	uint32_t workgroup[3];  /* which workgroup this call is */
	uint32_t workgroups[3]; /* how many there are */
	uint32_t buffer_count;
	uint32_t reserved;
	const struct vyre_cpu_buffer *buffers; /* in the order of the unit's buffer table in the blob */
	uint32_t trap_code;                    /* out: 0, or VYRE_FAULT_* when the program itself trapped */
	uint32_t trap_detail;                  /* out */
};

VYRE_STATIC_ASSERT(sizeof(struct vyre_cpu_buffer) == 16, "buffer record");
VYRE_STATIC_ASSERT(sizeof(struct vyre_cpu_launch) == 48, "launch record");

typedef void (*vyre_cpu_entry)(struct vyre_cpu_launch *launch);

/* The `launch` buffer of an assembled megakernel: plain u32 words, one buffer a workgroup, bound by the loader. */
#define VYRE_LAUNCH_FIELDS(X) \
	X(ROUND_LIMIT, 0, "leave after this many rounds; 0 = no limit") \
	X(IDLE_LIMIT,  1, "leave after this many empty polls in a row; 0 = no limit") \
	X(WORKERS,     2, "workgroups that serve this ring") \
	X(LEFT,        3, "out: 1 = left for idleness and counted itself in AWAY; 0 = any other reason") \
	X(EPOCH,       4, "kept from launch to launch: the CONFIG_EPOCH that the workgroup last acted on") \
	X(IO_ASKED,    5, "out: 1 = the workgroup has published io entries since it was called") \
	X(IO_SEEN,     6, "kept: LIVE IO_DONE when the workgroup last looked for completed entries") \
	X(SPAWN_FROM,  7, "kept: where the workgroup looks for room for a spawned slot first")
enum {
#define X(name, word, text) VYRE_LAUNCH_##name = word,
	VYRE_LAUNCH_FIELDS(X)
#undef X
	VYRE_LAUNCH_WORDS = 8,
};

#endif
