/* standin_private.h - what the files of the stand-in share.
 *
 *   standin.c         the library, devices, contexts, errors
 *   standin_plan.c    properties, planned results, counts
 *   standin_memory.c  both kinds of memory
 *   standin_stream.c  streams: threads with a queue
 *   standin_module.c  images to functions
 *   standin_launch.c  kernels on threads
 */
#ifndef VYRE_TESTS_STANDIN_PRIVATE_H
#define VYRE_TESTS_STANDIN_PRIVATE_H
#include <pthread.h>
#include <stddef.h>

#include "abi/cpu.h"
#include "abi/cuda.h"
#include "device/cuda_driver.h"
#include "standin.h"

#define EXPORT __attribute__((visibility("default")))

#define X(name, suffix, first, parameters) EXPORT vyre_cu_result name##suffix parameters;
VYRE_CUDA_SYMBOL_LIST(X)
#undef X
#define X(type, name, parameters) EXPORT type name parameters;
STANDIN_FUNCTION_LIST(X)
#undef X

enum {
	CU_OK = 0,
	CU_INVALID_VALUE = 1,
	CU_INVALID_DEVICE = 101,
	CU_INVALID_CONTEXT = 201,
	CU_INVALID_HANDLE = 400,
};

/* ---- standin_plan.c ---- */
enum standin_symbol {
#define X(name, suffix, first, parameters) SYMBOL_##name,
	VYRE_CUDA_SYMBOL_LIST(X)
#undef X
	SYMBOL_kernel,
	SYMBOL_COUNT
};
enum standin_property {
#define X(name, value, meaning) PROPERTY_##name,
	STANDIN_PROPERTY_LIST(X)
#undef X
	PROPERTY_COUNT
};
int64_t standin_property(enum standin_property property);
/* Counts a call; what it must answer by plan, else 0. */
vyre_cu_result standin_count(enum standin_symbol symbol);

/* ---- standin.c ---- */
/* A mistake that the driver would not report. Does not return. */
void standin_mistake(const char *what, ...) __attribute__((noreturn, format(printf, 1, 2)));
/* The result that the context died of; 0 = it lives. */
vyre_cu_result standin_lost(void);
const int *standin_lost_word(void);
void standin_add_live(int64_t change);
/* How every call that works on a context starts: counted, planned, alive, current. */
vyre_cu_result standin_call(enum standin_symbol symbol);
#define CALL(name) \
	do { \
		vyre_cu_result call_result_ = standin_call(SYMBOL_##name); \
		if (call_result_ != CU_OK) \
			return call_result_; \
	} while (0)

/* ---- standin_memory.c ---- */
/* Where the bytes of a device address are, which must lie with `bytes` more in one block; NULL = nowhere. */
void *standin_bytes(vyre_cu_address address, uint64_t bytes);
/* Is this one of the device's addresses at all? */
int standin_is_address(uint64_t value);
/* Every block, as the host sees it, for who checks accesses; the caller frees them. */
struct standin_block {
	void *data;
	uint64_t bytes;
	int is_pinned;
};
struct standin_block *standin_copy_blocks(uint32_t *count);
void standin_forget_memory(void);

/* ---- standin_module.c ---- */
void standin_forget_limits(void);
/* Before a launch: what lanes need is there, or nothing runs. */
void standin_need_local(void);
void standin_forget_modules(void);

/* ---- standin_stream.c ---- */
struct standin_work {
	struct standin_work *next;
	void (*run)(struct standin_work *work); /* frees it */
};
/* Takes the work over. */
vyre_cu_result standin_enqueue(vyre_cu_stream stream, struct standin_work *work);

/* ---- standin_launch.c ---- */
uint32_t standin_capacity(void); /* workgroups at a time */
uint32_t standin_running_kernels(void);

#endif
