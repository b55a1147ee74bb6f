/* cuda_memory.c - where buffers are, and copies that work beside a resident kernel.
 *
 * In: records of memory. Out: the same with a place. A buffer gets its place with its first use, because only then it is
 * known whether the host wants to see it: read and written it lies in the device's memory, mapped or bound to what the
 * host writes while a kernel runs in the host's, pinned. It moves from the first to the second, contents kept, until a
 * kernel holds it. Invariant: who copies holds `places` for reading, who moves for writing, so a copy sees one place.
 *
 * A copy goes through two halves of pinned staging memory on a stream each: while one half is on its way, the other is
 * filled or emptied. Not the caller's memory at once: copies of pageable memory may wait for the device in ways that the
 * driver does not promise.
 */
#include <string.h>

#include "device/cuda.h"
#include "message.h"

/* ---- copies ---- */

static vyre_cu_result copy_in(struct vyre_cuda *cuda, vyre_cu_address to, const uint8_t *data, uint64_t bytes)
{
	vyre_cu_result result = 0;
	uint64_t done = 0, step;
	uint32_t turn;

	for (turn = 0; done < bytes && result == 0; turn ^= 1, done += step) {
		uint8_t *half = (uint8_t *)cuda->staging->data + turn * (uint64_t)VYRE_CUDA_STAGING_BYTES;

		step = bytes - done < VYRE_CUDA_STAGING_BYTES ? bytes - done : VYRE_CUDA_STAGING_BYTES;
		result = cuda->driver.cuStreamSynchronize(cuda->copy_streams[turn]);
		if (result != 0)
			break;
		if (data)
			memcpy(half, data + done, step);
		else
			memset(half, 0, step);
		result = cuda->driver.cuMemcpyHtoDAsync_v2(to + done, half, step, cuda->copy_streams[turn]);
	}
	return result;
}

static vyre_cu_result copy_out(struct vyre_cuda *cuda, uint8_t *data, vyre_cu_address from, uint64_t bytes)
{
	uint64_t asked = 0, done = 0;
	vyre_cu_result result = 0;

	/* Asks for one half ahead of the one that is emptied. */
	while (done < bytes && result == 0) {
		uint64_t step = bytes - done < VYRE_CUDA_STAGING_BYTES ? bytes - done : VYRE_CUDA_STAGING_BYTES;
		uint32_t turn = done / VYRE_CUDA_STAGING_BYTES & 1;

		for (; asked < bytes && asked < done + 2 * VYRE_CUDA_STAGING_BYTES && result == 0;
		     asked += VYRE_CUDA_STAGING_BYTES) {
			uint32_t next = asked / VYRE_CUDA_STAGING_BYTES & 1;
			uint64_t rest =
			    bytes - asked < VYRE_CUDA_STAGING_BYTES ? bytes - asked : VYRE_CUDA_STAGING_BYTES;

			result = cuda->driver.cuMemcpyDtoHAsync_v2((uint8_t *)cuda->staging->data +
								       next * (uint64_t)VYRE_CUDA_STAGING_BYTES,
								   from + asked, rest, cuda->copy_streams[next]);
		}
		if (result == 0)
			result = cuda->driver.cuStreamSynchronize(cuda->copy_streams[turn]);
		if (result == 0)
			memcpy(data + done, (uint8_t *)cuda->staging->data + turn * (uint64_t)VYRE_CUDA_STAGING_BYTES,
			       step);
		done += step;
	}
	return result;
}

/* Nothing of a copy is under way behind its call, also of one that failed: the staging memory is the next one's. */
static vyre_cu_result finish_copies(struct vyre_cuda *cuda, vyre_cu_result result)
{
	uint32_t i;

	for (i = 0; i < 2; i++) {
		vyre_cu_result ended = cuda->driver.cuStreamSynchronize(cuda->copy_streams[i]);

		result = result ? result : ended;
	}
	return result;
}

vyre_status vyre_cuda_copy_in(struct vyre_cuda *cuda, vyre_cu_address to, const void *data, uint64_t bytes)
{
	vyre_cu_result result;

	pthread_mutex_lock(&cuda->copy_lock);
	result = finish_copies(cuda, copy_in(cuda, to, data, bytes));
	pthread_mutex_unlock(&cuda->copy_lock);
	return result == 0
		   ? VYRE_OK
		   : vyre_cuda_fail(cuda, result, "copying %llu bytes to the device", (unsigned long long)bytes);
}

vyre_status vyre_cuda_copy_out(struct vyre_cuda *cuda, void *data, vyre_cu_address from, uint64_t bytes)
{
	vyre_cu_result result;

	pthread_mutex_lock(&cuda->copy_lock);
	result = finish_copies(cuda, copy_out(cuda, data, from, bytes));
	pthread_mutex_unlock(&cuda->copy_lock);
	return result == 0
		   ? VYRE_OK
		   : vyre_cuda_fail(cuda, result, "copying %llu bytes from the device", (unsigned long long)bytes);
}

/* ---- places ---- */

static void settle(struct vyre_memory *memory, struct vyre_cuda_block *block)
{
	memory->own = block;
	memory->place = block->place;
	memory->data = block->data;
	memory->address = block->address;
}

static vyre_status make(struct vyre_memory *memory, enum vyre_place place)
{
	struct vyre_cuda *cuda = vyre_cuda_of(memory->device);
	struct vyre_cuda_block *block;
	vyre_status status = vyre_cuda_enter(cuda);

	if (status != VYRE_OK)
		return status;
	status = vyre_cuda_block_create(cuda, place, memory->bytes, &block);
	vyre_cuda_leave(cuda);
	if (status == VYRE_OK)
		settle(memory, block);
	return status;
}

static vyre_status move_to_host(struct vyre_memory *memory)
{
	struct vyre_cuda *cuda = vyre_cuda_of(memory->device);
	struct vyre_cuda_block *old = memory->own, *block;
	vyre_status status;

	if (__atomic_load_n(&memory->holds, __ATOMIC_ACQUIRE))
		return vyre_fail(VYRE_UNSUPPORTED,
				 "map the buffer, or bind it to its stream or live name, before a kernel has it "
				 "otherwise; or copy with vyre_buffer_read and vyre_buffer_write",
				 "a buffer of %llu bytes lies in the device's memory, and a kernel has it there",
				 (unsigned long long)memory->bytes);
	status = vyre_cuda_enter(cuda);
	if (status != VYRE_OK)
		return status;
	status = vyre_cuda_block_create(cuda, VYRE_PLACE_HOST, memory->bytes, &block);
	if (status == VYRE_OK) {
		status = vyre_cuda_copy_out(cuda, block->data, old->address, memory->bytes);
		if (status == VYRE_OK)
			settle(memory, block);
		vyre_cuda_block_destroy(cuda, status == VYRE_OK ? old : block);
	}
	vyre_cuda_leave(cuda);
	return status;
}

vyre_status vyre_cuda_memory_place(struct vyre_memory *memory, enum vyre_place place, int hold)
{
	struct vyre_cuda *cuda = vyre_cuda_of(memory->device);
	vyre_status status = VYRE_OK;

	if (__atomic_load_n(&cuda->lost, __ATOMIC_ACQUIRE))
		return vyre_cuda_fail_lost(cuda);
	pthread_rwlock_wrlock(&cuda->places);
	if (memory->place == VYRE_PLACE_NONE)
		status = make(memory, place);
	else if (memory->place == VYRE_PLACE_DEVICE && place == VYRE_PLACE_HOST)
		status = move_to_host(memory);
	if (status == VYRE_OK && hold)
		__atomic_add_fetch(&memory->holds, 1, __ATOMIC_RELAXED);
	pthread_rwlock_unlock(&cuda->places);
	return status;
}

vyre_status vyre_cuda_memory_create(struct vyre_memory *memory)
{
	struct vyre_cuda *cuda = vyre_cuda_of(memory->device);

	if (__atomic_load_n(&cuda->lost, __ATOMIC_ACQUIRE))
		return vyre_cuda_fail_lost(cuda);
	return memory->place == VYRE_PLACE_NONE ? VYRE_OK : make(memory, memory->place);
}

void vyre_cuda_memory_destroy(struct vyre_memory *memory)
{
	vyre_cuda_block_destroy(vyre_cuda_of(memory->device), memory->own);
}

/* Memory without a place gets one; then `places` is held for reading. */
static vyre_status begin_copy(struct vyre_memory *memory)
{
	struct vyre_cuda *cuda = vyre_cuda_of(memory->device);
	vyre_status status;

	pthread_rwlock_rdlock(&cuda->places);
	if (memory->place != VYRE_PLACE_NONE)
		return VYRE_OK;
	pthread_rwlock_unlock(&cuda->places);
	status = vyre_cuda_memory_place(memory, VYRE_PLACE_DEVICE, 0);
	if (status == VYRE_OK)
		pthread_rwlock_rdlock(&cuda->places);
	return status;
}

vyre_status vyre_cuda_memory_write(struct vyre_memory *memory, uint64_t offset, const void *data, uint64_t bytes)
{
	struct vyre_cuda *cuda = vyre_cuda_of(memory->device);
	vyre_status status = begin_copy(memory);

	if (status != VYRE_OK)
		return status;
	status = vyre_cuda_enter(cuda);
	if (status == VYRE_OK) {
		if (memory->data)
			memcpy((uint8_t *)memory->data + offset, data, bytes);
		else
			status = vyre_cuda_copy_in(cuda, memory->address + offset, data, bytes);
		vyre_cuda_leave(cuda);
	}
	pthread_rwlock_unlock(&cuda->places);
	return status;
}

vyre_status vyre_cuda_memory_read(struct vyre_memory *memory, uint64_t offset, void *data, uint64_t bytes)
{
	struct vyre_cuda *cuda = vyre_cuda_of(memory->device);
	vyre_status status = begin_copy(memory);

	if (status != VYRE_OK)
		return status;
	status = vyre_cuda_enter(cuda);
	if (status == VYRE_OK) {
		if (memory->data)
			memcpy(data, (const uint8_t *)memory->data + offset, bytes);
		else
			status = vyre_cuda_copy_out(cuda, data, memory->address + offset, bytes);
		vyre_cuda_leave(cuda);
	}
	pthread_rwlock_unlock(&cuda->places);
	return status;
}
