/* cuda.c - the cuda device: NVIDIA's GPUs through their driver.
 *
 * In: what device.h asks. Out: an open device with its context, and the function table. Invariant: the context is current
 * on a thread only between enter and leave; once a call has said that the context is dead, `lost` is set and every later
 * call on the GPU answers VYRE_DEVICE_LOST with the driver's words, without asking the driver again.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "alloc.h"
#include "device/cuda.h"
#include "device/resident.h"
#include "message.h"

/* A poll of the live feed is one read of the host's memory over PCIe (3.0 us for a ping-pong of two, on an H200). */
static const uint32_t poll_ps = 1500000;
/* What a kernel on a GPU with a watchdog may take, which is seconds: far less. */
static const uint64_t burst_ns = 100000000;
static const uint32_t oldest_capability = 75;

vyre_status vyre_cuda_fail_lost(struct vyre_cuda *cuda)
{
	vyre_cu_result result = __atomic_load_n(&cuda->lost, __ATOMIC_ACQUIRE);
	char words[256];

	vyre_cuda_describe(&cuda->driver, result, words, sizeof(words));
	return vyre_fail(VYRE_DEVICE_LOST, vyre_cuda_result(result)->fix, "the cuda device is lost: %s", words);
}

vyre_status vyre_cuda_fail(struct vyre_cuda *cuda, vyre_cu_result result, const char *what, ...)
{
	const struct vyre_cuda_result *known = vyre_cuda_result(result);
	char text[192], words[256];
	va_list args;

	va_start(args, what);
	vsnprintf(text, sizeof(text), what, args);
	va_end(args);
	if (known->is_dead)
		__atomic_store_n(&cuda->lost, result, __ATOMIC_RELEASE);
	vyre_cuda_describe(&cuda->driver, result, words, sizeof(words));
	return vyre_fail(known->status, known->fix, "%s: the driver says %s", text, words);
}

vyre_status vyre_cuda_enter(struct vyre_cuda *cuda)
{
	vyre_cu_result result;

	if (__atomic_load_n(&cuda->lost, __ATOMIC_ACQUIRE))
		return vyre_cuda_fail_lost(cuda);
	result = cuda->driver.cuCtxPushCurrent_v2(cuda->context);
	return result == 0 ? VYRE_OK : vyre_cuda_fail(cuda, result, "the context cannot be made current");
}

void vyre_cuda_leave(struct vyre_cuda *cuda)
{
	vyre_cu_context ignored;

	cuda->driver.cuCtxPopCurrent_v2(&ignored);
}

void vyre_cuda_stream_destroy(struct vyre_cuda *cuda, vyre_cu_stream stream)
{
	int is_current = stream && cuda->driver.cuCtxPushCurrent_v2(cuda->context) == 0;

	if (stream)
		cuda->driver.cuStreamDestroy_v2(stream);
	if (is_current)
		vyre_cuda_leave(cuda);
}

/* ---- opening ---- */

static vyre_status find_gpu(struct vyre_cuda *cuda, uint32_t index)
{
	int count = 0;
	vyre_cu_result result = cuda->driver.cuDeviceGetCount(&count);

	if (result != 0)
		return vyre_cuda_fail(cuda, result, "the GPUs cannot be counted");
	if (count <= 0 || index >= (uint32_t)count)
		return vyre_fail(VYRE_UNAVAILABLE, "look whether nvidia-smi lists it and CUDA_VISIBLE_DEVICES hides it",
				 "there is no GPU %u; the driver shows %d", index, count);
	result = cuda->driver.cuDeviceGet(&cuda->handle, (int)index);
	return result == 0 ? VYRE_OK : vyre_cuda_fail(cuda, result, "GPU %u cannot be opened", index);
}

static vyre_status read_attributes(struct vyre_cuda *cuda)
{
	int major, minor, count, grid[3], can_map;
	const struct {
		int *value;
		unsigned attribute;
	} rows[] = {
	    {&major, VYRE_CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR},
	    {&minor, VYRE_CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR},
	    {&count, VYRE_CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT},
	    {&grid[0], VYRE_CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X},
	    {&grid[1], VYRE_CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y},
	    {&grid[2], VYRE_CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z},
	    {&can_map, VYRE_CU_DEVICE_ATTRIBUTE_CAN_MAP_HOST_MEMORY},
	    {&cuda->has_watchdog, VYRE_CU_DEVICE_ATTRIBUTE_KERNEL_EXEC_TIMEOUT},
	    {&cuda->can_cooperate, VYRE_CU_DEVICE_ATTRIBUTE_COOPERATIVE_LAUNCH},
	};
	uint32_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		vyre_cu_result result =
		    cuda->driver.cuDeviceGetAttribute(rows[i].value, rows[i].attribute, cuda->handle);

		if (result != 0)
			return vyre_cuda_fail(cuda, result, "attribute %u of the GPU cannot be read",
					      rows[i].attribute);
	}
	cuda->capability = (uint32_t)(major * 10 + minor);
	cuda->multiprocessors = (uint32_t)count;
	for (i = 0; i < 3; i++)
		cuda->max_grid[i] = (uint32_t)grid[i];
	if (cuda->capability < oldest_capability)
		return vyre_fail(VYRE_UNSUPPORTED, "use a GPU of compute capability 7.5 or later (Turing)",
				 "the GPU has compute capability %d.%d", major, minor);
	if (!can_map)
		return vyre_fail(VYRE_UNSUPPORTED, "use a GPU that maps host memory",
				 "the GPU cannot read the host's memory");
	return VYRE_OK;
}

/* The last target that the device runs, be it from PTX. */
static uint32_t best_target(uint32_t capability)
{
	static const uint32_t targets[] = {
#define X(name, value, text) value,
	    VYRE_TARGET_LIST(X)
#undef X
	};
	uint32_t best = 0, i;

	for (i = 0; i < sizeof(targets) / sizeof(targets[0]); i++)
		if (targets[i] <= capability && targets[i] > best)
			best = targets[i];
	return best;
}

static vyre_status fill_info(struct vyre_device *device, struct vyre_cuda *cuda)
{
	char name[64] = "";
	vyre_cu_result result = cuda->driver.cuDeviceGetName(name, sizeof(name), cuda->handle);

	if (result != 0)
		return vyre_cuda_fail(cuda, result, "the GPU's name cannot be read");
	name[sizeof(name) - 1] = '\0';
	device->info.target = best_target(cuda->capability);
	device->info.max_workers = cuda->multiprocessors;
	device->poll_ps = poll_ps;
	device->burst_polls = cuda->has_watchdog ? (uint32_t)(burst_ns * 1000 / poll_ps) : 0;
	snprintf(device->info.name, sizeof(device->info.name), "cuda (%s, sm_%u, %u multiprocessors)", name,
		 cuda->capability, cuda->multiprocessors);
	return VYRE_OK;
}

/* What copies need, made before anything is resident. */
static vyre_status make_copy_path(struct vyre_cuda *cuda)
{
	vyre_status status = vyre_cuda_enter(cuda);
	uint32_t i;

	if (status != VYRE_OK)
		return status;
	for (i = 0; i < 2 && status == VYRE_OK; i++) {
		vyre_cu_result result =
		    cuda->driver.cuStreamCreate(&cuda->copy_streams[i], VYRE_CU_STREAM_NON_BLOCKING);

		if (result != 0)
			status = vyre_cuda_fail(cuda, result, "a stream for copies cannot be made");
	}
	if (status == VYRE_OK)
		status = vyre_cuda_block_create(cuda, VYRE_PLACE_HOST, 2 * VYRE_CUDA_STAGING_BYTES, &cuda->staging);
	vyre_cuda_leave(cuda);
	return status;
}

/* A kernel that never ended keeps its context, and the process what is in it: giving either back would wait for it. */
static void close_context(struct vyre_cuda *cuda)
{
	uint32_t i;

	vyre_cuda_block_destroy(cuda, cuda->staging);
	for (i = 0; i < 2; i++)
		vyre_cuda_stream_destroy(cuda, cuda->copy_streams[i]);
	if (cuda->running == 0)
		cuda->driver.cuDevicePrimaryCtxRelease_v2(cuda->handle);
	vyre_cuda_forget_graves(cuda);
}

static void destroy_gpu(struct vyre_cuda *cuda)
{
	if (cuda->context)
		close_context(cuda);
	pthread_mutex_destroy(&cuda->order);
	pthread_mutex_destroy(&cuda->copy_lock);
	pthread_rwlock_destroy(&cuda->places);
	vyre_mem_free(cuda);
}

static vyre_status open_gpu(struct vyre_cuda *cuda, uint32_t index)
{
	vyre_status status = vyre_cuda_driver_open(&cuda->driver);
	vyre_cu_result result;

	if (status == VYRE_OK)
		status = find_gpu(cuda, index);
	if (status == VYRE_OK)
		status = read_attributes(cuda);
	if (status != VYRE_OK)
		return status;
	result = cuda->driver.cuDevicePrimaryCtxRetain(&cuda->context, cuda->handle);
	if (result != 0) {
		cuda->context = NULL;
		return vyre_cuda_fail(cuda, result, "no context can be made on GPU %u", index);
	}
	return make_copy_path(cuda);
}

static vyre_status create_gpu(uint32_t index, struct vyre_cuda **out)
{
	struct vyre_cuda *cuda = vyre_mem_alloc(sizeof(*cuda));
	vyre_status status;

	if (!cuda)
		return vyre_fail_nomem("a cuda device's record", sizeof(*cuda));
	pthread_mutex_init(&cuda->order, NULL);
	pthread_mutex_init(&cuda->copy_lock, NULL);
	pthread_rwlock_init(&cuda->places, NULL);
	cuda->index = index;
	status = open_gpu(cuda, index);
	if (status != VYRE_OK) {
		destroy_gpu(cuda);
		return status;
	}
	*out = cuda;
	return VYRE_OK;
}

/* The primary context belongs to the process, so what keeps it in order does as well: the one list of the library's. */
static pthread_mutex_t gpus_lock = PTHREAD_MUTEX_INITIALIZER;
static struct vyre_cuda *gpus;

static vyre_status retain_gpu(uint32_t index, struct vyre_cuda **out)
{
	vyre_status status = VYRE_OK;
	struct vyre_cuda *cuda;

	pthread_mutex_lock(&gpus_lock);
	for (cuda = gpus; cuda && cuda->index != index; cuda = cuda->next)
		;
	if (!cuda) {
		status = create_gpu(index, &cuda);
		if (status == VYRE_OK) {
			cuda->next = gpus;
			gpus = cuda;
		}
	} else if (__atomic_load_n(&cuda->lost, __ATOMIC_ACQUIRE)) {
		status = vyre_cuda_fail_lost(cuda);
	}
	if (status == VYRE_OK) {
		cuda->refs++;
		*out = cuda;
	}
	pthread_mutex_unlock(&gpus_lock);
	return status;
}

static void release_gpu(struct vyre_cuda *cuda)
{
	struct vyre_cuda **link = &gpus;

	pthread_mutex_lock(&gpus_lock);
	if (--cuda->refs == 0) {
		while (*link != cuda)
			link = &(*link)->next;
		*link = cuda->next;
		destroy_gpu(cuda);
	}
	pthread_mutex_unlock(&gpus_lock);
}

static vyre_status cuda_open(struct vyre_device *device, uint32_t index)
{
	struct vyre_cuda *cuda;
	vyre_status status = retain_gpu(index, &cuda);

	if (status != VYRE_OK)
		return status;
	status = fill_info(device, cuda);
	if (status == VYRE_OK)
		device->own = cuda;
	else
		release_gpu(cuda);
	return status;
}

static void cuda_close(struct vyre_device *device)
{
	release_gpu(vyre_cuda_of(device));
}

/* ---- which slices fit ---- */

enum { IS_CUBIN = 1000 /* any of them before any PTX */ };

/* The embedded GPUs' code runs on no other and they run no other's. */
static int is_embedded(uint32_t capability)
{
	return capability == VYRE_TARGET_SM_87;
}

static int runs_cubin(uint32_t capability, uint32_t target)
{
	if (is_embedded(capability) || is_embedded(target))
		return capability == target;
	return capability / 10 == target / 10 && target % 10 <= capability % 10;
}

static uint32_t cuda_fit(const struct vyre_device *device, const struct vyre_blob_slice *slice, char *why, size_t size)
{
	uint32_t capability = vyre_cuda_of(device)->capability, target = slice->target;

	if (slice->format != VYRE_FORMAT_PTX && slice->format != VYRE_FORMAT_CUBIN) {
		snprintf(why, size, "not picked: neither ptx nor cubin");
		return 0;
	}
	if (slice->format == VYRE_FORMAT_CUBIN) {
		if (!runs_cubin(capability, target)) {
			snprintf(why, size, "not picked: this GPU is sm_%u and runs no machine code for %s", capability,
				 vyre_target_name(target));
			return 0;
		}
		snprintf(why, size, "picked: this GPU is sm_%u", capability);
		return IS_CUBIN + target;
	}
	if (target > capability) {
		snprintf(why, size, "not picked: this GPU is sm_%u, older than %s", capability,
			 vyre_target_name(target));
		return 0;
	}
	snprintf(why, size, "picked: this GPU is sm_%u; the driver compiles it when it is loaded", capability);
	return target;
}

/* ---- the table ---- */

const struct vyre_device_fns vyre_cuda_device = {
    .name = "cuda",
    .open = cuda_open,
    .close = cuda_close,
    .fit = cuda_fit,
    .memory_create = vyre_cuda_memory_create,
    .memory_destroy = vyre_cuda_memory_destroy,
    .memory_place = vyre_cuda_memory_place,
    .memory_write = vyre_cuda_memory_write,
    .memory_read = vyre_cuda_memory_read,
    .image_load = vyre_cuda_image_load,
    .image_unload = vyre_cuda_image_unload,
    .dispatch = vyre_cuda_dispatch,
    .ring_workers = vyre_cuda_ring_workers,
    .ring_start = vyre_cuda_ring_start,
    .ring_wake = vyre_resident_wake,
    .ring_running = vyre_resident_running,
    .ring_sleeping = vyre_resident_sleeping,
    .ring_finish = vyre_resident_finish,
    .ring_abandon = vyre_resident_abandon,
    .ring_free = vyre_resident_free,
};
