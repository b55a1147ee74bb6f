/* floor_cuda.h - the driver calls that the floors of a GPU need: a row each, with prototypes of our own, found with dlopen.
 *
 * Not the loader's table (runtime/device/cuda_driver.h): a floor must not share the code that it is a floor for, and graphs
 * are no business of a loader. tests/cuda/floor_header_test.c holds it against the toolkit's header.
 */
#ifndef VYRE_BENCH_FLOOR_CUDA_H
#define VYRE_BENCH_FLOOR_CUDA_H
#include <stddef.h>
#include <stdint.h>

#include "device.h"

typedef unsigned cu_result;
typedef int cu_device;
typedef unsigned long long cu_address;
typedef struct CUctx_st *cu_context;
typedef struct CUmod_st *cu_module;
typedef struct CUfunc_st *cu_function;
typedef struct CUstream_st *cu_stream;
typedef struct CUgraph_st *cu_graph;
typedef struct CUgraphNode_st *cu_node;
typedef struct CUgraphExec_st *cu_exec;

/* CUDA_KERNEL_NODE_PARAMS_v2 */
struct cu_node_params {
	cu_function function;
	unsigned grid[3], block[3], shared_bytes;
	void **params, **extra;
	void *kernel; /* only where function is NULL */
	cu_context context;
};

/*   name, version that is asked for, parameters */
#define CU_LIST(X) \
	X(cuInit, , (unsigned)) \
	X(cuDriverGetVersion, , (int *)) \
	X(cuGetErrorName, , (cu_result, const char **)) \
	X(cuGetErrorString, , (cu_result, const char **)) \
	X(cuDeviceGet, , (cu_device *, int)) \
	X(cuDeviceGetAttribute, , (int *, unsigned, cu_device)) \
	X(cuDevicePrimaryCtxRetain, , (cu_context *, cu_device)) \
	X(cuDevicePrimaryCtxRelease, _v2, (cu_device)) \
	X(cuCtxPushCurrent, _v2, (cu_context)) \
	X(cuCtxPopCurrent, _v2, (cu_context *)) \
	X(cuModuleLoadDataEx, , (cu_module *, const void *, unsigned, unsigned *, void **)) \
	X(cuModuleGetFunction, , (cu_function *, cu_module, const char *)) \
	X(cuModuleUnload, , (cu_module)) \
	X(cuMemHostAlloc, , (void **, size_t, unsigned)) \
	X(cuMemHostGetDevicePointer, _v2, (cu_address *, void *, unsigned)) \
	X(cuMemFreeHost, , (void *)) \
	X(cuMemAlloc, _v2, (cu_address *, size_t)) \
	X(cuMemFree, _v2, (cu_address)) \
	X(cuMemcpyHtoDAsync, _v2, (cu_address, const void *, size_t, cu_stream)) \
	X(cuMemcpyDtoHAsync, _v2, (void *, cu_address, size_t, cu_stream)) \
	X(cuStreamCreate, , (cu_stream *, unsigned)) \
	X(cuStreamDestroy, _v2, (cu_stream)) \
	X(cuStreamSynchronize, , (cu_stream)) \
	X(cuLaunchKernel, , (cu_function, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, cu_stream, \
			     void **, void **)) \
	CU_GRAPH_LIST(X)
#define CU_GRAPH_LIST(X) \
	X(cuGraphCreate, , (cu_graph *, unsigned)) \
	X(cuGraphAddKernelNode, _v2, (cu_node *, cu_graph, const cu_node *, size_t, const struct cu_node_params *)) \
	X(cuGraphInstantiate, WithFlags, (cu_exec *, cu_graph, unsigned long long)) \
	X(cuGraphLaunch, , (cu_exec, cu_stream)) \
	X(cuGraphExecDestroy, , (cu_exec)) \
	X(cuGraphDestroy, , (cu_graph))

/*   name in the toolkit's header, value */
#define CU_CONSTANT_LIST(X) \
	X(CU_MEMHOSTALLOC_PORTABLE, 1) \
	X(CU_MEMHOSTALLOC_DEVICEMAP, 2) \
	X(CU_STREAM_NON_BLOCKING, 1) \
	X(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, 16) \
	X(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, 75) \
	X(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, 76) \
	X(CU_JIT_ERROR_LOG_BUFFER, 5) \
	X(CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES, 6)
enum {
#define X(name, value) FLOOR_##name = value,
	CU_CONSTANT_LIST(X)
#undef X
};

#define FLOOR_PROGRAM_LIST(X) X(tick) X(item) X(ping_pong) X(read)
enum floor_program {
#define X(name) FLOOR_##name,
	FLOOR_PROGRAM_LIST(X)
#undef X
	FLOOR_PROGRAMS
};

enum { FLOOR_STREAMS = 16 };
struct bench_floor {
	void *library;
	struct cu {
#define X(name, suffix, parameters) cu_result (*name) parameters;
		CU_LIST(X)
#undef X
	} cu;
	cu_device device;
	cu_context context;
	cu_stream stream, side[FLOOR_STREAMS]; /* side: for launches side by side */
	int major, minor, multiprocessors, version;
	struct vyre_blob *blob; /* floor.vyre */
	cu_module modules[FLOOR_PROGRAMS];
	cu_function functions[FLOOR_PROGRAMS];
	unsigned lanes[FLOOR_PROGRAMS];
	/* Pinned: words of the ping-pong, then staging for what is copied. Device: params, sum, trap record. */
	volatile uint32_t *words;
	cu_address words_at, small_at;
	/* Made at first use: host memory that the device reads in place, and as much of the device's. */
	uint64_t text_bytes, text_sum;
	void *text;
	cu_address text_at, far_at;
};

/* floor_cuda_open.c */
bool floor_cuda_open(struct bench_floor **out, const char *device);
void floor_cuda_close(struct bench_floor *floor);
void floor_cuda_describe(struct bench_floor *floor, char *text, size_t size);
/* False, with the driver's words, unless the call succeeded. */
bool floor_cuda_ok(struct bench_floor *floor, cu_result result, const char *call);
/* The slice of a unit that the device runs best, loaded. */
bool floor_cuda_load(struct bench_floor *floor, enum bench_blob which, const struct vyre_blob *blob, const char *unit,
		     cu_module *module, cu_function *function, unsigned *lanes);
#define TRY_CU(floor, name, ...) floor_cuda_ok(floor, (floor)->cu.name(__VA_ARGS__), #name)

#endif
