/* floor_cuda.h - the driver calls that the floors of a GPU need: a row each, with prototypes of our own, found with dlopen.
 *
 * Not the loader's table (runtime/device/cuda_driver.h): a floor must not share the code that it is a floor for, and graphs
 * are no business of a loader. The second column is the exported name that the toolkit's header maps the first one to.
 */
#ifndef VYRE_BENCH_FLOOR_CUDA_H
#define VYRE_BENCH_FLOOR_CUDA_H
#include <stddef.h>
#include <stdint.h>

#include "device.h"

typedef int cu_result, cu_device;
typedef uint64_t cu_address;
typedef void *cu_context, *cu_module, *cu_function, *cu_stream, *cu_graph, *cu_node, *cu_exec;

/* CUDA_KERNEL_NODE_PARAMS_v2 */
struct cu_node_params {
	cu_function function;
	unsigned grid[3], block[3], shared_bytes;
	void **params, **extra;
	void *kernel;
	cu_context context;
};

#define CU_LIST(X) \
	X(Init,                   "cuInit",                       (unsigned)) \
	X(DriverGetVersion,       "cuDriverGetVersion",           (int *)) \
	X(GetErrorName,           "cuGetErrorName",               (cu_result, const char **)) \
	X(GetErrorString,         "cuGetErrorString",             (cu_result, const char **)) \
	X(DeviceGet,              "cuDeviceGet",                  (cu_device *, int)) \
	X(DeviceGetAttribute,     "cuDeviceGetAttribute",         (int *, int, cu_device)) \
	X(DevicePrimaryCtxRetain, "cuDevicePrimaryCtxRetain",     (cu_context *, cu_device)) \
	X(DevicePrimaryCtxRelease, "cuDevicePrimaryCtxRelease_v2", (cu_device)) \
	X(CtxPushCurrent,         "cuCtxPushCurrent_v2",          (cu_context)) \
	X(CtxPopCurrent,          "cuCtxPopCurrent_v2",           (cu_context *)) \
	X(ModuleLoadDataEx,       "cuModuleLoadDataEx",           (cu_module *, const void *, unsigned, int *, void **)) \
	X(ModuleGetFunction,      "cuModuleGetFunction",          (cu_function *, cu_module, const char *)) \
	X(ModuleUnload,           "cuModuleUnload",               (cu_module)) \
	X(MemHostAlloc,           "cuMemHostAlloc",               (void **, size_t, unsigned)) \
	X(MemHostGetDevicePointer, "cuMemHostGetDevicePointer_v2", (cu_address *, void *, unsigned)) \
	X(MemFreeHost,            "cuMemFreeHost",                (void *)) \
	X(MemAlloc,               "cuMemAlloc_v2",                (cu_address *, size_t)) \
	X(MemFree,                "cuMemFree_v2",                 (cu_address)) \
	X(MemcpyHtoDAsync,        "cuMemcpyHtoDAsync_v2",         (cu_address, const void *, size_t, cu_stream)) \
	X(MemcpyDtoHAsync,        "cuMemcpyDtoHAsync_v2",         (void *, cu_address, size_t, cu_stream)) \
	X(StreamCreate,           "cuStreamCreate",               (cu_stream *, unsigned)) \
	X(StreamDestroy,          "cuStreamDestroy_v2",           (cu_stream)) \
	X(StreamSynchronize,      "cuStreamSynchronize",          (cu_stream)) \
	X(LaunchKernel,           "cuLaunchKernel",               (cu_function, unsigned, unsigned, unsigned, unsigned, unsigned, \
								   unsigned, unsigned, cu_stream, void **, void **)) \
	X(GraphCreate,            "cuGraphCreate",                (cu_graph *, unsigned)) \
	X(GraphAddKernelNode,     "cuGraphAddKernelNode_v2",      (cu_node *, cu_graph, const cu_node *, size_t, \
								   const struct cu_node_params *)) \
	X(GraphInstantiate,       "cuGraphInstantiateWithFlags",  (cu_exec *, cu_graph, unsigned long long)) \
	X(GraphLaunch,            "cuGraphLaunch",                (cu_exec, cu_stream)) \
	X(GraphExecDestroy,       "cuGraphExecDestroy",           (cu_exec)) \
	X(GraphDestroy,           "cuGraphDestroy",               (cu_graph))

enum {
	CU_HOST_PORTABLE = 1, CU_HOST_DEVICEMAP = 2, CU_STREAM_NON_BLOCKING = 1,
	CU_ATTRIBUTE_MULTIPROCESSORS = 16, CU_ATTRIBUTE_MAJOR = 75, CU_ATTRIBUTE_MINOR = 76,
	CU_JIT_ERROR_LOG = 5, CU_JIT_ERROR_LOG_BYTES = 6,
};

#define FLOOR_PROGRAM_LIST(X) X(tick) X(item) X(ping_pong) X(read)
enum floor_program {
#define X(name) FLOOR_##name,
	FLOOR_PROGRAM_LIST(X)
#undef X
	FLOOR_PROGRAMS
};

struct bench_floor {
	void *library;
	struct cu {
#define X(name, symbol, parameters) cu_result (*name) parameters;
		CU_LIST(X)
#undef X
	} cu;
	cu_device device;
	cu_context context;
	cu_stream stream;
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
#define TRY_CU(floor, name, ...) floor_cuda_ok(floor, (floor)->cu.name(__VA_ARGS__), "cu" #name)

#endif
