/* ptx.h - PTX text, parsed and executed on the CPU, so that what a kernel does is seen without a GPU.
 *
 * Every lane has its own place in the program; a seeded scheduler interleaves lanes one instruction at a time, and nothing
 * is in step unless the text asks for it. Whatever the PTX manual leaves undefined, and hardware would let pass silently, is an
 * error here: a barrier or .sync that not all named lanes reach, misaligned and out-of-bounds accesses, reads of
 * registers that nobody wrote, types that do not fit. So is every instruction that this library does not know.
 *
 * Addresses: global memory is the host's memory, at the host's addresses. Shared, local, const and param addresses are
 * offsets from 0; cvta makes generic ones of them, which are host addresses again.
 */
#ifndef VYRE_TESTS_PTX_H
#define VYRE_TESTS_PTX_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ptx_module;
struct ptx_function;

enum { PTX_MESSAGE = 2048, PTX_WARP = 32, PTX_MAX_LANES = 1024 };

/* The text need not end in a NUL and is copied. NULL with `line N: what` in message. */
struct ptx_module *ptx_module_parse(const char *text, size_t bytes, char message[PTX_MESSAGE]);
void ptx_module_destroy(struct ptx_module *module); /* NULL is fine; not while a launch runs */

/* NULL if there is no .entry of that name. */
const struct ptx_function *ptx_entry_find(const struct ptx_module *module, const char *name);
const struct ptx_function *ptx_entry_at(const struct ptx_module *module, unsigned index); /* NULL past the end */
const char *ptx_entry_name(const struct ptx_function *entry);
/* A module-scope .global or .const variable: its host address, or NULL. */
void *ptx_variable_find(const struct ptx_module *module, const char *name, size_t *bytes);

struct ptx_entry_info {
	uint32_t param_count, param_bytes;
	uint32_t reqntid[3], maxntid[3]; /* 0 where the text is silent */
	uint32_t shared_bytes, local_bytes;
	uint32_t slots; /* 64-bit words a lane holds */
};
void ptx_entry_get_info(const struct ptx_function *entry, struct ptx_entry_info *info);
/* Where a parameter lies in the parameter bytes: what cuLaunchKernel's kernelParams[index] points to goes there. */
bool ptx_entry_param(const struct ptx_function *entry, unsigned index, uint32_t *offset, uint32_t *bytes);

/* Memory that kernels may touch. With a list of them, everything else is out of bounds.
 * SYSTEM: mapped host memory behind PCIe. Strong accesses there must have .sys scope, and atom and red are refused.
 * Without WRITE it is constant for the launch: ld.global.nc is allowed nowhere else, but where it is UNSTATED what changes. */
enum { PTX_READ = 1, PTX_WRITE = 2, PTX_SYSTEM = 4, PTX_UNSTATED = 8 };
struct ptx_range {
	const void *start;
	uint64_t bytes;
	uint32_t flags;
};

struct ptx_launch {
	const struct ptx_function *entry;
	uint32_t grid[3], block[3]; /* 0 counts as 1 */
	const void *params;
	size_t param_bytes;
	uint32_t dynamic_shared; /* bytes of .extern .shared */
	uint64_t seed;
	uint32_t burst;	    /* instructions a lane runs in one go, at most; 0 = mixed */
	uint32_t resident;  /* workgroups that run at a time in one thread, interleaved; 0 = all */
	uint32_t threads;   /* 0 = the calling thread runs all; else host threads, a workgroup each at a time */
	uint64_t step_limit; /* instructions a thread may run before the launch is an error; 0 = none */
	const struct ptx_range *ranges; /* NULL = all memory above the first page is fine */
	unsigned range_count;
	const int *stop; /* nonzero (written with __atomic_store_n by anybody): end the launch; or NULL */
	bool careful;	 /* reading a register that nobody wrote is an error; slower */
	bool late;	 /* stores that nothing orders arrive late and in any order (ptx_late.c); slower */
};

enum ptx_outcome { PTX_ENDED, PTX_STOPPED, PTX_ERROR };
struct ptx_result {
	enum ptx_outcome outcome;
	uint64_t instructions;
	char message[PTX_MESSAGE]; /* of an error: what, line, text, workgroup and lane */
};
/* Runs a grid to its end. Several launches of one module may run at a time. True if it ended by itself. */
bool ptx_launch(const struct ptx_launch *launch, struct ptx_result *result);

#endif
