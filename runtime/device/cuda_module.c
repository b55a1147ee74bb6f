/* cuda_module.c - a slice's PTX or cubin to a function that can be launched.
 *
 * In: the bytes of a slice and the name of its entry. Out: the function, loaded whole, with what the driver says of it. An
 * image that the driver refuses is UNSUPPORTED, with the log of its compiler, so that kernel.c tries the next slice that
 * fits: machine code first, text second. Invariant: what a launch needs is made here, so that a launch loads nothing and
 * allocates nothing: a function that the driver would load with its first launch may wait for a resident kernel to end.
 */
#include <stdio.h>
#include <string.h>

#include "abi/mailbox.h"
#include "alloc.h"
#include "device/cuda.h"
#include "message.h"

enum { LOG_BYTES = 2048, SHOWN_LOG_BYTES = 600 };

struct logs {
	char errors[LOG_BYTES], infos[LOG_BYTES];
};

/* The driver wants text to end with NUL; machine code it takes as it lies. */
static vyre_cu_result load(struct vyre_cuda *cuda, const void *image, struct logs *logs, vyre_cu_module *module)
{
	unsigned options[] = {VYRE_CU_JIT_ERROR_LOG_BUFFER, VYRE_CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES,
			      VYRE_CU_JIT_INFO_LOG_BUFFER, VYRE_CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES};
	void *values[] = {logs->errors, (void *)(uintptr_t)(LOG_BYTES - 1), logs->infos,
			  (void *)(uintptr_t)(LOG_BYTES - 1)};

	return cuda->driver.cuModuleLoadDataEx(module, image, sizeof(options) / sizeof(options[0]), options, values);
}

static vyre_status fail_load(struct vyre_cuda *cuda, vyre_cu_result result, const struct vyre_blob_slice *slice,
			     const struct logs *logs)
{
	const char *log = logs->errors[0] ? logs->errors : logs->infos[0] ? logs->infos : "nothing more";
	const struct vyre_cuda_result *known = vyre_cuda_result(result);
	char words[256];

	vyre_cuda_describe(&cuda->driver, result, words, sizeof(words));
	if (known->is_dead)
		return vyre_cuda_fail(cuda, result, "loading a slice for %s", vyre_target_name(slice->target));
	return vyre_fail(known->status == VYRE_INTERNAL ? VYRE_UNSUPPORTED : known->status, known->fix,
			 "the driver does not take the %s for %s: %s; its log: %.*s", vyre_format_name(slice->format),
			 vyre_target_name(slice->target), words, SHOWN_LOG_BYTES, log);
}

static vyre_status load_module(struct vyre_cuda *cuda, const struct vyre_blob_slice *slice, const uint8_t *bytes,
			       uint64_t size, struct vyre_cuda_block *block)
{
	struct logs *logs = vyre_mem_alloc(sizeof(*logs));
	uint8_t *text = NULL;
	vyre_status status = VYRE_OK;
	vyre_cu_result result;

	if (slice->format == VYRE_FORMAT_PTX)
		text = vyre_mem_alloc(size + 1);
	if (!logs || (slice->format == VYRE_FORMAT_PTX && !text)) {
		status = vyre_fail_nomem("a copy of a slice's text", size);
	} else {
		if (text)
			memcpy(text, bytes, size);
		result = load(cuda, text ? text : bytes, logs, &block->module);
		if (result != 0) {
			block->module = NULL;
			status = fail_load(cuda, result, slice, logs);
		} else if (logs->infos[0]) {
			vyre_log(VYRE_LOG_DEBUG, "the driver's compiler: %s", logs->infos);
		}
	}
	vyre_mem_free(text);
	vyre_mem_free(logs);
	return status;
}

static vyre_status read_attributes(struct vyre_cuda *cuda, struct vyre_cuda_function *function)
{
	const struct {
		uint32_t *value;
		unsigned attribute;
	} rows[] = {
	    {&function->most_lanes, VYRE_CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK},
	    {&function->registers, VYRE_CU_FUNC_ATTRIBUTE_NUM_REGS},
	    {&function->shared_bytes, VYRE_CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES},
	    {&function->local_bytes, VYRE_CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES},
	};
	vyre_cu_result result = 0;
	int value = 0;
	uint32_t i;

	/* From here on the function is on the device: by this call where there is it, else since it was found. */
	if (cuda->driver.cuFuncLoad)
		result = cuda->driver.cuFuncLoad(function->function);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]) && result == 0; i++) {
		result = cuda->driver.cuFuncGetAttribute(&value, rows[i].attribute, function->function);
		*rows[i].value = (uint32_t)value;
	}
	if (result == 0)
		result = cuda->driver.cuOccupancyMaxActiveBlocksPerMultiprocessor(&value, function->function,
										  (int)function->lanes, 0);
	function->resident = (uint32_t)value;
	return result == 0 ? VYRE_OK : vyre_cuda_fail(cuda, result, "what a function needs cannot be read");
}

static vyre_status find_function(struct vyre_kernel *kernel, const struct vyre_blob_slice *slice,
				 struct vyre_cuda_function *function)
{
	struct vyre_cuda *cuda = vyre_cuda_of(kernel->device);
	const char *name = vyre_blob_string(kernel->blob, (uint32_t)slice->entry);
	vyre_cu_result result = cuda->driver.cuModuleGetFunction(&function->function, function->module->module, name);
	vyre_status status;

	if (result != 0)
		return vyre_cuda_fail(cuda, result, "the slice for %s has no entry %.64s",
				      vyre_target_name(slice->target), name);
	function->lanes = slice->lanes[0] * slice->lanes[1] * slice->lanes[2];
	status = read_attributes(cuda, function);
	if (status != VYRE_OK)
		return status;
	if (function->lanes > function->most_lanes || function->resident == 0)
		return vyre_fail(
		    VYRE_UNSUPPORTED, "compile the unit with fewer lanes, or with less workgroup memory",
		    "%.64s has workgroups of %u lanes, %u registers a lane and %u bytes of workgroup memory; "
		    "this GPU runs at most %u lanes of it",
		    name, function->lanes, function->registers, function->shared_bytes,
		    function->resident ? function->most_lanes : 0);
	return VYRE_OK;
}

/* The launch of a function whose lanes need more memory of their own than any launch before would wait for everything that runs
 * (CU_LIMIT_STACK_SIZE in NVIDIA's header), and so for a resident kernel: the driver is asked for it now. Under `order`, so
 * that no kernel becomes resident meanwhile. */
static vyre_status make_local_room(struct vyre_cuda *cuda, const struct vyre_cuda_function *function)
{
	vyre_cu_result result;
	size_t bytes = 0;
	int is_late = 0;

	if (function->local_bytes == 0)
		return VYRE_OK;
	pthread_mutex_lock(&cuda->order);
	result = cuda->driver.cuCtxGetLimit(&bytes, VYRE_CU_LIMIT_STACK_SIZE);
	if (result == 0 && bytes < function->local_bytes) {
		is_late = cuda->running != 0;
		if (!is_late)
			result = cuda->driver.cuCtxSetLimit(VYRE_CU_LIMIT_STACK_SIZE, function->local_bytes);
	}
	pthread_mutex_unlock(&cuda->order);
	if (is_late)
		vyre_log(VYRE_LOG_WARNING,
			 "a kernel whose lanes need %u bytes each, more than any before, is loaded while another runs "
			 "on the device; its launch may wait until that one leaves. Fix: make kernels before rings.",
			 function->local_bytes);
	return result == 0
		   ? VYRE_OK
		   : vyre_cuda_fail(cuda, result, "no %u bytes for each lane of a function", function->local_bytes);
}

/* The trap record, and what a dispatch needs besides; a live set's launches are a run's (cuda_run.c). */
static vyre_status make_launch_path(struct vyre_kernel *kernel, struct vyre_cuda_function *function)
{
	struct vyre_cuda *cuda = vyre_cuda_of(kernel->device);
	vyre_status status =
	    vyre_cuda_block_create(cuda, VYRE_PLACE_DEVICE, sizeof(struct vyre_cuda_trap), &function->traps);
	vyre_cu_result result;

	if (status != VYRE_OK || kernel->unit->feed == VYRE_FEED_LIVE)
		return status;
	status = vyre_cuda_block_create(cuda, VYRE_PLACE_HOST, 2 * sizeof(struct vyre_cuda_trap), &function->trap_copy);
	if (status != VYRE_OK)
		return status;
	result = cuda->driver.cuStreamCreate(&function->stream, VYRE_CU_STREAM_NON_BLOCKING);
	return result == 0 ? VYRE_OK : vyre_cuda_fail(cuda, result, "a stream cannot be made");
}

static vyre_status check_size(const struct vyre_kernel *kernel, const struct vyre_blob_slice *slice)
{
	uint32_t buffers = kernel->unit->buffer_count + (slice->flags & VYRE_SLICE_MAILBOX ? VYRE_MAILBOX_BUFFERS : 0);

	if (buffers <= VYRE_CUDA_MAX_BUFFERS)
		return VYRE_OK;
	return vyre_fail(VYRE_UNSUPPORTED, "put several buffers into one", "%u buffers; an entry takes at most %u",
			 buffers, (unsigned)VYRE_CUDA_MAX_BUFFERS);
}

vyre_status vyre_cuda_image_load(struct vyre_kernel *kernel, const struct vyre_blob_slice *slice, const uint8_t *bytes,
				 uint64_t size)
{
	struct vyre_cuda *cuda = vyre_cuda_of(kernel->device);
	struct vyre_cuda_function *function = vyre_mem_alloc(sizeof(*function));
	vyre_status status;

	if (!function)
		return vyre_fail_nomem("a record of a function", sizeof(*function));
	kernel->image.own = function;
	function->module = vyre_mem_alloc(sizeof(*function->module));
	if (!function->module)
		return vyre_fail_nomem("a record of a module", sizeof(*function->module));
	status = check_size(kernel, slice);
	if (status == VYRE_OK)
		status = vyre_cuda_enter(cuda);
	if (status != VYRE_OK)
		return status;
	if (vyre_cuda_is_busy(cuda))
		vyre_log(VYRE_LOG_WARNING,
			 "a kernel is loaded while another runs on the device; the driver may let it wait "
			 "until that one leaves. Fix: make kernels before rings.");
	status = load_module(cuda, slice, bytes, size, function->module);
	if (status == VYRE_OK)
		status = find_function(kernel, slice, function);
	if (status == VYRE_OK)
		status = make_local_room(cuda, function);
	if (status == VYRE_OK)
		status = make_launch_path(kernel, function);
	vyre_cuda_leave(cuda);
	return status;
}

void vyre_cuda_image_unload(struct vyre_kernel *kernel)
{
	struct vyre_cuda *cuda = vyre_cuda_of(kernel->device);
	struct vyre_cuda_function *function = kernel->image.own;

	kernel->image.own = NULL;
	if (!function)
		return;
	vyre_cuda_stream_destroy(cuda, function->stream);
	vyre_cuda_block_destroy(cuda, function->trap_copy);
	vyre_cuda_block_destroy(cuda, function->traps);
	if (function->module && function->module->module)
		vyre_cuda_block_destroy(cuda, function->module);
	else
		vyre_mem_free(function->module);
	vyre_mem_free(function);
}
