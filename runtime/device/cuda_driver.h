/* cuda_driver.h - the functions of NVIDIA's driver that the loader calls, one row each. Private to device/cuda*.c.
 *
 * A row is the exact symbol that the toolkit's header maps a call to (its version suffix apart, so that a test can hold the
 * two beside each other), the driver from which on it is there (0 = in every one that we take), and its parameters. Types
 * are written out with the header's tags, so that the compiler can say whether they are the same without our including it:
 * tests/cuda/header_test.c does, where a toolkit is installed. The enums of the header are `unsigned` here, as in its ABI.
 */
#ifndef VYRE_CUDA_DRIVER_H
#define VYRE_CUDA_DRIVER_H
#include <stddef.h>
#include <stdint.h>

#include "abi/status.h"

typedef unsigned vyre_cu_result; /* 0 = success */
typedef int vyre_cu_device;
typedef unsigned long long vyre_cu_address;
typedef struct CUctx_st *vyre_cu_context;
typedef struct CUmod_st *vyre_cu_module;
typedef struct CUfunc_st *vyre_cu_function;
typedef struct CUstream_st *vyre_cu_stream;

/* The oldest driver that we take, as cuDriverGetVersion says it, and the release that it came with. */
#define VYRE_CUDA_OLDEST 12000
#define VYRE_CUDA_OLDEST_RELEASE "525"

/*   name, version of the symbol, first driver, parameters */
#define VYRE_CUDA_SYMBOL_LIST(X) \
	X(cuInit, , 0, (unsigned flags)) \
	X(cuDriverGetVersion, , 0, (int *version)) \
	X(cuGetErrorName, , 0, (vyre_cu_result result, const char **text)) \
	X(cuGetErrorString, , 0, (vyre_cu_result result, const char **text)) \
	X(cuDeviceGetCount, , 0, (int *count)) \
	X(cuDeviceGet, , 0, (vyre_cu_device *device, int ordinal)) \
	X(cuDeviceGetName, , 0, (char *name, int size, vyre_cu_device device)) \
	X(cuDeviceGetAttribute, , 0, (int *value, unsigned attribute, vyre_cu_device device)) \
	X(cuDevicePrimaryCtxRetain, , 0, (vyre_cu_context *context, vyre_cu_device device)) \
	X(cuDevicePrimaryCtxRelease, _v2, 0, (vyre_cu_device device)) \
	X(cuCtxPushCurrent, _v2, 0, (vyre_cu_context context)) \
	X(cuCtxPopCurrent, _v2, 0, (vyre_cu_context *context)) \
	X(cuCtxGetLimit, , 0, (size_t *value, unsigned limit)) \
	X(cuCtxSetLimit, , 0, (unsigned limit, size_t value)) \
	X(cuMemAlloc, _v2, 0, (vyre_cu_address *address, size_t bytes)) \
	X(cuMemFree, _v2, 0, (vyre_cu_address address)) \
	X(cuMemHostAlloc, , 0, (void **data, size_t bytes, unsigned flags)) \
	X(cuMemFreeHost, , 0, (void *data)) \
	X(cuMemHostGetDevicePointer, _v2, 0, (vyre_cu_address *address, void *data, unsigned flags)) \
	X(cuMemcpyHtoDAsync, _v2, 0, (vyre_cu_address to, const void *from, size_t bytes, vyre_cu_stream stream)) \
	X(cuMemcpyDtoHAsync, _v2, 0, (void *to, vyre_cu_address from, size_t bytes, vyre_cu_stream stream)) \
	X(cuMemsetD8Async, , 0, (vyre_cu_address to, unsigned char value, size_t bytes, vyre_cu_stream stream)) \
	X(cuStreamCreate, , 0, (vyre_cu_stream *stream, unsigned flags)) \
	X(cuStreamDestroy, _v2, 0, (vyre_cu_stream stream)) \
	X(cuStreamQuery, , 0, (vyre_cu_stream stream)) \
	X(cuStreamSynchronize, , 0, (vyre_cu_stream stream)) \
	X(cuModuleLoadDataEx, , 0, (vyre_cu_module *module, const void *image, unsigned count, unsigned *options, \
				    void **values)) \
	X(cuModuleUnload, , 0, (vyre_cu_module module)) \
	X(cuModuleGetFunction, , 0, (vyre_cu_function *function, vyre_cu_module module, const char *name)) \
	X(cuFuncGetAttribute, , 0, (int *value, unsigned attribute, vyre_cu_function function)) \
	X(cuFuncLoad, , 12040, (vyre_cu_function function)) \
	X(cuOccupancyMaxActiveBlocksPerMultiprocessor, , 0, (int *blocks, vyre_cu_function function, int lanes, \
							     size_t shared_bytes)) \
	X(cuLaunchKernel, , 0, (vyre_cu_function function, unsigned grid_x, unsigned grid_y, unsigned grid_z, \
				unsigned lanes_x, unsigned lanes_y, unsigned lanes_z, unsigned shared_bytes, \
				vyre_cu_stream stream, void **params, void **extra)) \
	X(cuLaunchCooperativeKernel, , 0, (vyre_cu_function function, unsigned grid_x, unsigned grid_y, unsigned grid_z, \
					   unsigned lanes_x, unsigned lanes_y, unsigned lanes_z, unsigned shared_bytes, \
					   vyre_cu_stream stream, void **params))

struct vyre_cuda_driver {
	void *library;
	int version;
#define X(name, suffix, first, parameters) vyre_cu_result(*name##suffix) parameters;
	VYRE_CUDA_SYMBOL_LIST(X)
#undef X
};

/* Constants of the driver's interface: name in the toolkit's header, value. */
#define VYRE_CUDA_CONSTANT_LIST(X) \
	X(CU_STREAM_NON_BLOCKING, 1) \
	X(CU_LIMIT_STACK_SIZE, 0) \
	X(CU_MEMHOSTALLOC_PORTABLE, 1) \
	X(CU_MEMHOSTALLOC_DEVICEMAP, 2) \
	X(CU_JIT_INFO_LOG_BUFFER, 3) \
	X(CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES, 4) \
	X(CU_JIT_ERROR_LOG_BUFFER, 5) \
	X(CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES, 6) \
	X(CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK, 0) \
	X(CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES, 1) \
	X(CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES, 3) \
	X(CU_FUNC_ATTRIBUTE_NUM_REGS, 4) \
	X(CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X, 5) \
	X(CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y, 6) \
	X(CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z, 7) \
	X(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, 16) \
	X(CU_DEVICE_ATTRIBUTE_KERNEL_EXEC_TIMEOUT, 17) \
	X(CU_DEVICE_ATTRIBUTE_CAN_MAP_HOST_MEMORY, 19) \
	X(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, 75) \
	X(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, 76) \
	X(CU_DEVICE_ATTRIBUTE_COOPERATIVE_LAUNCH, 95)
enum {
#define X(name, value) VYRE_##name = value,
	VYRE_CUDA_CONSTANT_LIST(X)
#undef X
};

/* Results that the loader knows more of than the driver's own words:
 *   name (CUDA_ERROR_...), number, what it means for the caller, DEAD = the context takes no call any more, what to do */
#define VYRE_CUDA_RESULT_LIST(X) \
	X(OUT_OF_MEMORY, 2, NOMEM, ALIVE, "free memory or ask for less") \
	X(DEINITIALIZED, 4, DEVICE_LOST, DEAD, "use the device only before the process ends") \
	X(STUB_LIBRARY, 34, UNAVAILABLE, ALIVE, \
	  "take the toolkit's folder of link-time libraries out of the library path, and install NVIDIA's driver") \
	X(DEVICE_UNAVAILABLE, 46, UNAVAILABLE, ALIVE, \
	  "end the process that holds the GPU alone, or change its compute mode (nvidia-smi -c 0)") \
	X(NO_DEVICE, 100, UNAVAILABLE, ALIVE, "look whether nvidia-smi lists a GPU and CUDA_VISIBLE_DEVICES hides it") \
	X(INVALID_IMAGE, 200, UNSUPPORTED, ALIVE, "compile the unit for this device too, or install a newer driver") \
	X(NO_BINARY_FOR_GPU, 209, UNSUPPORTED, ALIVE, "compile the unit for this device too") \
	X(ECC_UNCORRECTABLE, 214, DEVICE_LOST, DEAD, "start the process again; the GPU's memory has failed") \
	X(INVALID_PTX, 218, UNSUPPORTED, ALIVE, "compile the blob again with vyrec; what the driver says is above") \
	X(NVLINK_UNCORRECTABLE, 220, DEVICE_LOST, DEAD, "start the process again; a link between GPUs has failed") \
	X(JIT_COMPILER_NOT_FOUND, 221, UNSUPPORTED, ALIVE, \
	  "install libnvidia-ptxjitcompiler, or compile the unit for this device with --cubin=require") \
	X(UNSUPPORTED_PTX_VERSION, 222, UNSUPPORTED, ALIVE, "install a newer driver") \
	X(JIT_COMPILATION_DISABLED, 223, UNSUPPORTED, ALIVE, \
	  "unset CUDA_DISABLE_PTX_JIT, or compile the unit for this device with --cubin=require") \
	X(CONTAINED, 226, DEVICE_LOST, DEAD, "start the process again; the GPU has ended it") \
	X(OPERATING_SYSTEM, 304, UNAVAILABLE, ALIVE, "look into the system's log; the driver's module may not be loaded") \
	X(NOT_FOUND, 500, MALFORMED, ALIVE, "compile the blob again with vyrec") \
	X(ILLEGAL_ADDRESS, 700, DEVICE_LOST, DEAD, \
	  "start the process again; look for an index out of bounds in a set compiled with unchecked bounds") \
	X(LAUNCH_OUT_OF_RESOURCES, 701, UNSUPPORTED, ALIVE, "use fewer lanes or less workgroup memory") \
	X(LAUNCH_TIMEOUT, 702, DEVICE_LOST, DEAD, \
	  "start the process again; the GPU drives a display, so a kernel must end within seconds") \
	X(CONTEXT_IS_DESTROYED, 709, DEVICE_LOST, DEAD, "let nobody reset the device while it is in use") \
	X(ASSERT, 710, DEVICE_LOST, DEAD, "start the process again") \
	X(HARDWARE_STACK_ERROR, 714, DEVICE_LOST, DEAD, "start the process again") \
	X(ILLEGAL_INSTRUCTION, 715, DEVICE_LOST, DEAD, "start the process again") \
	X(MISALIGNED_ADDRESS, 716, DEVICE_LOST, DEAD, "start the process again") \
	X(INVALID_ADDRESS_SPACE, 717, DEVICE_LOST, DEAD, "start the process again") \
	X(INVALID_PC, 718, DEVICE_LOST, DEAD, "start the process again") \
	X(LAUNCH_FAILED, 719, DEVICE_LOST, DEAD, "start the process again; the system's log may name the fault") \
	X(COOPERATIVE_LAUNCH_TOO_LARGE, 720, INVALID, ALIVE, "use fewer workgroups") \
	X(TENSOR_MEMORY_LEAK, 721, DEVICE_LOST, DEAD, "start the process again") \
	X(SYSTEM_NOT_READY, 802, UNAVAILABLE, ALIVE, "start the fabric manager (nvidia-fabricmanager)") \
	X(SYSTEM_DRIVER_MISMATCH, 803, UNAVAILABLE, ALIVE, \
	  "restart the machine: its kernel module and its libcuda are of different releases") \
	X(COMPAT_NOT_SUPPORTED_ON_DEVICE, 804, UNAVAILABLE, ALIVE, \
	  "take the compatibility libraries (cuda-compat) out of the library path") \
	X(MPS_CLIENT_TERMINATED, 810, DEVICE_LOST, DEAD, "start the process again; another client of MPS has failed") \
	X(UNKNOWN, 999, DEVICE_LOST, DEAD, "look into the system's log for NVRM messages, and start the process again")
enum {
	VYRE_CU_NOT_READY = 600,
#define X(name, number, status, state, fix) VYRE_CU_##name = number,
	VYRE_CUDA_RESULT_LIST(X)
#undef X
};

struct vyre_cuda_result {
	vyre_cu_result number;
	vyre_status status;
	int is_dead;
	const char *fix;
};
/* What is known of a result; never NULL. */
const struct vyre_cuda_result *vyre_cuda_result(vyre_cu_result result);
/* "CUDA_ERROR_LAUNCH_FAILED (719, unspecified launch failure)" */
void vyre_cuda_describe(const struct vyre_cuda_driver *driver, vyre_cu_result result, char *text, size_t size);

/* Finds the library and its symbols, and starts it. Errors: UNAVAILABLE, with what to install. */
vyre_status vyre_cuda_driver_open(struct vyre_cuda_driver *driver);

#endif
