/* standin_memory.c - the stand-in's memory: device memory that the host cannot touch, and pinned memory with two addresses.
 *
 * Four ranges of addresses. Device memory is handed out at `device`, its bytes are at `device_bytes`; pinned memory is
 * handed out at `pinned`, where its bytes are, and the device's address of it is in `mapped`. `device` and `mapped` are
 * not accessible, so a host that uses an address of the device's, or the other way round, is caught. Addresses are used
 * again only when nothing is allocated, so a block that was given back is caught as well.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "standin_private.h"

static const uint64_t range_bytes = UINT64_C(1) << 36, page = 4096;
enum { DEVICE, PINNED, KINDS, MAX_BLOCKS = 1 << 16 };

static struct {
	pthread_mutex_t lock;
	struct range {
		uint8_t *given, *bytes; /* addresses that the device uses; where the bytes are */
		uint64_t next, used;
	} ranges[KINDS];
	struct block {
		int kind;
		uint64_t at, bytes;
	} blocks[MAX_BLOCKS];
	uint32_t count;
} heap = {.lock = PTHREAD_MUTEX_INITIALIZER};

static uint8_t *reserve(int protection)
{
	void *range = mmap(NULL, range_bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (range == MAP_FAILED)
		standin_mistake("%llu bytes of addresses are not to be had", (unsigned long long)range_bytes);
	return range;
}

/* The lock is held. */
static struct range *get_range(int kind)
{
	struct range *range = &heap.ranges[kind];

	if (!range->given) {
		range->given = reserve(PROT_NONE);
		range->bytes = reserve(PROT_READ | PROT_WRITE);
	}
	return range;
}

/* Where a block starts in its range; UINT64_MAX = no memory. */
static uint64_t allocate(int kind, uint64_t bytes)
{
	struct range *range;
	uint64_t at = UINT64_MAX;

	pthread_mutex_lock(&heap.lock);
	range = get_range(kind);
	if (range->used == 0)
		range->next = 0;
	if (bytes <= (uint64_t)standin_property(PROPERTY_memory) - range->used && heap.count < MAX_BLOCKS) {
		if (range->next + bytes + page > range_bytes)
			standin_mistake("the addresses are used up");
		at = range->next;
		range->next += (bytes + 2 * page - 1) / page * page; /* a page that is nobody's behind each */
		range->used += bytes;
		memset(range->bytes + at, 0xA5, bytes); /* the driver promises no zeroes */
		heap.blocks[heap.count++] = (struct block){kind, at, bytes};
		standin_add_live(1);
	}
	pthread_mutex_unlock(&heap.lock);
	return at;
}

static void release(int kind, uint64_t at)
{
	struct range *range = &heap.ranges[kind];
	uint32_t i;

	if (standin_running_kernels() && !standin_lost())
		standin_mistake("memory is given back while a kernel runs: the driver would wait for it");
	pthread_mutex_lock(&heap.lock);
	for (i = 0; i < heap.count && (heap.blocks[i].kind != kind || heap.blocks[i].at != at); i++)
		;
	if (i == heap.count)
		standin_mistake("memory is given back that was not allocated");
	if (!standin_running_kernels()) /* of a dead context one may still run here, as it would not on a GPU */
		madvise(range->bytes + at, heap.blocks[i].bytes, MADV_DONTNEED);
	range->used -= heap.blocks[i].bytes;
	heap.blocks[i] = heap.blocks[--heap.count];
	pthread_mutex_unlock(&heap.lock);
	standin_add_live(-1);
}

void *standin_bytes(vyre_cu_address address, uint64_t bytes)
{
	void *found = NULL;
	uint32_t i;

	pthread_mutex_lock(&heap.lock);
	for (i = 0; i < heap.count && !found; i++) {
		struct range *range = &heap.ranges[heap.blocks[i].kind];
		uint64_t offset = address - (uintptr_t)range->given - heap.blocks[i].at;

		if (offset <= heap.blocks[i].bytes && bytes <= heap.blocks[i].bytes - offset)
			found = range->bytes + heap.blocks[i].at + offset;
	}
	pthread_mutex_unlock(&heap.lock);
	return found;
}

int standin_is_address(uint64_t value)
{
	uint32_t i;
	int found = 0;

	pthread_mutex_lock(&heap.lock);
	for (i = 0; i < KINDS; i++)
		found |= heap.ranges[i].given && value - (uintptr_t)heap.ranges[i].given < range_bytes;
	pthread_mutex_unlock(&heap.lock);
	return found;
}

struct standin_block *standin_copy_blocks(uint32_t *count)
{
	struct standin_block *blocks;
	uint32_t i;

	pthread_mutex_lock(&heap.lock);
	*count = heap.count;
	blocks = calloc(heap.count + 1, sizeof(*blocks));
	for (i = 0; blocks && i < heap.count; i++)
		blocks[i] = (struct standin_block){heap.ranges[heap.blocks[i].kind].bytes + heap.blocks[i].at,
						   heap.blocks[i].bytes, heap.blocks[i].kind == PINNED};
	pthread_mutex_unlock(&heap.lock);
	if (!blocks)
		standin_mistake("no memory");
	return blocks;
}

void standin_forget_memory(void)
{
	uint32_t i;

	pthread_mutex_lock(&heap.lock);
	for (i = 0; i < heap.count; i++) {
		const struct block *block = &heap.blocks[i];

		madvise(heap.ranges[block->kind].bytes + block->at, block->bytes, MADV_DONTNEED);
		heap.ranges[block->kind].used = 0;
	}
	standin_add_live(-(int64_t)heap.count);
	heap.count = 0;
	pthread_mutex_unlock(&heap.lock);
}

static int is_pinned(const void *data, uint64_t bytes)
{
	const struct range *range = &heap.ranges[PINNED];

	return standin_property(PROPERTY_pageable) ||
	       (range->bytes && (const uint8_t *)data >= range->bytes &&
		standin_bytes((uintptr_t)range->given + (uint64_t)((const uint8_t *)data - range->bytes), bytes));
}

/* ---- the driver's calls ---- */

vyre_cu_result cuMemAlloc_v2(vyre_cu_address *address, size_t bytes)
{
	uint64_t at;

	CALL(cuMemAlloc);
	if (bytes == 0)
		return CU_INVALID_VALUE;
	at = allocate(DEVICE, bytes);
	if (at == UINT64_MAX)
		return VYRE_CU_OUT_OF_MEMORY;
	*address = (uintptr_t)heap.ranges[DEVICE].given + at;
	return CU_OK;
}

vyre_cu_result cuMemFree_v2(vyre_cu_address address)
{
	vyre_cu_result result = standin_call(SYMBOL_cuMemFree);

	/* What a dead context refuses to give back is gone with it. */
	release(DEVICE, address - (uintptr_t)heap.ranges[DEVICE].given);
	return result;
}

vyre_cu_result cuMemHostAlloc(void **data, size_t bytes, unsigned flags)
{
	uint64_t at;

	CALL(cuMemHostAlloc);
	if (bytes == 0 || flags != (VYRE_CU_MEMHOSTALLOC_PORTABLE | VYRE_CU_MEMHOSTALLOC_DEVICEMAP))
		return CU_INVALID_VALUE;
	at = allocate(PINNED, bytes);
	if (at == UINT64_MAX)
		return VYRE_CU_OUT_OF_MEMORY;
	*data = heap.ranges[PINNED].bytes + at;
	return CU_OK;
}

vyre_cu_result cuMemFreeHost(void *data)
{
	vyre_cu_result result = standin_call(SYMBOL_cuMemFreeHost);

	release(PINNED, (uint64_t)((uint8_t *)data - heap.ranges[PINNED].bytes));
	return result;
}

vyre_cu_result cuMemHostGetDevicePointer_v2(vyre_cu_address *address, void *data, unsigned flags)
{
	const struct range *range = &heap.ranges[PINNED];

	CALL(cuMemHostGetDevicePointer);
	if (flags != 0 || !is_pinned(data, 1))
		return CU_INVALID_VALUE;
	*address = (uintptr_t)range->given + (uint64_t)((uint8_t *)data - range->bytes);
	return CU_OK;
}

struct copy {
	struct standin_work work;
	void *to;
	const void *from; /* NULL: set */
	size_t bytes;
	int value;
};

static void run_copy(struct standin_work *work)
{
	struct copy *copy = (struct copy *)work;

	if (copy->from)
		memcpy(copy->to, copy->from, copy->bytes);
	else
		memset(copy->to, copy->value, copy->bytes);
	free(copy);
}

static vyre_cu_result enqueue(vyre_cu_stream stream, void *to, const void *from, size_t bytes, int value)
{
	struct copy *copy = malloc(sizeof(*copy));

	if (!copy)
		standin_mistake("no memory");
	*copy = (struct copy){{NULL, run_copy}, to, from, bytes, value};
	return standin_enqueue(stream, &copy->work);
}

vyre_cu_result cuMemcpyHtoDAsync_v2(vyre_cu_address to, const void *from, size_t bytes, vyre_cu_stream stream)
{
	void *data = standin_bytes(to, bytes);

	CALL(cuMemcpyHtoDAsync);
	if (!data)
		return CU_INVALID_VALUE;
	if (!is_pinned(from, bytes))
		standin_mistake("%zu bytes are copied from memory that is not pinned", bytes);
	return enqueue(stream, data, from, bytes, 0);
}

vyre_cu_result cuMemcpyDtoHAsync_v2(void *to, vyre_cu_address from, size_t bytes, vyre_cu_stream stream)
{
	const void *data = standin_bytes(from, bytes);

	CALL(cuMemcpyDtoHAsync);
	if (!data)
		return CU_INVALID_VALUE;
	if (!is_pinned(to, bytes))
		standin_mistake("%zu bytes are copied to memory that is not pinned", bytes);
	return enqueue(stream, to, data, bytes, 0);
}

vyre_cu_result cuMemsetD8Async(vyre_cu_address to, unsigned char value, size_t bytes, vyre_cu_stream stream)
{
	void *data = standin_bytes(to, bytes);

	CALL(cuMemsetD8Async);
	if (standin_running_kernels())
		standin_mistake("memory is set while a kernel runs: the driver's own kernel may wait for it");
	return data ? enqueue(stream, data, NULL, bytes, value) : CU_INVALID_VALUE;
}
