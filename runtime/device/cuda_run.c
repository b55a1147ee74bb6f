/* cuda_run.c - a launch that outlives the call that made it: a resident kernel.
 *
 * In: a kernel, its arguments, words that must be as they are when it starts. Out: a launch on a stream of its own, and
 * whether it still runs. Invariant: one launch at a time; it counts as running (cuda_block.c) until it was seen to have
 * ended, so nothing that waits for launches is done meanwhile. What precedes the launch is copied, not set: setting is a
 * kernel of the driver's, which would need a multiprocessor that another resident kernel may hold.
 */
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "device/cuda.h"
#include "message.h"

struct vyre_cuda_run {
	struct vyre_device *device;
	vyre_cu_stream stream;
	struct vyre_cuda_block *record; /* host: a zero, then the record */
	pthread_mutex_t lock;		/* of is_launched */
	int is_launched;
};

enum { RECORD_AT = 64 };

static vyre_status make(struct vyre_cuda_run *run)
{
	struct vyre_cuda *cuda = vyre_cuda_of(run->device);
	vyre_status status = vyre_cuda_enter(cuda);
	vyre_cu_result result;

	if (status != VYRE_OK)
		return status;
	status = vyre_cuda_block_create(cuda, VYRE_PLACE_HOST, RECORD_AT + VYRE_CUDA_RUN_RECORD_BYTES, &run->record);
	if (status == VYRE_OK) {
		result = cuda->driver.cuStreamCreate(&run->stream, VYRE_CU_STREAM_NON_BLOCKING);
		if (result != 0)
			status = vyre_cuda_fail(cuda, result, "a stream for a resident kernel cannot be made");
	}
	vyre_cuda_leave(cuda);
	return status;
}

/* Settings of the process under which a launch waits for the kernel's end, or others wait for it: a resident kernel would
 * then stop whoever launched it. */
static vyre_status check_environment(void)
{
	static const struct {
		const char *name, *value;
	} rows[] = {{"CUDA_LAUNCH_BLOCKING", "1"}, {"CUDA_DEVICE_MAX_CONNECTIONS", "1"}};
	uint32_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *value = getenv(rows[i].name);

		if (value && strcmp(value, rows[i].value) == 0)
			return vyre_fail(VYRE_UNSUPPORTED, "unset it before the process starts",
					 "%s=%s makes what is launched wait, so no kernel can stay resident",
					 rows[i].name, rows[i].value);
	}
	return VYRE_OK;
}

vyre_status vyre_cuda_run_create(struct vyre_device *device, struct vyre_cuda_run **out)
{
	struct vyre_cuda_run *run;
	vyre_status status = check_environment();

	*out = NULL;
	if (status != VYRE_OK)
		return status;
	run = vyre_mem_alloc(sizeof(*run));
	if (!run)
		return vyre_fail_nomem("a resident kernel's record", sizeof(*run));
	run->device = device;
	vyre_device_ref(device);
	pthread_mutex_init(&run->lock, NULL);
	status = make(run);
	if (status != VYRE_OK) {
		vyre_cuda_run_destroy(run);
		return status;
	}
	*out = run;
	return VYRE_OK;
}

void vyre_cuda_run_destroy(struct vyre_cuda_run *run)
{
	struct vyre_cuda *cuda;

	if (!run)
		return;
	cuda = vyre_cuda_of(run->device);
	vyre_cuda_run_state(run);
	vyre_cuda_stream_destroy(cuda, run->stream);
	vyre_cuda_block_destroy(cuda, run->record);
	pthread_mutex_destroy(&run->lock);
	vyre_device_unref(run->device);
	vyre_mem_free(run);
}

/* `order` is held, the context is current. */
static vyre_cu_result prepare(struct vyre_cuda_run *run, const uint64_t *zero, uint32_t zero_count, uint64_t record_at,
			      const void *record, uint64_t record_bytes)
{
	struct vyre_cuda *cuda = vyre_cuda_of(run->device);
	uint8_t *staging = run->record->data;
	vyre_cu_result result = 0;
	uint32_t i;

	for (i = 0; i < zero_count && result == 0; i++)
		result = cuda->driver.cuMemcpyHtoDAsync_v2(zero[i], staging, 4, run->stream);
	if (result != 0 || record_bytes == 0)
		return result;
	memcpy(staging + RECORD_AT, record, record_bytes);
	return cuda->driver.cuMemcpyHtoDAsync_v2(record_at, staging + RECORD_AT, record_bytes, run->stream);
}

static vyre_status fail_launch(struct vyre_cuda *cuda, vyre_cu_result result, uint32_t workgroups)
{
	vyre_status status =
	    vyre_cuda_fail(cuda, result, "a resident kernel of %u workgroups cannot be launched", workgroups);

	return status == VYRE_DEVICE_LOST ? status : VYRE_UNSUPPORTED;
}

vyre_status vyre_cuda_run_launch(struct vyre_cuda_run *run, struct vyre_kernel *kernel, uint32_t workgroups,
				 const struct vyre_cuda_arg *args, uint32_t arg_count, const uint64_t *zero,
				 uint32_t zero_count, uint64_t record_at, const void *record, uint64_t record_bytes)
{
	const uint32_t grid[3] = {workgroups, 1, 1};
	struct vyre_cuda *cuda = vyre_cuda_of(run->device);
	vyre_cu_result result;
	vyre_status status;

	if (arg_count > VYRE_CUDA_MAX_BUFFERS || record_bytes > VYRE_CUDA_RUN_RECORD_BYTES ||
	    vyre_cuda_run_state(run) == VYRE_CUDA_RUNNING)
		return vyre_fail(VYRE_INVALID, "wait until it has ended",
				 "a resident kernel runs already, or %u buffers or a record of %llu bytes are too many",
				 arg_count, (unsigned long long)record_bytes);
	status = vyre_cuda_enter(cuda);
	if (status != VYRE_OK)
		return status;
	pthread_mutex_lock(&run->lock);
	vyre_cuda_begin(cuda);
	result = prepare(run, zero, zero_count, record_at, record, record_bytes);
	if (result == 0)
		result = vyre_cuda_launch(kernel, args, arg_count, grid, 0, run->stream);
	if (result != 0)
		cuda->driver.cuStreamSynchronize(run->stream); /* the copies that went before */
	run->is_launched = result == 0;
	vyre_cuda_launched(cuda, result == 0);
	pthread_mutex_unlock(&run->lock);
	vyre_cuda_leave(cuda);
	return result == 0 ? VYRE_OK : fail_launch(cuda, result, workgroups);
}

static vyre_cu_result query(struct vyre_cuda_run *run)
{
	struct vyre_cuda *cuda = vyre_cuda_of(run->device);
	vyre_cu_result result = cuda->driver.cuCtxPushCurrent_v2(cuda->context);

	if (result == 0) {
		result = cuda->driver.cuStreamQuery(run->stream);
		vyre_cuda_leave(cuda);
	}
	return result;
}

enum vyre_cuda_state vyre_cuda_run_state(struct vyre_cuda_run *run)
{
	struct vyre_cuda *cuda = vyre_cuda_of(run->device);
	enum vyre_cuda_state state = VYRE_CUDA_IDLE;

	pthread_mutex_lock(&run->lock);
	if (run->is_launched) {
		vyre_cu_result result = query(run);

		if (result == VYRE_CU_NOT_READY) {
			state = VYRE_CUDA_RUNNING;
		} else {
			run->is_launched = 0;
			vyre_cuda_ended(cuda, result);
		}
	}
	pthread_mutex_unlock(&run->lock);
	return __atomic_load_n(&cuda->lost, __ATOMIC_ACQUIRE) ? VYRE_CUDA_LOST : state;
}

uint32_t vyre_cuda_most_workgroups(const struct vyre_kernel *kernel, uint32_t share)
{
	const struct vyre_cuda_function *function = kernel->image.own;
	uint64_t all = (uint64_t)function->resident * vyre_cuda_of(kernel->device)->multiprocessors;
	uint64_t some = share && share < 1000 ? all * share / 1000 : all;

	return some == 0 ? 1 : some > UINT32_MAX ? UINT32_MAX : (uint32_t)some;
}
