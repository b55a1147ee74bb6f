/* cuda.h - how the loader launches a kernel in a PTX or CUBIN slice.
 *
 * Every entry is
 *     .visible .entry NAME (.param .u64 pointer0, .param .u64 count0, .param .u64 pointer1, ..., .param .u64 trap)
 * pointer and count, in elements, of each buffer of the unit in the order of its table, then of the mailbox's (abi/mailbox.h)
 * where the slice says so, then the trap record. Pointers are addresses that the device reads and writes directly: device
 * memory or mapped host memory, aligned to VYRE_CUDA_ALIGN bytes; 0 only with count 0. The grid is the workgroups, the
 * block exactly the slice's lanes.
 *
 * The trap record takes what a program that traps outside every catch leaves, of the lane with the lowest index
 * (workgroup index x lanes + lane, both linear, x first) alone. Two 64-bit words, all ones = nobody has trapped:
 *     word 0 = min over lanes of  index << 8  | code         word 1 = min over lanes of  index << 32 | detail
 * so a grid has at most 2^32 lanes, and code fits 8 bits (VYRE_FAULT_*). A lane that traps ends.
 */
#ifndef VYRE_ABI_CUDA_H
#define VYRE_ABI_CUDA_H
#include <stdint.h>
#include "assert.h"

enum {
	VYRE_CUDA_MAX_BUFFERS = 255, /* 16 bytes each and the trap record's 8: the 4096 bytes of .param space */
	VYRE_CUDA_TRAP_CODE_BITS = 8,
	VYRE_CUDA_ALIGN = 64, /* of every buffer's address */
};
struct vyre_cuda_trap {
	uint64_t code, detail;
};
#define VYRE_CUDA_NO_TRAP UINT64_MAX

VYRE_STATIC_ASSERT(VYRE_CUDA_MAX_BUFFERS * 16 + 8 <= 4096, "kernel parameters");
VYRE_STATIC_ASSERT(sizeof(struct vyre_cuda_trap) == 16, "trap record");

#endif
