/* cuda_block.c - blocks of the driver's memory, and the order between launches and what waits for launches.
 *
 * In: a place, a size. Out: zeroed memory; and its return, at once or later. The driver gives memory and modules back only
 * when everything in the context has ended, and sets memory with a kernel of its own: beside a resident kernel either
 * would wait for ever. So both happen under the lock `order` and only while nothing of ours runs; else a block goes to the
 * graves, which are emptied when the last launch has ended, and memory is zeroed by copying zeroes, which needs no
 * multiprocessor. Invariant: a launch is made under `order`, after `running` has counted it.
 *
 * A grave of the right place and size is used again, so that who makes and destroys buffers beside a resident kernel needs
 * no more memory with time.
 */
#include <string.h>

#include "alloc.h"
#include "device/cuda.h"
#include "message.h"

static void give_back(struct vyre_cuda *cuda, struct vyre_cuda_block *block)
{
	if (block->module)
		cuda->driver.cuModuleUnload(block->module);
	else if (block->place == VYRE_PLACE_HOST)
		cuda->driver.cuMemFreeHost(block->data);
	else
		cuda->driver.cuMemFree_v2(block->address);
	vyre_mem_free(block);
}

/* `order` is held, nothing runs. A dead context takes no call, but some of them still give the host's memory back. */
static void empty_graves(struct vyre_cuda *cuda)
{
	int is_current;

	if (!cuda->graves)
		return;
	is_current = cuda->driver.cuCtxPushCurrent_v2(cuda->context) == 0;
	while (cuda->graves) {
		struct vyre_cuda_block *block = cuda->graves;

		cuda->graves = block->next;
		give_back(cuda, block);
	}
	if (is_current)
		vyre_cuda_leave(cuda);
}

void vyre_cuda_forget_graves(struct vyre_cuda *cuda)
{
	while (cuda->graves) {
		struct vyre_cuda_block *block = cuda->graves;

		cuda->graves = block->next;
		vyre_mem_free(block);
	}
}

void vyre_cuda_begin(struct vyre_cuda *cuda)
{
	pthread_mutex_lock(&cuda->order);
	cuda->running++;
}

void vyre_cuda_launched(struct vyre_cuda *cuda, int is_running)
{
	if (!is_running && --cuda->running == 0)
		empty_graves(cuda);
	pthread_mutex_unlock(&cuda->order);
}

void vyre_cuda_ended(struct vyre_cuda *cuda, vyre_cu_result result)
{
	if (result != 0) {
		__atomic_store_n(&cuda->lost, result, __ATOMIC_RELEASE);
		if (!vyre_cuda_result(result)->is_dead)
			return;
	}
	pthread_mutex_lock(&cuda->order);
	if (--cuda->running == 0)
		empty_graves(cuda);
	pthread_mutex_unlock(&cuda->order);
}

int vyre_cuda_is_busy(struct vyre_cuda *cuda)
{
	int is_busy;

	pthread_mutex_lock(&cuda->order);
	is_busy = cuda->running != 0;
	pthread_mutex_unlock(&cuda->order);
	return is_busy;
}

void vyre_cuda_block_destroy(struct vyre_cuda *cuda, struct vyre_cuda_block *block)
{
	if (!block)
		return;
	pthread_mutex_lock(&cuda->order);
	block->next = cuda->graves;
	cuda->graves = block;
	if (cuda->running == 0)
		empty_graves(cuda);
	pthread_mutex_unlock(&cuda->order);
}

static struct vyre_cuda_block *take_grave(struct vyre_cuda *cuda, enum vyre_place place, uint64_t bytes)
{
	struct vyre_cuda_block **link, *found;

	pthread_mutex_lock(&cuda->order);
	link = &cuda->graves;
	while (*link && ((*link)->module || (*link)->place != place || (*link)->bytes != bytes))
		link = &(*link)->next;
	found = *link;
	if (found)
		*link = found->next;
	pthread_mutex_unlock(&cuda->order);
	return found;
}

static vyre_status allocate(struct vyre_cuda *cuda, struct vyre_cuda_block *block)
{
	static const unsigned flags = VYRE_CU_MEMHOSTALLOC_PORTABLE | VYRE_CU_MEMHOSTALLOC_DEVICEMAP;
	vyre_cu_result result;

	if (block->place == VYRE_PLACE_DEVICE) {
		result = cuda->driver.cuMemAlloc_v2(&block->address, block->bytes);
		return result == 0 ? VYRE_OK
				   : vyre_cuda_fail(cuda, result, "no device memory for a buffer of %llu bytes",
						    (unsigned long long)block->bytes);
	}
	result = cuda->driver.cuMemHostAlloc(&block->data, block->bytes, flags);
	if (result != 0)
		return vyre_cuda_fail(cuda, result, "no pinned memory for a buffer of %llu bytes",
				      (unsigned long long)block->bytes);
	result = cuda->driver.cuMemHostGetDevicePointer_v2(&block->address, block->data, 0);
	return result == 0 ? VYRE_OK
			   : vyre_cuda_fail(cuda, result, "the device cannot address pinned memory of %llu bytes",
					    (unsigned long long)block->bytes);
}

/* was_set 0: something runs, so the driver was not asked. */
static vyre_status set_zero(struct vyre_cuda *cuda, const struct vyre_cuda_block *block, int *was_set)
{
	vyre_cu_stream stream = cuda->copy_streams[0];
	vyre_cu_result result = 0;

	pthread_mutex_lock(&cuda->order);
	*was_set = cuda->running == 0;
	if (*was_set) {
		result = cuda->driver.cuMemsetD8Async(block->address, 0, block->bytes, stream);
		if (result == 0)
			result = cuda->driver.cuStreamSynchronize(stream);
	}
	pthread_mutex_unlock(&cuda->order);
	return result == 0 ? VYRE_OK : vyre_cuda_fail(cuda, result, "device memory cannot be set to zero");
}

static vyre_status zero(struct vyre_cuda *cuda, const struct vyre_cuda_block *block)
{
	vyre_status status;
	int was_set;

	if (block->place == VYRE_PLACE_HOST) {
		memset(block->data, 0, block->bytes);
		return VYRE_OK;
	}
	status = set_zero(cuda, block, &was_set);
	return status != VYRE_OK || was_set ? status : vyre_cuda_copy_in(cuda, block->address, NULL, block->bytes);
}

vyre_status vyre_cuda_block_create(struct vyre_cuda *cuda, enum vyre_place place, uint64_t bytes,
				   struct vyre_cuda_block **out)
{
	uint64_t rounded = (bytes + VYRE_CUDA_BLOCK_BYTES - 1) & ~(uint64_t)(VYRE_CUDA_BLOCK_BYTES - 1);
	struct vyre_cuda_block *block = take_grave(cuda, place, rounded);
	vyre_status status = VYRE_OK;

	*out = NULL;
	if (!block) {
		block = vyre_mem_alloc(sizeof(*block));
		if (!block)
			return vyre_fail_nomem("a record of device memory", sizeof(*block));
		block->place = place;
		block->bytes = rounded;
		status = allocate(cuda, block);
	}
	if (status == VYRE_OK)
		status = zero(cuda, block);
	if (status == VYRE_OK)
		*out = block;
	else if (block->data || block->address)
		vyre_cuda_block_destroy(cuda, block);
	else
		vyre_mem_free(block);
	return status;
}
