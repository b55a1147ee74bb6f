/* standin.h - the stand-in for NVIDIA's driver: a libcuda.so.1 that runs kernels on the host's processors.
 *
 * It has every symbol of VYRE_CUDA_SYMBOL_LIST with the driver's meaning, as far as the loader may rely on it, and is
 * stricter than the driver: what would only hang or race there ends the program here, with a line that says why.
 *     device memory    lies at addresses that the host may not touch; so do the device's addresses of pinned memory
 *     streams          a thread each; what is put on one runs in order
 *     kernels          a thread a workgroup; at most multiprocessors x resident workgroups at a time, the rest waits
 *     modules          PTX text, executed by tests/ptx, or native code behind a struct standin_image
 *     local memory     grows, beyond 1,024 bytes a lane, only when nothing runs
 *     freeing          memory or modules, and setting memory, while a kernel runs: the driver would wait for it, which may be
 *                      for ever, so it is a mistake here; so are the legacy stream and pageable memory in copies
 *
 * A plan makes things go wrong. It is a list of NAME=VALUE with commas, from the environment (VYRE_STANDIN_PLAN) or
 * standin_plan, which replaces it and starts counting anew. NAME is a property of the list below, or
 *     SYMBOL:N     the N-th call of a driver's function (named without its version; * = every one) answers VALUE
 *     kernel:N     the N-th kernel ends with VALUE instead of running; the context is dead from there on
 */
#ifndef VYRE_TESTS_STANDIN_H
#define VYRE_TESTS_STANDIN_H
#include <stdint.h>

/*   name, value without a plan, meaning */
#define STANDIN_PROPERTY_LIST(X) \
	X(driver, 13000, "what cuDriverGetVersion says") \
	X(gpus, 2, "GPUs of one kind") \
	X(sm, 90, "compute capability, major x 10 + minor") \
	X(multiprocessors, 4, "") \
	X(resident, 2, "workgroups at a time on each") \
	X(max_lanes, 1024, "of a workgroup, whatever the function") \
	X(memory, 1 << 30, "bytes of device memory; of pinned memory as much") \
	X(watchdog, 0, "a kernel has a time limit") \
	X(map, 1, "host memory can be mapped") \
	X(cooperate, 1, "workgroups can be launched together") \
	X(local, 0, "bytes of memory of its own that a lane of any function needs") \
	X(seed, 1, "of the order in which lanes of PTX run") \
	X(system, 0, "PTX reaches pinned memory as a GPU behind PCIe should: system scope, no read-modify-write") \
	X(careful, 0, "PTX that reads a register nobody wrote is an error") \
	X(late, 0, "what PTX stores arrives late and in any order, where nothing orders it (tests/ptx/ptx_late.c)") \
	X(pageable, 0, "copies of pageable memory are no mistake")

/* Before native code: what a cubin says of its entries. The ELF image follows the rows. */
#define STANDIN_IMAGE_MAGIC "STANDIN"
enum { STANDIN_NAME_BYTES = 64, STANDIN_MAGIC_BYTES = 8 };
struct standin_image {
	char magic[STANDIN_MAGIC_BYTES];
	uint32_t entries, capability; /* which it was made for */
	struct standin_entry {
		char name[STANDIN_NAME_BYTES];
		uint64_t address; /* virtual, of a vyre_cpu_entry */
		uint32_t buffers, lanes;
	} rows[];
};

/* Found with dlsym: the tests are not linked to the library either. */
#define STANDIN_FUNCTION_LIST(X) \
	X(void, standin_plan, (const char *plan)) \
	X(uint64_t, standin_calls, (const char *symbol)) /* since the plan was made */ \
	X(int64_t, standin_live, (void))                 /* contexts, streams, modules and memory not given back */ \
	X(uint32_t, standin_running, (void))             /* kernels */ \
	X(uint32_t, standin_depth, (void))               /* contexts current on this thread */ \
	X(void, standin_break, (unsigned result))        /* the context dies now, whatever runs */ \
	X(void, standin_forget, (void))                  /* as the end of a process: all is given back; nothing may run */
#endif
