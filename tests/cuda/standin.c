/* standin.c - the stand-in's library, devices, contexts and errors. See standin.h. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "standin_private.h"

/* Every symbol of the table is here, or this does not link. */
__attribute__((used)) static const struct vyre_cuda_driver every_symbol = {
#define X(name, suffix, first, parameters) .name##suffix = name##suffix,
    VYRE_CUDA_SYMBOL_LIST(X)
#undef X
};

enum { MAX_GPUS = 8, MAX_DEPTH = 16 };

struct CUctx_st {
	uint32_t refs;
};
static struct {
	pthread_mutex_t lock;
	struct CUctx_st contexts[MAX_GPUS];
	int is_started;
} library = {.lock = PTHREAD_MUTEX_INITIALIZER};
static vyre_cu_result lost; /* atomic */
static int64_t live;	    /* atomic */
static _Thread_local vyre_cu_context stack[MAX_DEPTH];
static _Thread_local uint32_t depth;

void standin_mistake(const char *what, ...)
{
	va_list args;

	va_start(args, what);
	fputs("stand-in for libcuda: ", stderr);
	vfprintf(stderr, what, args);
	fputc('\n', stderr);
	va_end(args);
	abort();
}

vyre_cu_result standin_lost(void)
{
	return __atomic_load_n(&lost, __ATOMIC_ACQUIRE);
}

const int *standin_lost_word(void)
{
	return (const int *)&lost;
}

void standin_break(unsigned result)
{
	__atomic_store_n(&lost, result, __ATOMIC_RELEASE);
}

void standin_add_live(int64_t change)
{
	__atomic_add_fetch(&live, change, __ATOMIC_ACQ_REL);
}

int64_t standin_live(void)
{
	return __atomic_load_n(&live, __ATOMIC_ACQUIRE); /* what was given back has happened */
}

void standin_forget(void)
{
	uint32_t i;

	if (standin_running_kernels())
		standin_mistake("a process ends while a kernel runs");
	standin_forget_memory();
	standin_forget_modules();
	for (i = 0; i < MAX_GPUS; i++) {
		standin_add_live(-(int64_t)library.contexts[i].refs);
		library.contexts[i].refs = 0;
	}
	standin_break(CU_OK);
}

uint32_t standin_depth(void)
{
	return depth;
}

vyre_cu_result standin_call(enum standin_symbol symbol)
{
	vyre_cu_result result = standin_count(symbol);

	if (result == CU_OK)
		result = standin_lost();
	if (result == CU_OK && depth == 0)
		result = CU_INVALID_CONTEXT;
	return result;
}

/* ---- the library ---- */

vyre_cu_result cuInit(unsigned flags)
{
	vyre_cu_result result = standin_count(SYMBOL_cuInit);

	if (result == CU_OK && flags != 0)
		result = CU_INVALID_VALUE;
	library.is_started = result == CU_OK;
	return result;
}

vyre_cu_result cuDriverGetVersion(int *version)
{
	*version = (int)standin_property(PROPERTY_driver);
	return standin_count(SYMBOL_cuDriverGetVersion);
}

static const struct {
	vyre_cu_result number;
	const char *name;
} names[] = {{CU_OK, "CUDA_SUCCESS"},
	     {CU_INVALID_VALUE, "CUDA_ERROR_INVALID_VALUE"},
	     {CU_INVALID_DEVICE, "CUDA_ERROR_INVALID_DEVICE"},
	     {CU_INVALID_CONTEXT, "CUDA_ERROR_INVALID_CONTEXT"},
	     {CU_INVALID_HANDLE, "CUDA_ERROR_INVALID_HANDLE"},
	     {VYRE_CU_NOT_READY, "CUDA_ERROR_NOT_READY"},
#define X(name, number, status, state, fix) {number, "CUDA_ERROR_" #name},
	     VYRE_CUDA_RESULT_LIST(X)
#undef X
};

static vyre_cu_result name_of(vyre_cu_result result, const char **text)
{
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].number == result) {
			*text = names[i].name;
			return CU_OK;
		}
	*text = NULL;
	return CU_INVALID_VALUE;
}

vyre_cu_result cuGetErrorName(vyre_cu_result result, const char **text)
{
	vyre_cu_result planned = standin_count(SYMBOL_cuGetErrorName);

	return planned ? planned : name_of(result, text);
}

vyre_cu_result cuGetErrorString(vyre_cu_result result, const char **text)
{
	vyre_cu_result planned = standin_count(SYMBOL_cuGetErrorString);

	(void)result;
	*text = "words of the stand-in";
	return planned;
}

/* ---- devices ---- */

static vyre_cu_result check_device(enum standin_symbol symbol, int device)
{
	vyre_cu_result result = standin_count(symbol);

	if (!library.is_started)
		return 3; /* not initialized */
	if (result == CU_OK && (device < 0 || device >= standin_property(PROPERTY_gpus)))
		result = CU_INVALID_DEVICE;
	return result;
}

vyre_cu_result cuDeviceGetCount(int *count)
{
	*count = (int)standin_property(PROPERTY_gpus);
	return library.is_started ? standin_count(SYMBOL_cuDeviceGetCount) : 3;
}

vyre_cu_result cuDeviceGet(vyre_cu_device *device, int ordinal)
{
	*device = ordinal;
	return check_device(SYMBOL_cuDeviceGet, ordinal);
}

vyre_cu_result cuDeviceGetName(char *name, int size, vyre_cu_device device)
{
	snprintf(name, (size_t)size, "Stand-In %d", device);
	return check_device(SYMBOL_cuDeviceGetName, device);
}

vyre_cu_result cuDeviceGetAttribute(int *value, unsigned attribute, vyre_cu_device device)
{
	static const struct {
		unsigned attribute;
		int scale, modulo;
		enum standin_property property;
	} rows[] = {
	    {VYRE_CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, 10, 0, PROPERTY_sm},
	    {VYRE_CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, 1, 10, PROPERTY_sm},
	    {VYRE_CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, 1, 0, PROPERTY_multiprocessors},
	    {VYRE_CU_DEVICE_ATTRIBUTE_KERNEL_EXEC_TIMEOUT, 1, 0, PROPERTY_watchdog},
	    {VYRE_CU_DEVICE_ATTRIBUTE_CAN_MAP_HOST_MEMORY, 1, 0, PROPERTY_map},
	    {VYRE_CU_DEVICE_ATTRIBUTE_COOPERATIVE_LAUNCH, 1, 0, PROPERTY_cooperate},
	};
	size_t i;

	*value = attribute == VYRE_CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X ? INT32_MAX
		 : attribute == VYRE_CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y ||
			 attribute == VYRE_CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z
		     ? 65535
		     : -1;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].attribute == attribute) {
			*value = (int)standin_property(rows[i].property) / rows[i].scale;
			*value = rows[i].modulo ? *value % rows[i].modulo : *value;
		}
	if (*value < 0)
		standin_mistake("attribute %u is not known", attribute);
	return check_device(SYMBOL_cuDeviceGetAttribute, device);
}

/* ---- contexts ---- */

vyre_cu_result cuDevicePrimaryCtxRetain(vyre_cu_context *context, vyre_cu_device device)
{
	vyre_cu_result result = check_device(SYMBOL_cuDevicePrimaryCtxRetain, device);

	if (result != CU_OK)
		return result;
	pthread_mutex_lock(&library.lock);
	library.contexts[device].refs++;
	pthread_mutex_unlock(&library.lock);
	standin_add_live(1);
	*context = &library.contexts[device];
	return CU_OK;
}

vyre_cu_result cuDevicePrimaryCtxRelease_v2(vyre_cu_device device)
{
	vyre_cu_result result = check_device(SYMBOL_cuDevicePrimaryCtxRelease, device);

	/* What a call is refused to give back is gone all the same: nobody can ask again. */
	pthread_mutex_lock(&library.lock);
	if (library.contexts[device].refs-- == 0)
		standin_mistake("a context is released more often than it was retained");
	pthread_mutex_unlock(&library.lock);
	standin_add_live(-1);
	return result;
}

vyre_cu_result cuCtxPushCurrent_v2(vyre_cu_context context)
{
	vyre_cu_result result = standin_count(SYMBOL_cuCtxPushCurrent);

	if (result != CU_OK)
		return result;
	if (!context || context->refs == 0 || depth == MAX_DEPTH)
		standin_mistake("a context that nobody retains is made current, or one is never taken back");
	stack[depth++] = context;
	return CU_OK;
}

vyre_cu_result cuCtxPopCurrent_v2(vyre_cu_context *context)
{
	vyre_cu_result result = standin_count(SYMBOL_cuCtxPopCurrent);

	if (depth == 0)
		standin_mistake("a context is taken back that this thread did not make current");
	*context = stack[--depth];
	return result;
}
